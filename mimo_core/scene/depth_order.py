"""Who of several people stands in front of whom: by their distance, and by whose colors are seen where bodies overlap.

The distance that a fit tells is that of a person of average size: a child seems to stand further away than it does.
Where two bodies overlap in the picture, the nearer one is seen, whatever the fit says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from ..body.model import free_body
from ..media.clip import Clip
from ..motion.motion import Motion
from .color_histograms import ColorHistograms, bins_of
from .filters import dilate_mask, erode_mask
from .fitted_body import BODY_PATCHES, draw_person, face_patches, patch_neighbors


ORDER_SIDE = 320  # pixels of the longer side at which overlaps are looked at
LEARNED_FRAMES = 32  # frames, spread over the clip, that teach what each person looks like
BODY_RIM = 2  # pixels inside the outline of a body that a fit error may give to somebody else
FEWEST_OVERLAPPING = 20  # pixels of an overlap that tell anything
COLOR_RATIO_LIMIT = 4.0  # of the colors of one pixel
OVERLAP_EVIDENCE = 2.0  # of one frame: mean log ratio of its overlap
DISTANCE_MARGIN = 0.15  # of the distance: from here on the fit is sure who is nearer
DISTANCE_WEIGHT = 0.25  # of that, against OVERLAP_EVIDENCE of colors
SWITCH_COST = 3.0  # of changing places while bodies overlap; they cannot pass through each other


def find_ranks(motion: Motion, clip: Clip | None = None, *, tick: Callable[[], None] = lambda: None) -> np.ndarray:
    """The place of each of N people in every frame, (F, N) int: 0 is nearest to the camera.

    With the `clip` that the motion was taken from, colors decide where bodies overlap. Two people change places where
    distance and colors say so, at the cost of a jump, by dynamic programming over the clip (Viterbi). `tick` is called
    once a frame of a clip; it may raise.
    """
    people, depth = len(motion.people), measure_distances(motion)
    wins = np.zeros((motion.frames, people), int)
    seen = _Overlaps(motion, clip, tick) if clip is not None and people > 1 else None
    for one, other in combinations(range(people), 2):
        colors, overlaps = (0.0, False) if seen is None else (seen.evidence[one, other], seen.found[one, other])
        margin = DISTANCE_MARGIN * np.minimum(depth[:, one], depth[:, other])
        nearer = DISTANCE_WEIGHT * ((depth[:, other] - depth[:, one]) / margin).clip(-1, 1)
        is_first = _choose_states(colors + nearer, np.broadcast_to(overlaps, motion.frames))
        wins[:, one] += is_first
        wins[:, other] += ~is_first
    order = np.lexsort((depth, -wins), axis=1)
    return np.argsort(order, axis=1, kind="stable")


def measure_distances(motion: Motion) -> np.ndarray:
    """How far along the camera's z the pelvis of each of N people is, (F, N) metres, at least 0.1."""
    camera = motion.camera
    rest = [free_body().shape(free_body().betas_of(person))[1][0] for person in motion.people]
    places = [
        camera.view((person.transl + pelvis)[:, None])[:, 0, 2]
        for person, pelvis in zip(motion.people, rest, strict=True)
    ]
    return np.stack([place.clamp_min(0.1).numpy() for place in places], 1)


def _choose_states(evidence: np.ndarray, overlaps: np.ndarray) -> np.ndarray:
    """Where the first of two states holds, (F,) bool: `evidence` (F,) speaks for it; in `overlaps` a jump costs."""
    frames = len(evidence)
    score, came = np.zeros(2), np.zeros((frames, 2), int)
    for frame in range(frames):
        cost = SWITCH_COST if frame and overlaps[frame - 1 : frame + 1].any() else 0.0
        options = np.stack([score - [0, cost], score - [cost, 0]])  # to each state from each state
        came[frame] = options.argmax(1)
        score = options.max(1) + np.array([evidence[frame], -evidence[frame]]) / 2
    state, states = int(score.argmax()), np.zeros(frames, int)
    for frame in range(frames - 1, -1, -1):
        states[frame] = state
        state = came[frame, state]
    return states == 0


class _Overlaps:
    """What the colors of a clip say about every pair of people: evidence (F,) that the first of them is in front."""

    def __init__(self, motion: Motion, clip: Clip, tick: Callable[[], None]):
        self.motion = motion
        scale = min(1.0, ORDER_SIDE / max(clip.width, clip.height))
        self.size = max(round(clip.width * scale), 1), max(round(clip.height * scale), 1)
        self.looks = [ColorHistograms(BODY_PATCHES, patch_neighbors(free_body())) for _ in motion.people]
        pairs = list(combinations(range(len(motion.people)), 2))
        self.evidence = {pair: np.zeros(motion.frames) for pair in pairs}
        self.found = {pair: np.zeros(motion.frames, bool) for pair in pairs}
        learned = set(np.linspace(0, motion.frames - 1, LEARNED_FRAMES).astype(int).tolist())
        for frame, picture in enumerate(clip):
            if frame in learned:
                self._learn(self._shrink(picture), *self._draw_bodies(frame, frame + 1))
        for frame, (picture, bodies) in enumerate(zip(clip, self._draw_bodies(0, motion.frames), strict=True)):
            tick()
            bins = self._shrink(picture)
            for pair in pairs:
                self._compare(frame, bins, bodies, pair)

    def _shrink(self, picture: np.ndarray) -> np.ndarray:
        """The color bins (h, w) of a frame."""
        import cv2

        return bins_of(cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA))

    def _draw_bodies(self, start: int, stop: int) -> Iterator[list]:
        """The bodies of each frame from `start` to `stop`: (inside, patch) (h, w) of each person, or None."""
        patches, motion = face_patches(free_body()).numpy(), self.motion[start:stop]
        for bodies in zip(*(draw_person(motion, person, *self.size) for person in motion.people), strict=True):
            yield [
                None if body is None else (body.face.numpy() >= 0, patches[body.face.clamp_min(0).numpy()])
                for body in bodies
            ]

    def _learn(self, bins: np.ndarray, bodies: list) -> None:
        """Take in what each person looks like where nobody else is near."""
        for number, body in enumerate(bodies):
            if body is None:
                continue
            alone = erode_mask(body[0], BODY_RIM)
            for other in (each for at, each in enumerate(bodies) if at != number and each is not None):
                alone &= ~dilate_mask(other[0], 2 * BODY_RIM)
            self.looks[number].add(bins[alone], body[1][alone])

    def _compare(self, frame: int, bins: np.ndarray, bodies: list, pair: tuple[int, int]) -> None:
        one, other = (bodies[number] for number in pair)
        if one is None or other is None:
            return
        self.found[pair][frame] = (one[0] & other[0]).any()
        both = erode_mask(one[0], BODY_RIM) & erode_mask(other[0], BODY_RIM)
        if both.sum() < FEWEST_OVERLAPPING:
            return
        ratio = self.looks[pair[0]].log_density(bins[both], one[1][both])
        ratio = ratio - self.looks[pair[1]].log_density(bins[both], other[1][both])
        mean = ratio.clip(-COLOR_RATIO_LIMIT, COLOR_RATIO_LIMIT).mean()
        self.evidence[pair][frame] = np.clip(mean, -OVERLAP_EVIDENCE, OVERLAP_EVIDENCE)
