"""People who stand so near somebody that they are seen only where that person is painted over, as in an embrace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..media.clip import Clip, Masks
from ..media.store import FrameStore
from ..motion.seen import SURE_MASK
from .backwards import read_backwards
from .blazepose import BlazePose, CropRegion, FramePose
from .tracking import follow_person, start_track
from .tracks import PersonTrack


SEARCH_SECONDS = 0.25  # between two looks for somebody beside the person
BACK_SECONDS = 2.0  # before they are found they are followed back for so long at most
RETRY_FRAMES = 4  # for which somebody who is lost is looked for where they were
# Sizes of the region by which a place beside the person is away, where the landmark network looks for somebody whose
# head the detector does not see. In 17 frames of eight clips with one person it sees nobody there (2026-11-28).
PLACES = (-0.3, 0.3)
SEARCHED = 1.6  # regions of the person wide is what is looked at
PAINTED_RIM = 0.015  # of the region: so far around the person's mask they are painted over
PAINTED_BLUR = 0.1  # of the region: the color there is that of what lies so near
PAINTED_LEVEL = 90  # mask value from which on the person is painted over
SAME_SIZE = 2.0  # factor between the regions of two people who stand beside each other
OTHER_PLACE = 0.12  # mean distance of landmarks, in sizes of the region, from which on it is not the person again
LARGEST_STEP = 0.3  # the same below which somebody who was lost for some frames is found again
SURE_SCORE = 0.8  # of a pose whose mask is believed
SURE_MEAN = 0.9  # mean score of somebody who is found beside the person only
LEAST_SECONDS = 0.25  # in which they are seen


def find_companions(
    clip: Clip,
    known: Sequence[PersonTrack],
    poses: Sequence[FramePose | None],
    masks: Masks,
    cuts: Collection[int],
    networks: BlazePose,
    tick: Callable[[], None],
) -> list[PersonTrack]:
    """Tracks of people who stand so near a person that they are seen only where that person is painted over."""
    every = max(1, round(SEARCH_SECONDS * float(clip.fps)))
    store, found, start = FrameStore(), [], 0
    for frame, (image, mask, pose) in enumerate(zip(clip, masks, poses, strict=True)):
        tick()
        start = frame if frame in cuts else start
        followed = [track for track in found if max(track) >= max(start, frame - RETRY_FRAMES)]
        if pose is None or not (followed or frame % every == 0):
            continue
        painted = _paint_over(image, mask, pose, [track[max(track)] for track in followed])
        present = _list_present(known, frame)
        for track in followed:
            tick()
            other = follow_person(networks, painted, track[max(track)])
            if other is not None and _is_somebody_else(other, pose, present):
                track[frame] = other.store_mask(store)
                present.append(other)
        lost = [track for track in followed if frame not in track]
        if lost or frame % every == 0:
            tick()
            for other in _look_beside(networks, painted, pose, present):
                track = next((track for track in lost if _is_near(other, track[max(track)])), {})
                if track:
                    lost.remove(track)
                else:
                    found.append(track)
                track[frame] = other.store_mask(store)
    tracks = [track for track in found if len(track) > 1 and _is_sure(track)]
    for track in tracks:
        others = [*known, *(PersonTrack(other, np.zeros((2, 1))) for other in tracks if other is not track)]
        _follow_back(clip, track, others, poses, masks, cuts, networks, store, tick)
    least = LEAST_SECONDS * float(clip.fps)
    return [PersonTrack(track, np.zeros((2, 1))) for track in tracks if len(track) >= least]


def _is_sure(track: dict[int, FramePose]) -> bool:
    return float(np.mean([pose.score for pose in track.values()])) >= SURE_MEAN


def _follow_back(
    clip: Clip,
    track: dict[int, FramePose],
    known: Sequence[PersonTrack],
    poses: Sequence[FramePose | None],
    masks: Masks,
    cuts: Collection[int],
    networks: BlazePose,
    store: FrameStore,
    tick: Callable[[], None],
) -> None:
    """Add the frames before those in which somebody beside a person was found, as far as they can be followed back."""
    stop = min(track)
    first = max(0, stop - round(BACK_SECONDS * float(clip.fps)), *(cut for cut in cuts if cut <= stop))
    for frame, image in read_backwards(clip, first, stop):
        tick()
        pose, last = poses[frame], track[min(track)]
        if min(track) - frame > RETRY_FRAMES:
            return
        if pose is None:
            continue
        other = follow_person(networks, _paint_over(image, masks[frame], pose, [last]), last)
        if other is not None and _is_somebody_else(other, pose, _list_present(known, frame)):
            track[frame] = other.store_mask(store)


def _list_present(known: Sequence[PersonTrack], frame: int) -> list[FramePose]:
    return [track.poses[frame] for track in known if frame in track.poses]


def _look_beside(
    networks: BlazePose, painted: NDArray, pose: FramePose, present: Sequence[FramePose]
) -> Iterator[FramePose]:
    """Poses of those beside a person who are not `present` yet, in a frame (H, W, 3) without the person."""
    middle, side = pose.region.center, SEARCHED * pose.region.size / 2
    left, top = (max(round(at - side), 0) for at in middle)
    right, bottom = (max(round(at + side), low + 1) for at, low in zip(middle, (left, top), strict=True))
    part = np.ascontiguousarray(painted[top:bottom, left:right])
    regions = [detection.region.move((left, top)) for detection in (networks.detect(part) if part.size else [])]
    regions += [CropRegion((middle[0] + away * pose.region.size, middle[1]), pose.region.size) for away in PLACES]
    for region in regions:
        other = start_track(networks, painted, region)
        if other is not None and _is_somebody_else(other, pose, present):
            present = [*present, other]
            yield other


def _is_somebody_else(other: FramePose, pose: FramePose, present: Sequence[FramePose]) -> bool:
    """Whether a pose is neither that of a person nor of anybody who is `present`, but about as large as the person."""
    growth = other.region.size / pose.region.size
    if other.score < SURE_SCORE or not 1 / SAME_SIZE < growth < SAME_SIZE:
        return False
    away = [np.linalg.norm(other.pixels - each.pixels, axis=1).mean() for each in (pose, *present)]
    return bool(min(away) > OTHER_PLACE * max(other.region.size, pose.region.size))


def _is_near(other: FramePose, last: FramePose) -> bool:
    """Whether a pose can be that of somebody a few frames later."""
    away = np.linalg.norm(other.pixels - last.pixels, axis=1).mean()
    return bool(away < LARGEST_STEP * max(other.region.size, last.region.size))


def fill_gaps(track: PersonTrack, cuts: Collection[int] = ()) -> PersonTrack:
    """A track with the frames in which it is lost for RETRY_FRAMES at most: the nearest pose, moved on its way."""
    poses = dict(track.poses)
    for start, stop in pairwise(sorted(track.poses)):
        if not 1 < stop - start <= RETRY_FRAMES + 1 or any(start < cut <= stop for cut in cuts):
            continue
        first, last = track.poses[start], track.poses[stop]
        for frame in range(start + 1, stop):
            share = (frame - start) / (stop - start)
            near = first if share <= 0.5 else last
            pixels = ((1 - share) * first.pixels + share * last.pixels).astype(np.float32)
            shift = (pixels - near.pixels).mean(0)
            poses[frame] = replace(near.move((float(shift[0]), float(shift[1]))), pixels=pixels)
    return replace(track, poses=poses)


def _paint_over(image: NDArray, mask: NDArray, pose: FramePose, others: Sequence[FramePose]) -> NDArray:
    """A frame (H, W, 3) with a person, by their mask (H, W) uint8, in the colors of what lies around them.

    What the masks of `others` of the frame before hold is left as it is: the person's mask may reach into them.
    """
    import cv2

    size, (height, width) = pose.region.size, mask.shape
    for other in others:
        mask = np.where(warp_mask(other, width, height) > SURE_MASK, 0, mask)
    hidden = _find_possible(mask, PAINTED_RIM * size)
    small = max(1, width // 8), max(1, height // 8)
    shown = cv2.resize((~hidden).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    colors = cv2.resize(np.where(hidden[..., None], 0, image), small, interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = max(1.0, PAINTED_BLUR * size / 8)
    shown, colors = (cv2.GaussianBlur(layer, (0, 0), spread) for layer in (shown, colors))
    fill = cv2.resize(colors / np.maximum(shown, 1e-3)[..., None], (width, height)).clip(0, 255).astype(np.uint8)
    return np.where(hidden[..., None], fill, image)


def _find_possible(mask: NDArray, reach: float) -> NDArray:
    """Where a soft mask (H, W) uint8 may show somebody, and `reach` pixels around it, (H, W) bool."""
    import cv2

    side = 2 * max(1, round(reach)) + 1
    return cv2.dilate((mask > PAINTED_LEVEL).astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def warp_mask(pose: FramePose, width: int, height: int) -> NDArray:
    return replace(pose, mask=pose.read_mask(), stored=None).warp_mask(width, height)
