"""What the bench of real clips measures in one job."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Iterator

import numpy as np
import torch

from mimo_core.body.landmarks import landmark_weights
from mimo_core.body.model import free_body
from mimo_core.motion.motion import Motion
from mimo_core.pose.landmarks import Landmarks
from mimo_core.scene.scene import Scene

from .measures import dilate, iou
from .real_job import RealResult
from .real_outlines import Outlines


UNITS = {
    "person IoU": "",
    "occluder IoU": "",
    "false occluder": "% of the person",
    "frames within 5 %": "% of frames whose joints lie within 5 % of the height of the landmarks",
    "joint distance": "% of the height, median",
    "flips": "frames in which the fit turns by more than 90 degrees",
    "jitter": "% of the height a frame squared, median",
    "jumps": "frames in which the person moves by more than half their height",
    "lost": "% of frames",
    "plate change": "levels between neighboring frames inside the person's area, above those around it",
    "somebody in the plate": "% of frames",
    "clothes in the plate": "% of the filled pixels have colors of the person and not of the scene",
    "CPU": "seconds a frame",
    "memory": "GB at the peak",
}
SURE = 0.5  # confidence from which a landmark counts
NEAR_JOINTS = 5.0  # % of the height: the fit agrees with the landmarks
FLIP_DEGREES = 90.0
JUMP = 0.5  # of the height, between neighboring frames
FALSE_REACH = 0.04  # of the person's height: so near them an occluder can cover the character
COLOR_BINS = 12  # of each channel
COLOR_ODDS = 20.0  # a color is the person's if it is so much likelier on them than around them
SEEN_OVERLAP = 0.3  # IoU of a found person's box with the replaced one's


def measure_result(result: RealResult) -> dict[str, float]:
    """The rows of `UNITS`; NaN where there is nothing to measure."""
    motion, clip = result.found.motion, result.clip
    row = measure_fit(motion, result.found.landmarks)
    row |= measure_outlines(result.scene, result.outlines)
    row |= measure_plate(result.scene)
    row["lost"] = 100 * float((~motion.person.visible).float().mean())
    row["CPU"] = result.seconds / len(clip)
    # Kilobytes on Linux, bytes on macOS.
    row["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    return {name: row[name] for name in UNITS}


def measure_fit(motion: Motion, landmarks: Landmarks) -> dict[str, float]:
    """How far the fit is from the landmarks, and how steady."""
    names = ("frames within 5 %", "joint distance", "flips", "jitter", "jumps")
    visible = motion.person.visible
    if not visible.any():
        return dict.fromkeys(names, math.nan)
    points, turns = _project_landmarks(motion)
    tall = _measure_height(points, visible)
    away = 100 * (points - landmarks.pixels).norm(dim=-1) / tall
    sure = (landmarks.confidence > SURE) & (landmarks.found & visible)[:, None]
    typical = [float(away[frame][sure[frame]].median()) for frame in torch.nonzero(sure.any(1))[:, 0]]
    pairs = visible[1:] & visible[:-1]
    triples = pairs[1:] & pairs[:-1]
    middle = points.mean(1)
    steps = middle.diff(dim=0).norm(dim=-1)[pairs] / tall
    bend = 100 * points.diff(n=2, dim=0).norm(dim=-1)[triples] / tall
    angle = torch.rad2deg(torch.arccos((turns[1:] * turns[:-1]).sum(-1).clamp(-1, 1)))[pairs]
    values = (
        100 * float(np.mean(np.array(typical) <= NEAR_JOINTS)) if typical else math.nan,
        float(np.median(typical)) if typical else math.nan,
        float((angle > FLIP_DEGREES).sum()),
        float(bend.median()) if bend.numel() else math.nan,
        float((steps > JUMP).sum()),
    )
    return dict(zip(names, values, strict=True))


def _project_landmarks(motion: Motion) -> tuple[torch.Tensor, torch.Tensor]:
    """BlazePose's landmarks of the fitted body (F, 33, 2) in pixels, and where the body faces (F, 3) in the camera."""
    points, turns = [], []
    for start in range(0, motion.frames, 32):
        frames = slice(start, min(start + 32, motion.frames))
        vertices = free_body().pose(motion.person, frames).vertices
        seen = motion.camera.view(torch.einsum("lv,fvc->flc", landmark_weights(), vertices), frames)
        points.append(motion.camera.pixels(seen))
        across, up = seen[:, 11] - seen[:, 12], seen[:, 11] + seen[:, 12] - seen[:, 23] - seen[:, 24]
        turns.append(torch.nn.functional.normalize(torch.linalg.cross(across, up), dim=-1))
    return torch.cat(points), torch.cat(turns)


