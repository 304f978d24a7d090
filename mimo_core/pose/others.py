"""Who else stands near the people that are followed: which pixels are theirs, and whether they are in front."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import Box
from ..media.clip import Clip, Masks
from ..media.store import FrameStore
from ..motion.seen import BEHIND, BESIDE, IN_FRONT, SURE_MASK, SeenMasks
from .backwards import read_backwards
from .blazepose import (
    ANKLES,
    EARS,
    ELBOWS,
    HIPS,
    INDICES,
    KNEES,
    NOSE,
    SHOULDERS,
    THUMBS,
    TOES,
    WRISTS,
    BlazePose,
    CropRegion,
    FramePose,
    load_blazepose,
)
from .people import PersonTrack
from .second_look import is_steady
from .tracking import follow_person, start_track


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
NEAR = 0.15  # of the larger region: boxes that are so near each other touch
SAME_SIZE = 2.0  # factor between the regions of two people who stand beside each other
OTHER_PLACE = 0.12  # mean distance of landmarks, in sizes of the region, from which on it is not the person again
LARGEST_STEP = 0.3  # the same below which somebody who was lost for some frames is found again
SURE_SCORE = 0.8  # of a pose whose mask is believed
SURE_MEAN = 0.9  # mean score of somebody who is found beside the person only
LEAST_SECONDS = 0.25  # in which they are seen
LOOKS = 4  # frames in which somebody is looked at again from aside
OUTSIDE = 0.5  # share of their pixels outside the person's mask; tracks of the person again had 0.05, others 0.75 to 1
LEVEL_ANKLES = 0.03  # of the region: ankles that differ by less stand side by side
LIMBS = (
    (NOSE, SHOULDERS[0]), (NOSE, SHOULDERS[1]), SHOULDERS, HIPS,
    *((a[side], b[side]) for side in (0, 1) for a, b in (
        (SHOULDERS, HIPS), (SHOULDERS, ELBOWS), (ELBOWS, WRISTS), (WRISTS, INDICES), (WRISTS, THUMBS), (HIPS, KNEES),
        (KNEES, ANKLES), (ANKLES, TOES)
    )),
)  # fmt: skip
TRUNK = (*SHOULDERS, HIPS[1], HIPS[0])
HEAD_SIZE = 1.2  # radius of a head, in distances from the middle of its ears to the nose or to an ear
SHOWN = 0.3  # confidence of the landmarks that tell whose a pixel is
MUCH_NEARER = 0.5  # of the distance to the person's limbs: what both masks claim is somebody else's
LIMB_REACH = 0.06  # of the region: as far from their limbs, and further from the person's, what both claim is theirs
OWN_REACH = 0.04  # of the region: so near the person's limbs nothing is somebody's who does not stand in front


@dataclass(frozen=True, eq=False)
class SeenPerson:
    """A person of a clip of F frames who is followed."""

    poses: Sequence[FramePose | None]
    masks: Masks

    @property
    def track(self) -> PersonTrack:
        return PersonTrack({frame: pose for frame, pose in enumerate(self.poses) if pose}, np.zeros((2, 1)))


@dataclass(frozen=True, eq=False)
class OtherPeople:
    """Who else is near the people that are followed."""

    layer: SeenMasks  # (H, W) uint8 of each frame: BESIDE, BEHIND or IN_FRONT of somebody
    most: int  # of them at a time


@dataclass(frozen=True, eq=False)
class _Other:
    """Somebody else, and for each person who is followed the frames in which they touch, with their order."""

    track: PersonTrack
    orders: Sequence[dict[int, int]]

    @property
    def touching(self) -> PersonTrack:
        """Their track in the frames in which they touch anybody."""
        frames = set().union(*self.orders)
        return replace(self.track, poses={frame: self.track.poses[frame] for frame in sorted(frames)})


def find_others(
    clip: Clip,
    people: Sequence[PersonTrack],
    chosen: Sequence[SeenPerson],
    *,
    cuts: Collection[int] = (),
    networks: BlazePose | None = None,
    tick: Callable[[], None] = lambda: None,
) -> OtherPeople | None:
    """Where in each frame somebody else is BESIDE, BEHIND or IN_FRONT of the `chosen`; None if nobody is ever near.

    `people` are everybody's tracks. Who is found only with a person painted over, as in an embrace, counts too. Who of
    two stands nearer is told by their ankles over all frames of a shot in which they touch; a shot begins at each of
    `cuts`. Of several orders in a pixel the last in this list counts. Nobody is believed without a second look at some
    frames. `tick` is called in every frame; it may raise.
    """
    networks = networks or load_blazepose()
    own = {id(pose) for person in chosen for pose in person.poses if pose is not None}
    tracks = [track for track in people if not any(id(pose) in own for pose in track.poses.values())]
    known = len(tracks)
    for person in chosen:
        present = [*tracks, *(other.track for other in chosen if other is not person)]
        tracks += _find_companions(clip, present, person.poses, person.masks, cuts, networks, tick)
    tracks = [fill_gaps(track, cuts) for track in tracks]
    beside = [
        other
        for number, track in enumerate(tracks)
        if (other := _place_beside(track, chosen, cuts, tick)) is not None
        # Around a person who is painted over the detector has found pillows and drawings, too.
        and is_steady(clip, other.touching, networks, tick, looks=LOOKS, detects=number < known)
    ]
    if not beside:
        return None
    frames = range(len(clip))
    most = max(sum(any(frame in orders for orders in other.orders) for other in beside) for frame in frames)
    layer = SeenMasks.from_masks(Masks.from_frames(_draw_others(beside, chosen, tick)))
    return OtherPeople(layer, most)


def describe_others(most: int) -> str:
    """A sentence of how many others there are."""
    many = "Somebody else is" if most == 1 else f"Up to {most} other people at a time are"
    return f"{many} near who is followed, and stay{'s' * (most == 1)} in the picture as a whole."


def _find_companions(
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
        mask = np.where(_warp_mask(other, width, height) > SURE_MASK, 0, mask)
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


def _touch(other: FramePose, pose: FramePose | None) -> bool:
    """Whether the boxes around two poses touch, of which the other is sure."""
    if pose is None or other.score < SURE_SCORE or other.read_mask() is None:
        return False
    reach = NEAR * max(other.region.size, pose.region.size)
    return bool(
        (other.pixels.min(0) < pose.pixels.max(0) + reach).all()
        and (pose.pixels.min(0) < other.pixels.max(0) + reach).all()
    )


def _place_beside(
    track: PersonTrack, chosen: Sequence[SeenPerson], cuts: Collection[int], tick: Callable[[], None]
) -> _Other | None:
    """Somebody as beside the `chosen`; None where they touch nobody, or are one of them who was followed twice."""
    orders = [_find_orders(track, person.poses, cuts, tick) for person in chosen]
    touched = [(person, frames) for person, frames in zip(chosen, orders, strict=True) if frames]
    is_other = touched and all(_is_outside(track, frames, person.masks, tick) for person, frames in touched)
    return _Other(track, orders) if is_other else None


def _find_orders(
    track: PersonTrack, poses: Sequence[FramePose | None], cuts: Collection[int], tick: Callable[[], None]
) -> dict[int, int]:
    """For every frame in which somebody touches the person, whether they are BESIDE, BEHIND or IN_FRONT in its shot."""
    starts, shots = sorted(cuts), {}
    for frame, other in track.poses.items():
        tick()
        if _touch(other, poses[frame]):
            shots.setdefault(bisect_right(starts, frame), []).append(frame)
    orders = {}
    for frames in shots.values():
        orders |= dict.fromkeys(frames, _find_order(track, frames, poses))
    return orders


def _is_outside(track: PersonTrack, frames: Collection[int], masks: Masks, tick: Callable[[], None]) -> bool:
    """Whether most of somebody lies outside the masks of a person; where it does not, the person was followed twice."""
    shares = []
    for frame in frames:
        mask = masks[frame]
        tick()
        theirs = _warp_mask(track.poses[frame], mask.shape[1], mask.shape[0]) > SURE_MASK
        shares.append(np.count_nonzero(theirs & (mask <= 127)) / max(1, np.count_nonzero(theirs)))
    return float(np.median(shares)) >= OUTSIDE


def _find_order(track: PersonTrack, frames: Sequence[int], poses: Sequence[FramePose | None]) -> int:
    """Whether somebody stands BESIDE, BEHIND or IN_FRONT: whose ankles are lower, where both are seen, is nearer."""
    lower = []
    for frame in frames:
        mine, theirs = poses[frame], track.poses[frame]
        if min(mine.confidence[list(ANKLES)].max(), theirs.confidence[list(ANKLES)].max()) > SHOWN:
            feet = [
                pose.pixels[list(ANKLES), 1][pose.confidence[list(ANKLES)] > SHOWN].max() for pose in (theirs, mine)
            ]
            lower.append((feet[0] - feet[1]) / max(mine.region.size, theirs.region.size))
    middle = float(np.median(lower)) if lower else 0.0
    if abs(middle) < LEVEL_ANKLES:
        return BESIDE
    return IN_FRONT if middle > 0 else BEHIND


def _draw_others(beside: Sequence[_Other], chosen: Sequence[SeenPerson], tick: Callable[[], None]) -> Iterator[NDArray]:
    for frame, masks in enumerate(zip(*(person.masks for person in chosen), strict=True)):
        tick()
        found = np.zeros(masks[0].shape, np.uint8)
        for other in beside:
            pose, order = other.track.poses.get(frame), 0
            claimed = np.ones(found.shape, bool)
            for person, mask, orders in zip(chosen, masks, other.orders, strict=True):
                if frame in orders:
                    claimed &= _find_pixels(pose, person.poses[frame], mask, orders[frame])
                    order = max(order, orders[frame])
            found[claimed & (found < order)] = order
        yield found


def _find_pixels(other: FramePose, pose: FramePose, mask: NDArray, order: int) -> NDArray:
    """Which pixels (H, W) bool are somebody else's, beside a person with a mask (H, W) uint8."""
    height, width = mask.shape
    claimed = _warp_mask(other, width, height) > SURE_MASK
    box = Box.of_mask(claimed)
    if box is None:
        return claimed
    inside, both = box.cut(claimed), box.cut(claimed) & (box.cut(mask) > 127)
    far, near = _measure_distance(pose, box), _measure_distance(other, box)
    is_theirs = (near < LIMB_REACH * other.region.size) & (near < MUCH_NEARER * far)
    if order != IN_FRONT:
        is_theirs &= far > LIMB_REACH * pose.region.size
        inside &= far > OWN_REACH * pose.region.size
    inside &= ~both | is_theirs
    return claimed


