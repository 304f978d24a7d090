"""A scene corrected by hand: strokes on a few frames change the masks there and between, and the plate with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..media.clip import Masks
from ..progress import Progress, silent
from .propagate_shapes import ShapeSpan, propagate_shapes
from .refill_plate import refill_plate
from .scene import Scene
from .strokes import Shape, Stroke


@dataclass(frozen=True, eq=False)
class ReviewedScene:
    """A corrected scene, the frames on which strokes were painted, and those to which they were propagated."""

    scene: Scene
    painted: tuple[int, ...] = ()
    propagated: tuple[int, ...] = ()


def review_scene(scene: Scene, strokes: Sequence[Stroke], *, progress: Progress = silent) -> ReviewedScene:
    """Paint strokes into the masks of a scene, propagate them to the frames between, and fill the plate again.

    Only frames with a painted or propagated stroke change. Without strokes the scene is handed on as it is. Raises
    InputError for strokes that cover more than a picture can hold.
    """
    if not strokes:
        return ReviewedScene(scene)
    shapes, spans = propagate_shapes(strokes, scene.source, progress=progress)
    masks, changed = {"person": scene.person, "occluder": scene.occluder}, set()
    for name in {stroke.mask for stroke in strokes}:
        paint = _MaskPaint(name, strokes, spans)
        masks[name] = paint.apply(masks[name])
        changed |= paint.frames()
    plate = refill_plate(scene, masks["person"], masks["occluder"], sorted(changed), progress=progress)
    painted = sorted({shape.frame for shape in shapes})
    carried = len(changed) - len(painted)
    note = f"Strokes on {len(painted)} frame{'s' * (len(painted) > 1)}"
    note += f" were carried to {carried} between them." if carried else ": nothing had to be carried."
    report = replace(scene.report, notes=(*scene.report.notes, note))
    corrected = replace(scene, plate=plate, report=report, **masks)
    return ReviewedScene(corrected, tuple(painted), tuple(sorted(changed - set(painted))))


class _MaskPaint:
    """The strokes on one mask, and the shapes that are propagated in it."""

    def __init__(self, mask: str, strokes: Sequence[Stroke], spans: list[ShapeSpan]):
        self.strokes: dict[int, list[Shape]] = {}
        for number, stroke in enumerate(strokes):
            if stroke.mask == mask:
                self.strokes.setdefault(stroke.frame, []).append(Shape((stroke,), number))
        self.spans = sorted((span for span in spans if span.first.mask == mask), key=lambda span: span.first.order)

    def frames(self) -> set[int]:
        """Every frame that is painted on."""
        between = {frame for span in self.spans for frame in range(span.first.frame + 1, span.last.frame)}
        return between | self.strokes.keys()

    def apply(self, masks: Masks) -> Masks:
        """The masks with everything painted, made when they are read."""

        def mask_at(index: int) -> np.ndarray:
            mask = masks[index]
            for mode, box, inside in self._list_shapes(index):
                _paint_mask(mask, mode, box, inside)
            return mask

        return masks.derive(mask_at)

    def _list_shapes(self, frame: int) -> Iterator[tuple]:
        """Mode, box and signed distance of what is propagated to a frame, then of what was painted on it."""
        for span in self.spans:
            if span.first.frame < frame < span.last.frame:
                yield (span.first.mode, *span.blend(frame))
        for shape in self.strokes.get(frame, ()):
            box = shape.box()
            yield shape.mode, box, shape.inside(box)


def _paint_mask(mask: np.ndarray, mode: str, box, inside: np.ndarray) -> None:
    """Raise or lower a mask (H, W) uint8 where a shape is; its outline is one pixel soft."""
    x0, y0, x1, y1 = box
    left, top = max(-x0, 0), max(-y0, 0)
    here = mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    alpha = ((inside + 0.5).clip(0, 1) * 255 + 0.5).astype(np.uint8)[top:, left:][: here.shape[0], : here.shape[1]]
    here[:] = np.maximum(here, alpha) if mode == "add" else np.minimum(here, 255 - alpha)
