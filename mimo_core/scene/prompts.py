"""What a motion tells a segmentation network about its people: a box and points on the body in every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..body.model import free_body
from ..body.skeleton import JOINT
from ..motion.motion import Motion


# Joints that lie well inside the body: wrists and feet are as thin as the fit is wrong.
PROMPT_JOINTS = tuple(
    JOINT[name]
    for name in (
        "pelvis", "spine1", "spine3", "neck", "head", "left_hip", "right_hip", "left_knee", "right_knee",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    )
)  # fmt: skip
HEAD, NECK = JOINT["head"], JOINT["neck"]  # the head ends about as far above its joint as the neck lies below
SEEN_CONFIDENCE = 0.5  # of a joint that is a point for the network
BOX_MARGIN = 0.08  # of the longer side of the joints' box: skin, hair, hands and toes
FRAMES_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Prompt:
    """Where a person is in a frame, in pixels."""

    box: NDArray  # (4,) x0, y0, x1, y1 within the picture
    points: NDArray  # (N, 2) on the body, may be none

    def share_inside(self, mask: NDArray) -> float:
        """Share of the points that a mask (H, W) uint8 holds; 1 without points."""
        if not len(self.points):
            return 1.0
        x, y = self.points.astype(int).T
        return float((mask[y, x] > 127).mean())


def list_prompts(motion: Motion, width: int, height: int) -> Iterator[list[Prompt | None]]:
    """One prompt a person for each frame; None where the person is not in the picture."""
    camera, body = motion.camera.resize(width, height), free_body()
    for start in range(0, motion.frames, FRAMES_AT_ONCE):
        frames = slice(start, min(start + FRAMES_AT_ONCE, motion.frames))
        found = []
        for person in motion.people:
            joints = camera.project(body.pose(person, frames).joints, frames).numpy()
            seen = person.joint_confidence[frames].numpy()
            visible = person.visible[frames].tolist()
            rows = zip(joints, seen, visible, strict=True)
            found.append([_make_prompt(*row, width, height) if row[-1] else None for row in rows])
        yield from (list(row) for row in zip(*found, strict=True))


def _make_prompt(joints: NDArray, seen: NDArray, _, width: int, height: int) -> Prompt | None:
    """The prompt of joints (24, 2) with their confidence (24,); None where all of it is outside the picture."""
    shown = joints[seen > 0] if (seen > 0).any() else joints
    if seen[HEAD] > 0:
        shown = np.concatenate([shown, [2 * joints[HEAD] - joints[NECK]]])
    low, high = shown.min(0), shown.max(0)
    margin = BOX_MARGIN * (high - low).max()
    size = np.array([width, height])
    low, high = (low - margin).clip(0, size), (high + margin).clip(0, size)
    if (high - low).min() < 2:
        return None
    chosen = list(PROMPT_JOINTS)
    points = joints[chosen][seen[chosen] >= SEEN_CONFIDENCE]
    inside = ((points >= 0) & (points < size)).all(1)
    return Prompt(np.concatenate([low, high]), points[inside])
