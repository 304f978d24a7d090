"""Pass 1, carried things: what moves beside the first guess of the person, and stays with them.

The networks that guess the person's mask give a bag, a racket or a bicycle to the person in one frame and not in the
next. What they leave out goes into the background, and what the background shows is never found again. A scene that
holds still is seen again in the frames before and after, once the camera has brought them onto this one; what moves is
not. What moves and is beside the body or a hand in many frames, always at the same place of it, is carried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ..ahead import map_ahead
from ..geometry.box import Box
from ..media.store import FrameStore
from ..motion.motion import Motion
from .camera_motion import CameraPath
from .carried_map import CarriedMap, find_anchors, find_cells, map_pixels, measure_unit, place_scene
from .filters import dilate_mask, erode_mask, plate_distance, shadow_distance
from .fitted_body import FittedBody


if TYPE_CHECKING:
    from .carried_colors import CarriedColors

# Before and after a frame: the others it is compared with.
COMPARED_SECONDS = (0.04, 0.08, 0.12, 0.2, 0.32, 0.5, 0.8, 1.3, 2.0)
STEADY_LEVELS = 14.0  # of color distance: sensor noise, compression and the warp stay below
FEWEST_COMPARED = 3  # of the others must show a place free of the person
SCENE_SHARE = 0.9  # of them show it alike: that is the scene, whatever is followed there
STEADY_SHARE = 0.5  # of them show it alike: the scene holds still there
FREE_ALPHA = 38  # soft mask value below which nobody is there
SHADOW_LEVELS = 14.0  # from the scene in shadow: the shadow of the person moves with them, too
MOST_UNSTEADY = 0.25  # of the surroundings: the camera is lost, the light changes, or all of the scene moves
MOST_HEIGHT = 1.2  # of the picture: what is beside a half body reaches far into the scene
MOVES, RESTS, COLORED = 1, 2, 3
GAP = 0.02  # of the body height: half of a gap inside a thing, whose even parts look alike while it moves
SEEN_SHARE = 0.3  # of a piece moves, the rest is between
LEAST_AREA = 1e-3  # of the squared body height: less is noise
LEAST_REACH = 0.05  # of the body height from the person: the rim that the guess lost ends there,
BEYOND_SHARE = 0.2  # and of a thing so much lies beyond
JOIN_REACH = 0.04  # of the body height: a carried thing begins so near the person
QUIET_AREA = 6e-3  # of the squared body height: less is shadows and leaves
TRAFFIC_SHARE = 0.2  # of what moves beside the person moves elsewhere in view
CARRIED_FRAMES = 0.25  # of those with somebody must show what is carried: what passes is not
REST_SECONDS = 0.8  # for which a thing that does not move is followed by its pixels
LEAST_FLOW_SIDE = 24  # pixels
CARRIED_SHARE = 0.3  # of the frames show something there
SCENE_ODDS = 1.5  # times as often as at that place of the scene, or it may be what moves behind
HAND_REACH = 0.3  # of the body height: a thing in a hand comes so near the wrist,
HAND_LENGTH = 0.75  # and is nowhere further away,
HAND_AREA = 0.05  # of the squared body height: and smaller
HAND_ANCHORS = (1, 3)  # of `find_anchors`: the wrists, upright
BODY_RIM = 0.02  # of the body height: so far beyond the fitted body is the person
SCENE = "scene"  # the name of the map of the scene


class CarriedThings:
    """Where something is carried in each frame, in a temporary file, and its `colors` once they are learned."""

    def __init__(self, units: list[float]):
        """`units` are the pixels of a body height in each frame, where the person who carries it is."""
        self.store, self.boxes, self.units = FrameStore(), [], units
        self.colors: CarriedColors | None = None

    def append(self, box: Box | None, layer: np.ndarray | None) -> None:
        """Take in the next frame: `layer` (h, w) uint8 within `box` as `read` gives it; None for nothing."""
        self.boxes.append(None if layer is None else box)
        self.store.append(np.zeros((1, 1), np.uint8) if layer is None else layer)

    def read(self, frame: int, size: tuple[int, int]) -> np.ndarray:
        """MOVES where something moves with the person in a frame of `size` (w, h), RESTS where it was shortly before or
        after and was followed, COLORED where it is known by its colors, else 0; (h, w) uint8."""
        layer = np.zeros(size[::-1], np.uint8)
        if self.boxes[frame] is not None:
            self.boxes[frame].cut(layer)[:] = self.store[frame]
        return layer


def find_carried_things(
    motion: Motion,
    pictures: FrameStore,
    soft: FrameStore,
    boxes: list[Box | None],
    bodies: Iterable[FittedBody | None],
    path: CameraPath,
    fps: float,
    body_height: float,
    ask: Callable[[], None] = lambda: None,
) -> CarriedThings | None:
    """What the people of `motion` carry, from the frames at working size and the first guess `soft` of their mask.

    `boxes` are the people and what is around them, `bodies` how they fit. None where nothing is carried or it cannot be
    told: of half bodies, and where much else moves. `ask()` may raise to cancel.
    """
    if body_height > MOST_HEIGHT * soft[0].shape[0]:
        return None
    scan = _Scan(pictures, soft, path, fps, body_height)
    anchors, scene = find_anchors(motion, soft[0].shape, body_height, ask), place_scene(path, body_height)
    maps, pieces, kept = {}, _LayerStore(), _LayerStore()
    looks = map_ahead(lambda at: None if at[1] is None else scan.find_pieces(*at), enumerate(boxes))
    for frame, (box, body, found) in enumerate(zip(boxes, bodies, looks, strict=True)):
        ask()
        pieces.add(frame, found)
        if found is None:
            continue
        beside = (found > 0) | (box.cut(soft[frame]) > FREE_ALPHA)
        if body is not None:
            beside &= ~dilate_mask(box.cut(body.silhouette), BODY_RIM * body_height)
        for name, anchor in anchors[frame].items():
            place = maps.setdefault(name, CarriedMap())
            place.add(anchor, beside, box)
            if name[1] in HAND_ANCHORS:
                fits, is_near = _find_at_hand(found, box, anchor, body_height)
                place.held += bool(fits.any())
                place.large += bool((is_near & ~fits).any())
        maps.setdefault(SCENE, CarriedMap()).add(scene[frame], beside, box)
    if scan.is_busy():
        return None
    for frame, box in enumerate(boxes):
        ask()
        found = pieces.read(frame)
        if found is not None:
            kept.add(frame, _keep_carried(found, box, anchors[frame], scene[frame], maps, body_height))
    if len(kept) < max(1, CARRIED_FRAMES * sum(box is not None for box in boxes)):
        return None
    carried = CarriedThings([measure_unit(places, body_height) for places in anchors])
    for box, layer in zip(boxes, _bridge_rests(kept, scan, boxes, round(REST_SECONDS * fps), ask), strict=True):
        carried.append(box, layer)
    return carried


def _bridge_rests(
    kept: _LayerStore, scan: _Scan, boxes: list[Box | None], rest: int, ask: Callable[[], None]
) -> Iterator[np.ndarray | None]:
    """MOVES where something is carried in a frame, RESTS where its pixels are up to `rest` frames before and after."""
    layers = kept
    for step in (1, -1):
        layers = _follow_rests(kept, layers, scan, boxes, rest, step, ask)
    for frame, box in enumerate(boxes):
        ask()
        layer = layers.read(frame)
        yield None if layer is None else scan.keep_joined(layer, box, frame)


def _follow_rests(
    kept: _LayerStore,
    layers: _LayerStore,
    scan: _Scan,
    boxes: list[Box | None],
    rest: int,
    step: int,
    ask: Callable[[], None],
) -> _LayerStore:
    """The `layers` with what is followed from what is `kept`, forward or, with a `step` of -1, backward."""
    bridged = _LayerStore()
    left, before = None, None  # frames for which each pixel of the frame `before` is still followed
    for frame in range(len(boxes))[::step]:
        ask()
        box = boxes[frame]
        if box is None or (before is not None and scan.path.section[before] != scan.path.section[frame]):
            left, before = None, None if box is None else frame
        if box is None:
            continue
        now, mask, layer = np.zeros((box.height, box.width), np.uint8), kept.read(frame), layers.read(frame)
        if left is not None and left.any():
            now = scan.follow(left, boxes[before], before, box, frame)
            now -= now > 0
            layer = np.zeros_like(now) if layer is None else layer
            layer[(now > 0) & (layer == 0)] = RESTS
        bridged.add(frame, layer)
        if mask is not None:
            now[mask > 0] = min(rest + 1, 255)
        left, before = now, frame
    return bridged


def find_unsteady(
    pictures: Callable[[int], np.ndarray],
    soft: Callable[[int], np.ndarray],
    path: CameraPath,
    frame: int,
    others: list[int],
    box: Box,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a frame differs from most of `others` that show the place free of people and is no shadow, (h, w) bool
    within `box`; where enough of them show it free; and where nearly all of these show it alike."""
    import cv2

    here = np.ascontiguousarray(box.cut(pictures(frame)))
    size, corner = here.shape[1::-1], np.array([[1, 0, -box[0]], [0, 1, -box[1]], [0, 0, 1]], np.float64)
    alike, shown = np.zeros(here.shape[:2], np.float32), np.zeros(here.shape[:2], np.float32)
    total = np.zeros(here.shape, np.float32)
    for other in others:
        matrix = corner @ path.frame_from_frame(frame, other)
        there = cv2.warpPerspective(pictures(other), matrix, size, flags=cv2.INTER_LINEAR)
        free = (soft(other) <= FREE_ALPHA).astype(np.float32)
        free = cv2.warpPerspective(free, matrix, size, flags=cv2.INTER_NEAREST)
        shown += free
        alike += free * (plate_distance(here, there) < STEADY_LEVELS)
        total += free[..., None] * there
    mean = total / np.maximum(shown, 1)[..., None]
    is_known = shown >= FEWEST_COMPARED
    differs = is_known & (alike < STEADY_SHARE * shown)
    differs &= shadow_distance(here, mean.astype(np.uint8)) > SHADOW_LEVELS
    return differs, is_known, is_known & (alike > SCENE_SHARE * shown)


