"""Where a bending card's joints are while a driver moves: bones as the camera sees the driver's, as long as its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..body.height import measure_height
from ..body.landmarks import other_side
from ..body.model import free_body
from ..body.skeleton import JOINT
from ..geometry.camera import Camera
from ..identity.joints import LIMBS, PICTURE_JOINTS
from ..motion.half_body import LEAST_SIZE, OFTEN, TOP_MARGIN, shows_feet
from ..motion.legs import pose_skeleton
from ..motion.motion import Motion
from .bending_card import BONES, BendingCard


POSED_AT_ONCE = 256  # frames whose joints are kept at a time
SHORTEST_TRUNK, SHORTEST_LIMB = 0.5, 0.25  # of a bone's length, however it points at the camera
TURNED = 0.3  # of the shoulders' width that they must be seen the other way round for the card to be turned over
HEAD_SHARE = 0.5  # of the head's own direction, the rest is the trunk's: a nod must not turn a face upside down
ANKLE_SHARE = 0.06  # of the driver's height that the soles, toes included, are seen below the ankles
SUPPORT = 0.02  # of the driver's height: the lower foot carries, by a soft choice within this
FARTHEST_LIMB = 0.3  # meters that a limb is drawn in front of the trunk or behind it at most
LIMB_LEAD = 0.001  # meters that limbs lie over the trunk where they have its weights: it is painted over below them
ARM_LEAD = 0.03  # meters that arms are drawn before the trunk, on which they lie in most pictures


def pose_card(card: BendingCard, motion: Motion) -> Callable[[int], list[Tensor]]:
    """A function of the frame that gives the world vertices (V, 3) of all parts, facing the camera of the motion.

    The figure is as tall as the driver, stands on the driver's soles and bends as the driver's bones are seen. Where no
    foot of the driver is seen its hips are the driver's, and it is as large as its trunk says and its head has room.
    """
    number = [JOINT[name] for name in PICTURE_JOINTS]
    person, camera, body = motion.person, motion.camera, free_body()
    height = measure_height(body, body.betas_of(person))
    stands = shows_feet(motion)
    turned = None

    @lru_cache(maxsize=2)
    def seen_from(start: int) -> Tensor:
        """The driver's joints (n, len(PICTURE_JOINTS), 3) in camera space from a frame on."""
        frames = slice(start, start + POSED_AT_ONCE)
        part = person.index(frames)
        world = pose_skeleton(body, body.betas_of(part), part).joints + part.transl[:, None]
        return camera.view(world, frames)[:, number]

    def place_frame(frame: int) -> list[Tensor]:
        nonlocal turned, height
        if turned is None:
            points = torch.cat([seen_from(start) for start in range(0, person.frames, POSED_AT_ONCE)])
            turned = find_turned(_see_width(points), card)
            if not stands:
                height = _fit_trunk(card, points[person.visible], camera)
        points = seen_from(frame - frame % POSED_AT_ONCE)[frame % POSED_AT_ONCE]
        return _lift_parts(card, points, height, turned[frame], camera, frame, stands)

    return place_frame


def _fit_trunk(card: BendingCard, points: Tensor, camera: Camera) -> float:
    """How tall (meters) the card is if its trunk is as long as the driver's, (F, 15, 3) in camera space.

    Less where its crown would leave the picture, as long as it is above the hips.
    """
    at = {name: points[:, number] for number, name in enumerate(PICTURE_JOINTS)}
    own = float(np.linalg.norm(card.joints.at("neck") - card.joints.at("pelvis")))
    scale = (at["neck"] - at["pelvis"]).norm(dim=1).median() / max(own, 1e-6)
    depth = at["pelvis"][:, 2].clamp_min(0.05)
    room = at["pelvis"][:, 1] / depth * camera.focal + camera.center[1] - TOP_MARGIN * camera.size[1]
    rooms = (room.clamp_min(1.0) * depth / camera.focal)[at["neck"][:, 1] < at["pelvis"][:, 1]]
    most = rooms.quantile(OFTEN) / card.upper if len(rooms) else scale
    return card.height * float(torch.minimum(scale, torch.maximum(most, LEAST_SIZE * scale)))


def find_turned(widths: Tensor, card: BendingCard) -> list[bool]:
    """Whether the card shows its back in each frame, by how wide (F,) the shoulders are seen, left minus right.

    It turns over only when the driver clearly has: side views keep what was before.
    """
    own = float((card.joints.at("left_shoulder") - card.joints.at("right_shoulder"))[0])
    facing = widths if own >= 0 else -widths
    clear = (facing.abs() > TURNED).nonzero()[:, 0]
    state = bool(facing[clear[0]] < 0) if len(clear) else False
    turned = []
    for value in facing.tolist():
        state = value < 0 if abs(value) > TURNED else state
        turned.append(state)
    return turned


def _see_width(points: Tensor) -> Tensor:
    """How wide the shoulders are seen across the trunk, (F,), left minus right, of their length; points (F, 15, 3)."""
    at = {name: points[:, PICTURE_JOINTS.index(name)] for name in PICTURE_JOINTS}
    across = at["left_shoulder"] - at["right_shoulder"]
    spine = (at["pelvis"] - at["neck"])[:, :2]
    spine = torch.nn.functional.normalize(spine, dim=1)
    level = torch.stack([spine[:, 1], -spine[:, 0]], 1)  # to the right of a spine that points down
    return (across[:, :2] * level).sum(1) / across.norm(dim=1).clamp_min(1e-6)


