"""Another look at somebody who is bent or upside down, by regions that are turned, where the first look is doubtful.

The network looks at a square in which somebody should stand upright. In a body that is bent it may take arms for legs
and the head for feet. Then its look and that of the mirror image say different things, and of a square that is turned
as it would need to be they say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .blazepose import BlazePose, CropRegion, FramePose
from .tracking import SURE_SCORE, measure_distance


Mirror = Callable[[BlazePose, np.ndarray, CropRegion], FramePose]

# Median distance of the landmarks of a look and its mirror image, in sizes of the region: 0.005 to 0.011 in most frames
# of six clips. A downward dog that is read the wrong way round has 0.04 to 0.08, the right way 0.005 to 0.01
# (2026-11-28).
DOUBTED = 0.03
AGREED = 0.012
TURNS = np.arange(1, 8) * np.pi / 4
FARTHEST = 0.3  # sizes of the region between the middles of the looks


def look_turned(
    networks: BlazePose,
    image: np.ndarray,
    pose: FramePose,
    mirrored: FramePose,
    before: FramePose | None,
    mirror: Mirror,
    ask: Callable[[], None] = lambda: None,
) -> tuple[FramePose, FramePose]:
    """The look at a frame (H, W, 3) uint8 and its mirror image that agree best, if those given hardly do.

    Where the body of the frame `before` was found, if that is not doubtful, is tried first, then seven turns of the
    region. What is further from that body than the given pose is somebody else. `ask` is called before each further
    look; it may raise to cancel.
    """
    if agrees(pose, mirrored):
        return pose, mirrored
    most = np.inf if before is None else _measure_way(pose, before)
    region = pose.region
    regions = [] if before is None else [before.next_region]
    regions += [replace(region, angle=region.angle + float(turn)) for turn in TURNS]
    best, least = (pose, mirrored), AGREED
    for number, turned in enumerate(regions):
        ask()
        seen = networks.find_landmarks(image, turned)
        if seen.score < SURE_SCORE or measure_distance(seen.next_region, region) > FARTHEST * region.size:
            continue
        if before is not None and _measure_way(seen, before) > most:
            continue
        other = mirror(networks, image, turned)
        doubt = _measure_doubt(seen, other)
        if doubt < least:
            best, least = (seen, other), doubt
            if before is not None and number == 0:
                break
    return best


def agrees(pose: FramePose, mirrored: FramePose) -> bool:
    """Whether a look and its mirror image say the same of most landmarks."""
    return _measure_doubt(pose, mirrored) < DOUBTED


def _measure_way(pose: FramePose, before: FramePose) -> float:
    return float(np.linalg.norm(pose.pixels - before.pixels, axis=1).mean())


def _measure_doubt(pose: FramePose, mirrored: FramePose) -> float:
    away = np.linalg.norm(pose.pixels - mirrored.pixels, axis=1)
    return float(np.median(away)) / pose.region.size