def _warp_mask(pose: FramePose, width: int, height: int) -> NDArray:
    return replace(pose, mask=pose.read_mask(), stored=None).warp_mask(width, height)


def _measure_distance(pose: FramePose, box: Box) -> NDArray:
    """How far each pixel of a box is from the limbs, trunk and head of a pose that are seen, (h, w) float32."""
    import cv2

    free = np.full((box.height, box.width), 255, np.uint8)
    points = np.rint(pose.pixels - (box.left, box.top)).astype(int)
    for start, stop in LIMBS:
        if min(pose.confidence[start], pose.confidence[stop]) > SHOWN:
            cv2.line(free, points[start].tolist(), points[stop].tolist(), 0, 1)
    if pose.confidence[list(TRUNK)].min() > SHOWN:
        cv2.fillConvexPoly(free, cv2.convexHull(points[list(TRUNK)]), 0)
    if pose.confidence[[NOSE, *EARS]].min() > SHOWN:
        middle = pose.pixels[list(EARS)].mean(0)
        radius = HEAD_SIZE * np.linalg.norm(pose.pixels[[NOSE, EARS[0]]] - middle, axis=1).max()
        cv2.circle(free, np.rint(middle - (box.left, box.top)).astype(int).tolist(), max(1, round(radius)), 0, -1)
    if free.all():
        return np.full(free.shape, np.inf, np.float32)
    return cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_5)
