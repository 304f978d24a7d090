"""Where things are beside the parts of a body that carry them: anchors, and maps of what is how often there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..body.model import free_body
from ..geometry.box import Box
from ..motion.motion import Motion
from .camera_motion import CameraPath
from .depth_order import measure_distances


CELL = 0.03  # of the body height: of the map of what is where beside a part of the body
MAP_WIDTH = 1 << 20  # cells
HELD_SHARE = 0.25  # of the frames show a thing that is small enough to be held at a hand: it is held
LARGE_SHARE = 0.2  # of these frames show something larger there: it is not
BODY_JOINTS = (0, 12)  # SMPL's pelvis and neck
ARM_JOINTS = ((18, 20), (19, 21))  # elbows and wrists
BODIES_AT_ONCE = 64  # posed together, which bounds memory


def find_anchors(
    motion: Motion, shape: tuple[int, int], body_height: float, ask: Callable[[], None] = lambda: None
) -> list[dict]:
    """For each frame the places (2, 3) beside which people carry things: maps from pixels of pictures of `shape` (h, w)
    to body heights. The trunk, each hand, and each hand along its forearm: a bag hangs, a racket turns."""
    camera = motion.camera.resize(shape[1], shape[0])
    distances, found = measure_distances(motion), [{} for _ in range(motion.frames)]
    for number, person in enumerate(motion.people):
        visible = person.visible.numpy()
        if not visible.any():
            continue
        typical = float(np.median(distances[visible, number]))
        for start in range(0, motion.frames, BODIES_AT_ONCE):
            ask()
            frames = slice(start, min(start + BODIES_AT_ONCE, motion.frames))
            joints = camera.project(free_body().pose(person, frames).joints, frames).numpy()
            for frame in np.flatnonzero(visible[frames]):
                unit = body_height * typical / distances[start + frame, number]
                places = _place_anchors(joints[frame], unit)
                found[start + frame] |= {(number, name): place for name, place in enumerate(places)}
    return found


def _place_anchors(joints: np.ndarray, unit: float) -> Iterator[np.ndarray]:
    def place(origin: np.ndarray, right: np.ndarray) -> np.ndarray:
        turn = np.array([right, [-right[1], right[0]]]) / unit
        return np.column_stack([turn, -turn @ origin])

    upright = np.array([1.0, 0.0])
    yield place(joints[list(BODY_JOINTS)].mean(0), upright)
    for elbow, wrist in ARM_JOINTS:
        yield place(joints[wrist], upright)
        along = joints[wrist] - joints[elbow]
        yield place(joints[wrist], along / max(float(np.linalg.norm(along)), 1e-6))


def measure_unit(anchors: dict, body_height: float) -> float:
    """The pixels of a body height beside the nearest of some anchors."""
    return max((1 / float(np.hypot(*place[0, :2])) for place in anchors.values()), default=body_height)


class CarriedMap:
    """In how many frames something is at each place beside a part of the body, or of the scene."""

    def __init__(self):
        self.frames, self.counts = 0, {}
        self.held = self.large = 0  # frames in which a piece at the hand may be a thing; in which one is too large

    def add(self, anchor: np.ndarray, there: np.ndarray, box: Box) -> None:
        """Take in a frame in which something is `there`, (h, w) bool within `box`."""
        self.frames += 1
        for cell in np.unique(find_cells(anchor, there, box)).tolist():
            self.counts[cell] = self.counts.get(cell, 0) + 1

    def is_holding(self) -> bool:
        """Whether the hand holds something: a passer-by and a partner are larger."""
        return self.held > HELD_SHARE * self.frames and self.large < LARGE_SHARE * self.held

    def share(self, cells: np.ndarray) -> np.ndarray:
        """Share of the frames in which something is at some cells (N,)."""
        known, places = np.unique(cells, return_inverse=True)
        counts = np.array([self.counts.get(cell, 0) for cell in known.tolist()], np.float32)
        return counts[places] / max(self.frames, 1)


def map_pixels(anchor: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray:
    """Where the pixels of a mask (h, w) bool within `box` are beside an anchor (2 or 3, 3), (N, 2) body heights."""
    y, x = np.nonzero(mask)
    places = np.stack([x + box[0], y + box[1], np.ones(len(x))], 1) @ anchor.T
    return places[:, :2] / places[:, 2:] if len(anchor) > 2 else places


def find_cells(anchor: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray:
    """The cell (N,) of the map of each pixel of a mask (h, w) bool within `box`."""
    cells = np.floor(map_pixels(anchor, mask, box) / CELL).astype(np.int64)
    return cells[:, 1] * MAP_WIDTH + cells[:, 0]


def place_scene(path: CameraPath, body_height: float) -> list[np.ndarray]:
    unit = np.diag([1 / body_height, 1 / body_height, 1.0])
    return [unit @ matrix for matrix in path.reference_from_frame]
