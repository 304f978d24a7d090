"""Our joints turned so that every segment points where the joints of a foreign skeleton are.

What a file means by "zero rotation" is not known: a T-pose, an A-pose, offsets along the bones, a pose in mid-step. So
directions come from places of joints only. Rotations of the file add what places cannot say, the turn of a bone about
its own length: a bone's rotation differs from ours by a constant turn, which is found from the rest pose where that is
a standing body, or from the clip as a whole otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.skeleton import JOINT, JOINTS, PARENTS
from ..geometry.rotations import matrix_from_axis_angle, shortest_rotations
from .bones import LEFT_AND_RIGHT, Bones


TORSO = ("pelvis", "spine1", "spine2", "spine3")
LEG, ARM = ("hip", "knee", "ankle", "foot"), ("collar", "shoulder", "elbow", "wrist", "hand")
LEVEL = ("ankle", "foot", "head")  # at rest as upright as ours, however the bones before them run
ALIKE_SIDES = 0.08  # of the body's length: left and right of a rest pose differ by less
ALIKE_T_POSE = 0.03  # the same, of a first frame that counts as the rest pose
BACK_OVER_LEGS = 0.9  # cosine between the back and the legs turned round, of somebody who stands
STRAIGHT_KNEE = 0.9  # cosine between thigh and shin
# Squared sines of a knee's or elbow's bend: straight ones deviate sideways, by up to 10 degrees at rest, so that only
# what is above about 18 degrees shows the hinge; the mean of that has to be more than a little.
CARRYING_BEND, LEAST_BEND = 0.1, 0.02
WIDE_COLLARS = 0.25  # of the distance of the shoulders: collars closer together say nothing about the chest
NO_LENGTH = 1e-3  # of the body's length: segments below it have no direction


@dataclass(frozen=True, eq=False)
class _Swing:
    """World from rest rotations (F, 3, 3) of our joints by places alone, and which joints these places direct."""

    turned: dict[str, Tensor]
    known: set[str]


def aim_joints(places: Tensor, rotations: Tensor | None, rest: Tensor | None, bones: Bones, own: Tensor) -> Tensor:
    """World from rest rotations (F, 24, 3, 3) of our joints.

    `places` (F, J, 3) and `rotations` (F, J, 3, 3), world from the file's rest, are of the foreign skeleton with Y up;
    `rest` (J, 3) are its joints at rest, or None where it has no rest pose; `own` (24, 3) are our joints at rest.
    A foreign thigh along (0, -1, 0) turns ours, whatever its angles are, so that the knee lies below the hip.
    """
    places, own = places.double(), own.double()
    swing = _swing(places, bones, own)
    if rest is not None and not is_standing(rest, bones):
        rest = None
    if rest is None and rotations is not None and is_standing(places[0], bones, alike=ALIKE_T_POSE):
        # Takes often begin in a T-pose, which then is the rest pose that the file does not have.
        rest, rotations = places[0], rotations @ rotations[:1].mT
    if rest is None or rotations is None:
        world = _world_by_clip(swing, rotations, bones, own)
    else:
        frame = stand_frame(rest.double(), bones) @ _stand_frame(own, JOINT, own[JOINT["neck"]]).mT
        world = _world_by_rest(swing, _swing(rest.double()[None], bones, own), frame, rotations, bones, own)
    return torch.stack([world[name] for name in JOINTS], 1).float()


def is_standing(rest: Tensor, bones: Bones, *, alike: float = ALIKE_SIDES) -> bool:
    """Whether places at rest (J, 3) are of somebody who stands: legs straight, away from the back, both sides alike.

    A pose in mid-step, and offsets along the bones, are not. `alike` is by how much of the body's length the sides may
    differ.
    """
    limbs = bones.limbs
    hips, knees = ([rest[limbs[f"{side}_{joint}"]] for side in LEFT_AND_RIGHT] for joint in ("hip", "knee"))
    feet = [rest[limbs.get(f"{side}_ankle", limbs[f"{side}_knee"])] for side in LEFT_AND_RIGHT]
    middle = (hips[0] + hips[1]) / 2
    back, legs = _neck_place(rest[None], bones)[0] - middle, (feet[0] + feet[1]) / 2 - middle
    size = float(back.norm() + legs.norm())
    if size <= 0 or (hips[0] - hips[1]).norm() < NO_LENGTH * size or _cosine(back, -legs) < BACK_OVER_LEGS:
        return False
    for hip, knee, foot in zip(hips, knees, feet, strict=True):
        if (foot - knee).norm() > NO_LENGTH * size and _cosine(knee - hip, foot - knee) < STRAIGHT_KNEE:
            return False
    across = normalize(hips[0] - hips[1], dim=0)
    for joint in (*LEG, *ARM):
        if f"left_{joint}" in limbs and f"right_{joint}" in limbs:
            left, right = (rest[limbs[f"{side}_{joint}"]] - middle for side in LEFT_AND_RIGHT)
            if (left - right + 2 * (right @ across) * across).norm() > alike * size:
                return False
    return True


def stand_frame(rest: Tensor, bones: Bones) -> Tensor:
    """Columns left, up, front (3, 3) of places at rest (J, 3) of somebody who stands."""
    return _stand_frame(rest, bones.limbs, _neck_place(rest[None], bones)[0])


def _world_by_rest(swing: _Swing, still: _Swing, frame: Tensor, rotations: Tensor, bones: Bones, own: Tensor) -> dict:
    """All rotations, with the turns that take our rest pose into the foreign one. `frame` turns the standing body."""
    world: dict[str, Tensor] = {}
    for name, parent in zip(JOINTS, PARENTS, strict=True):
        joint = name.partition("_")[2] or name
        bone = _bone_of(name, bones)
        if name in TORSO or (joint == "collar" and name in swing.known):
            world[name] = swing.turned[name] @ (still.turned[name].mT @ frame)
        elif bone is None:
            world[name] = world[JOINTS[parent]]
        elif joint in LEVEL or (name == "neck" and name not in swing.known):
            world[name] = rotations[:, bone].double() @ frame
        else:
            turned = rotations[:, bone].double() @ still.turned[name]
            world[name] = _point_bone(turned, swing, name, own)
    return world


def _world_by_clip(swing: _Swing, rotations: Tensor | None, bones: Bones, own: Tensor) -> dict:
    """All rotations, where no rest pose is known.

    How a limb is turned about its length shows where its knee or elbow bends, which are hinges; other bones are on
    average, over the clip, not turned about their length.
    """
    world: dict[str, Tensor] = {}
    hinged = _hinged_limbs(swing, own)
    for name, parent in zip(JOINTS, PARENTS, strict=True):
        above = world[JOINTS[parent]] if parent >= 0 else None
        bone = _bone_of(name, bones)
        if name in TORSO:
            world[name] = swing.turned[name]
        elif name.endswith("collar"):
            # Where a collar begins differs most between skeletons, so only its way from its mean counts.
            offset = _mean_rotation(above.mT @ swing.turned[name]) if name in swing.known else torch.eye(3).double()
            world[name] = swing.turned[name] @ offset.mT if name in swing.known else above
        elif bone is None or rotations is None:
            world[name] = swing.turned[name] if name in swing.known else above
        else:
            turned = rotations[:, bone].double()
            plain = swing.turned[name] if name in swing.known else above
            reference, weight = hinged.get(name, (plain, torch.ones(len(plain)).double()))
            world[name] = _point_bone(turned @ _mean_rotation(turned.mT @ reference, weight), swing, name, own)
    return world


def _point_bone(turned: Tensor, swing: _Swing, name: str, own: Tensor) -> Tensor:
    """`turned` (F, 3, 3) with its bone pointing exactly where the places say, if they do."""
    if name not in swing.known:
        return turned
    axis = _own_bone(name, own)
    return shortest_rotations(turned @ axis, swing.turned[name] @ axis) @ turned


def _own_bone(name: str, own: Tensor) -> Tensor:
    """From a joint of ours to the next one of its limb, (3,)."""
    if name == "neck":
        return own[JOINT["head"]] - own[JOINT["neck"]]
    side, _, joint = name.partition("_")
    row = LEG if joint in LEG else ARM
    return own[JOINT[f"{side}_{row[row.index(joint) + 1]}"]] - own[JOINT[name]]


def _bone_of(name: str, bones: Bones) -> int | None:
    if name == "neck":
        return bones.neck[0] if bones.neck else None
    return bones.head if name == "head" else bones.limbs.get(name)


def _swing(places: Tensor, bones: Bones, own: Tensor) -> _Swing:
    """Rotations by places (F, J, 3) alone: frames for the torso, the shortest turn from bone to bone for the rest."""
    turned, known = _torso(places, bones, own), set(TORSO)
    size = float((places[:, bones.head] - places[:, bones.limbs["left_knee"]]).norm(dim=1).mean())

    def point(name: str, above: Tensor, start: int | None, end: int | None) -> Tensor:
        turned[name] = above
        if start is not None and end is not None:
            bone = places[:, end] - places[:, start]
            if float(bone.norm(dim=1).amin()) > NO_LENGTH * size:
                turned[name] = shortest_rotations(above @ _own_bone(name, own), bone) @ above
                known.add(name)
        return turned[name]

    turned["head"] = point("neck", turned["spine3"], bones.neck[0] if bones.neck else None, bones.head)
    for side in LEFT_AND_RIGHT:
        for row, root in ((LEG, "pelvis"), (ARM, "spine3")):
            above = turned[root]
            for joint, child in zip(row, (*row[1:], None), strict=True):
                ends = (bones.limbs.get(f"{side}_{joint}"), bones.limbs.get(f"{side}_{child}"))
                above = point(f"{side}_{joint}", above, *ends)
    return _Swing(turned, known)


def _torso(places: Tensor, bones: Bones, own: Tensor) -> dict[str, Tensor]:
    """Rotations of pelvis and spine: along the foreign back, however many bones that has, and across hips and chest."""
    hips = places[:, [bones.limbs["left_hip"], bones.limbs["right_hip"]]]
    line = torch.stack([hips.mean(1), *(places[:, bone] for bone in bones.spine), _neck_place(places, bones)], 1)
    own_hips = own[[JOINT["left_hip"], JOINT["right_hip"]]]
    own_line = torch.stack([own_hips.mean(0), *(own[JOINT[name]] for name in ("spine1", "spine2", "spine3", "neck"))])
    points = _sample_back(line, _shares_of(own_line[None])[0])  # (F, 5, 3)
    across = _across_chest(places, bones)
    hip_line = hips[:, 0] - hips[:, 1]
    own_across, own_hip_line = own[JOINT["left_collar"]] - own[JOINT["right_collar"]], own_hips[0] - own_hips[1]
    turned = {}
    for number, name in enumerate(TORSO):
        share = number / (len(TORSO) - 1)
        left = torch.lerp(normalize(hip_line, dim=1), normalize(across, dim=1), share)
        own_left = torch.lerp(normalize(own_hip_line, dim=0), normalize(own_across, dim=0), share)
        frames = [
            _frame(along, left_, keeps_left=name == "pelvis")
            for along, left_ in (
                (points[:, number + 1] - points[:, number], left),
                ((own_line[number + 1] - own_line[number])[None], own_left[None]),
            )
        ]
        turned[name] = frames[0] @ frames[1].mT
    return turned


def _neck_place(places: Tensor, bones: Bones) -> Tensor:
    """Where the back ends, (F, 3): the first bone of the neck, or the middle of the shoulders."""
    if bones.neck:
        return places[:, bones.neck[0]]
    return places[:, [bones.limbs["left_shoulder"], bones.limbs["right_shoulder"]]].mean(1)


def _across_chest(places: Tensor, bones: Bones) -> Tensor:
    """From right to left across the chest, (F, 3): by the collars, which arms do not move, where they lie apart."""
    shoulders = places[:, bones.limbs["left_shoulder"]] - places[:, bones.limbs["right_shoulder"]]
    if "left_collar" not in bones.limbs or "right_collar" not in bones.limbs:
        return shoulders
    collars = places[:, bones.limbs["left_collar"]] - places[:, bones.limbs["right_collar"]]
    is_wide = float(collars.norm(dim=1).amin()) > WIDE_COLLARS * float(shoulders.norm(dim=1).mean())
    return collars if is_wide else shoulders


def _shares_of(line: Tensor) -> Tensor:
    """How far along a line of points (F, N, 3) each of them lies, 0 to 1, (F, N)."""
    lengths = line.diff(dim=1).norm(dim=2)
    total = torch.cat([lengths.new_zeros(len(line), 1), lengths.cumsum(1)], 1)
    return total / total[:, -1:].clamp_min(1e-12)


def _sample_back(line: Tensor, shares: Tensor) -> Tensor:
    """Points of a line (F, N, 3) at shares (S,) of its length, (F, S, 3)."""
    known = _shares_of(line)
    wanted = shares.expand(len(line), -1).contiguous()
    high = torch.searchsorted(known, wanted).clamp(1, line.shape[1] - 1)
    low = high - 1
    before, after = known.gather(1, low), known.gather(1, high)
    weight = ((wanted - before) / (after - before).clamp_min(1e-12)).clamp(0, 1)[..., None]
    start, end = (line.gather(1, index[..., None].expand(-1, -1, 3)) for index in (low, high))
    return torch.lerp(start, end, weight)


def _frame(along: Tensor, left: Tensor, *, keeps_left: bool) -> Tensor:
    """Columns left, along, front (F, 3, 3); one of the two directions (F, 3) is kept, the other made square to it."""
    along, left = normalize(along, dim=1), normalize(left, dim=1)
    if keeps_left:
        along = normalize(along - (along * left).sum(1, keepdim=True) * left, dim=1)
    else:
        left = normalize(left - (along * left).sum(1, keepdim=True) * along, dim=1)
    return torch.stack([left, along, torch.linalg.cross(left, along)], 2)


def _stand_frame(places: Tensor, limbs, neck: Tensor) -> Tensor:
    hips, shoulders = ([places[limbs[f"{side}_{joint}"]] for side in LEFT_AND_RIGHT] for joint in ("hip", "shoulder"))
    low = "ankle" if "left_ankle" in limbs and "right_ankle" in limbs else "knee"
    feet = [places[limbs[f"{side}_{low}"]] for side in LEFT_AND_RIGHT]
    left = (hips[0] - hips[1]) + (shoulders[0] - shoulders[1])
    return _frame((neck - (feet[0] + feet[1]) / 2)[None], left[None], keeps_left=False)[0]


def _hinged_limbs(swing: _Swing, own: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Rotations (F, 3, 3) of thighs, shins and arms whose hinge lies across their bend, and how far they bend (F,).

    Convention: a knee bends about our +X, a left elbow about -Y, a right one about +Y, as seen at rest. Limbs that stay
    straight in the whole clip are left out.
    """
    found = {}
    for side, turn in (("left", -1.0), ("right", 1.0)):
        for upper, lower, axis in (("hip", "knee", (1.0, 0.0, 0.0)), ("shoulder", "elbow", (0.0, turn, 0.0))):
            upper, lower = f"{side}_{upper}", f"{side}_{lower}"
            if not {upper, lower} <= swing.known:
                continue
            first = normalize(swing.turned[upper] @ _own_bone(upper, own), dim=1)
            second = normalize(swing.turned[lower] @ _own_bone(lower, own), dim=1)
            hinge = torch.linalg.cross(first, second)
            bend = (hinge.square().sum(1) - CARRYING_BEND).clamp_min(0)
            if float(bend.mean()) < LEAST_BEND:
                continue
            now = swing.turned[upper] @ own.new_tensor(axis)
            now = now - (now * first).sum(1, keepdim=True) * first
            sine, cosine = (torch.linalg.cross(now, hinge) * first).sum(1), (now * hinge).sum(1)
            turned = matrix_from_axis_angle(first * torch.atan2(sine, cosine)[:, None]) @ swing.turned[upper]
            found[upper] = (turned, bend)
            found[lower] = (shortest_rotations(turned @ _own_bone(lower, own), second) @ turned, bend)
    return found


def _mean_rotation(rotations: Tensor, weight: Tensor | None = None) -> Tensor:
    """The rotation (3, 3) closest to all of (F, 3, 3), with weights (F,) (Hartley et al. 2013, section 5.3)."""
    weight = torch.ones(len(rotations), dtype=rotations.dtype) if weight is None else weight
    left, _, right = torch.linalg.svd((rotations * weight[:, None, None]).sum(0))
    sign = torch.ones(3, dtype=rotations.dtype)
    sign[2] = torch.linalg.det(left @ right).sign()
    return left @ torch.diag(sign) @ right


def _cosine(a: Tensor, b: Tensor) -> float:
    return float((a @ b) / (a.norm() * b.norm()).clamp_min(1e-12))
