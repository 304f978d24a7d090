"""A scene corrected by hand: strokes on a few frames change the masks there and between, and the plate with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..media.clip import Masks
from ..progress import Progress, silent
from .carry import Span, carry
from .mend import mended_plate
from .scene import Scene
from .strokes import Shape, Stroke


@dataclass(frozen=True, eq=False)
class Reviewed:
    """A corrected scene, and the frames on which strokes were painted or were carried to."""

    scene: Scene
    painted: tuple[int, ...] = ()
    carried: tuple[int, ...] = ()


def review(scene: Scene, strokes: Sequence[Stroke], *, progress: Progress = silent) -> Reviewed:
    """Paint strokes into the masks of a scene, carry them to the frames between, and mend the plate.

    Only frames with a painted or carried stroke change. Without strokes the scene is handed on as it is.
    """
    if not strokes:
        return Reviewed(scene)
    shapes, spans = carry(strokes, scene.source, progress=progress)
    work = {layer: _Painted(layer, strokes, spans) for layer in {stroke.layer for stroke in strokes}}
    masks = {layer: getattr(scene, layer) for layer in ("person", "occluder")}
    for layer, painted in work.items():
        masks[layer] = painted.on(masks[layer])
    touched = sorted({frame for painted in work.values() for frame in painted.frames()})
    plate = mended_plate(scene, masks["person"], masks["occluder"], touched, progress=progress)
    painted = sorted({shape.frame for shape in shapes})
    note = f"Strokes on {len(painted)} frames were carried to {len(touched) - len(painted)} between them."
    report = replace(scene.report, notes=(*scene.report.notes, note))
    mended = replace(scene, plate=plate, report=report, **masks)
    return Reviewed(mended, tuple(painted), tuple(sorted(set(touched) - set(painted))))


class _Painted:
    """The strokes of one layer, and the shapes that are carried in it."""

    def __init__(self, layer: str, strokes: Sequence[Stroke], spans: list[Span]):
        self.strokes: dict[int, list[Shape]] = {}
        for number, stroke in enumerate(strokes):
            if stroke.layer == layer:
                self.strokes.setdefault(stroke.frame, []).append(Shape((stroke,), number))
        self.spans = sorted((span for span in spans if span.first.layer == layer), key=lambda span: span.first.order)

    def frames(self) -> set[int]:
        """Every frame that is painted on."""
        between = {frame for span in self.spans for frame in range(span.first.frame + 1, span.last.frame)}
        return between | self.strokes.keys()

    def on(self, masks: Masks) -> Masks:
        """The masks with everything painted, made when they are read."""

        def mask_at(index: int) -> np.ndarray:
            mask = masks[index]
            for mode, box, inside in self._at(index):
                _paint(mask, mode, box, inside)
            return mask

        return masks.derive(mask_at)

    def _at(self, frame: int):
        """Mode, box and signed distance of what is carried to a frame, then of what was painted on it."""
        for span in self.spans:
            if span.first.frame < frame < span.last.frame:
                yield (span.first.mode, *span.inside(frame))
        for shape in self.strokes.get(frame, ()):
            box = shape.box()
            yield shape.mode, box, shape.inside(box)


def _paint(mask: np.ndarray, mode: str, box, inside: np.ndarray) -> None:
    """Raise or lower a mask (H, W) uint8 where a shape is; its outline is one pixel soft."""
    x0, y0, x1, y1 = box
    left, top = max(-x0, 0), max(-y0, 0)
    here = mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    alpha = ((inside + 0.5).clip(0, 1) * 255 + 0.5).astype(np.uint8)[top:, left:][: here.shape[0], : here.shape[1]]
    here[:] = np.maximum(here, alpha) if mode == "add" else np.minimum(here, 255 - alpha)
