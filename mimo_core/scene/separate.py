"""Taking a shot apart: the person, what passes in front of them, and the scene as if they had never been there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..media.clip import Clip, Masks
from ..media.store import FrameStore
from ..motion.motion import Motion
from ..progress import Progress, silent
from .analysis import Analysis, Layers
from .background import BackgroundSamples, Canvas, canvas_of, plan_canvases
from .camera_motion import check_camera
from .depth import nearer_than
from .filters import grown, guided
from .given import fitted
from .plate import Background, Grain, Patch, fill
from .scene import Doubt, Scene, SceneReport


PASSES = 7  # over the frames: survey, coarse plate, looks, two rounds of labels, background, layers
EDGE_SHARE = 0.02  # of the body's height: the hole in the plate reaches so far beyond the person
FAINT = 26  # mask values from here on count as person when the hole is cut
CALM_FRAMES = 6  # of a canvas teach the grain of the source
JUMP = 1.6  # factor by which the person's area may change between frames before it is doubted
RIM = 0.42  # of the soft mask: the blurred rim of a moving thing is the thing's
PAINTED = 0.4  # share of a frame's hole that may be painted before it is doubted


def separate(
    clip: Clip,
    *,
    motion: Motion | None = None,
    coarse: Masks | None = None,
    person: Masks | None = None,
    occluder: Masks | None = None,
    depth: Clip | None = None,
    plate: Clip | None = None,
    camera: str = "auto",
    edge: int = 2,
    progress: Progress = silent,
) -> Scene:
    """Take a clip apart into plate, person and occluder.

    `motion` is the person's, and `coarse` a first guess of their mask (as `Estimate.masks`); what is missing is
    estimated. `person`, `occluder`, `depth` (near is bright) and `plate` win over what would be found: one frame or one
    per frame, of the clip's shape. `camera` is auto, none, pan or homography; `edge` the softness of masks in pixels.

    The plate equals the clip outside the person dilated by 2 % of the body's height. Memory does not grow with the
    clip. Raises InputError for layers of another length or shape.
    """
    check_camera(camera)
    if motion is not None and motion.frames != len(clip):
        raise InputError(
            f"The motion has {motion.frames} frames but the clip has {len(clip)}. "
            "Estimate it on the same clip at the same frame rate."
        )
    names = ("person mask", "occluder mask", "depth", "plate")
    checked = [fitted(layer, clip, name) for layer, name in zip((person, occluder, depth, plate), names, strict=True)]
    notes = tuple(note for _, note in checked if note)
    person, occluder, depth, plate = (layer for layer, _ in checked)
    if coarse is None and person is None:
        motion, coarse = _estimated(clip, motion, progress)
    given = _Given(person, occluder, depth, plate)
    job = _Separation(clip, motion, person or coarse, given, camera, edge, _Ticker(progress, len(clip)))
    return job.run(notes)


def _estimated(clip: Clip, motion: Motion | None, progress: Progress) -> tuple[Motion, Masks]:
    """The motion, and BlazePose's mask of the person who does it."""
    from ..pose.estimate import estimate_motion

    boxes = None if motion is None else _boxes(motion, clip.width, clip.height)
    found = estimate_motion(clip, boxes=boxes, progress=progress)
    return motion or found.motion, found.masks


def _boxes(motion: Motion, width: int, height: int) -> list:
    """Boxes (x0, y0, x1, y1) around the projected joints, NaN where nobody is visible."""
    from ..body.model import free_body

    camera, person, boxes = motion.camera.scaled(width, height), motion.person, []
    for start in range(0, motion.frames, 64):
        frames = slice(start, min(start + 64, motion.frames))
        joints = camera.project(free_body().pose(person, frames).joints, frames).numpy()
        low, high = joints.min(1), joints.max(1)
        margin = 0.1 * (high - low).max(1, keepdims=True)
        found = np.concatenate([low - margin, high + margin], 1)
        boxes.extend(np.where(person.visible[frames, None].numpy(), found, np.nan))
    return boxes


@dataclass(frozen=True, eq=False)
class _Given:
    """Layers of the user, of the clip's size and length, or None."""

    person: Masks | None
    occluder: Masks | None
    depth: Clip | None
    plate: Clip | None


class _Ticker:
    """Progress over all passes, which all have as many steps as the clip has frames."""

    def __init__(self, progress: Progress, frames: int):
        self.progress, self.total, self.done = progress, PASSES * frames, 0

    def __call__(self, preview: np.ndarray | None = None) -> None:
        self.done += 1
        self.progress(min(self.done, self.total), self.total, preview)


@dataclass
class _Tally:
    """What the report is made of."""

    hole: int = 0
    unseen: int = 0
    body: int = 0
    hidden: int = 0
    area: list[int] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)


