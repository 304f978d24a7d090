"""Where BlazePose's 33 landmarks lie on the free body: weighted vertices, moved by skinning like any other.

BlazePose's own skeleton differs a little from the body's. `LANDMARK_PLACES` says where its landmarks lie relative to
the body's joints: offsets in the frame of the bone that least squares find between what BlazePose sees on the synthetic
shots 0 to 259 and the projected truth, 5 to 11 mm apart in the median. `derive_landmark_weights` turns them into a few
weighted vertices each, frozen in assets/landmarks.json by tools/landmark_table.py.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .model import BodyModel, free_body
from .skeleton import JOINT


TABLE = Path(__file__).parent.parent / "assets" / "landmarks.json"
BLAZEPOSE_LANDMARKS = (
    "nose",
    *("left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"),
    *("left_ear", "right_ear", "mouth_left", "mouth_right"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("left_heel", "right_heel", "left_foot_index", "right_foot_index"),
)


@dataclass(frozen=True)
class LandmarkPlace:
    """A landmark of the body's left or middle, in metres from a joint of the average body in rest."""

    joint: str
    offset: tuple[float, float, float]
    bones: tuple[str, ...]  # only vertices that these move may carry it


LANDMARK_PLACES = {
    "nose": LandmarkPlace("head", (0.0, 0.013, 0.109), ("head",)),
    "left_eye_inner": LandmarkPlace("head", (0.016, 0.044, 0.088), ("head",)),
    "left_eye": LandmarkPlace("head", (0.028, 0.044, 0.082), ("head",)),
    "left_eye_outer": LandmarkPlace("head", (0.039, 0.044, 0.076), ("head",)),
    "left_ear": LandmarkPlace("head", (0.056, 0.030, 0.027), ("head",)),
    "mouth_left": LandmarkPlace("head", (0.020, -0.021, 0.093), ("head",)),
    "left_shoulder": LandmarkPlace("left_shoulder", (-0.007, 0.010, 0.002), ("left_collar", "left_shoulder", "spine3")),
    "left_elbow": LandmarkPlace("left_elbow", (-0.012, 0.007, 0.010), ("left_shoulder", "left_elbow")),
    "left_wrist": LandmarkPlace("left_wrist", (0.006, -0.003, -0.001), ("left_elbow", "left_wrist")),
    "left_pinky": LandmarkPlace("left_hand", (-0.026, -0.005, -0.007), ("left_wrist", "left_hand")),
    "left_index": LandmarkPlace("left_hand", (-0.020, -0.012, 0.018), ("left_wrist", "left_hand")),
    "left_thumb": LandmarkPlace("left_hand", (-0.045, -0.013, 0.030), ("left_wrist", "left_hand")),
    "left_hip": LandmarkPlace("left_hip", (-0.010, -0.001, 0.019), ("pelvis", "left_hip")),
    "left_knee": LandmarkPlace("left_knee", (-0.004, 0.002, -0.001), ("left_hip", "left_knee")),
    "left_ankle": LandmarkPlace("left_ankle", (0.005, 0.027, 0.003), ("left_knee", "left_ankle")),
    "left_heel": LandmarkPlace("left_ankle", (-0.012, -0.039, -0.045), ("left_ankle",)),
    "left_foot_index": LandmarkPlace("left_foot", (-0.021, 0.003, 0.041), ("left_ankle", "left_foot")),
}
CANDIDATES = 80  # vertices around a place that may carry it
OWNED = 0.9  # share of a candidate's skinning weight that lies on the bones of the place


@functools.cache
def landmark_weights() -> Tensor:
    """The frozen table as a matrix (33, V) for the free body: landmarks = weights @ vertices. Rows add up to one."""
    table = json.loads(TABLE.read_text())
    weights = torch.zeros(len(BLAZEPOSE_LANDMARKS), free_body().vertices)
    for row, name in enumerate(BLAZEPOSE_LANDMARKS):
        for vertex, weight in table[name]:
            weights[row, vertex] = weight
    return weights / weights.sum(1, keepdim=True)


def derive_landmark_weights(body: BodyModel) -> dict[str, list[tuple[int, float]]]:
    """Weighted vertices (vertex, weight) for each landmark, such that their mean lies at its place for every shape."""
    vertices, joints = body.shape(torch.zeros(10))
    return {name: _choose_carriers(body, vertices, joints, name) for name in BLAZEPOSE_LANDMARKS}


def _choose_carriers(body: BodyModel, vertices: Tensor, joints: Tensor, name: str) -> list[tuple[int, float]]:
    from scipy.optimize import nnls

    place = landmark_place(name)
    target = joints[JOINT[place.joint]] + torch.tensor(place.offset)
    owned = body.weights[:, [JOINT[bone] for bone in place.bones]].sum(1) > OWNED
    distance = torch.where(owned, (vertices - target).norm(dim=1), torch.inf)
    near = distance.topk(CANDIDATES, largest=False).indices
    # Rows: position, how the joint moves with the shape, a sum of one, and a slight pull towards close vertices.
    shape_of_joint = torch.einsum("v,vcb->cb", body.joint_regressor[JOINT[place.joint]], body.shapedirs)
    rows = [10 * (vertices[near] - target).mT, (body.shapedirs[near] - shape_of_joint).flatten(1).mT]
    rows += [torch.full((1, CANDIDATES), 10.0), 0.1 * distance[near][None]]
    right = torch.cat([torch.zeros(3 + shape_of_joint.numel()), torch.tensor([10.0, 0.0])])
    weights, _ = nnls(torch.cat(rows).double().numpy(), right.double().numpy())
    kept = np.flatnonzero(weights > 0.01)
    shares = weights[kept] / weights[kept].sum()
    return [(int(near[index]), round(float(share), 4)) for index, share in zip(kept, shares, strict=True)]


def landmark_place(name: str) -> LandmarkPlace:
    """The place of any of the 33 landmarks; those of the right side mirror those of the left."""
    if name in LANDMARK_PLACES:
        return LANDMARK_PLACES[name]
    left = LANDMARK_PLACES[other_side(name)]
    x, y, z = left.offset
    return LandmarkPlace(other_side(left.joint), (-x, y, z), tuple(other_side(bone) for bone in left.bones))


def other_side(name: str) -> str:
    """The name of the same thing on the body's other side."""
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")
