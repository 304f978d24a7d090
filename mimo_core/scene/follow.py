"""Rigid things across the person: their look and shape are learned from all frames through which they are followed.

A thing is a flexible sprite (Jojic and Frey, CVPR 2001): a picture that moves and turns. What moves along with it and
is explained by neither the scene nor the person, frame after frame, belongs to it; no single frame has to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..media.store import FrameStore
from .filters import grown, shrunk


NOISE = 12.0  # levels by which the colours of a thing differ from its look
PEAK = -3 * np.log(NOISE * np.sqrt(2 * np.pi))
UNKNOWN = -16.0  # log density of a colour of which nothing else is known
EVIDENCE = 5.0  # the most that one pixel of one frame says for or against
COST = 1.5  # of a pixel of the thing in one frame: what the person or scene explains well enough is theirs
WINDOW = 0.08  # of the stature: how far from its predicted place a thing is sought, beside half its speed; costs 1
FIRST = 2.0  # times as far in the first frame, when its speed is not known well
TURNS = (-0.12, 0.0, 0.12)  # radians a frame by which a thing may change how fast it turns
FINE_TURNS = (-0.06, 0.0, 0.06)
TURN = 0.3  # radians: such a change costs 1
STEP = 3  # pixels between the places that are tried first
POINTS, FINE_POINTS = 100, 400  # of a thing that are compared
MARGIN = 0.06  # of the stature, beside a quarter of its size: how much larger than first seen a thing may be
LEAST_INSIDE = 0.3  # share of a thing that must lie within the frame
GONE = -1.0  # mean evidence at which a thing is no longer there, behind the person perhaps
FRESH = 0.15  # weight of the newest frame in the look
LOOKS = 24  # frames from which the shape of a thing is learned
ROUNDS = 2  # of following it and learning its shape
FEWEST = 3  # frames in which a thing must be found
CLEAR = 0.9  # mean evidence of a thing over its frames, its cost taken off
LONGEST = 60  # frames that a thing is followed in one direction


@dataclass(frozen=True, eq=False)
class Evidence:
    """A frame at working size."""

    picture: np.ndarray  # (h, w, 3) uint8
    explained: np.ndarray  # (h, w) float32: log density of each colour under scene and person, NaN where unknown


@dataclass(frozen=True)
class Pose:
    """Where a thing is in a frame: its centre in pixels, and by how many radians it turned."""

    x: int
    y: int
    angle: float


class Sprite:
    """A thing's look (s, s, 3) float32 and shape (s, s) bool, the centre in the middle."""

    def __init__(self, look: np.ndarray, shape: np.ndarray):
        self.look, self.shape = look, shape
        y, x = np.nonzero(shape)
        self.points = np.stack([x, y], 1) - shape.shape[0] // 2
        self.colors = look[y, x]

    @classmethod
    def seen(cls, mask: np.ndarray, picture: np.ndarray, stature: float) -> tuple[Sprite, Pose]:
        """The thing that a mask (h, w) bool outlines in a picture (h, w, 3) uint8, with room to grow."""
        y, x = np.nonzero(mask)
        pose = Pose(int(x.min() + x.max()) // 2, int(y.min() + y.max()) // 2, 0.0)
        half = int(np.ceil(0.625 * np.hypot(np.ptp(x), np.ptp(y)) + MARGIN * stature)) + 1
        empty = np.zeros((2 * half + 1,) * 2, bool)
        sprite = cls(np.zeros((*empty.shape, 3), np.float32), empty)
        look = sprite.brought(picture.astype(np.float32), pose, None)
        return cls(look, sprite.brought(mask.astype(np.float32), pose, 0.0) > 0.5), pose

    def brought(self, layer: np.ndarray, pose: Pose, border: float | None) -> np.ndarray:
        """A layer of a frame (h, w, ...) float32 as the thing sees it, (s, s, ...).

        Outside the frame it is `border`, or as the nearest pixel where that is None.
        """
        import cv2

        side = self.shape.shape[0]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        kind = cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT
        value = (border or 0.0,) * 4
        matrix = self._to_frame(pose)
        return cv2.warpAffine(layer, matrix, (side, side), flags=flags, borderMode=kind, borderValue=value)

    def on(self, pose: Pose, size: tuple[int, int]) -> np.ndarray:
        """The shape in a frame of `size` (width, height), (h, w) bool."""
        import cv2

        return cv2.warpAffine(self.shape.astype(np.float32), self._to_frame(pose), size, flags=cv2.INTER_LINEAR) > 0.5

    def _to_frame(self, pose: Pose) -> np.ndarray:
        cos, sin, half = np.cos(pose.angle), np.sin(pose.angle), self.shape.shape[0] // 2
        turn = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([turn, np.array([pose.x, pose.y]) - turn @ (half, half)])

    def evidence(self, seen: Evidence, pose: Pose) -> np.ndarray:
        """How much each pixel (s, s) of a frame speaks for the thing, its cost taken off; 0 where nothing is known."""
        picture = self.brought(seen.picture.astype(np.float32), pose, np.nan)
        explained = self.brought(seen.explained, pose, np.nan)
        return np.nan_to_num(_likelihood(picture - self.look, explained) - COST)

    def found(self, seen: Evidence, centers: np.ndarray, angle: float, count: int) -> np.ndarray:
        """The mean evidence (N,) for the thing at each of some centres (N, 2), from up to `count` of its points."""
        chosen = np.linspace(0, len(self.points) - 1, min(count, len(self.points))).astype(int)
        cos, sin = np.cos(angle), np.sin(angle)
        points = np.rint(self.points[chosen] @ np.array([[cos, sin], [-sin, cos]])).astype(int)
        x, y = np.moveaxis(centers[:, None] + points, -1, 0)
        height, width = seen.explained.shape
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        flat = y.clip(0, height - 1) * width + x.clip(0, width - 1)
        difference = seen.picture.reshape(-1, 3)[flat] - self.colors[chosen]
        gain = _likelihood(difference, np.nan_to_num(seen.explained.reshape(-1)[flat], nan=UNKNOWN)) * inside
        share = inside.mean(1)
        return np.where(share > LEAST_INSIDE, gain.mean(1) / np.maximum(share, 1e-3), -np.inf)

    def fresh(self, seen: Evidence, pose: Pose) -> Sprite:
        """With a look closer to that of the newest frame: light and reflections change."""
        picture = self.brought(seen.picture.astype(np.float32), pose, np.nan)
        weight = np.where(np.isnan(picture), 0, FRESH)
        return Sprite(self.look + weight * (np.nan_to_num(picture) - self.look), self.shape)


def _likelihood(difference: np.ndarray, explained: np.ndarray) -> np.ndarray:
    squares = np.einsum("...c,...c", difference, difference)
    return (PEAK - squares / (2 * NOISE**2) - explained).clip(-EVIDENCE, EVIDENCE)


def pursuit(
    sprite: Sprite, pose: Pose, speed: np.ndarray, frames: range, evidence: Callable[[int], Evidence], stature: float
) -> Iterator[tuple[int, Pose]]:
    """(frame, Pose) of a thing in `frames`, from a `pose` in the frame before until it is gone.

    `speed` (2,) is in pixels a frame.
    """
    speed, rate = np.asarray(speed, float), 0.0
    reach = FIRST * WINDOW * stature
    for frame in frames[:LONGEST]:
        seen = evidence(frame)
        height, width = seen.explained.shape
        if not (0 <= pose.x + speed[0] < width and 0 <= pose.y + speed[1] < height):
            return
        score, found = _sought(sprite, seen, pose, speed, rate, reach + 0.5 * np.linalg.norm(speed))
        reach = WINDOW * stature
        if score < GONE:
            return
        speed = 0.5 * speed + 0.5 * np.array([found.x - pose.x, found.y - pose.y])
        rate = 0.5 * rate + 0.5 * (found.angle - pose.angle)
        pose = found
        sprite = sprite.fresh(seen, pose)
        yield frame, pose


def _sought(sprite: Sprite, seen: Evidence, pose: Pose, speed, rate: float, reach) -> tuple[float, Pose]:
    """The best place in the next frame and its mean evidence: first coarsely, then finely around the best."""
    reach = int(np.ceil(reach / STEP)) * STEP
    place, turned = np.rint(np.array([pose.x, pose.y]) + speed).astype(int), pose.angle + rate

    def best(centers: np.ndarray, angles, count: int) -> tuple[float, np.ndarray, float]:
        stray = np.square(centers - place).sum(1) / reach**2
        tried = []
        for angle in angles:
            gain = sprite.found(seen, centers, angle, count)
            score = gain - stray - ((angle - turned) / TURN) ** 2
            at = int(score.argmax())
            tried.append((score[at], float(gain[at]), centers[at], angle))
        return max(tried, key=lambda one: one[0])[1:]

    _, center, angle = best(place + _grid(reach, STEP), [turned + turn for turn in TURNS], POINTS)
    gain, center, angle = best(center + _grid(STEP - 1, 1), [angle + turn for turn in FINE_TURNS], FINE_POINTS)
    return gain, Pose(int(center[0]), int(center[1]), angle)


def _grid(reach: int, step: int) -> np.ndarray:
    """Offsets (N, 2) up to `reach` in x and y."""
    offsets = np.arange(-reach, reach + 1, step)
    return np.stack(np.meshgrid(offsets, offsets), -1).reshape(-1, 2)


def learned(sprite: Sprite, poses: dict[int, Pose], evidence: Callable[[int], Evidence], stature: float) -> Sprite:
    """The sprite with the look and the shape that its frames agree on."""
    frames = sorted(poses)
    chosen = [frames[number] for number in np.unique(np.linspace(0, len(frames) - 1, LOOKS).astype(int))]
    views = [sprite.brought(evidence(frame).picture.astype(np.float32), poses[frame], None) for frame in chosen]
    look = np.median(views, axis=0)
    model = Sprite(look, sprite.shape)
    total = sum(model.evidence(evidence(frame), poses[frame]) for frame in chosen)
    return Sprite(look, _solid(total, sprite.shape, 0.012 * stature))


def _solid(total: np.ndarray, before: np.ndarray, gap: float) -> np.ndarray:
    """The shape where evidence is positive, of one piece with what was known before, small gaps closed."""
    import cv2

    mask = cv2.GaussianBlur(total.astype(np.float32), (3, 3), 0) > 0
    mask = shrunk(grown(mask, gap), gap)
    _, label = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    kept = np.flatnonzero(np.bincount(label[before & mask], minlength=label.max() + 1) > 0)
    return np.isin(label, kept[kept > 0])


def clarity(sprite: Sprite, poses: dict[int, Pose], evidence: Callable[[int], Evidence]) -> float:
    """Mean evidence for the thing over its frames: small for what scene and person explain as well."""
    frames = sorted(poses)[:: max(1, len(poses) // LOOKS)]
    return float(np.mean([sprite.evidence(evidence(frame), poses[frame])[sprite.shape].mean() for frame in frames]))


@dataclass(frozen=True, eq=False)
class Thing:
    """A sprite and where it is in the frames in which it was found."""

    sprite: Sprite
    poses: dict[int, Pose]

    def places(self, size: tuple[int, int]) -> Iterator[tuple[int, np.ndarray]]:
        """(frame, (h, w) bool) for frames of `size` (width, height)."""
        for frame, pose in self.poses.items():
            yield frame, self.sprite.on(pose, size)


def followed(
    mask: np.ndarray, start: int, speed: np.ndarray, frames: range, evidence: Callable[[int], Evidence], stature: float
) -> Thing | None:
    """The thing that `mask` (h, w) bool outlines in frame `start`; None if it is explained without a thing."""
    sprite, pose = Sprite.seen(mask, evidence(start).picture, stature)
    for _ in range(ROUNDS):
        poses = {start: pose}
        for step, stop in ((1, frames.stop), (-1, frames.start - 1)):
            poses |= pursuit(sprite, pose, step * speed, range(start + step, stop, step), evidence, stature)
        if len(poses) < FEWEST:
            return None
        sprite = learned(sprite, poses, evidence, stature)
        if not sprite.shape.any():
            return None
    return Thing(sprite, poses) if clarity(sprite, poses, evidence) > CLEAR else None


class Paths:
    """Where followed things are, frame by frame, in a temporary file."""

    def __init__(self, size: tuple[int, int]):
        self.size, self.store = size, FrameStore()
        self.found: dict[int, list[int]] = {}

    def add(self, frame: int, mask: np.ndarray) -> None:
        """Take in a thing's place (h, w) bool."""
        self.found.setdefault(frame, []).append(len(self.store))
        self.store.append(mask.astype(np.uint8))

    def at(self, frame: int) -> np.ndarray:
        """Where followed things are in a frame, (h, w) bool."""
        mask = np.zeros(self.size[::-1], bool)
        for index in self.found.get(frame, []):
            mask |= self.store[index] > 0
        return mask
