"""An identity at a glance: what was cut out, and the body or the joints at which it will move."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..body.head import grow_head
from ..body.skeleton import JOINT
from ..geometry.box import Box
from .identity import Identity
from .joints import LIMBS
from .proportions import draw_body


SHOWN_SIDE = 640  # pixels of the identity's side
CHECKS, SQUARE = (112, 144), 16  # gray levels of the ground, on which white and black clothes show; pixels of a square
MARGIN = 0.03  # of the side around what is shown
DIMMED = 0.45  # of the light, under the lines
TRUNK, LEFT, RIGHT, OUTLINE = (255, 255, 255), (80, 170, 255), (255, 150, 60), (90, 230, 120)  # RGB
TRUNK_BONES = (("pelvis", "neck"), ("neck", "head"))


def draw_identity(identity: Identity) -> NDArray:
    """The cut-out on gray squares (H, W, 3) uint8, and beside it once more with what it will move by.

    That is the outline of the fitted body and its bones, or the bones of a card; its left is blue, its right orange.
    What cannot bend is shown once.
    """
    import cv2

    side = min(SHOWN_SIDE, identity.side)
    scale = side / identity.side
    picture, matte = (
        cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA) for layer in (identity.picture, identity.matte)
    )
    # The picture is on white already, so that only the ground's difference from it is added.
    ground = _draw_squares(side).astype(np.float32)
    cut_out = picture - (255 - ground)[..., None] * (1 - matte[..., None] / np.float32(255))
    cut_out = np.clip(cut_out, 0, 255).astype(np.uint8)
    outline, at = _find_body(identity, side) if identity.motion is not None else (None, None)
    if identity.joints is not None:
        at = {name: identity.joints.at(name) * scale for limb in LIMBS.values() for name in limb}
        at |= {name: identity.joints.at(name) * scale for bone in TRUNK_BONES for name in bone}
    shown = matte > 0 if outline is None else (matte > 0) | outline
    box = Box.of_mask(shown, round(MARGIN * side)) or Box(0, 0, side, side)
    if at is None:
        return np.ascontiguousarray(box.cut(cut_out))
    lines = (cut_out * DIMMED).astype(np.uint8)
    if outline is not None:
        contours, _ = cv2.findContours(outline.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(lines, contours, -1, OUTLINE, 1, cv2.LINE_AA)
    _draw_bones(lines, at)
    return np.hstack([box.cut(cut_out), box.cut(lines)])


def _draw_squares(side: int) -> NDArray:
    rows, columns = np.ogrid[:side, :side]
    return np.where((rows // SQUARE + columns // SQUARE) % 2, *CHECKS)


def _find_body(identity: Identity, side: int) -> tuple[NDArray, dict[str, NDArray]]:
    """Where the body is drawn (side, side) bool, and its joints in pixels, by name."""
    camera, posed = identity.motion.camera.resize(side, side), identity.body.pose(identity.stance.person, slice(0, 1))
    vertices, joints = (camera.view(points)[0] for points in (posed.vertices, posed.joints))
    pixels = camera.pixels(joints).numpy()
    vertices = grow_head(identity.body, vertices, identity.head_growth)
    return draw_body(vertices, camera), {name: pixels[number] for name, number in JOINT.items()}


def _draw_bones(picture: NDArray, at: dict[str, NDArray]) -> None:
    import cv2

    limbs = [bone for limb in LIMBS.values() for bone in pairwise(limb)]
    for start, end in (*TRUNK_BONES, *limbs):
        color = LEFT if end.startswith("left") else RIGHT if end.startswith("right") else TRUNK
        ends = [tuple(at[name].round().astype(int).tolist()) for name in (start, end)]
        cv2.line(picture, *ends, color, 2, cv2.LINE_AA)
        cv2.circle(picture, ends[1], 3, color, -1, cv2.LINE_AA)