def _measure_height(points: torch.Tensor, visible: torch.Tensor) -> float:
    """The person's height in pixels: of the box around the landmarks, its longer side, in the median frame."""
    seen = points[visible]
    return float((seen.amax(1) - seen.amin(1)).amax(-1).median().clamp_min(1))


def measure_outlines(scene: Scene, outlines: dict[int, Outlines]) -> dict[str, float]:
    """Masks against what was drawn by hand. Where nothing is in front, what is found there counts as false only."""
    overlaps, in_front, wrong = [], [], []
    for frame, truth in outlines.items():
        person, occluder = (layer[frame] > 127 for layer in (scene.person, scene.occluder))
        counted = ~truth.held
        overlaps.append(iou(person & counted, truth.person))
        rows = np.flatnonzero((truth.person | truth.occluder).any(1))
        near = dilate(truth.person, FALSE_REACH * (np.ptp(rows) + 1 if len(rows) else 0))
        false = occluder & near & counted & ~truth.occluder
        wrong.append(100 * false.sum() / max(truth.person.sum(), 1))
        if truth.occluder.any():
            in_front.append(iou(occluder & counted & near, truth.occluder & near))
    names = ("person IoU", "occluder IoU", "false occluder")
    values = (float(np.mean(each)) if each else math.nan for each in (overlaps, in_front, wrong))
    return dict(zip(names, values, strict=True))


def measure_plate(scene: Scene) -> dict[str, float]:
    """What is left of the person in the plate, and how much it shimmers."""
    from mimo_core.pose.blazepose import find_people

    colors, found, changes, last = _PersonColors.learn(scene), [], [], None
    colored, filled = 0, 0
    for source, plate, mask in zip(scene.source, scene.plate, scene.person, strict=True):
        person = mask > 127
        if not person.any():
            last = None
            continue
        box = _box_of(person)
        overlaps = (_box_overlap(box, _box_of_detection(each)) for each in find_people(plate))
        found.append(any(overlap > SEEN_OVERLAP for overlap in overlaps))
        own = colors.mark(plate) & person
        colored, filled = colored + int(own.sum()), filled + int(person.sum())
        if last is not None:
            inside = person & last[2]
            around = dilate(person | last[2], 0.15 * max(box[2] - box[0], box[3] - box[1])) & ~person & ~last[2]
            change = np.abs(plate.astype(np.float32) - last[1]).mean(-1)
            still = np.abs(source.astype(np.float32) - last[0]).mean(-1)
            if inside.any() and around.any():
                changes.append(float(change[inside].mean() - still[around].mean()))
        last = source.astype(np.float32), plate.astype(np.float32), person
    return {
        "plate change": float(np.mean(changes)) if changes else math.nan,
        "somebody in the plate": 100 * float(np.mean(found)) if found else math.nan,
        "clothes in the plate": 100 * colored / filled if filled else math.nan,
    }


def _box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _box_of_detection(found) -> tuple[float, float, float, float]:
    (x, y), half = found.region.center, found.region.size / 2.5
    return x - half / 2, y - half, x + half / 2, y + half


def _box_overlap(one, other) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(both / max(sum(areas) - both, 1e-6))


class _PersonColors:
    """Colors that are the person's and not those of the scene around them, over a whole clip."""

    def __init__(self, is_own: np.ndarray):
        self.is_own = is_own  # (COLOR_BINS ** 3,) bool

    @classmethod
    def learn(cls, scene: Scene) -> _PersonColors:
        own, around = np.ones(COLOR_BINS**3), np.ones(COLOR_BINS**3)
        for source, person, occluder in _iterate_masks(scene):
            bins = _bins(source)
            own += np.bincount(bins[person], minlength=len(own))
            free = ~dilate(person, 3) & ~occluder
            around += np.bincount(bins[free], minlength=len(around))
        return cls(own / own.sum() > COLOR_ODDS * around / around.sum())

    def mark(self, picture: np.ndarray) -> np.ndarray:
        """Where a picture (H, W, 3) has such colors, (H, W) bool."""
        return self.is_own[_bins(picture)]


def _iterate_masks(scene: Scene) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for source, person, occluder in zip(scene.source, scene.person, scene.occluder, strict=True):
        yield source, person > 127, occluder > 127


def _bins(picture: np.ndarray) -> np.ndarray:
    level = picture.astype(np.int32) * COLOR_BINS // 256
    return (level[..., 0] * COLOR_BINS + level[..., 1]) * COLOR_BINS + level[..., 2]
