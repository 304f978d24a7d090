"""The soft rim of what passes in front of the person: motion blur and hair, told by how much of each color is there."""

from __future__ import annotations

import numpy as np

from ..geometry.box import Box
from .fields import extrapolate_field
from .filters import channel_norm


RIM_REACH = 0.012  # of the body height: blur at the rim of what is in front lies within this of its outline
LEAST_REACH, MOST_REACH = 1.5, 6.0  # pixels
LEAST_CONTRAST = 40.0  # levels between what is in front and the person: less does not tell them apart
MISFIT_SHARE = 0.25  # of that contrast by which a mixture of both colors may miss the pixel
PERSON_ALPHA = 200  # of the person's mask, away from the rim: it shows the person's color alone


def soften_occluder(alpha: np.ndarray, person: np.ndarray, source: np.ndarray, body_height: float) -> np.ndarray:
    """The alpha (h, w) uint8 of what is in front, soft where its rim mixes with the person's colors.

    Around the outline of `alpha` (h, w) uint8 a pixel of `source` (h, w, 3) uint8 is a mixture of the color inside and
    of that of the `person` (h, w) uint8 behind, both continued from beyond the rim; the share is the closest in color.
    Where both are alike, or no mixture gives the pixel better than the old alpha does, nothing changes.
    """
    import cv2

    reach = float(np.clip(RIM_REACH * body_height, LEAST_REACH, MOST_REACH))
    box = Box.of_mask(alpha > 127, round(3 * reach) + 4)
    if box is None:
        return alpha
    part, person, source = box.cut(alpha), box.cut(person), box.cut(source).astype(np.float32)
    solid = (part > 127).astype(np.uint8)
    outside, inside = (cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_3) for side in (1 - solid, solid))
    core, apart = inside > reach, outside > reach
    body = (person > PERSON_ALPHA) & apart
    if not core.any() or not body.any():
        return alpha
    front, behind = (extrapolate_field(source, weight.astype(np.float32)) for weight in (core, body))
    is_before_person = extrapolate_field(body[..., None].astype(np.float32), apart.astype(np.float32))[..., 0] > 0.5
    across = front - behind
    contrast = channel_norm(across)
    share = ((source - behind) * across).sum(-1) / np.maximum(contrast, 1) ** 2
    share, old = share.clip(0, 1), part.astype(np.float32) / 255
    misfit, misfit_before = (channel_norm(source - behind - values[..., None] * across) for values in (share, old))
    better = ~core & ~apart & is_before_person & (contrast > LEAST_CONTRAST)
    better &= (misfit < MISFIT_SHARE * contrast) & (misfit < misfit_before)
    result = alpha.copy()
    box.cut(result)[better] = share[better] * 255 + 0.5
    return result
