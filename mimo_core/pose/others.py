"""Who else stands near the people that are followed: which pixels are theirs, and whether they are in front."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import Box
from ..media.clip import Clip, Masks
from ..motion.seen import BEHIND, BESIDE, IN_FRONT, SURE_MASK, SeenMasks
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
    FramePose,
    load_blazepose,
)
from .companions import SURE_SCORE, fill_gaps, find_companions, warp_mask
from .second_look import is_steady
from .tracks import PersonTrack


NEAR = 0.15  # of the larger region: boxes that are so near each other touch
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
        tracks += find_companions(clip, present, person.poses, person.masks, cuts, networks, tick)
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
        theirs = warp_mask(track.poses[frame], mask.shape[1], mask.shape[0]) > SURE_MASK
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
    claimed = warp_mask(other, width, height) > SURE_MASK
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
