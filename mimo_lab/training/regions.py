"""Which square of a clip the networks see in training."""

from __future__ import annotations

from mimo_core.denoise.regions import plan_clip
from mimo_core.errors import InputError
from mimo_core.motion.motion import Motion


def find_square_region(motion: Motion, width: int, height: int) -> tuple[int, int, int] | None:
    """(left, top, side) around the body in all frames of a motion, inside the frame; None where nobody is in it.

    It is the region of `plan_clip`, made square: where the release pads what reaches out of the frame, this moves in.
    """
    from mimo_core.render.styles import render_motion

    try:
        plan = plan_clip(code for code, _ in render_motion(motion, size=(width, height)))
    except InputError:  # nobody is in the picture
        return None
    region = plan.contexts[0].region
    for context in plan.contexts[1:]:
        region = region.union(context.region)
    side = min(max(region.width, region.height), width, height)
    left = min(max((region.left + region.right - side) // 2, 0), width - side)
    top = min(max((region.top + region.bottom - side) // 2, 0), height - side)
    return left, top, side
