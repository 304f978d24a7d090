"""Where on the body every texel lies: limb, side, face, scalp."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel, free_body, vertex_normals
from ..body.skeleton import JOINT
from .atlas import Atlas, load_atlas


QUARTER_TURN = 0.12  # meters that a quarter turn around a limb counts for when a stand-in is looked up
ARM_JOINTS = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("shoulder", "elbow", "wrist", "hand")]
# The trunk is flat rather than round.
TRUNK_JOINTS = [JOINT[f"spine{number}"] for number in (1, 2, 3)] + [
    JOINT[name] for name in ("pelvis", "neck", "head", "left_collar", "right_collar")
]
FOREHEAD = 0.6  # of the way from the eyes to the crown: where hair begins
TEMPLE, NAPE, EAR_RADIUS = 0.02, 0.03, 0.026  # meters: of hair before the ear, below the nose's height behind, no hair
SOLE_SINES = (0.2, 0.6)  # of the angle at which a foot's surface faces down: its side below, its sole above
WRIST_FADE = 0.3  # of the skinning weight over which a forearm goes over into a hand
HAIRLINE_FADE = 0.014  # meters over which hair ends
LEG_JOINTS = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")]
ELBOWS = [JOINT["left_elbow"], JOINT["right_elbow"]]
HANDS = [[JOINT[f"{side}_wrist"], JOINT[f"{side}_hand"]] for side in ("left", "right")]
FEET_JOINTS = [JOINT[name] for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


@dataclass(frozen=True, eq=False)
class BodySurface:
    """The rest pose of every texel of an atlas, (N, ...) each."""

    atlas: Atlas
    place: NDArray  # (N, 3) meters on the template
    axis: NDArray  # (N, 3) the point of the limb's axis beside it
    turn: NDArray  # (N,) sine of the angle around it, 0 in front and behind; on the trunk the way from its middle
    sideways: NDArray  # (N,) sine of the angle between normal and the plane of front and behind, 1 at the very sides
    head: NDArray  # (N,) skinning weight of the head
    trunk: NDArray  # (N,) skinning weight of pelvis, spine and collars
    hands: tuple[NDArray, NDArray]  # (N,) bool, left and right
    arms: NDArray  # (N,) bool, hands included
    face: NDArray  # (N,) bool: skin, if any is to be seen
    hair: NDArray  # (N,) bool: where hair grows if there is any
    nape: NDArray  # (N,) bool: what long hair covers besides, the head's lower part behind the ears
    scalp: NDArray  # (N,) 0 to 1: how surely short hair grows there; it leaves out temples and ears
    covered: NDArray  # (N,) 0 to 1: how surely long hair covers what is there
    feet: NDArray  # (N,) bool
    sole: NDArray  # (N,) 0 to 1: the underside of a foot
    legs: NDArray  # (N,) bool, feet included
    forearms: NDArray  # (N,) bool
    beyond_elbow: NDArray  # (N,) 0 to 1: how surely it is on a forearm or hand
    grip: NDArray  # (N,) 0 to 1: how surely a texel of a hand is beyond the wrist

    def along(self, texels: NDArray, *, inwards: float = 1.0) -> NDArray:
        """Where on their limbs texels (n,) lie, front and back alike, (n, 4); `inwards` below 1 draws sides nearer."""
        return np.concatenate([self.axis[texels], QUARTER_TURN * inwards * self.turn[texels, None]], 1)

    def fold(self, texels: NDArray) -> NDArray:
        """Where on their limbs texels (n,) lie, the left limb on the right one, (n, 4)."""
        axis, turn = self.axis[texels], self.turn[texels]
        sign = np.where(self.place[texels, 0] < 0, -1, 1)
        turn = np.where(self.arms[texels], turn, turn * sign)  # around an arm it is upwards, else to a side
        return np.column_stack([np.abs(axis[:, 0]), axis[:, 1:], QUARTER_TURN * turn])

    @functools.cached_property
    def _tree(self):
        from scipy.spatial import cKDTree

        return cKDTree(self.place, balanced_tree=False)

    def with_face(self, face: NDArray) -> BodySurface:
        """The same surface with another `face` (N,) bool. Both share the tree of places, which takes long to build."""
        other = replace(self, face=face)
        other.__dict__["_tree"] = self._tree
        return other

    def partners(self, texels: NDArray) -> NDArray:
        """For texels (n,) those at their mirror image, left for right, (n,)."""
        return self._tree.query(self.place[texels] * np.array([-1, 1, 1], np.float32), eps=0.3, workers=-1)[1]


@functools.lru_cache(maxsize=2)
def load_surface(side: int) -> BodySurface:
    body, atlas = free_body(), load_atlas(side)
    place = atlas.at(body.faces, body.template).numpy()
    weights = atlas.at(body.faces, body.weights).numpy()
    head = weights[:, JOINT["head"]]
    feet = weights[:, FEET_JOINTS].sum(1)
    down = -atlas.at(body.faces, vertex_normals(body.template[None], body.faces)[0][:, 1:2]).numpy()[:, 0]
    hands = [weights[:, joints].sum(1) > 0.5 for joints in HANDS]
    arms = weights[:, ARM_JOINTS].sum(1) > 0.5
    axis, turn, sideways = (atlas.at(body.faces, values).numpy() for values in _limb_coordinates(body))
    trunk = weights[:, [joint for joint in TRUNK_JOINTS if joint not in (JOINT["neck"], JOINT["head"])]].sum(1)
    hair, face, nape = _find_scalp_and_face(body, place, head)
    scalp, covered = _trace_hairline(body, place)
    low, high = SOLE_SINES
    sole = np.clip((down - low) / (high - low), 0, 1) * (feet > 0.5)
    legs = weights[:, LEG_JOINTS].sum(1) > 0.5
    forearms = weights[:, ELBOWS].sum(1) > 0.5
    on_hands = sum(weights[:, joints].sum(1) for joints in HANDS)
    beyond = weights[:, ELBOWS + HANDS[0] + HANDS[1]].sum(1)
    beyond_elbow, grip = (np.clip((share - 0.5) / WRIST_FADE, 0, 1) for share in (beyond, on_hands))
    masks = (
        tuple(hands),
        arms,
        face,
        hair,
        nape,
        scalp,
        covered,
        feet > 0.5,
        sole,
        legs,
        forearms,
        beyond_elbow,
        grip,
    )
    return BodySurface(atlas, place, axis, turn[:, 0], sideways[:, 0], head, trunk, *masks)


def forget_surfaces():
    """Free what `load_surface` keeps, 100 MB for the body's texture; half a second makes it again."""
    load_surface.cache_clear()
    load_atlas.cache_clear()