class _Separation:
    """One run of `separate`."""

    def __init__(self, clip, motion, guess, given: _Given, camera: str, edge: int, tick: _Ticker):
        self.clip, self.given, self.camera, self.edge, self.tick = clip, given, camera, edge, tick
        self.work = Analysis(clip, motion, guess, is_given=given.person is not None)
        self.reach = EDGE_SHARE * self.work.full_stature
        self.patches, self.masks, self.tally = _Patches(clip), _Patches(None), _Tally()
        self.occluders = _Patches(None)

    def run(self, notes: tuple[str, ...]) -> Scene:
        self.work.survey(self.camera, self.tick)
        path = self.work.path.scaled(1 / self.work.scale)
        boxes = self.work.full_boxes()
        for canvas in plan_canvases(path, boxes):
            self._canvas(canvas)
        layers = Masks.constant(0, len(self.clip), self.clip.height, self.clip.width)
        return Scene(
            source=self.clip,
            plate=self.clip.derive(self.patches.frame),
            person=self.given.person or layers.derive(lambda index: self.masks.mask(index, self.clip)),
            occluder=self.given.occluder or layers.derive(lambda index: self.occluders.mask(index, self.clip)),
            report=self._report(notes),
        )

    def _canvas(self, canvas: Canvas) -> None:
        """Everything for the frames of one canvas."""
        small = canvas_of(self.work.path, self.work.boxes, canvas.start, canvas.stop, canvas.first, canvas.last)
        layers = _Stored(self.work.layers(small, self.given.plate, self.tick))
        background = None if self.given.plate is not None else self._background(canvas, layers)
        for frame, source in enumerate(self.clip.read(canvas.start, canvas.stop), canvas.start):
            self._frame(frame, source, layers[frame - canvas.start], background)
            self.tick(source)

    def _background(self, canvas: Canvas, layers: _Stored) -> Background:
        import cv2

        samples, grain, calm = BackgroundSamples(canvas), Grain(), []
        wanted = np.zeros(samples.count.shape, bool)
        step = max(1, (canvas.stop - canvas.start) // CALM_FRAMES)
        for frame, source in enumerate(self.clip.read(canvas.first, canvas.last), canvas.first):
            inside = canvas.start <= frame < canvas.stop
            busy = self._busy(frame, layers[frame - canvas.start] if inside else None)
            picture = canvas.project(source, frame, flags=cv2.INTER_LINEAR)
            blocked = canvas.project(busy, frame, flags=cv2.INTER_NEAREST, border=2)
            samples.add(picture, blocked == 0, frame)
            if inside:
                wanted |= blocked == 1
                self.tick(None)
            if (frame - canvas.first) % step == 0 and len(calm) < CALM_FRAMES:
                calm.append((picture, blocked == 0))
        background = Background.settled(canvas, samples, wanted, grain)
        for picture, free in calm:
            grain.measure(picture, background.picture, free & (samples.count >= 4))
        return background

    def _busy(self, frame: int, layers: Layers | None) -> np.ndarray:
        """Where a frame shows person or moving things, (H, W) uint8 0 or 1, generously."""
        import cv2

        work = self.work
        if layers is None:
            busy = work.hidden(frame)
        else:
            busy = np.zeros(work.size[::-1], bool)
            x0, y0, x1, y1 = layers.box
            busy[y0:y1, x0:x1] = (layers.person > FAINT) | (layers.thing > FAINT)
        busy = grown(busy, 1.2 * EDGE_SHARE * work.stature + 1)
        return cv2.resize(busy.astype(np.uint8), (self.clip.width, self.clip.height), interpolation=cv2.INTER_NEAREST)

    def _frame(self, frame: int, source: np.ndarray, layers: Layers | None, background: Background | None) -> None:
        if layers is None:
            self._nobody(frame)
            return
        step = self.clip.width / self.work.size[0], self.clip.height / self.work.size[1]
        box = layers.box.scaled(*step, self.clip.height, self.clip.width)
        here = box.cut(source)
        person = self._refined(layers.person, here) if self.given.person is None else box.cut(self.given.person[frame])
        occluder = self._occluder(frame, here, layers, person, box)
        hole = np.zeros(source.shape[:2], bool)
        box.cut(hole)[:] = grown(person > FAINT, self.reach)
        if not hole.any():
            self._nobody(frame, box, occluder)
            return
        front = np.zeros(source.shape[:2], np.uint8)
        box.cut(front)[:] = occluder
        if background is not None:
            patch = fill(source, hole, background, frame, front=front, feather=0.4 * self.reach)
        else:
            patch = Patch(box, np.where(box.cut(hole)[..., None], box.cut(self.given.plate[frame]), here), 1, 0)
        self.patches.append(patch.box, patch.pixels)
        self.masks.append(box, person)
        self.occluders.append(box, occluder)
        self._count(frame, patch, person, occluder)

    def _nobody(self, frame: int, box=None, occluder: np.ndarray | None = None) -> None:
        """Leave a frame as it is; what passes in front of the person may hide all of them."""
        self.patches.append(None, None)
        self.masks.append(None, None)
        self.occluders.append(box, occluder)
        self.tally.area.append(0)
        self.tally.doubts.append(Doubt(frame, "nobody was found"))

    def _refined(self, mask: np.ndarray, picture: np.ndarray, *, outline: float = 0.5) -> np.ndarray:
        """A soft mask of the working size on the edges of the full picture (h, w, 3), `edge` pixels soft, uint8.

        Its outline is where the mask reaches `outline`.
        """
        import cv2

        if not mask.any():
            return np.zeros(picture.shape[:2], np.uint8)
        large = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
        if self.work.scale < 0.9:
            large = guided(large, picture, max(2, round(1.5 / self.work.scale)), 1e-4)
        steep = ((large - outline) * 3 + 0.5).clip(0, 1)
        if self.edge:
            steep = cv2.GaussianBlur(steep, (0, 0), self.edge / 3)
        return (steep * 255 + 0.5).astype(np.uint8)

    def _occluder(self, frame: int, here: np.ndarray, layers: Layers, person: np.ndarray, box) -> np.ndarray:
        if self.given.occluder is not None:
            return box.cut(self.given.occluder[frame])
        if self.given.depth is not None:
            return self._refined_like(
                nearer_than(box.cut(self.given.depth[frame]), person, self.work.full_stature), here
            )
        moving = self._refined(layers.thing, here, outline=RIM)
        fixed = self._refined(layers.fixed, here).astype(np.uint16) * (255 - person) // 255
        return np.maximum(moving, fixed).astype(np.uint8)

    def _refined_like(self, mask: np.ndarray, here: np.ndarray) -> np.ndarray:
        soft = guided(mask.astype(np.float32), here, 3, 1e-4).clip(0, 1)
        return (soft * 255 + 0.5).astype(np.uint8)

    def _count(self, frame: int, patch: Patch, person: np.ndarray, occluder: np.ndarray) -> None:
        tally, area = self.tally, int((person > 127).sum())
        tally.hole += patch.hole
        tally.unseen += patch.unseen
        hidden = int(((occluder > 127) & grown(person > 127, self.reach)).sum())
        tally.hidden += hidden
        tally.body += area + hidden
        if patch.unseen > PAINTED * patch.hole:
            tally.doubts.append(Doubt(frame, "much of what is behind the person was seen in no frame and was painted"))
        last = tally.area[-1] if tally.area else 0
        if last and not 1 / JUMP < (area + hidden) / last < JUMP:
            tally.doubts.append(Doubt(frame, "the person's mask changes its size at once"))
        tally.area.append(area + hidden)

    def _report(self, notes: tuple[str, ...]) -> SceneReport:
        tally, path = self.tally, self.work.path
        lost = [Doubt(frame, "the camera was lost, or the shot was cut") for frame in path.lost]
        filled = tally.unseen / max(tally.hole, 1)
        return SceneReport(
            camera=path.kind,
            seen=1 - filled,
            filled=filled,
            occluder=tally.hidden / max(tally.body, 1),
            doubts=tuple(sorted([*tally.doubts, *lost], key=lambda doubt: doubt.frame)),
            notes=notes,
        )


class _Patches:
    """Parts of frames, one per frame, in a temporary file."""

    def __init__(self, clip: Clip | None):
        self.clip, self.store, self.boxes = clip, FrameStore(), []

    def append(self, box, pixels: np.ndarray | None) -> None:
        self.boxes.append(box)
        self.store.append(np.zeros((1, 1), np.uint8) if pixels is None else pixels)

    def frame(self, index: int) -> np.ndarray:
        """The frame of the clip with its part replaced."""
        frame = self.clip[index]
        if self.boxes[index] is not None:
            self.boxes[index].cut(frame)[:] = self.store[index]
        return frame

    def mask(self, index: int, clip: Clip) -> np.ndarray:
        """The part on an empty mask."""
        mask = np.zeros((clip.height, clip.width), np.uint8)
        if self.boxes[index] is not None:
            self.boxes[index].cut(mask)[:] = self.store[index]
        return mask


class _Stored:
    """Layers of consecutive frames in a temporary file."""

    def __init__(self, layers: Iterator[Layers | None]):
        self.store, self.boxes = FrameStore(), []
        for found in layers:
            self.boxes.append(None if found is None else found.box)
            empty = np.zeros((3, 1, 1), np.uint8)
            self.store.append(empty if found is None else np.stack([found.person, found.thing, found.fixed]))

    def __getitem__(self, index: int) -> Layers | None:
        if self.boxes[index] is None:
            return None
        return Layers(self.boxes[index], *self.store[index])
