"""How much larger a character's head is than that of the body fitted to it, which no shape value of a body tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body
from ..body.raster import rasterize
from ..body.skeleton import JOINT
from ..geometry.camera import Camera
from ..motion.motion import Motion


HEAD_SIDE = 48  # pixels that the fitted head is tall where it is measured
REACH = 4  # heads from the chin that are looked at, up and to both sides
AXIS_SHARE = 0.25  # of the fitted head's height: half the strip that must be covered up to the crown
COVERED = 0.5  # share of a row of that strip
WIDE_ROWS = 0.7  # quantile of the rows' widths: buns and a chin tell little
# Hair makes any head larger and is drawn as what hangs on the body: 1.08 on a photograph, 1.28 on an anime figure, a
# cartoon's head is at 2.2 (2026-11-27). Between the first two the growth begins to count.
LARGE_HEAD = (1.15, 1.4)
LARGEST_HEAD = 3.5


@dataclass(frozen=True, eq=False)
class FittedBody:
    """A body fitted to a picture, as its camera sees it."""

    camera: Camera
    vertices: Tensor  # (V, 3) in camera space
    joints: Tensor  # (24, 3)
    mask: NDArray  # (H, W) bool: where it is drawn

    @classmethod
    def of(cls, motion: Motion) -> FittedBody:
        """The body of a motion's first frame."""
        posed, camera = free_body().pose(motion.person, slice(0, 1)), motion.camera
        vertices, joints = (camera.view(points)[0] for points in (posed.vertices, posed.joints))
        return cls(camera, vertices, joints, draw_body(vertices, camera))


def draw_body(vertices: Tensor, camera: Camera) -> NDArray:
    """The mask (H, W) bool of the free body's vertices (V, 3) in camera space."""
    size = {"focal": camera.focal, "center": camera.center, "size": camera.size}
    return rasterize(vertices[None], free_body().faces, **size).mask[0].numpy()


def measure_head_growth(fitted: FittedBody, matte: NDArray) -> float:
    """The character's head over that of the body fitted to it, as the matte (H, W) uint8 shows both.

    The lesser of height and width counts, so that neither a tall hat nor wide hair nor a raised arm makes a head.
    1 where hair alone explains it.
    """
    neck = fitted.camera.pixels(fitted.joints)[JOINT["neck"]].numpy()
    head = fitted.camera.pixels(fitted.vertices)[free_body().weights[:, JOINT["head"]] > 0.5].numpy()
    if not np.isfinite(head).all() or not fitted.mask.any():
        return 1.0
    own, shown = (_measure_upright(mask, neck, head) for mask in (fitted.mask.astype(np.uint8) * 255, matte))
    if not all(own):
        return 1.0
    growth = min(large / small for large, small in zip(shown, own, strict=True))
    counted = np.clip((growth - LARGE_HEAD[0]) / (LARGE_HEAD[1] - LARGE_HEAD[0]), 0, 1)
    return float(1 + (min(growth, LARGEST_HEAD) - 1) * counted)


def _measure_upright(mask: NDArray, neck: NDArray, head: NDArray) -> tuple[float, float]:
    """Height above the chin and half width of the head in a mask (H, W) uint8, in HEAD_SIDE-ths of the fitted head.

    `neck` (2,) and the `head` vertices' pixels (n, 2) say where upwards is and how large the fitted head is.
    """
    import cv2

    up = head.mean(0) - neck
    up /= max(np.linalg.norm(up), 1e-6)
    along = (head - neck) @ up
    chin, scale = neck + up * along.min(), HEAD_SIDE / max(np.ptp(along), 1e-6)
    reach = REACH * HEAD_SIDE
    right = np.array([-up[1], up[0]])
    turn = scale * np.stack([right, -up])
    offset = np.array([reach, reach]) - turn @ chin
    upright = cv2.warpAffine(mask, np.column_stack([turn, offset]), (2 * reach + 1, reach + 1)) > 127
    strip = round(AXIS_SHARE * HEAD_SIDE)
    covered = upright[::-1, reach - strip : reach + strip + 1].mean(1) >= COVERED
    height = int(np.argmin(covered)) if not covered.all() else len(covered)
    if height < 2:
        return 0.0, 0.0
    rows = upright[::-1][:height]
    sides = rows[:, reach:], rows[:, reach::-1]
    half = np.minimum(*(np.where(side.all(1), reach + 1, side.argmin(1)) for side in sides))
    return float(height), float(np.quantile(half, WIDE_ROWS))
