"""Changing motions: cut, resample, speed, reverse, mirror, smooth. Motions are never changed in place."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..body.person import Person
from ..body.skeleton import MIRRORED_JOINT
from ..errors import InputError
from ..geometry.rotations import (
    axis_angle_from_quaternion,
    matrix_from_quaternion,
    quaternion_from_axis_angle,
    quaternion_from_matrix,
    slerp,
    unwind_quaternions,
)
from ..progress import Progress, silent
from .intervals import find_intervals
from .motion import Motion


SMOOTHING_SECONDS = 0.05  # standard deviation of the smoothing window at strength 1
LONGEST_SMOOTHING = 100.0
FASTEST_SPEED = 16.0
MOST_EDITED_FRAMES = 200_000  # frames that an edit may make, two hours at 30 a second


def cut_motion(motion: Motion, start: int = 0, stop: int | None = None) -> Motion:
    """Frames from `start` up to and without `stop`. Raises InputError for frames that the motion does not have."""
    stop = motion.frames if stop is None else stop
    if not 0 <= start < stop <= motion.frames:
        raise InputError(
            f"The motion has frames 0 to {motion.frames - 1}; frames {start} to {stop - 1} were asked for."
        )
    return motion[start:stop]


def resample_motion(motion: Motion, fps: float) -> Motion:
    """The same seconds at another frame rate. Rotations turn at constant speed between frames, places move straight.

    The length equals that of a clip resampled likewise. Between a frame with the person and one without, the closer
    one counts. Raises InputError for a rate outside of 0 to 1000 and results beyond MOST_EDITED_FRAMES.
    """
    if not 0 < fps <= 1000:
        raise InputError(f"A frame rate must lie between 0 and 1000, got {fps:g}.")
    if fps == motion.fps:
        return motion
    frames = motion.frames * fps / motion.fps
    if frames > MOST_EDITED_FRAMES:
        raise InputError(
            f"At {fps:g} frames a second the motion would have {frames:.0f} frames; the limit is {MOST_EDITED_FRAMES}."
        )
    count = max(1, int(frames + 1e-9))
    return replace(_sample_motion(motion, count, motion.fps / fps), fps=float(fps))


def _sample_motion(motion: Motion, count: int, step: float) -> Motion:
    """`count` frames, `step` frames of `motion` apart."""
    times = (torch.arange(count, dtype=torch.float64) * step).clamp(max=motion.frames - 1)
    people = tuple(_interpolate_person(person, times) for person in motion.people)
    camera = motion.camera
    if camera.camera_from_world is not None:
        camera = replace(camera, camera_from_world=_interpolate_cameras(camera.camera_from_world, times))
    # As a clip that is resampled likewise shows them: the frame that has begun.
    return replace(motion, people=people, camera=camera, **motion.index_masks(times.floor().long().tolist()))


def mirror_motion(motion: Motion, progress: Progress = silent) -> Motion:
    """Left becomes right: body, world and picture are mirrored, so rendered frames come out flipped."""
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    camera = motion.camera
    extrinsics = camera.camera_from_world
    camera = replace(
        camera,
        center=(camera.size[0] - camera.center[0], camera.center[1]),
        camera_from_world=None if extrinsics is None else flip.to(extrinsics) @ extrinsics @ flip.to(extrinsics),
    )
    seen, others = (None if masks is None else masks.mirror(progress) for masks in (motion.seen, motion.others))
    people = tuple(_mirror_person(person) for person in motion.people)
    return replace(motion, people=people, camera=camera, seen=seen, others=others)


def smooth_motion(motion: Motion, strength: float = 1.0) -> Motion:
    """Take jitter out with a Gaussian window in time, without delay. Strength 1 is gentle, 0 changes nothing.

    Every interval in which the person is visible is smoothed by itself. Raises InputError for a strength outside of 0
    to 100.
    """
    if not 0 <= strength <= LONGEST_SMOOTHING:
        raise InputError(f"The smoothing strength must lie between 0 and {LONGEST_SMOOTHING:g}, got {strength:g}.")
    if strength == 0:
        return motion
    deviation = SMOOTHING_SECONDS * strength * motion.fps
    return replace(motion, people=tuple(_smooth_person(person, deviation) for person in motion.people))


def reverse_motion(motion: Motion) -> Motion:
    """The last frame first. Planted feet stay planted; a fall becomes a rise."""
    backwards = torch.arange(motion.frames - 1, -1, -1)
    people = tuple(person.index(backwards) for person in motion.people)
    extrinsics = motion.camera.camera_from_world
    camera = replace(motion.camera, camera_from_world=None if extrinsics is None else extrinsics[backwards])
    return replace(motion, people=people, camera=camera, **motion.index_masks(backwards.tolist()))


def change_speed(motion: Motion, speed: float) -> Motion:
    """The same path in less or more time at the same frame rate: speed 2 has half the frames.

    Raises InputError for a speed beyond 16 or below 1/16, and for results beyond MOST_EDITED_FRAMES.
    """
    if not 1 / FASTEST_SPEED <= speed <= FASTEST_SPEED:
        raise InputError(f"The speed must lie between {1 / FASTEST_SPEED:g} and {FASTEST_SPEED:g}, got {speed:g}.")
    frames = motion.frames / speed
    if frames > MOST_EDITED_FRAMES:
        raise InputError(
            f"At speed {speed:g} the motion would have {frames:.0f} frames; the limit is {MOST_EDITED_FRAMES}."
        )
    if speed == 1:
        return motion
    return _sample_motion(motion, max(1, int(frames + 1e-9)), speed)


def smooth_path(path: Tensor, deviation: float) -> Tensor:
    """A path (F, 3) averaged over a Gaussian window of `deviation` frames; a straight path stays as it is."""
    return _convolve(path, _gaussian_kernel(deviation))


def _interpolate_person(person: Person, times: Tensor) -> Person:
    before = times.floor().long()
    after = (before + 1).clamp(max=person.frames - 1)
    share = (times - before).float()
    nearest = torch.where(share < 0.5, before, after)
    is_between = person.visible[before] & person.visible[after]
    before, after = torch.where(is_between, before, nearest), torch.where(is_between, after, nearest)
    found = person.index(nearest)
    hands = {
        name: _interpolate_rotations(getattr(person, name), before, after, share)
        for name in ("left_hand_pose", "right_hand_pose")
        if getattr(person, name) is not None
    }
    return replace(
        found,
        global_orient=_interpolate_rotations(person.global_orient, before, after, share),
        body_pose=_interpolate_rotations(person.body_pose, before, after, share),
        transl=torch.lerp(person.transl[before], person.transl[after], share[:, None]),
        confidence=torch.lerp(person.confidence[before], person.confidence[after], share),
        **hands,
    )


def _interpolate_rotations(turns: Tensor, before: Tensor, after: Tensor, share: Tensor) -> Tensor:
    quaternions = quaternion_from_axis_angle(turns.unflatten(1, (-1, 3)))
    return axis_angle_from_quaternion(slerp(quaternions[before], quaternions[after], share[:, None, None])).flatten(1)


def _interpolate_cameras(matrices: Tensor, times: Tensor) -> Tensor:
    before = times.floor().long()
    after = (before + 1).clamp(max=len(matrices) - 1)
    share = (times - before).to(matrices)[:, None]
    # The orientation and the camera's place are blended, not the matrix: its shift depends on both.
    linear = matrices[:, :3, :3]
    place = -(linear.mT @ matrices[:, :3, 3:])[..., 0]
    quaternions = quaternion_from_matrix(linear)
    turned = matrix_from_quaternion(slerp(quaternions[before], quaternions[after], share))
    result = matrices[before].clone()
    result[:, :3, :3] = turned
    result[:, :3, 3] = -(turned @ torch.lerp(place[before], place[after], share)[..., None])[..., 0]
    return result


def _mirror_person(person: Person) -> Person:
    sign = torch.tensor([1.0, -1.0, -1.0])
    joints = list(MIRRORED_JOINT)
    hands = {
        f"{side}_hand_pose": None if hand is None else (hand.unflatten(1, (15, 3)) * sign).flatten(1)
        for side, hand in (("left", person.right_hand_pose), ("right", person.left_hand_pose))
    }
    mirrored = replace(
        person,
        transl=person.transl * torch.tensor([-1.0, 1.0, 1.0]),
        contacts=person.contacts.flip(1),
        joint_confidence=person.joint_confidence[:, joints],
        **hands,
    )
    return mirrored.with_pose(person.pose()[:, joints] * sign)


def _smooth_person(person: Person, deviation: float) -> Person:
    kernel = _gaussian_kernel(deviation)
    pose, transl = person.pose().clone(), person.transl.clone()
    for start, stop in find_intervals(person.visible):
        quaternions = unwind_quaternions(quaternion_from_axis_angle(pose[start:stop]))
        mean = torch.nn.functional.normalize(_convolve(quaternions, kernel), dim=-1)
        pose[start:stop] = axis_angle_from_quaternion(mean)
        transl[start:stop] = _convolve(transl[start:stop], kernel)
    return replace(person.with_pose(pose), transl=transl)


def _gaussian_kernel(deviation: float) -> Tensor:
    half = max(1, int(3 * deviation + 0.5))
    offsets = torch.arange(-half, half + 1, dtype=torch.float32)
    return (-0.5 * (offsets / deviation).square()).exp()


def _convolve(values: Tensor, kernel: Tensor) -> Tensor:
    """Weighted mean over time of values (F, ...). At the ends the window is folded back, so that a line stays one."""
    frames, half = len(values), len(kernel) // 2
    flat = values.flatten(1).T[None]  # (F, ...) -> (1, C, F)
    half = min(half, frames - 1)
    kernel = kernel[len(kernel) // 2 - half : len(kernel) // 2 + half + 1]
    first, last = flat[..., :1], flat[..., -1:]
    before = 2 * first - flat[..., 1 : half + 1].flip(-1)
    after = 2 * last - flat[..., frames - half - 1 : frames - 1].flip(-1)
    padded = torch.cat([before, flat, after], -1)
    channels = padded.shape[1]
    weights = (kernel / kernel.sum()).to(padded).expand(channels, 1, -1)
    smoothed = torch.nn.functional.conv1d(padded, weights, groups=channels)
    return smoothed[0].T.reshape(values.shape)
