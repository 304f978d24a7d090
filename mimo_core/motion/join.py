"""Motions after each other: concatenated with a cross-fade, and repeated."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..body.model import free_body
from ..body.person import Person
from ..errors import InputError
from ..geometry.camera import Camera
from ..geometry.rotations import axis_angle_from_quaternion, matrix_from_axis_angle, quaternion_from_axis_angle, slerp
from .cameras import CAMERA_CALM, facing_angle, pelvis_path, rest_pelvis
from .edit import MOST_EDITED_FRAMES, resample_motion, smooth_path
from .ground import estimate_floor
from .motion import Motion
from .place import turn_person
from .retarget import retarget_motion


STILL = 1e-4  # a camera whose numbers change by less stands still
CLEARLY = 0.5  # a pose that differs from the beginning by less than this share of what the last one does


def join_motions(first: Motion, second: Motion, *, blend: float = 0.3) -> Motion:
    """`second` after `first`, starting on the spot and in the direction where it ends; one person, the first's camera.

    `blend` seconds of the two are cross-faded, so the length is the sum less these. The second motion comes on the
    first's body, floor and frame rate. A camera that stands still goes on standing; one that moves goes along with the
    person from where it ends. Raises InputError for a blend outside of 0 to 10 seconds and a result that is too long.
    """
    if not 0 <= blend <= 10:
        raise InputError(f"The blend must lie between 0 and 10 seconds, got {blend:g}.")
    second = _match_body(first.person, resample_motion(second, first.fps))
    fade = min(round(blend * first.fps), first.frames, second.frames)
    count = first.frames + second.frames - fade
    if count > MOST_EDITED_FRAMES:
        raise InputError(
            f"The joined motion would have {count} frames; the limit is {MOST_EDITED_FRAMES}. Trim it first."
        )
    before = first.person
    meet = min(first.frames - fade, first.frames - 1)  # where the second one starts
    after = _move_to_end_of(second.person, before, meet)
    whole = _cross_fade(before, after, fade)
    return Motion((whole,), first.fps, _extend_camera(first.camera, whole, first.fps))


def repeat_motion(motion: Motion, times: int, *, blend: float = 0.3) -> Motion:
    """The motion `times` times, each starting where the one before ends.

    Where a pose of the second half resembles the beginning far better than the last one does, each repetition goes on
    from there: a walk keeps its step. Raises InputError for other than 1 to 1000 times and a result that is too long.
    """
    if not 1 <= times <= 1000:
        raise InputError(f"A motion can be repeated 1 to 1000 times, got {times}.")
    fade = min(round(blend * motion.fps), motion.frames // 2)
    if times * (motion.frames - fade) > MOST_EDITED_FRAMES:
        raise InputError(
            f"{times} times {motion.frames} frames are more than the limit of {MOST_EDITED_FRAMES}. Trim it first."
        )
    if times == 1:
        return motion
    piece = motion[: _find_best_end(motion.person, fade)]
    result = piece
    for number in range(1, times):
        result = join_motions(result, motion if number == times - 1 else piece, blend=fade / motion.fps)
    return result


def _find_best_end(person: Person, fade: int) -> int:
    """How many frames to keep so that the last `fade` resemble the first ones."""
    turns = matrix_from_axis_angle(person.pose()[:, 1:]).flatten(1)
    first = turns[: max(fade, 1)]
    last = person.frames - len(first)
    starts = range(max(person.frames // 2, len(first)), last + 1)
    costs = {start: float((turns[start : start + len(first)] - first).square().mean()) for start in starts}
    best = min(costs, key=costs.get, default=last)
    return person.frames if not costs or costs[best] >= CLEARLY * costs[last] else best + fade


def _extend_camera(camera: Camera, person: Person, fps: float) -> Camera:
    """The camera of the first frames, for all frames of the person."""
    known = camera.camera_from_world
    if known is None:
        return camera
    matrix = known[-1:].repeat(person.frames - len(known), 1, 1)
    if (known - known[:1]).abs().max() > STILL:
        path = smooth_path(pelvis_path(person), CAMERA_CALM * fps)
        shift = path[len(known) :] - path[len(known) - 1]
        matrix[:, :3, 3] -= (matrix[:, :3, :3] @ shift[..., None])[..., 0]
    return replace(camera, camera_from_world=torch.cat([known, matrix]))


def _match_body(person: Person, motion: Motion) -> Motion:
    betas = free_body().betas_of(person)
    moved = retarget_motion(Motion(motion.people[:1], motion.fps, motion.camera), betas, stature="own")
    # The body's name follows the first motion, whose shape values are kept.
    shift = rest_pelvis(moved.person) - rest_pelvis(person)
    return moved.with_person(
        replace(moved.person, betas=person.betas, body=person.body, transl=moved.person.transl + shift)
    )


def _move_to_end_of(person: Person, before: Person, frame: int) -> Person:
    """`person` moved and turned on the ground so that it starts where `before` is at `frame`."""
    at = before.index(slice(frame, frame + 1))
    turn = math.degrees(facing_angle(at) - facing_angle(person))
    start = pelvis_path(person)[0]
    shift = pelvis_path(at)[0] - start
    shift[1] = estimate_floor(before) - estimate_floor(person)
    return turn_person(person, turn, about=start, shift=shift)


def _cross_fade(before: Person, after: Person, fade: int) -> Person:
    kept, rest = before.index(slice(0, before.frames - fade)), after.index(slice(fade, None))
    out, into = before.index(slice(before.frames - fade, None)), after.index(slice(0, fade))
    share = (torch.arange(fade) + 1) / (fade + 1)
    share = share * share * (3 - 2 * share)
    mixed = replace(
        out.with_pose(_blend_rotations(out.pose(), into.pose(), share)),
        transl=torch.lerp(out.transl, into.transl, share[:, None]),
        confidence=torch.lerp(out.confidence, into.confidence, share),
        visible=out.visible | into.visible,
        contacts=out.contacts & into.contacts,
        bridged=out.bridged | into.bridged,
        joint_confidence=torch.minimum(out.joint_confidence, into.joint_confidence),
        left_hand_pose=None,
        right_hand_pose=None,
    )
    people = (kept, mixed, rest)
    joined = {
        name: torch.cat([getattr(person, name) for person in people])
        for name in (
            "global_orient", "body_pose", "transl", "visible", "confidence", "contacts", "bridged", "joint_confidence"
        )
    }  # fmt: skip
    return replace(before, **joined, **_cross_fade_hands(before, after, share, fade))


def _cross_fade_hands(before: Person, after: Person, share: Tensor, fade: int) -> dict[str, Tensor | None]:
    """Fingers stay only where both motions have them."""
    hands = {}
    for name in ("left_hand_pose", "right_hand_pose"):
        out, into = getattr(before, name), getattr(after, name)
        if out is None or into is None:
            hands[name] = None
            continue
        split = len(out) - fade
        fingers = [hand.unflatten(1, (15, 3)) for hand in (out[split:], into[:fade])]
        hands[name] = torch.cat([out[:split], _blend_rotations(*fingers, share).flatten(1), into[fade:]])
    return hands


def _blend_rotations(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Between rotation vectors (F, N, 3), frame by frame."""
    quaternions = (quaternion_from_axis_angle(turns) for turns in (start, end))
    return axis_angle_from_quaternion(slerp(*quaternions, share[:, None, None]))
