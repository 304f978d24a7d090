"""Who is the figure before a busy background: what the network says, what colors say, and the picture's edges.

Colors are compared with those nearby of what is surely the body and of what is surely around it, so a wall as brown as
the coat at the other side of the picture does no harm. Where hair is, and at feet, which look like any dark ground,
colors have little to say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import mask_height
from ..pose.blazepose import ANKLES, TOES
from ..pose.landmarks import Landmarks
from .leaks import LARGEST_UNIT, WORK_SIDE, compare_colors, find_pockets, mark_bones
from .looks import convert_to_logits


FIGURE_LOGIT, OPEN_LOGIT, GROUND_LOGIT = 1.4, -1.0, -2.0  # of the mask: sure; open; background whose colors count
KNOWN_DEPTHS = (0.01, 0.035, 0.06)  # of the figure's height within the mask: along bones, where hair is, anywhere else
CLEAR, REACH, AROUND = 0.02, 0.12, 0.25  # of the height from the mask: background, farthest figure, what is compared
COLOR_SHARE, MOST_COLOR = 0.8, 4.0  # of colors against the network; logarithms that count
MOST_ON_HEAD, MOST_ON_FEET = 2.0, 0.5  # the same for the background's colors
FIGURE_SHARE = 0.2  # of the colors of the whole figure against those nearby: a ribbon far from a red vest is red too
FOOT = (0.6, 0.03)  # radius of a foot around its toes: shares of its length, and at least of the height
MOST_EVIDENCE = 6.0
# GrabCut takes 8-bit colors and Gaussians over them. One channel holds the evidence, EVIDENCE_LEVELS a unit, so little
# that it makes no edge; two Gaussians as far to both sides make the cost linear in it, DATA_COST a unit.
EVIDENCE_LEVELS, MODEL_LEVELS, DATA_COST = 2.0, 20.0, 6.0
HUE_SHARE = 0.6  # of blue to yellow in the channel of hue, of which there is one
ANY_LEVEL = 1e6  # variance of a channel that tells nothing but edges


def settle_figure(picture: NDArray, mask: NDArray, first: NDArray, landmarks: Landmarks) -> NDArray:
    """The figure (H, W) bool on a picture (H, W, 3) uint8.

    `mask` (H, W) uint8 is the network's from several looks, `first` that of the first one, which tells best what is
    open between the limbs; `landmarks` are those of one frame.
    """
    import cv2

    scale = min(1.0, WORK_SIDE / max(mask.shape))
    size = tuple(max(1, round(side * scale)) for side in mask.shape[::-1])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    mask_now, own = (cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (mask, first))
    logits = convert_to_logits(mask_now)
    height = mask_height(logits > 0)
    if not height:
        return np.zeros(mask.shape, bool)
    points = landmarks.pixels[0].numpy() * scale
    bones, head, _ = mark_bones(points, landmarks.confidence[0].numpy(), logits.shape)
    depth = cv2.distanceTransform((logits > FIGURE_LOGIT).astype(np.uint8), cv2.DIST_L2, 5)
    least = np.where(bones, KNOWN_DEPTHS[0], np.where(head, KNOWN_DEPTHS[1], KNOWN_DEPTHS[2]))
    known = depth > least * height
    away = cv2.distanceTransform((logits <= GROUND_LOGIT).astype(np.uint8), cv2.DIST_L2, 5)
    ground = (away > CLEAR * height) & (away < AROUND * height)
    settled = logits > 0
    if known.any() and ground.any():
        asked = (away < REACH * height) & ~known
        ratio = compare_colors(small, known, ground, asked, height, whole=FIGURE_SHARE)
        feet = _mark_feet(points, logits.shape, height) & ~head
        most = np.where(feet, MOST_ON_FEET, np.where(head, MOST_ON_HEAD, MOST_COLOR))
        logits = np.where(feet, np.maximum(logits, convert_to_logits(own)), logits)
        logits = np.where(find_pockets(own), np.minimum(logits, OPEN_LOGIT), logits)
        evidence = logits - COLOR_SHARE * np.clip(ratio, -MOST_COLOR, most)
        settled = _keep_known_parts(_cut_along_edges(small, evidence, known, asked), known)
    return cv2.resize(settled.astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5


def _mark_feet(points: NDArray, shape: tuple[int, int], height: int) -> NDArray:
    """Where the feet of a person with landmarks (33, 2) are, (H, W) bool."""
    import cv2

    feet = np.zeros(shape, np.uint8)
    for ankle, toe in zip(ANKLES, TOES, strict=True):
        radius = max(FOOT[0] * np.linalg.norm(points[ankle] - points[toe]), FOOT[1] * height)
        cv2.circle(
            feet,
            tuple(np.clip(points[toe], -LARGEST_UNIT, LARGEST_UNIT).astype(int).tolist()),
            round(float(radius)),
            1,
            -1,
        )
    return feet > 0


def _cut_along_edges(picture: NDArray, evidence: NDArray, known: NDArray, asked: NDArray) -> NDArray:
    """What the evidence (H, W) speaks for, cut where the picture (H, W, 3) uint8 has edges, (H, W) bool.

    Only what is `asked` (H, W) bool is open, the rest is what is `known` and background. GrabCut's graph cut with
    models of our own (see EVIDENCE_LEVELS).
    """
    import cv2

    lab = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 0.8), cv2.COLOR_RGB2LAB).astype(np.float32)
    shown = np.empty_like(lab)
    shown[..., 0] = 127.5 + EVIDENCE_LEVELS * np.clip(evidence, -MOST_EVIDENCE, MOST_EVIDENCE)
    shown[..., 1] = lab[..., 0]
    shown[..., 2] = lab[..., 1] - 128 + HUE_SHARE * (lab[..., 2] - 128) + 128
    labels = np.where(evidence > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[~asked] = cv2.GC_BGD
    labels[known] = cv2.GC_FGD
    background, figure = (_make_model(127.5 + sign * MODEL_LEVELS) for sign in (-1, 1))
    shown = np.clip(shown, 0, 255).astype(np.uint8)
    cv2.grabCut(shown, labels, None, background, figure, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _make_model(middle: float) -> NDArray:
    """GrabCut's mixture (1, 65) of one Gaussian around a level of the first channel: 5 weights, means, covariances."""
    weights, means, covariances = np.zeros(5), np.full((5, 3), 127.0), np.tile(np.eye(3) * ANY_LEVEL, (5, 1, 1))
    weights[0] = 1
    means[0, 0] = middle
    covariances[0, 0, 0] = EVIDENCE_LEVELS * 2 * MODEL_LEVELS / DATA_COST
    return np.concatenate([weights, means.ravel(), covariances.ravel()])[None]


def _keep_known_parts(inside: NDArray, known: NDArray) -> NDArray:
    """What of a figure (H, W) bool is joined to what is known of it."""
    import cv2

    labels = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)[1]
    kept = np.unique(labels[known & inside])
    return np.isin(labels, kept[kept > 0])
