"""The official colours of body codes, learned from one scene template, so that no SMPL file is needed.

A template holds the shot and the body code that the release drew for it. Our own estimator finds the motion of the
shot, the free body is laid onto the body code, and its colours are read off.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from ..body.colors import LearnedColors
from ..body.model import free_body
from ..errors import InputError
from ..geometry.box import mask_height
from ..media.clip import Clip, Masks
from ..pose.estimate import Estimate, estimate_motion
from ..pose.rig import BodyState
from ..progress import Progress, silent
from .align import AlignedBody, align_body
from .extend import SEEN_WEIGHT, extend_colors
from .surface import mark_body


LARGEST_SIDE = 640  # pixels at which the body code is worked on
FRAMES_USED = 64  # spread over the template
LEAST_FRAMES, LEAST_HEIGHT = 8, 60  # frames that show a body, and its pixels in height
LEAST_GROUND = 0.05  # share of black pixels: what surrounds the body is black
LEAST_COLOR_SPREAD = 12.0  # levels between the parts of one body
SECOND_BODY = 0.25  # of the largest figure's pixels: a second one of this size is another body
LEAST_OVERLAP = 0.7  # intersection over union of the fitted body and the code
AGREEMENT_LEVELS, LEAST_AGREEMENT = 30.0, 0.7  # from frame to frame; measured: 0.97 and more for body codes
LEAST_SEEN = 0.15  # share of the surface


def learn_colors(video: Clip, body_code: Clip, *, name: str, progress: Progress = silent) -> LearnedColors:
    """The colours of the free body that a body code, drawn for the person in a video, shows. `name` is the template's.

    Raises InputError where the frames are no body code, show two bodies or too little of one, or do not fit the video,
    with what was seen.
    """
    if (len(video), video.width, video.height) != (len(body_code), body_code.width, body_code.height):
        raise InputError(
            f"vid.mp4 has {len(video)} frames of {video.width}x{video.height}, sdc.mp4 {len(body_code)} of "
            f"{body_code.width}x{body_code.height}. Copy the whole template again: they belong together."
        )
    video, body_code = (_limit_size(clip) for clip in (video, body_code))
    shown = find_body_frames(body_code)
    masks = Masks.from_frames(mark_body(frame) for frame in body_code)
    halfway = 2 * len(video)
    estimate = estimate_motion(
        video, person_mask=masks, progress=lambda done, total, _=None: progress(done * halfway // total, 2 * halfway)
    )
    frames = _choose_frames(estimate, shown)
    aligned = _align_frames(estimate, body_code, frames, tick=lambda: progress(halfway, 2 * halfway))
    colors, deviation, evidence = aligned.colors.average()
    table = extend_colors(colors, deviation, evidence, free_body())
    seen = evidence >= SEEN_WEIGHT
    check_result(aligned, table, float(seen.float().mean()))
    progress(2 * halfway, 2 * halfway)
    return LearnedColors((table / 255).contiguous(), seen, name=name, frames=len(frames))


def find_body_frames(body_code: Clip) -> list[int]:
    """The frames that show one body. Raises InputError where the frames are no body code of one body."""
    ground, spread, second, heights = [], [], [], []
    for frame in body_code:
        mask = mark_body(frame)
        ground.append(float((mask == 0).mean()))
        heights.append(mask_height(mask) or 0)
        second.append(_compare_figures(mask))
        spread.append(float(frame[mask > 0].std(0).max()) if mask.any() else 0.0)
    total = len(body_code)
    tall = [frame for frame, height in enumerate(heights) if height >= LEAST_HEIGHT]
    if np.median(ground) < LEAST_GROUND:
        raise InputError(
            f"sdc.mp4 is no body code: {1 - np.median(ground):.0%} of its pixels are not black, where a body code has "
            "one body on black. Give the folder of an official scene template."
        )
    if len(tall) < LEAST_FRAMES:
        raise InputError(
            f"sdc.mp4 shows too little of a body: {len(tall)} of {total} frames have one that is {LEAST_HEIGHT} pixels "
            f"or taller, {LEAST_FRAMES} are needed. Take another template."
        )
    if np.median([spread[frame] for frame in tall]) < LEAST_COLOR_SPREAD:
        raise InputError(
            "sdc.mp4 is no body code: the figure has one color all over. It may be the template's mask.mp4 under "
            "another name."
        )
    double = [frame for frame in tall if second[frame] > SECOND_BODY]
    if 2 * len(double) > len(tall):
        raise InputError(
            f"sdc.mp4 shows two bodies in {len(double)} of {total} frames, the first time in frame {double[0]}. Take a "
            "template with one."
        )
    return [frame for frame in tall if second[frame] <= SECOND_BODY]


def _limit_size(clip: Clip) -> Clip:
    """The clip with at most so many pixels on its longer side."""
    import cv2

    scale = LARGEST_SIDE / max(clip.width, clip.height)
    if scale >= 1:
        return clip
    size = (round(clip.width * scale), round(clip.height * scale))
    frames = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in clip)
    return Clip.from_frames(frames, clip.fps)


def _compare_figures(mask: NDArray) -> float:
    """Pixels of the second largest figure of a mask (H, W) as a share of those of the largest."""
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    areas = np.sort(stats[1:count, cv2.CC_STAT_AREA])[::-1]
    return float(areas[1] / areas[0]) if len(areas) > 1 else 0.0


def _choose_frames(estimate: Estimate, shown: Sequence[int]) -> list[int]:
    """Some of the frames that show a body and in which the person was recognised."""
    found = [frame for frame in shown if estimate.landmarks.found[frame]]
    if len(found) < LEAST_FRAMES:
        raise InputError(
            f"A person is recognised in {len(found)} of the {len(shown)} frames of vid.mp4 in which sdc.mp4 shows a "
            f"body; {LEAST_FRAMES} are needed. Look whether both show the same shot, or take another template."
        )
    places = np.linspace(0, len(found) - 1, min(FRAMES_USED, len(found))).round().astype(int)
    return [found[place] for place in places]


def _align_frames(estimate: Estimate, body_code: Clip, frames: list[int], *, tick) -> AlignedBody:
    motion, chosen = estimate.motion, torch.tensor(frames)
    fps = float(Fraction(body_code.fps)) * len(frames) / (frames[-1] - frames[0] + 1)
    pictures = [body_code[frame] for frame in frames]
    state = BodyState.from_person(motion.person)[chosen]
    return align_body(state, estimate.landmarks[chosen], motion.camera, pictures, fps=fps, tick=tick)


def check_result(aligned: AlignedBody, table: torch.Tensor, seen: float) -> None:
    agreement = aligned.colors.measure_agreement(table, AGREEMENT_LEVELS)
    if aligned.overlap < LEAST_OVERLAP:
        raise InputError(
            f"The body in sdc.mp4 could not be followed: the fitted one covers {aligned.overlap:.0%} of it, "
            f"{LEAST_OVERLAP:.0%} are needed. Look whether vid.mp4 shows the same shot, or take another template."
        )
    if agreement < LEAST_AGREEMENT:
        raise InputError(
            f"sdc.mp4 is no body code: only {agreement:.0%} of what it shows of a point has one color in all frames, "
            f"give or take {AGREEMENT_LEVELS:.0f} levels. Give the folder of an official scene template."
        )
    if seen < LEAST_SEEN:
        raise InputError(
            f"sdc.mp4 shows too little of a body: {seen:.0%} of its surface, {LEAST_SEEN:.0%} are needed. Take a "
            "template in which the person is larger or turns."
        )
