"""Whether what was followed is somebody: a second look from a little aside finds a person where the first one did."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..media.clip import Clip
from .blazepose import BlazePose, CropRegion, FramePose, load_blazepose
from .close_look import find_mirrored
from .people import covers_detection
from .tracking import LEAST_LANDMARKS
from .tracks import PersonTrack


SURE, CLEAR = 0.95, 0.85  # mean score and confidence of a track that needs no second look, as most people have
LOOKS = 8  # frames of a track that are looked at again
ASIDE = ((1.2, 0.06, 0.0), (1.0, -0.06, 0.25))  # by how much larger, further right (in sizes) and turned (radians)
# Median distance of the landmarks of two looks from aside, in sizes of what is seen. People of 29 real clips have 0.008
# to 0.082, arms without a body 0.15 to 0.25, a figure of 20 pixels that is taken for a large one 0.11 (2026-11-28).
MOST_UNSTEADY = 0.1
LEAST_SEEN = 0.25  # of the region: what is seen of a face alone is small, and its landmarks are no further apart for it
# What people have at most of whom a part is in the picture, where three looks disagree: the mean distance of landmarks,
# as above; that of points in space seen in a mirror, in meters; and how sure the network is of what is in the picture.
# Their product, by 16 to 28 frames of a clip, and somewhat else by others: people, whole, cut off, in crowds, blurred,
# drawn or 40 pixels tall, 0.02 to 0.93, but a paraglider, two men in a dark film, a dark stage and a cartoon 1.2 to
# 1.6, all seen in 80 % of their clip or more. Hands that pour, legs and drawings that were taken for somebody: 1.6 to
# 70, of those seen so long 2.3 and more, and the detector finds these in 0.62 of the frames at most; a few frames of
# hands on a table 1.2 to 1.4, a teddy 1.05 (2026-11-28).
USUAL_AWAY, USUAL_IN_SPACE, USUAL_CONFIDENCE = 0.05, 0.15, 0.85
MOST_DOUBT, MOST_DOUBT_OF_LASTING = 1.0, 2.0
LASTING = 0.75  # of the frames of a clip
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
        is_sure = track.sureness >= SURE and track.clearness >= CLEAR and not dropped and not is_doubtful
        is_believed = is_sure or (_lasts(clip, track) and _is_believed(clip, track, networks, tick))
        (kept if is_believed else dropped).append(track)
    return kept, dropped


def _lasts(clip: Clip, track: PersonTrack) -> bool:
    return len(track.poses) >= min(LEAST_SECONDS * float(clip.fps), len(clip) / 2)


def _is_believed(clip: Clip, track: PersonTrack, networks: BlazePose, tick: Callable[[], None]) -> bool:
    """Whether looks agree on somebody; of who is seen most of the time they may agree less, or the detector decides."""
    doubt = measure_doubt(clip, track, networks, tick)
    if len(track.poses) < LASTING * len(clip):
        return doubt <= MOST_DOUBT
    return doubt <= MOST_DOUBT_OF_LASTING or _is_detected(clip, track, _choose_frames(track, LOOKS), networks, tick)


def measure_doubt(
    clip: Clip, track: PersonTrack, networks: BlazePose, tick: Callable[[], None], *, looks: int = LOOKS
) -> float:
    """How far looks from aside and in a mirror at some frames of a track say different things; above MOST_DOUBT they
    hardly show one body. 50 ms a look."""
    seen = []
    for frame in _choose_frames(track, looks):
        tick()
        seen.append(_compare_looks(clip[frame], track.poses[frame].region, networks))
    away, in_space, confidence = np.median(seen, 0)
    return float((away / USUAL_AWAY) * (in_space / USUAL_IN_SPACE) * (USUAL_CONFIDENCE / confidence) ** 2)


def is_steady(
    clip: Clip,
    track: PersonTrack,
    networks: BlazePose,
    tick: Callable[[], None],
    *,
    looks: int = LOOKS,
    detects: bool = True,
) -> bool:
    """Whether a body comes out alike from aside in some frames of a track, as in an embrace it may only do so.

    If not, they are somebody all the same where the detector finds them, if it is asked (`detects`). 35 ms a look.
    """
    frames = _choose_frames(track, looks)
    away = []
    for frame in frames:
        tick()
        away.append(_look_aside(clip[frame], track.poses[frame].region, networks)[1])
    if np.median(away) <= MOST_UNSTEADY or not detects:
        return bool(np.median(away) <= MOST_UNSTEADY)
    return _is_detected(clip, track, frames, networks, tick)


def _is_detected(
    clip: Clip, track: PersonTrack, frames: Sequence[int], networks: BlazePose, tick: Callable[[], None]
) -> bool:
    """Whether the detector finds who is followed in most of some frames."""
    detected = 0
    for frame in frames:
        tick()
        found = networks.detect_in_tiles(clip[frame])
        detected += any(covers_detection(track.poses[frame], each) for each in found)
    return detected >= LEAST_DETECTED * len(frames)


def _choose_frames(track: PersonTrack, looks: int) -> list[int]:
    frames = np.array(sorted(track.poses))
    return np.unique(frames[np.linspace(0, len(frames) - 1, looks).round().astype(int)]).tolist()


def _look_aside(image: np.ndarray, region: CropRegion, networks: BlazePose) -> tuple[FramePose, float]:
    """The look at a region, and the distance of its landmarks from those of regions aside, in sizes of what is seen; 1
    of too few."""
    first = networks.find_landmarks(image, region)
    seen = first.confidence > networks.seen_confidence
    if seen.sum() < LEAST_LANDMARKS:
        return first, 1.0
    away = []
    for larger, right, turn in ASIDE:
        center = region.center[0] + right * region.size, region.center[1]
        other = networks.find_landmarks(image, CropRegion(center, larger * region.size, region.angle + turn))
        away.append(_measure_way(first, other, seen))
    return first, float(np.mean(away)) / _measure_size(first, seen)


def _compare_looks(image: np.ndarray, region: CropRegion, networks: BlazePose) -> tuple[float, float, float]:
    """How far landmarks of looks at a region are apart, in sizes of what is seen and in space, in meters, and how sure
    the first look is of what is in the picture."""
    first, away = _look_aside(image, region, networks)
    seen = first.confidence > networks.seen_confidence
    if seen.sum() < LEAST_LANDMARKS:
        return 1.0, 1.0, USUAL_CONFIDENCE
    mirrored = find_mirrored(networks, image, region)
    size = _measure_size(first, seen)
    least = LEAST_SEEN * region.size
    away = (len(ASIDE) * away * size + _measure_way(first, mirrored, seen)) / (len(ASIDE) + 1) / max(size, least)
    in_space = float(np.linalg.norm(mirrored.world - first.world, axis=1).mean())
    return away, in_space, float(first.confidence[first.confidence > 0].mean())


def _measure_way(one: FramePose, other: FramePose, seen: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(other.pixels - one.pixels, axis=1)[seen]))


def _measure_size(pose: FramePose, seen: np.ndarray) -> float:
    """The longer side of the box around the landmarks that are seen, in pixels."""
    return max(float(np.ptp(pose.pixels[seen], axis=0).max()), 1.0)
