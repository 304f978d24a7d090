"""Rigid objects across the person: their image and shape are learned from all frames through which they are followed.

An object is a flexible sprite (Jojic and Frey, CVPR 2001): a picture that moves and turns. What moves along with it and
is density by neither the scene nor the person, frame after frame, belongs to it; no single frame has to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..media.store import FrameStore
from .filters import dilate_mask, erode_mask, take_pixels


# Set together on the tuning shots 12, 13, 17, 49, 53, 66, 69, 71 (256 px, 24 frames), 2026-11-23: IoU of moving
# occluders 0.57 to 0.91.
SPRITE_NOISE = 12.0  # levels by which the colours of an object differ from those it was seen with
PEAK_DENSITY = -3 * np.log(SPRITE_NOISE * np.sqrt(2 * np.pi))  # log density of three channels that match exactly
UNKNOWN_DENSITY = -16.0  # log density of a colour of which nothing else is known
EVIDENCE_LIMIT = 5.0  # the most that one pixel of one frame says for or against
SPRITE_COST = 1.5  # of a pixel of the object in one frame: what the person or scene explains well enough is theirs
SEARCH_WINDOW = 0.08  # of the body height: reach of the search around the prediction, beside half the speed; costs 1
FIRST_WINDOW = 2.0  # times as far in the first frame, when its speed is not known well
TURNS = (-0.12, 0.0, 0.12)  # radians a frame by which an object may change how fast it turns
FINE_TURNS = (-0.06, 0.0, 0.06)  # radians around the best coarse one
TURN_SCALE = 0.3  # radians: such a change costs 1
COARSE_STEP = 3  # pixels between the places that are tried first
POINTS, FINE_POINTS = 100, 400  # of an object that are compared
SPRITE_MARGIN = 0.06  # of the body height, and a quarter of its size: how much an object may grow beyond first sight
LEAST_INSIDE = 0.3  # share of an object that must lie within the frame
LOST_EVIDENCE = -1.0  # mean evidence at which an object is no longer there, behind the person perhaps
UPDATE_WEIGHT = 0.15  # weight of the newest frame in the image
SPRITE_SHAPE_FRAMES = 24  # frames from which the shape of an object is learned
SPRITE_ROUNDS = 2  # of following it and learning its shape
FEWEST_SPRITE_FRAMES = 3  # frames in which an object must be found
LEAST_EVIDENCE = 0.9  # mean evidence of an object over its frames, its cost taken off
LONGEST_TRACK = 60  # frames that an object is followed in one direction


@dataclass(frozen=True, eq=False)
class ColorEvidence:
    """A frame at working size."""

    picture: np.ndarray  # (h, w, 3) uint8
    density: np.ndarray  # (h, w) float32: log density of each colour under scene and person, NaN where unknown

    @cached_property
    def known_density(self) -> np.ndarray:
        """The same with UNKNOWN_DENSITY for NaN."""
        return np.where(np.isnan(self.density), np.float32(UNKNOWN_DENSITY), self.density)


@dataclass(frozen=True)
class SpritePose:
    """Where an object is in a frame: its centre in pixels, and by how many radians it turned."""

    x: int
    y: int
    angle: float


class Sprite:
    """An object's image (s, s, 3) float32 and shape (s, s) bool, the centre in the middle."""

    def __init__(self, image: np.ndarray, shape: np.ndarray):
        self.image, self.shape = image, shape
        y, x = np.nonzero(shape)
        self.points = np.stack([x, y], 1) - shape.shape[0] // 2
        self.colors = image[y, x]

    @classmethod
    def from_mask(cls, mask: np.ndarray, picture: np.ndarray, body_height: float) -> tuple[Sprite, SpritePose]:
        """The object that a mask (h, w) bool outlines in a picture (h, w, 3) uint8, with room to grow."""
        y, x = np.nonzero(mask)
        pose = SpritePose(int(x.min() + x.max()) // 2, int(y.min() + y.max()) // 2, 0.0)
        half = int(np.ceil(0.625 * np.hypot(np.ptp(x), np.ptp(y)) + SPRITE_MARGIN * body_height)) + 1
        empty = np.zeros((2 * half + 1,) * 2, bool)
        sprite = cls(np.zeros((*empty.shape, 3), np.float32), empty)
        image = sprite.warp_to_sprite(picture.astype(np.float32), pose, None)
        return cls(image, sprite.warp_to_sprite(mask.astype(np.float32), pose, 0.0) > 0.5), pose

    def warp_to_sprite(self, layer: np.ndarray, pose: SpritePose, border: float | None) -> np.ndarray:
        """A layer of a frame (h, w, ...) float32 as the object sees it, (s, s, ...).

        Outside the frame it is `border`, or as the nearest pixel where that is None.
        """
        import cv2

        side = self.shape.shape[0]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        kind = cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT
        value = (border or 0.0,) * 4
        matrix = self._to_frame(pose)
        return cv2.warpAffine(layer, matrix, (side, side), flags=flags, borderMode=kind, borderValue=value)

    def draw_shape(self, pose: SpritePose, size: tuple[int, int]) -> np.ndarray:
        """The shape in a frame of `size` (width, height), (h, w) bool."""
        import cv2

        return cv2.warpAffine(self.shape.astype(np.float32), self._to_frame(pose), size, flags=cv2.INTER_LINEAR) > 0.5

    def _to_frame(self, pose: SpritePose) -> np.ndarray:
        cos, sin, half = np.cos(pose.angle), np.sin(pose.angle), self.shape.shape[0] // 2
        turn = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([turn, np.array([pose.x, pose.y]) - turn @ (half, half)])

    def score_pixels(self, seen: ColorEvidence, pose: SpritePose) -> np.ndarray:
        """How much each pixel (s, s) of a frame speaks for the object, its cost taken off; 0 where nothing is known."""
        picture = self.warp_to_sprite(seen.picture.astype(np.float32), pose, np.nan)
        density = self.warp_to_sprite(seen.density, pose, np.nan)
        return np.nan_to_num(_likelihood(picture - self.image, density) - SPRITE_COST)

    def score_places(self, seen: ColorEvidence, centers: np.ndarray, angle: float, count: int) -> np.ndarray:
        """The mean evidence (N,) for the object at each of some centres (N, 2), from up to `count` of its points."""
        chosen = np.linspace(0, len(self.points) - 1, min(count, len(self.points))).astype(int)
        cos, sin = np.cos(angle), np.sin(angle)
        points = np.rint(self.points[chosen] @ np.array([[cos, sin], [-sin, cos]])).astype(int)
        height, width = seen.density.shape
        low, high = centers.min(0) + points.min(0), centers.max(0) + points.max(0)
        if low.min() >= 0 and (high < (width, height)).all():
            return self._gain_at(seen, (centers @ (1, width))[:, None] + points @ (1, width), chosen).mean(1)
        x, y = (centers[:, axis, None] + points[:, axis] for axis in range(2))
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        share = inside.mean(1)
        flat = y.clip(0, height - 1) * width + x.clip(0, width - 1)
        gain = self._gain_at(seen, flat, chosen) * inside
        return np.where(share > LEAST_INSIDE, gain.mean(1) / np.maximum(share, 1e-3), -np.inf)

    def _gain_at(self, seen: ColorEvidence, flat: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """The evidence (N, P) for the `chosen` points of the object at flat places (N, P) of a frame."""
        density = seen.known_density.take(flat)
        return _likelihood(take_pixels(seen.picture, flat) - self.colors[chosen], density)

    def update_look(self, seen: ColorEvidence, pose: SpritePose) -> Sprite:
        """With an image closer to that of the newest frame: light and reflections change."""
        picture = self.warp_to_sprite(seen.picture.astype(np.float32), pose, np.nan)
        weight = np.where(np.isnan(picture), 0, UPDATE_WEIGHT)
        return Sprite(self.image + weight * (np.nan_to_num(picture) - self.image), self.shape)


def _likelihood(difference: np.ndarray, density: np.ndarray) -> np.ndarray:
    squares = np.einsum("...c,...c", difference, difference)
    gain = PEAK_DENSITY - squares / (2 * SPRITE_NOISE**2)
    gain -= density
    np.maximum(gain, -EVIDENCE_LIMIT, out=gain)  # NaN stays, as with clip
    return np.minimum(gain, EVIDENCE_LIMIT, out=gain)


def track_sprite(
    sprite: Sprite,
    pose: SpritePose,
    speed: np.ndarray,
    frames: range,
    evidence: Callable[[int], ColorEvidence],
    body_height: float,
) -> Iterator[tuple[int, SpritePose]]:
    """(frame, SpritePose) of an object in `frames`, from a `pose` in the frame before until it is gone.

    `speed` (2,) is in pixels a frame.
    """
    speed, rate = np.asarray(speed, float), 0.0
    reach = FIRST_WINDOW * SEARCH_WINDOW * body_height
    for frame in frames[:LONGEST_TRACK]:
        seen = evidence(frame)
        height, width = seen.density.shape
        if not (0 <= pose.x + speed[0] < width and 0 <= pose.y + speed[1] < height):
            return
        score, found = _search_pose(sprite, seen, pose, speed, rate, reach + 0.5 * np.linalg.norm(speed))
        reach = SEARCH_WINDOW * body_height
        if score < LOST_EVIDENCE:
            return
        speed = 0.5 * speed + 0.5 * np.array([found.x - pose.x, found.y - pose.y])
        rate = 0.5 * rate + 0.5 * (found.angle - pose.angle)
        pose = found
        sprite = sprite.update_look(seen, pose)
        yield frame, pose


def _search_pose(
    sprite: Sprite, seen: ColorEvidence, pose: SpritePose, speed, rate: float, reach
) -> tuple[float, SpritePose]:
    """The best place in the next frame and its mean evidence: first coarsely, then finely around the best."""
    reach = int(np.ceil(reach / COARSE_STEP)) * COARSE_STEP
    place, turned = np.rint(np.array([pose.x, pose.y]) + speed).astype(int), pose.angle + rate

    def best(centers: np.ndarray, angles, count: int) -> tuple[float, np.ndarray, float]:
        stray = np.square(centers - place).sum(1) / reach**2
        tried = []
        for angle in angles:
            gain = sprite.score_places(seen, centers, angle, count)
            score = gain - stray - ((angle - turned) / TURN_SCALE) ** 2
            at = int(score.argmax())
            tried.append((score[at], float(gain[at]), centers[at], angle))
        return max(tried, key=lambda one: one[0])[1:]

    _, center, angle = best(place + _grid(reach, COARSE_STEP), [turned + turn for turn in TURNS], POINTS)
    gain, center, angle = best(center + _grid(COARSE_STEP - 1, 1), [angle + turn for turn in FINE_TURNS], FINE_POINTS)
    return gain, SpritePose(int(center[0]), int(center[1]), angle)


def _grid(reach: int, step: int) -> np.ndarray:
    """Offsets (N, 2) up to `reach` in x and y."""
    offsets = np.arange(-reach, reach + 1, step)
    return np.stack(np.meshgrid(offsets, offsets), -1).reshape(-1, 2)


def learn_sprite(
    sprite: Sprite, poses: dict[int, SpritePose], evidence: Callable[[int], ColorEvidence], body_height: float
) -> Sprite:
    """The sprite with the image and the shape that its frames agree on."""
    frames = sorted(poses)
    chosen = [frames[number] for number in np.unique(np.linspace(0, len(frames) - 1, SPRITE_SHAPE_FRAMES).astype(int))]
    views = [sprite.warp_to_sprite(evidence(frame).picture.astype(np.float32), poses[frame], None) for frame in chosen]
    image = _find_middle(np.stack(views))
    model = Sprite(image, sprite.shape)
    total = sum(model.score_pixels(evidence(frame), poses[frame]) for frame in chosen)
    return Sprite(image, _fill_shape(total, sprite.shape, 0.012 * body_height))


def _find_middle(views: np.ndarray) -> np.ndarray:
    """`np.median` of K views (K, ...) without NaN, which are sorted in place: a whole sort is three times as fast."""
    views.sort(axis=0)
    half = len(views) // 2
    return views[half] if len(views) % 2 else (views[half - 1] + views[half]) / 2


def _fill_shape(total: np.ndarray, before: np.ndarray, gap: float) -> np.ndarray:
    """The shape where evidence is positive, of one piece with what was known before, small gaps closed."""
    import cv2

    mask = cv2.GaussianBlur(total.astype(np.float32), (3, 3), 0) > 0
    mask = erode_mask(dilate_mask(mask, gap), gap)
    _, label = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    kept = np.flatnonzero(np.bincount(label[before & mask], minlength=label.max() + 1) > 0)
    return np.isin(label, kept[kept > 0])


def measure_evidence(sprite: Sprite, poses: dict[int, SpritePose], evidence: Callable[[int], ColorEvidence]) -> float:
    """Mean evidence for the object over its frames: small for what scene and person explain as well."""
    frames = sorted(poses)[:: max(1, len(poses) // SPRITE_SHAPE_FRAMES)]
    return float(np.mean([sprite.score_pixels(evidence(frame), poses[frame])[sprite.shape].mean() for frame in frames]))


@dataclass(frozen=True, eq=False)
class TrackedSprite:
    """A sprite and where it is in the frames in which it was found."""

    sprite: Sprite
    poses: dict[int, SpritePose]

    def draw_masks(self, size: tuple[int, int]) -> Iterator[tuple[int, np.ndarray]]:
        """(frame, (h, w) bool) for frames of `size` (width, height)."""
        for frame, pose in self.poses.items():
            yield frame, self.sprite.draw_shape(pose, size)

    def slip(self, places: Mapping[int, np.ndarray]) -> float:
        """How far it moves against the one of N bodies with which it moves most, in pixels.

        `places` are those of the bodies by frame, (N, 2), NaN of who is not there. Infinite where it meets nobody.
        """
        apart = [np.array([pose.x, pose.y]) - places[frame] for frame, pose in self.poses.items() if frame in places]
        if not apart:
            return float("inf")
        known = (each[~np.isnan(each).any(1)] for each in np.stack(apart, 1))
        return min((float(np.ptp(each, axis=0).max()) for each in known if len(each)), default=float("inf"))


def track_object(
    mask: np.ndarray,
    start: int,
    speed: np.ndarray,
    frames: range,
    evidence: Callable[[int], ColorEvidence],
    body_height: float,
) -> TrackedSprite | None:
    """The object that `mask` (h, w) bool outlines in frame `start`; None if it is explained without an object."""
    sprite, pose = Sprite.from_mask(mask, evidence(start).picture, body_height)
    for _ in range(SPRITE_ROUNDS):
        poses = {start: pose}
        for step, stop in ((1, frames.stop), (-1, frames.start - 1)):
            poses |= track_sprite(sprite, pose, step * speed, range(start + step, stop, step), evidence, body_height)
        if len(poses) < FEWEST_SPRITE_FRAMES:
            return None
        sprite = learn_sprite(sprite, poses, evidence, body_height)
        if not sprite.shape.any():
            return None
    return TrackedSprite(sprite, poses) if measure_evidence(sprite, poses, evidence) > LEAST_EVIDENCE else None


class ObjectMasks:
    """Where tracked objects are, frame by frame, in a temporary file."""

    def __init__(self, size: tuple[int, int]):
        self.size, self.store = size, FrameStore()
        self.found: dict[int, list[int]] = {}
        self.held: set[int] = set()  # those of the masks that show what the person holds

    def add(self, frame: int, mask: np.ndarray, *, is_held: bool = False) -> None:
        """Take in an object's place (h, w) bool."""
        self.found.setdefault(frame, []).append(len(self.store))
        if is_held:
            self.held.add(len(self.store))
        self.store.append(mask.astype(np.uint8))

    def read(self, frame: int) -> np.ndarray:
        """Where tracked objects are in a frame, (h, w) bool."""
        return self._join(self.found.get(frame, []))

    def read_held(self, frame: int) -> np.ndarray:
        """Where those of them are which the person holds, (h, w) bool."""
        return self._join(index for index in self.found.get(frame, []) if index in self.held)

    def _join(self, indices: Iterable[int]) -> np.ndarray:
        mask = np.zeros(self.size[::-1], bool)
        for index in indices:
            mask |= self.store[index] > 0
        return mask
