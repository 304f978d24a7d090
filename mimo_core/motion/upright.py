"""Which way is up: found from where head, hips, feet and floor are, and whether a person stands."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.skeleton import JOINT
from .joints import world_joints
from .motion import Motion


UP_AXES = ("x", "y", "z")
UP_CHOICES = ("auto", "y", "z", "x")
# How much each sign says. Head over feet across the clip says most; a rest pose that can be believed says less; the
# floor and the way over it less again; the convention of a format decides where nothing else does. Somebody who lies
# where the rest pose stands is told from somebody who stands along another axis by the floor below a low body.
CLIP_WEIGHT, REST_WEIGHT, TRAVEL_WEIGHT, FLOOR_WEIGHT = 2.5, 1.5, 1.0, 1.0
LOW_WEIGHT, ABOVE_WEIGHT = 1.1, 0.5  # hips near that floor; all above 0 along the axis that the format means
STEADY = 0.8  # of 1, the length of the mean direction from feet to head: who stands, however they lean, has more
FLOOR_SHARE = 0.15  # of a leg: a lowest point closer to 0 than this is a floor at 0
HIPS_SHARE, LOW_SHARE = 0.05, 0.5  # of a leg: lower hips are in the floor, which then is none; up to here they are low
FAR = 1.0  # legs: a way longer than this shows in which plane somebody goes
LYING_HEIGHT = 0.45  # metres: a head that is less above the feet belongs to somebody who lies


def up_matrix(axis: int, sign: float = 1.0) -> Tensor:
    """Rotation (3, 3) yup_from_file for a file whose up is an axis (0, 1, 2) with a sign.

    Convention: column vectors. With Z up the file's (1, 2, 3) becomes (1, 3, -2).
    """
    matrices = {
        (0, 1.0): [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        (0, -1.0): [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
        (1, 1.0): [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        (1, -1.0): [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
        (2, 1.0): [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
        (2, -1.0): [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    }
    return torch.tensor(matrices[axis, sign], dtype=torch.float32)


def find_up(
    head: Tensor,
    hips: Tensor,
    feet: Tensor,
    lowest: Tensor,
    *,
    convention: int,
    trust: float,
    rest_up: Tensor | None = None,
) -> tuple[int, float, str]:
    """The axis (0, 1, 2) and sign of up, and a word on it where it is not the convention or the signs disagree.

    `head`, `hips` and `feet` (F, 3) are places in the file's world in any unit, `lowest` (F, 3, 2) the smallest and
    largest coordinate of the body along each axis. `convention` is the axis that the format means, `trust` how much
    that counts; `rest_up` (3,) is the direction from feet to head at rest, where the rest pose can be believed.
    """
    leg = float((hips - feet).norm(dim=1).mean().clamp_min(1e-9))
    clip = (normalize(head - hips, dim=1) + normalize(hips - feet, dim=1)).mean(0) / 2
    steady = clip / clip.norm().clamp_min(STEADY)
    scores = torch.stack([steady, -steady], 1).clamp_min(0) * CLIP_WEIGHT  # (3, 2), each axis up and down
    if rest_up is not None:
        rest_up = normalize(rest_up, dim=0)
        scores = scores + torch.stack([rest_up, -rest_up], 1).clamp_min(0) * REST_WEIGHT
    travel = hips.amax(0) - hips.amin(0)
    if float(travel.max()) > FAR * leg:
        scores = scores + (TRAVEL_WEIGHT * (1 - travel / travel.max()))[:, None]
    is_above, is_floor, is_low = _find_floors(hips / leg, lowest / leg)
    scores = scores + FLOOR_WEIGHT * is_floor + LOW_WEIGHT * is_low
    scores[convention, 0] += trust + ABOVE_WEIGHT * float(is_above[convention, 0])
    best = int(scores.flatten().argmax())
    axis, sign = best // 2, 1.0 if best % 2 == 0 else -1.0
    seen = int(clip.abs().argmax())
    is_clear = float(clip.abs().max()) > 0.6
    if is_clear and (seen != axis or float(clip[seen]) * sign < 0):
        return (
            axis,
            sign,
            (
                f"Head over feet points along {_name(seen, float(clip[seen]))}, the other signs say that "
                f"{_name(axis, sign)} is up, which is taken. Choose up if the person lies who should stand."
            ),
        )
    if (axis, sign) != (convention, 1.0):
        return axis, sign, f"The person stands along {_name(axis, sign)}, which is taken as up."
    return axis, sign, ""


def _find_floors(hips: Tensor, lowest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each axis up and down (3, 2), of places in legs: whether all is above 0, begins there, and hips are low."""
    height = hips.median(0).values
    height = torch.stack([height, -height], 1)
    floor = torch.stack([lowest[..., 0].quantile(0.05, 0), -lowest[..., 1].quantile(0.95, 0)], 1)
    is_above = (floor > -FLOOR_SHARE) & (height > HIPS_SHARE)
    is_floor = is_above & (floor < FLOOR_SHARE)
    return is_above, is_floor, is_floor & (height < LOW_SHARE)


def posture_notes(motion: Motion) -> tuple[str, ...]:
    """What is unusual about how the first person stands: head below the hips, or lying, in all visible frames."""
    person = motion.person
    if not person.visible.any():
        return ()
    height = world_joints(person)[person.visible][..., 1]
    hips = height[:, [JOINT["left_hip"], JOINT["right_hip"]]].mean(1)
    feet = height[:, [JOINT["left_ankle"], JOINT["right_ankle"]]].mean(1)
    head = height[:, JOINT["head"]]
    if bool((head < hips).all()) and bool((head < feet).all()):
        return ("The head is below the hips and the feet in the whole motion. If the person should stand, choose up.",)
    if bool(((head - feet).abs() < LYING_HEIGHT).all()):
        return ("The person lies in the whole motion. If they should stand, choose up.",)
    return ()


def _name(axis: int, sign: float) -> str:
    return f"{'-' if sign < 0 else ''}{UP_AXES[axis].upper()}"