def follow_bones(card: BendingCard, points: Tensor, height: float, mirrored: bool, stands: bool = True) -> Tensor:
    """The card's joints (15, 2) in meters of the plane at the pelvis' depth, for a driver's joints (15, 3) seen.

    `height` (meters) is the card's, upright. It `stands` on the driver's soles, or its pelvis is the driver's.
    """
    scale = height / card.height
    depth = points[0, 2]
    flat = points[:, :2] / points[:, 2:].clamp_min(0.05) * depth
    seen = {name: flat[at] for at, name in enumerate(PICTURE_JOINTS)}
    solid = {name: points[at] for at, name in enumerate(PICTURE_JOINTS)}
    own = {name: torch.from_numpy(card.joints.at(name)) for name in PICTURE_JOINTS}
    side = -1.0 if mirrored else 1.0

    def see_bone(start: str, end: str) -> tuple[Tensor, Tensor]:
        """Direction of a bone on the picture (2,) and the share of its length that is seen."""
        way = seen[end] - seen[start]
        return way / way.norm().clamp_min(1e-6), (way.norm() / (solid[end] - solid[start]).norm()).clamp(max=1.0)

    def own_length(start: str, end: str) -> Tensor:
        other = [other_side(name) for name in (start, end)]
        return scale * max((own[b] - own[a]).norm() for a, b in ((start, end), other))

    up, share = see_bone("pelvis", "neck")
    placed = {"pelvis": seen["pelvis"]}
    placed["neck"] = placed["pelvis"] + up * own_length("pelvis", "neck") * share.clamp_min(SHORTEST_TRUNK)
    own_up = torch.nn.functional.normalize(own["neck"] - own["pelvis"], dim=0)
    turn = torch.stack([up, side * _turn_left(up)], 1) @ torch.stack([own_up, _turn_left(own_up)], 1).T
    for joint, root in (("shoulder", "neck"), ("hip", "pelvis")):
        for name in (f"left_{joint}", f"right_{joint}"):
            placed[name] = placed[root] + scale * turn @ (own[name] - own[root])
    nod, _ = see_bone("neck", "head")
    lean = torch.nn.functional.normalize(HEAD_SHARE * nod + (1 - HEAD_SHARE) * up, dim=0)
    placed["head"] = placed["neck"] + lean * own_length("neck", "head")
    for names in LIMBS.values():
        for start, end in zip(names, names[1:], strict=False):
            way, share = see_bone(start, end)
            placed[end] = placed[start] + way * own_length(start, end) * share.clamp_min(SHORTEST_LIMB)
    joints = torch.stack([placed[name] for name in PICTURE_JOINTS])
    return joints + _stand_on_soles(card, placed, seen, height) if stands else joints


def _turn_left(way: Tensor) -> Tensor:
    return torch.stack([-way[1], way[0]])


def _stand_on_soles(card: BendingCard, placed: dict[str, Tensor], seen: dict[str, Tensor], height: float) -> Tensor:
    """The shift (2,) that puts the lower foot where the driver's is."""
    ankles = ("left_ankle", "right_ankle")
    own, goal = (torch.stack([at[name] for name in ankles]) for at in (placed, seen))
    carries = torch.softmax(goal[:, 1] / (SUPPORT * height), 0)
    shift = (carries[:, None] * (goal - own)).sum(0)
    drop = ANKLE_SHARE * height - card.sole_drop * height / card.height
    return shift + shift.new_tensor([0.0, drop])


def _lift_parts(
    card: BendingCard, points: Tensor, height: float, mirrored: bool, camera: Camera, frame: int, stands: bool
) -> list[Tensor]:
    """World vertices (V, 3) of all parts for the driver's joints (15, 3) in camera space."""
    joints = follow_bones(card, points, height, mirrored, stands)
    flat = card.bend(joints, scale=height / card.height, mirrored=mirrored)
    away = _limb_depths(points)
    depth = points[0, 2]
    world_from_camera = torch.linalg.inv(camera.extrinsics(slice(frame, frame + 1)).to(points))[0]
    lifted = []
    for part, (places, weights) in enumerate(zip(flat, card.weights, strict=True)):
        distance = (depth + weights @ away - LIMB_LEAD * (part > 0))[:, None]
        seen = torch.cat([places / depth * distance, distance], 1)
        lifted.append(seen @ world_from_camera[:3, :3].mT + world_from_camera[:3, 3])
    return lifted


def _limb_depths(points: Tensor) -> Tensor:
    """How far behind the trunk every bone is drawn, (10,) meters."""
    at = {name: points[number, 2] for number, name in enumerate(PICTURE_JOINTS)}
    away = []
    for name, (start, end) in BONES.items():
        if name in ("trunk", "head"):
            away.append(points.new_tensor(0.0))
            continue
        is_arm = "arm" in name
        root = at["neck"] if is_arm else at["pelvis"]
        away.append(((at[start] + at[end]) / 2 - root - ARM_LEAD * is_arm).clamp(-FARTHEST_LIMB, FARTHEST_LIMB))
    return torch.stack(away)
