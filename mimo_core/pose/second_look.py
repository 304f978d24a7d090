"""Whether what was followed is somebody: a second look from a little aside finds a person where the first one did."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..media.clip import Clip
from .blazepose import BlazePose, CropRegion, load_blazepose
from .people import covers_detection
from .tracking import LEAST_LANDMARKS
from .tracks import PersonTrack


SURE = 0.95  # mean score of a track that needs no second look: 24 of 29 people who were chosen in real clips have it
LOOKS = 8  # frames of a track that are looked at again
ASIDE = ((1.2, 0.06, 0.0), (1.0, -0.06, 0.25))  # by how much larger, further right (in sizes) and turned (radians)
# Median distance of the landmarks of two looks, in sizes of what is seen. People of 29 real clips have 0.008 to 0.082,
# arms without a body 0.15 to 0.25, a figure of 20 pixels that is taken for a large one 0.11 (2026-11-28).
MOST_UNSTEADY = 0.1
LEAST_DETECTED = 0.75  # share of the looks in which the detector finds them too: then they are believed all the same
LEAST_SECONDS = 0.5  # in which somebody of whom the network is not sure is seen, or half of a clip that is shorter


def drop_phantoms(
    clip: Clip,
    tracks: Sequence[PersonTrack],
    wanted: int,
    *,
    is_doubtful: bool = False,
    networks: BlazePose | None = None,
    tick: Callable[[], None] = lambda: None,
) -> tuple[list[PersonTrack], list[PersonTrack]]:
    """The tracks without those that are nobody, looked at in order until `wanted` are believed; and those dropped.

    The network finds a body in curtains, or an arm without one, too, but another one from every side. Where it did, or
    `is_doubtful`, nobody is believed without a second look, but in a single picture, which was taken of somebody.
    `tick` is called once a look; it may raise.
    """
    if len(clip) == 1:
        return list(tracks), []
    networks = networks or load_blazepose()
    kept, dropped = [], []
    for number, track in enumerate(tracks):
        if len(kept) == wanted:
            return [*kept, *tracks[number:]], dropped
        is_sure = track.sureness >= SURE and not dropped and not is_doubtful
        is_somebody = is_sure or (_lasts(clip, track) and is_steady(clip, track, networks, tick))
        (kept if is_somebody else dropped).append(track)
    return kept, dropped


def _lasts(clip: Clip, track: PersonTrack) -> bool:
    return len(track.poses) >= min(LEAST_SECONDS * float(clip.fps), len(clip) / 2)


def is_steady(
    clip: Clip,
    track: PersonTrack,
    networks: BlazePose,
    tick: Callable[[], None],
    *,
    looks: int = LOOKS,
    detects: bool = True,
) -> bool:
    """Whether a body comes out alike from aside in some frames of a track.

    If not, they are somebody all the same where the detector finds them, if it is asked (`detects`). 35 ms a look.
    """
    frames = np.array(sorted(track.poses))
    frames = np.unique(frames[np.linspace(0, len(frames) - 1, looks).round().astype(int)]).tolist()
    away, detected = [], 0
    for frame in frames:
        tick()
        away.append(_measure_unsteadiness(clip[frame], track.poses[frame].region, networks))
    if np.median(away) <= MOST_UNSTEADY or not detects:
        return bool(np.median(away) <= MOST_UNSTEADY)
    for frame in frames:
        tick()
        found = networks.detect_in_tiles(clip[frame])
        detected += any(covers_detection(track.poses[frame], each) for each in found)
    return detected >= LEAST_DETECTED * len(frames)


def _measure_unsteadiness(image: np.ndarray, region: CropRegion, networks: BlazePose) -> float:
    """Distance of the landmarks of a region from those of regions aside, in sizes of what is seen; 1 of too few."""
    first = networks.find_landmarks(image, region)
    seen = first.confidence > networks.seen_confidence
    if seen.sum() < LEAST_LANDMARKS:
        return 1.0
    size = max(float(np.ptp(first.pixels[seen], axis=0).max()), 1.0)
    away = []
    for larger, right, turn in ASIDE:
        center = region.center[0] + right * region.size, region.center[1]
        other = networks.find_landmarks(image, CropRegion(center, larger * region.size, region.angle + turn))
        away.append(float(np.median(np.linalg.norm(other.pixels - first.pixels, axis=1)[seen])))
    return float(np.mean(away)) / size