def _limb_coordinates(body: BodyModel) -> tuple[Tensor, Tensor, Tensor]:
    """For the vertices in rest pose the point of the limb's axis (V, 3), the turn around it and the sideways (V, 1).

    Arms lie along x, feet along z, everything else along y. The trunk is flat rather than round: there the way from
    the middle, in units of AROUND, says more than the normal.
    """
    joints = body.joint_regressor @ body.template
    place = body.template[:, None]
    candidate = torch.cat([joints[None, :, :1].expand(len(place), -1, -1), place[..., 1:2].expand(-1, 24, 1)], -1)
    candidate = torch.cat([candidate, joints[None, :, 2:].expand(len(place), -1, -1)], -1)
    candidate[:, ARM_JOINTS, 0], candidate[:, ARM_JOINTS, 1] = place[..., 0], joints[None, ARM_JOINTS, 1]
    candidate[:, TRUNK_JOINTS, 0] = 0
    candidate[:, FEET_JOINTS, 2] = place[..., 2]
    axis = (body.weights[..., None] * candidate).sum(1)
    arm = body.weights[:, ARM_JOINTS].sum(1, keepdim=True)
    normal = vertex_normals(body.template[None], body.faces)[0]
    trunk = body.weights[:, TRUNK_JOINTS].sum(1, keepdim=True)
    turn = normal[:, :1] * (1 - arm - trunk) + normal[:, 1:2] * arm + body.template[:, :1] / QUARTER_TURN * trunk
    return axis, turn, (normal[:, :1] * (1 - arm) + normal[:, 1:2] * arm).abs()


def _find_scalp_and_face(body: BodyModel, place: NDArray, head: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Where hair grows, behind the ears and above the forehead down to the nape, the middle of the face, the nape."""
    at = {name: body.template[body.landmarks[name]].numpy() for name in ("left_ear", "left_eye", "nose")}
    top = float(place[head > 0.5, 1].max())
    eye, nose = at["left_eye"][1], at["nose"][1]
    behind = (place[:, 2] < at["left_ear"][2]) & (place[:, 1] > nose - 0.03)
    hair = (head > 0.5) & (behind | (place[:, 1] > eye + 0.6 * (top - eye)))
    face = (head > 0.5) & (place[:, 2] > at["left_ear"][2] + 0.05) & (np.abs(place[:, 1] - nose) < 0.04)
    nape = (head > 0.02) & (place[:, 2] < at["left_ear"][2]) & ~hair
    return hair, face, nape


def _trace_hairline(body: BodyModel, place: NDArray) -> tuple[NDArray, NDArray]:
    """How surely places (N, 3) on the head are hair, (N,) 0 to 1, of short and of long hair.

    The hairline comes down from the forehead over the temple to the ear, around it, and to the nape.
    """
    at = {name: body.template[body.landmarks[name]].numpy() for name in ("left_ear", "left_eye", "nose")}
    _, ear_height, ear_depth = at["left_ear"]
    top, front = float(body.template[:, 1].max()), float(at["nose"][2])
    eye = float(at["left_eye"][1])
    forehead = eye + FOREHEAD * (top - eye)
    height, depth = place[:, 1], place[:, 2]
    temple = np.clip((height - eye) / (forehead - eye), 0, 1) ** 2
    line = ear_depth + TEMPLE + temple * (front - ear_depth)
    before = np.minimum(line - depth, height - (at["nose"][1] - NAPE))
    on_ear = np.linalg.norm(place * [0, 1, 1] - [0, ear_height, ear_depth], axis=1) - EAR_RADIUS
    short = np.minimum(before, np.where(np.abs(place[:, 0]) > 0.5 * at["left_ear"][0], on_ear, np.inf))
    scalp = np.clip(short / HAIRLINE_FADE + 0.5, 0, 1)
    return scalp, np.clip((line - depth) / HAIRLINE_FADE + 0.5, 0, 1)
