"""Pass 2, coarse background: which parts of the scene hold still, also where the person seems to be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.box import Box
from ..progress import Ticker
from .canvas import BackgroundCanvas
from .filters import channel_maximum, dilate_mask, plate_distance
from .first_guess import WorkingClip
from .fitted_body import FittedBody
from .inpaint import paint_unseen
from .pixel_samples import PIXEL_SAMPLES, BackgroundSamples


# Set together on the tuning shots 6-17 and 30-35 (256 px, 24 frames), 2026-11-23: IoU of the person 0.92 to 0.94,
# of moving occluders 0.61 to 0.85. Not varied one by one.
STABLE_SHARE = 0.8  # of the frames show the same colour: the pixel holds still
STABLE_LEVELS = 12.0  # of color distance: sensor noise and compression stay below
TEXTURE_SPAN = 30.0  # levels that a neighbourhood must span for stillness to mean anything
FLAT_SPAN = 18.0  # levels that a neighbourhood spans at most inside one surface
LEAST_TRAVEL = 0.06  # of the body height: how far a part of the body must move before stillness tells scene from body
SURE_TRAVEL = 0.12  # of the body height: and before it tells so against the colors
ANCHORED_SHARE = 0.15  # of such an area must lie where nobody ever stood
TRAVEL_FRAMES = 128  # of a canvas at least, evenly spread, tell how far the body travels
COVERED_SHARE = 0.5  # of the frames: where the body is more often, the plate may show a part of it that holds still
APART_DISTANCE = 0.04  # of the body height: so far from the fitted body hardly anything of the person is
APART_SHARE = 0.1  # of the frames: what is seen there so often without the body is the scene's
FREE_TRAVEL = 0.25  # of the body height: a part that travels further than this has left the plate behind it free
CROWDED, CLEAR = 1, 2  # ranks of samples: somebody else stands there, or nobody
FREE_SHARE = 0.3  # of an area that holds still must have been seen free, or be textured, for all of it to be scene


@dataclass(frozen=True, eq=False)
class CoarseBackground:
    """The background on a canvas at working size, all (h, w)."""

    picture: np.ndarray  # (h, w, 3) uint8
    known: np.ndarray  # bool: seen in some frame
    still: np.ndarray  # bool: seen through the first guess of the person, because it holds still while the body moves
    surely_still: np.ndarray  # bool: of these, where the body moves so far that colors of theirs tell nothing
    body_lingers: np.ndarray  # bool: the fitted body is there in most frames, hardly moves, and is never far away

    def paint(self, ask: Callable[[], None] = lambda: None) -> CoarseBackground:
        """The same with what is not known painted. `ask()` may raise to cancel."""
        return replace(self, picture=paint_unseen(self.picture, ~self.known, ask=ask))

    def remove(self, person: np.ndarray, ask: Callable[[], None] = lambda: None) -> CoarseBackground:
        """The plate with pixels (h, w) bool that turned out to be the person painted over. `ask()` may raise."""
        if not (self.known & person).any():
            return self
        known = self.known & ~person
        still, sure = self.still & ~person, self.surely_still & ~person
        return CoarseBackground(paint_unseen(self.picture, ~known, ask=ask), known, still, sure, self.body_lingers)


def estimate_coarse_background(working: WorkingClip, canvas: BackgroundCanvas, tick: Ticker) -> CoarseBackground:
    """The background of a canvas at working size, from the frames `canvas.first` to `canvas.last`.

    `tick()` is called once a frame from `canvas.start` to `canvas.stop`, `tick.ask()` between steps of the painting.
    """
    scan, bodies = BackgroundScan(canvas, working.body_height), working.bodies(canvas.first, canvas.last)
    for frame, body in zip(range(canvas.first, canvas.last), bodies, strict=True):
        scan.add(working.pictures[frame], working.find_hidden(frame), body, frame, working.find_somebody_else(frame))
        if canvas.start <= frame < canvas.stop:
            tick()
    found = scan.estimate()
    del scan  # its samples take 66 bytes a pixel of the canvas, and painting as much again
    return found.paint(tick.ask)


class BackgroundScan:
    """Collects what the frames of a canvas show, with and without the first guess of the person."""

    def __init__(self, canvas: BackgroundCanvas, body_height: float):
        self.canvas, self.body_height = canvas, body_height
        # Of the same frames everywhere: beside each other, clothes of different moments would look like texture.
        self.free, self.all = BackgroundSamples(canvas), BackgroundSamples(canvas, is_joint=True)
        self.moved = BodyTravel(canvas)
        self.covered, self.frames = np.zeros(canvas.size[::-1], np.int32), 0
        self.apart = np.zeros(canvas.size[::-1], np.int32)

    def add(
        self,
        picture: np.ndarray,
        busy: np.ndarray,
        body: FittedBody | None,
        frame: int,
        others: np.ndarray | None = None,
    ) -> None:
        """A frame (h, w, 3), where something hides the scene (h, w) bool, and the fitted body.

        Where `others` (h, w) bool stand, the scene is what other frames show there, if any do.
        """
        import cv2

        part = self.canvas.find_part(frame, (0, 0, *picture.shape[1::-1]))

        def project(mask: np.ndarray, border: int = 0) -> np.ndarray:
            return self.canvas.project(mask.view(np.uint8), frame, flags=cv2.INTER_NEAREST, border=border, part=part)

        seen = self.canvas.project(picture, frame, flags=cv2.INTER_LINEAR, part=part)
        blocked = project(busy, border=2)
        rank = None if others is None else np.where(project(others), CROWDED, CLEAR).astype(np.uint8)
        self.free.add(seen, blocked == 0, frame, rank, part)
        self.all.add(seen, blocked < 2, frame, part=part)
        self.frames += 1
        if body is not None:
            self.moved.add(body, frame, part)
            part.cut(self.covered)[:] += project(body.silhouette)
            near = dilate_mask(body.silhouette, APART_DISTANCE * self.body_height)
            part.cut(self.apart)[:] += project(near, border=2) == 0

    def estimate(self) -> CoarseBackground:
        """What was seen; the rest of the picture is not painted yet."""
        seen = self.free.count > 0
        typical = self.all.median()
        picture = np.where(seen[..., None], self.free.median(), typical)
        # What differs in some frames tells nothing of a body that moves in those frames alone.
        travel = self.moved.distance(STABLE_SHARE) / self.body_height
        surface, still = self._find_still(seen, typical, travel) if seen.any() else (np.zeros_like(seen),) * 2
        known = seen | still
        stays = (self.covered > COVERED_SHARE * self.frames) & (self.moved.distance() < FREE_TRAVEL * self.body_height)
        stays &= (self.apart <= APART_SHARE * self.frames) & ~surface
        sure = still & (travel > SURE_TRAVEL)
        return CoarseBackground(picture, known, still, sure, stays)

    def _find_still(self, seen: np.ndarray, typical: np.ndarray, travel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels whose neighbourhood is one surface of the scene: it never changes, and part of it is surely scene.

        And those of them that were not `seen` free and hang together with what was. `typical` are the medians.
        """
        import cv2

        stable = _find_stable(self.all, typical)
        span = channel_maximum(cv2.subtract(_local_maximum(typical), _local_minimum(typical)))
        moved = travel > LEAST_TRAVEL
        textured = stable & moved & (span > TEXTURE_SPAN)
        # A moving body would have carried its own texture along; the ground truth of still texture is the scene.
        textured = cv2.morphologyEx(textured.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
        surface = stable & (span < FLAT_SPAN)
        count, label = cv2.connectedComponents(surface.astype(np.uint8), connectivity=4)
        sure = seen | dilate_mask(textured, 2)
        share = np.bincount(label[sure], minlength=count) / np.maximum(np.bincount(label.reshape(-1)), 1)
        is_scene = share > FREE_SHARE
        is_scene[0] = False
        held_still = (is_scene[label] | textured) & moved
        return held_still, _keep_anchored(held_still & ~seen, seen & stable)


def _keep_anchored(still: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """What of `still` (h, w) bool hangs together with `outside`: an island within the moving outline is the body."""
    import cv2

    solid = cv2.morphologyEx((still | outside).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, label = cv2.connectedComponents(solid, connectivity=4)
    area = np.bincount(label.reshape(-1), minlength=count)
    anchored = np.bincount(label[outside], minlength=count) > ANCHORED_SHARE * area
    anchored[0] = False
    return still & anchored[label]


class BodyTravel:
    """How far the part of the body that covers each canvas pixel travels over the clip."""

    def __init__(self, canvas: BackgroundCanvas):
        self.canvas = canvas
        self.places, self.step, self.frames = [], 1, 0  # the middles (N, 2) of all patches in every `step`-th frame
        self.low, self.high = np.full((1, 2), np.inf), np.full((1, 2), -np.inf)
        self.patches = np.zeros(canvas.size[::-1], np.uint16)  # the last patch seen there, plus 1

    def add(self, body: FittedBody, frame: int, part: Box) -> None:
        """Take in the body of a frame, which reaches a `part` of the canvas."""
        import cv2

        moved = np.column_stack([body.centers, np.ones(len(body.centers))]) @ self.canvas.canvas_from_frame[frame].T
        moved = moved[:, :2] / moved[:, 2:]
        self.low, self.high = np.fmin(self.low, moved), np.fmax(self.high, moved)  # NaN is somebody who is not there
        if self.frames % self.step == 0:
            self.places.append(moved.astype(np.float32))
        self.frames += 1
        if len(self.places) == 2 * TRAVEL_FRAMES:
            self.places, self.step = self.places[::2], 2 * self.step
        here = np.where(body.silhouette, body.patch + 1, 0).astype(np.uint16)
        here = self.canvas.project(here, frame, flags=cv2.INTER_NEAREST, part=part)
        np.copyto(part.cut(self.patches), here, where=here > 0)

    def distance(self, share: float = 1.0) -> np.ndarray:
        """In canvas pixels, (h, w); around the body as on its nearest part.

        Less than all: at least so far in any `share` of the frames, whichever they are.
        """
        import cv2

        spans = self.high - self.low if share >= 1 or not self.places else measure_spans(np.stack(self.places), share)
        travel = np.linalg.norm(np.maximum(spans, 0), axis=1)
        travel = np.concatenate([[0.0], np.where(np.isfinite(travel), travel, 0.0)])
        covered = self.patches > 0
        if not covered.any():
            return np.zeros(covered.shape)
        _, nearest = cv2.distanceTransformWithLabels(
            (~covered).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_label = np.zeros(int(nearest.max()) + 1, np.int64)
        of_label[nearest[covered]] = self.patches[covered]
        return travel[of_label[nearest]]


def measure_spans(places: np.ndarray, share: float) -> np.ndarray:
    """The shortest span (N, 2) that holds a `share` of the values (F, N, 2) which are not NaN."""
    ordered, spans = np.sort(places, axis=0), np.zeros(places.shape[1:], places.dtype)  # NaN comes last
    counts = np.isfinite(places).sum(0)
    for count in np.unique(counts[counts > 0]):
        held, chosen = math.ceil(share * count), counts == count
        values = ordered[:count, chosen]
        spans[chosen] = (values[held - 1 :] - values[: count - held + 1]).min(0)
    return spans


def _find_stable(samples: BackgroundSamples, typical: np.ndarray) -> np.ndarray:
    kept = np.minimum(samples.count, PIXEL_SAMPLES)
    agree = np.zeros(kept.shape, np.int32)
    for number in range(PIXEL_SAMPLES):
        near = plate_distance(samples.samples[number], typical) < STABLE_LEVELS
        agree += near & (number < kept)
    return (agree >= STABLE_SHARE * kept) & (kept > 2)


def _local_maximum(picture: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.dilate(picture, np.ones((3, 3), np.uint8))


def _local_minimum(picture: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.erode(picture, np.ones((3, 3), np.uint8))
