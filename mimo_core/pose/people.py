"""All people of a clip, followed from frame to frame before anybody is chosen.

The detector looks for newcomers twice a second, and in every frame in which somebody was just lost; the landmark
network follows everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..media.clip import Clip
from ..media.cuts import find_cuts
from ..media.store import FrameStore
from .appearance import compare_appearance, describe_appearance, measure_light
from .blazepose import HIPS, SHOULDERS, BlazePose, Detection, FramePose, load_blazepose
from .tracking import MEMORY_FRAMES, RETRY_FRAMES, follow_person, start_track
from .tracklets import Tracklet, join_tracklets, merge_alternating
from .tracks import PersonTrack, drop_unsure


Scale = Literal["coarse", "fine"]
SEARCH_SECONDS = 0.5  # between two looks for newcomers
FINE_LEVELS = 3  # tiles of the short side of the frame, of a half and of a quarter of it
MOST_FOLLOWED = 6  # people at a time: 11 ms a frame each
# Hellinger distance of appearances. On six real clips a person stays below 0.58 (0.69 in a skater's spin), somebody
# else or the background lies above 0.70 (2026-11-27).
OTHER_PERSON = 0.72
SUDDEN_LIGHT = (
    1.25,
    4.0,
)  # factor by which the light of a whole frame is another one, and the largest that is followed
SAME_PLACE = 0.08  # mean distance of landmarks, in sizes of the region, below which two poses are one person
SHORTEST_TRACK = 0.2  # seconds: what is seen for less is nobody, unless there is nobody else
LARGEST_DIFFERENCE = 2.0  # of a detection's size from that of somebody who is followed, to be the same person


def track_people(
    clip: Clip,
    *,
    cuts: set[int] | None = None,
    scale: Scale = "coarse",
    networks: BlazePose | None = None,
    tick: Callable[[], None] = lambda: None,
) -> list[PersonTrack]:
    """Everybody who is seen in a clip of F frames, the most present first: longest and largest.

    A track ends at a hard cut (`cuts` are the frames that begin a shot, found if not given). `scale` "fine" looks for
    people down to a twentieth of the picture's height, with about a hundred tiles twice a second. `tick` is called once
    a frame; it may raise.
    """
    networks = networks or load_blazepose()
    cuts = find_cuts(clip) if cuts is None else cuts
    search_every = max(1, round(SEARCH_SECONDS * float(clip.fps)))
    tracklets: list[Tracklet] = []
    masks = FrameStore()
    shot_start = 0
    for frame, image in enumerate(clip):
        if frame in cuts:
            shot_start = frame
        since = max(shot_start, frame - MEMORY_FRAMES)
        recent = [each for each in tracklets if each.last_frame >= since]
        _follow_all(networks, frame, image, recent)
        is_lost = not recent or any(each.last_frame != frame for each in recent)
        if is_lost or (frame - shot_start) % search_every == 0:
            looks_closely = scale == "fine" and (frame - shot_start) % search_every == 0
            detections = networks.detect_in_tiles(image, levels=FINE_LEVELS if looks_closely else 1)
            tracklets += _find_newcomers(networks, frame, image, recent, detections, masks)
        tick()
    tracks = join_tracklets(merge_alternating(tracklets, cuts, float(clip.fps)), cuts, float(clip.fps))
    tracks = drop_unsure(tracks)
    longest = max((len(track.poses) for track in tracks), default=0)
    least = min(longest, SHORTEST_TRACK * float(clip.fps))
    tracks = [track for track in tracks if len(track.poses) >= least]
    return sorted(tracks, key=lambda track: -track.presence)


def _follow_all(networks: BlazePose, frame: int, image: NDArray, recent: list[Tracklet]) -> None:
    """Add the pose of this frame to everybody who is still there."""
    followed: list[tuple[Tracklet, FramePose, NDArray]] = []
    light = measure_light(image)
    for each in sorted(recent, key=lambda each: -each.last.region.size)[:MOST_FOLLOWED]:
        if frame - each.last_frame > RETRY_FRAMES:
            continue
        pose = follow_person(networks, image, each.last)
        if pose is None:
            continue
        appearance = _describe_somebody(each, image, light, pose)
        if appearance is None:
            continue
        rival = next((other for other in followed if is_same_place(pose, other[1])), None)
        if rival is not None:
            if _measure_unlikeness(each, appearance) >= _measure_unlikeness(rival[0], rival[2]):
                continue
            rival[0].drop(frame)
            followed.remove(rival)
        each.add(frame, pose, appearance)
        followed.append((each, pose, appearance))


def _describe_somebody(tracklet: Tracklet, image: NDArray, light: float, pose: FramePose) -> NDArray | None:
    """The appearance of a pose in a frame of some `light`, or None where somebody else wears it.

    Where the light changes at once, as lamps that flash do, the colors are looked at in the light from before too.
    """
    appearance = describe_appearance(image, pose)
    if compare_appearance(tracklet.appearance, appearance) <= OTHER_PERSON:
        tracklet.light = light
        return appearance
    change = tracklet.light / light
    if not SUDDEN_LIGHT[0] < max(change, 1 / change) < SUDDEN_LIGHT[1]:
        return None
    appearance = describe_appearance(image, pose, gain=change)
    return appearance if compare_appearance(tracklet.appearance, appearance) <= OTHER_PERSON else None


def _measure_unlikeness(tracklet: Tracklet, appearance: NDArray) -> float:
    """How unlike somebody an appearance is; who was followed longer is believed a little more."""
    return compare_appearance(tracklet.appearance, appearance) - 0.02 * min(len(tracklet.poses), 24) / 24


def _find_newcomers(
    networks: BlazePose,
    frame: int,
    image: NDArray,
    recent: list[Tracklet],
    detections: list[Detection],
    masks: FrameStore,
) -> list[Tracklet]:
    """Tracklets of people whom nobody follows yet; `masks` takes their masks."""
    present = [each.last for each in recent if each.last_frame == frame]
    found = []
    for detection in detections:
        if len(present) >= MOST_FOLLOWED:
            break
        if any(covers_detection(pose, detection) for pose in present):
            continue
        pose = start_track(networks, image, detection.region)
        if pose is None or any(is_same_place(pose, other) for other in present):
            continue
        newcomer = Tracklet(masks=masks, light=measure_light(image))
        newcomer.add(frame, pose, describe_appearance(image, pose))
        present.append(pose)
        found.append(newcomer)
    return found


def covers_detection(pose: FramePose, detection: Detection) -> bool:
    """Whether a detection is the person of a pose: about as large, and hips or shoulders are at the same place."""
    sizes = sorted((detection.region.size, pose.region.size))
    if sizes[1] > LARGEST_DIFFERENCE * sizes[0]:
        return False
    middles = [pose.pixels[list(pair)].mean(0) for pair in (HIPS, SHOULDERS)]
    distances = [np.linalg.norm(detection.keypoints[at] - middle) for at, middle in zip((0, 2), middles, strict=True)]
    return bool(min(distances) < 0.12 * sizes[1])


def is_same_place(one: FramePose, other: FramePose) -> bool:
    """Whether two poses are of one person."""
    size = max(one.region.size, other.region.size)
    return bool(np.linalg.norm(one.pixels - other.pixels, axis=1).mean() < SAME_PLACE * size)
