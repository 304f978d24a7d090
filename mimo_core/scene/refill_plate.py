"""The plate after masks were corrected by hand: filled where more of the person is known now, the source where less."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..geometry.box import Box
from ..media.clip import Clip, Masks
from ..media.store import FrameStore
from ..progress import Progress, Ticker, silent
from .background import FAINT_ALPHA, HOLE_REACH, Background, measure_grain
from .camera_motion import CameraPath, CameraTracker
from .canvas import HELPER_FRAMES, BackgroundCanvas, plan_canvases
from .fill_plate import fill_hole
from .filters import dilate_mask
from .find_remains import REMAINS_REACH
from .frame_light import FrameLight
from .grain import Grain
from .pixel_samples import BackgroundSamples
from .scene import Scene


CAMERA_SIDE = 640  # pixels of the longer side at which the camera is followed
REFILL_GRAIN_FRAMES = 6  # of a canvas teach the grain
HEIGHT_FRAMES = 16  # tell how tall the person is in the picture


def refill_plate(
    scene: Scene, person: Masks, occluder: Masks, changed: Iterable[int], *, progress: Progress = silent
) -> Clip:
    """The plate of a scene for other masks, which differ from the scene's on the `changed` frames.

    What the person now covers too is filled from the plates of other frames, or painted where all of them lack it;
    where they no longer are the plate is the source again. Elsewhere, but for their shadow on the ground
    (`cast_shadows`) and blurred rims (`find_remains`), and on other frames the plate stays as it is. The cost is that
    of reading the plate around the changed frames once: nothing is segmented or estimated again but the camera's path.
    """
    changed = sorted(changed)
    if not changed:
        return scene.plate
    first, last = max(changed[0] - HELPER_FRAMES, 0), min(changed[-1] + 1 + HELPER_FRAMES, scene.frames)
    total = 2 * (last - first) + 2 * len(changed)
    job = _Refill(scene, person, occluder, Ticker(progress, total))
    changes = {frame: job.compare_masks(frame) for frame in changed}
    boxes = [changes[frame].box if frame in changes else None for frame in range(scene.frames)]
    patches = {}
    for canvas in plan_canvases(job.track_camera(first, last), boxes):
        frames = [frame for frame in changed if canvas.start <= frame < canvas.stop]
        if frames and any(changes[frame].hole is not None for frame in frames):
            patches |= job.fill_canvas(canvas, {frame: changes[frame] for frame in frames})
    return job.assemble_plate(changes, patches)


@dataclass(frozen=True, eq=False)
class _Change:
    """What is new in one frame: `hole` (h, w) bool to fill and `free` (h, w) bool to show the source, within `box`."""

    box: tuple[int, int, int, int] | None
    hole: np.ndarray | None
    free: np.ndarray | None


class _Refill:
    """One run of `refill_plate`."""

    def __init__(self, scene: Scene, person: Masks, occluder: Masks, tick: Ticker):
        self.scene, self.person, self.occluder, self.tick = scene, person, occluder, tick
        height = self._measure_height()
        self.reach, self.remains = max(HOLE_REACH * height, 1.0), REMAINS_REACH * height

    def _measure_height(self) -> float:
        """Rows that the person takes up in a typical frame."""
        steps = np.unique(np.linspace(0, self.scene.frames - 1, HEIGHT_FRAMES).astype(int))
        rows = [np.flatnonzero((self.person[int(frame)] > 127).any(1)) for frame in steps]
        heights = [np.ptp(found) + 1 for found in rows if len(found)]
        return float(np.median(heights)) if heights else 0.5 * self.scene.height

    def compare_masks(self, frame: int) -> _Change:
        """Compare the old and the new masks of a frame."""
        self.tick()
        old, new = self.scene.person[frame] > FAINT_ALPHA, self.person[frame] > FAINT_ALPHA
        front = self.scene.occluder[frame] != self.occluder[frame]
        hole = dilate_mask(new, self.reach)
        again = hole & dilate_mask((new & ~old) | front, self.reach)
        free = dilate_mask(old & ~new, 1.5 * self.reach + 1) & ~hole
        if not (again | free).any():
            return _Change(None, None, None)
        box = Box.of_mask(again | free, round(self.reach) + 2)
        return _Change(box, box.cut(again) if again.any() else None, box.cut(free))

    def track_camera(self, first: int, last: int) -> CameraPath:
        """The camera over the whole clip, followed from `first` to `last`; the frames outside stand for themselves."""
        import cv2

        scene = self.scene
        matrices, section = np.tile(np.eye(3), (scene.frames, 1, 1)), np.zeros(scene.frames, int)
        if scene.frames == 1 or scene.is_still:
            return CameraPath("none", matrices, section)
        scale = min(1.0, CAMERA_SIDE / max(scene.width, scene.height))
        size = tuple(max(16, round(side * scale)) for side in (scene.width, scene.height))
        tracker = CameraTracker()
        for frame, picture in enumerate(scene.source.read(first, last), first):
            small = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
            busy = np.maximum(self.person[frame], self.occluder[frame])
            busy = dilate_mask(
                cv2.resize(busy, size, interpolation=cv2.INTER_AREA) > FAINT_ALPHA, 2 * self.reach * scale
            )
            tracker.add(small, busy.astype(np.uint8))
            self.tick()
        found = tracker.path("auto").scaled(1 / scale)
        matrices[first:last], section[first:last] = found.reference_from_frame, found.section + 1
        section[last:] = section.max() + 1
        return CameraPath(found.kind, matrices, np.unique(section, return_inverse=True)[1])

    def fill_canvas(self, canvas: BackgroundCanvas, changes: dict[int, _Change]) -> dict[int, tuple]:
        """Box and pixels of the filled part of each frame that needs one."""
        background = self._collect_background(canvas, changes)
        patches = {}
        for frame, change in changes.items():
            if change.hole is None:
                continue
            hole = np.zeros((self.scene.height, self.scene.width), bool)
            change.box.cut(hole)[:] = change.hole
            here = np.where(hole[..., None], self.scene.source[frame], self.scene.plate[frame])
            front, feather = self.occluder[frame], 0.4 * self.reach
            patch = fill_hole(here, hole, background, frame, front=front, feather=feather, remains=self.remains)
            patches[frame] = (patch.box, patch.pixels)
            self.tick()
        return patches

    def _collect_background(self, canvas: BackgroundCanvas, changes: dict[int, _Change]) -> Background:
        """What lies behind the holes of a canvas, from the plates: these are free of the person on every frame."""
        import cv2

        samples, light, grain, calm = BackgroundSamples(canvas, is_joint=True), FrameLight(canvas.size), Grain(), []
        wanted = np.zeros(samples.count.shape, bool)
        step = max(1, (canvas.last - canvas.first) // REFILL_GRAIN_FRAMES)
        for frame, plate in enumerate(self.scene.plate.read(canvas.first, canvas.last), canvas.first):
            blocked = np.maximum(self.scene.occluder[frame], self.occluder[frame]) > 0
            hole, part = np.zeros(blocked.shape, np.uint8), canvas.find_part(frame, (0, 0, *blocked.shape[::-1]))
            if frame in changes and changes[frame].hole is not None:
                changes[frame].box.cut(hole)[:] = changes[frame].hole
                part.cut(wanted)[:] |= canvas.project(hole, frame, flags=cv2.INTER_NEAREST, part=part) > 0
            blocked = dilate_mask(blocked, 2) | (hole > 0)
            free = canvas.project(blocked.view(np.uint8), frame, flags=cv2.INTER_NEAREST, border=1, part=part) == 0
            away = cv2.distanceTransform(free.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
            picture = canvas.project(plate, frame, flags=cv2.INTER_LINEAR, part=part)
            picture = light.level(picture, free, away, part)
            samples.add(picture, free, frame, part=part)
            if (frame - canvas.first) % step == 0 and len(calm) < REFILL_GRAIN_FRAMES:
                calm.append((picture, free, part))
            self.tick()
        background = Background.from_samples(canvas, samples, wanted, grain, self.tick.ask, light=light)
        for picture, free, part in calm:
            self.tick()
            measure_grain(grain, picture, free, part, background, samples)
        return background

    def assemble_plate(self, changes: dict[int, _Change], patches: dict[int, tuple]) -> Clip:
        """The old plate with the new parts, which lie in a temporary file."""
        store, places = FrameStore(), {}
        for frame, change in changes.items():
            if change.box is None:
                continue
            self.tick()
            plate = self.scene.plate[frame]
            if frame in patches:
                box, pixels = patches[frame]
                box.cut(plate)[:] = pixels
                box = box.union(change.box)
            else:
                box = change.box
            change.box.cut(plate)[change.free] = change.box.cut(self.scene.source[frame])[change.free]
            places[frame] = len(store), box
            store.append(box.cut(plate))

        def frame_at(index: int) -> np.ndarray:
            plate = self.scene.plate[index]
            if index in places:
                number, box = places[index]
                box.cut(plate)[:] = store[number]
            return plate

        return self.scene.plate.derive(frame_at)