def list_compared(path: CameraPath, frame: int, fps: float) -> list[int]:
    """The frames before and after one that it is compared with, nearest first, as far as no cut is between."""
    steps = sorted({max(1, round(seconds * fps)) for seconds in COMPARED_SECONDS})
    others = [frame + step * side for step in steps for side in (-1, 1)]
    return [at for at in others if 0 <= at < len(path.section) and path.section[at] == path.section[frame]]


class _Scan:
    """Looks for pieces that move beside the first guess."""

    def __init__(self, pictures: FrameStore, soft: FrameStore, path: CameraPath, fps: float, body_height: float):
        import cv2

        self.fps = fps
        kept = 2 * max(1, round(COMPARED_SECONDS[-1] * fps)) + 4  # two frames are looked at at a time
        self.pictures = lru_cache(maxsize=kept)(lambda frame: pictures[frame])
        self.soft = lru_cache(maxsize=kept)(lambda frame: soft[frame])
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.scenes = _LayerStore()  # where a frame shows the scene
        self.joined, self.apart = [], []  # pixels of a frame that move beside the person, and elsewhere in view
        self.path, self.body_height = path, body_height

    def find_pieces(self, frame: int, box: Box) -> np.ndarray | None:
        """Numbered pieces (h, w) uint8 within `box` that move and begin at the person; None where nothing tells."""
        import cv2

        others = list_compared(self.path, frame, self.fps)
        person = box.cut(self.soft(frame)) > FREE_ALPHA
        if len(others) < FEWEST_COMPARED or not person.any():
            return None
        unsteady, known, scene = find_unsteady(self.pictures, self.soft, self.path, frame, others, box)
        self.scenes.add(frame, scene)
        around = known & ~dilate_mask(person, 2 * JOIN_REACH * self.body_height)
        if not around.any() or unsteady[around].mean() > MOST_UNSTEADY:
            return None
        moving = cv2.medianBlur((unsteady & ~person).astype(np.uint8), 3) > 0
        rim, gap = dilate_mask(person, 0.01 * self.body_height), GAP * self.body_height
        joined = erode_mask(dilate_mask(moving | rim, gap), gap) & ~rim
        count, label, stats, _ = cv2.connectedComponentsWithStats(joined.astype(np.uint8), connectivity=8)
        kept = stats[:, cv2.CC_STAT_AREA] >= LEAST_AREA * self.body_height**2
        kept[0] = False
        kept &= np.bincount(label[moving], minlength=count) > SEEN_SHARE * stats[:, cv2.CC_STAT_AREA]
        beyond = ~dilate_mask(person, LEAST_REACH * self.body_height)
        kept &= np.bincount(label[joined & beyond], minlength=count) > BEYOND_SHARE * stats[:, cv2.CC_STAT_AREA]
        joins = np.bincount(label[dilate_mask(person, JOIN_REACH * self.body_height)], minlength=count) > 0
        self.joined.append(int(stats[kept & joins, cv2.CC_STAT_AREA].sum()))
        self.apart.append(int(stats[kept & ~joins, cv2.CC_STAT_AREA].sum()))
        kept &= joins
        kept[256:] = False
        numbers = np.zeros(count, np.uint8)
        numbers[kept] = np.arange(1, kept.sum() + 1)
        return numbers[label]

    def is_busy(self) -> bool:
        """Whether much moves that is not the person's: what moves beside them may be somebody else."""
        apart, joined = (float(np.median(found or [0])) for found in (self.apart, self.joined))
        return apart > max(TRAFFIC_SHARE * joined, QUIET_AREA * self.body_height**2)

    def keep_joined(self, layer: np.ndarray, box: Box, frame: int) -> np.ndarray | None:
        """A layer (h, w) uint8 within `box` without parts that do not begin at the person; None if nothing is left."""
        import cv2

        near = dilate_mask(layer > 0, GAP * self.body_height)
        count, label = cv2.connectedComponents(near.astype(np.uint8), connectivity=8)
        person = box.cut(self.soft(frame)) > FREE_ALPHA
        kept = np.bincount(label[dilate_mask(person, JOIN_REACH * self.body_height)], minlength=count) > 0
        kept[0] = False
        return np.where(kept[label], layer, 0).astype(np.uint8) if kept.any() else None

    def follow(self, layer: np.ndarray, from_box: Box, before: int, box: Box, frame: int) -> np.ndarray:
        """A layer (h, w) uint8 of the frame `before`, within `from_box`, where its pixels are in `frame`."""
        import cv2

        whole = np.zeros(self.pictures(frame).shape[:2], np.uint8)
        from_box.cut(whole)[:] = layer
        here, there = (np.ascontiguousarray(box.cut(self.pictures(at))) for at in (frame, before))
        if min(here.shape[:2]) < LEAST_FLOW_SIDE:
            return np.zeros(here.shape[:2], np.uint8)
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (here, there)]
        flow = self.flow.calc(*grey, None)
        y, x = (np.arange(side, dtype=np.float32) for side in here.shape[:2])
        at_x, at_y = flow[..., 0] + x, flow[..., 1] + y[:, None]
        moved = cv2.remap(box.cut(whole).copy(), at_x, at_y, cv2.INTER_NEAREST)
        seen = cv2.remap(there, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        stays = plate_distance(here, seen) < STEADY_LEVELS
        scene = self.scenes.read(frame)
        if scene is not None:
            stays &= scene == 0
        return np.where(stays, moved, 0).astype(np.uint8)


class _LayerStore:
    """Layers (h, w) of some frames, uint8 or bool, added in any order and by any thread, in a temporary file."""

    def __init__(self):
        self.store, self.places, self.lock = FrameStore(), {}, Lock()

    def __len__(self) -> int:
        return len(self.places)

    def add(self, frame: int, layer: np.ndarray | None) -> None:
        """Keep a layer of a frame; None and one that is empty are not kept."""
        if layer is not None and layer.any():
            with self.lock:
                self.places[frame] = len(self.store)
                self.store.append(layer.astype(np.uint8))

    def read(self, frame: int) -> np.ndarray | None:
        return self.store[self.places[frame]] if frame in self.places else None


def _keep_carried(
    pieces: np.ndarray, box: Box, anchors: dict, scene: np.ndarray, maps: dict, body_height: float
) -> np.ndarray | None:
    """The pieces (h, w) uint8 that are carried, (h, w) bool.

    They are beside a part of the body more often than at that place of the scene, or small and beside a hand.
    """
    there = pieces > 0
    number = pieces[there]
    area = np.bincount(number, minlength=256)

    def share(name, anchor: np.ndarray) -> np.ndarray:
        found = maps[name].share(find_cells(anchor, there, box))
        return np.bincount(number, found, minlength=256) / np.maximum(area, 1)

    best = np.max([share(name, anchor) for name, anchor in anchors.items() if name in maps], axis=0, initial=0.0)
    kept = (best > CARRIED_SHARE) & (best > SCENE_ODDS * share(SCENE, scene))
    for name, anchor in anchors.items():
        if name[1] in HAND_ANCHORS and name in maps and maps[name].is_holding():
            kept |= _find_at_hand(pieces, box, anchor, body_height)[0]
    kept[0] = False
    return kept[pieces] if kept.any() else None


def _find_at_hand(
    pieces: np.ndarray, box: Box, anchor: np.ndarray, body_height: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which pieces (h, w) uint8 are beside the hand of an anchor, small, and end within the view; and which are beside
    it at all. (256,) bool."""
    there = pieces > 0
    number, away = pieces[there], np.linalg.norm(map_pixels(anchor, there, box), axis=1)
    near = np.bincount(number[away < HAND_REACH], minlength=256) > 0
    fits = near & (np.bincount(number[away > HAND_LENGTH], minlength=256) == 0)
    fits &= np.bincount(number, minlength=256) < HAND_AREA * body_height**2
    fits[np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])] = False
    return fits, near
