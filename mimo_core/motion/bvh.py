"""BVH: a skeleton as text, with Euler angles (Biovision; the format has no other specification than its use)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..geometry.rotations import matrix_from_axis_angle
from .skeletal_animation import SkeletalAnimation, round_frame_rate


MOST_JOINTS = 1000
MOST_BVH_VALUES = 100_000_000  # of all frames together
CENTIMETRES = 100.0  # in which BVH files are written; Blender, Maya and Mixamo expect them
ROTATION_CHANNELS = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}
SHIFTS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}
KEYWORDS = {"HIERARCHY", "ROOT", "JOINT", "END", "OFFSET", "CHANNELS", "{", "}"}
WORD = re.compile(r"\s*([{}]|[^\s{}]+)")
NAME = re.compile(r"[ \t]*([^\n\r{}]*)")
CHANNEL = re.compile(r"[xyz](rotation|position)", re.IGNORECASE)
MOTION_LINE = re.compile(r"\bMOTION\s+Frames\s*[:=]?\s*(\S+)\s+Frame\s*Time\s*[:=]?\s*(\S+)", re.IGNORECASE)
LONGEST_FRAME = 1.0  # seconds: a Frame Time from here on is a rate, or absurd
MOST_BVH_RATE = 1000.0  # frames a second
NO_SHIFT = 1e-3  # of a bone: positions below it in all frames are none
LINES_AT_ONCE = 1024
END = 0.1  # metres from a last joint to the end of its bone, for programs that draw bones


@dataclass
class _Joint:
    """A joint as its block in the file says."""

    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[str] = field(default_factory=list)


def read_bvh(text: str, *, file: str) -> SkeletalAnimation:
    """The animation of a BVH file: any order of Euler angles, any unit. Raises InputError naming `file`.

    Text is taken as programs write it: keywords in any case, names with spaces and colons, braces without a space,
    decimal commas, bytes of zero and Ctrl-Z at the end, a count of frames that is one off.
    """
    text = text.replace("\0", " ").replace("\x1a", " ").rstrip("\ufffd \t\r\n")  # bytes of no text at the end
    match = MOTION_LINE.search(text)
    skeleton = text if match is None else text[: match.start()]
    is_comma = "," in skeleton and not re.search(r"\d\.\d", skeleton)
    joints = _read_hierarchy(_split_words(skeleton.replace(",", ".") if is_comma else skeleton, file), file)
    if match is None:
        raise InputError(f"{file} is cut off: it has no MOTION with Frames and Frame Time. Export it again.")
    numbers = text[match.end() :]
    numbers = numbers.replace(",", ".") if is_comma or not re.search(r"\d\.\d", numbers) else numbers.replace(",", " ")
    frames, seconds = _read_header(match, file)
    columns = sum(len(joint.channels) for joint in joints)
    if not columns:
        raise InputError(f"{file} has no channels: nothing in it moves. Export it with its animation.")
    if frames * columns > MOST_BVH_VALUES:
        raise InputError(f"{file} declares {frames} frames of {columns} values; at most {MOST_BVH_VALUES} are read.")
    values, notes = _read_values(numbers, frames, columns, file)
    return replace(_animate_joints(joints, values, round_frame_rate(seconds)), notes=notes)


def _read_values(numbers: str, frames: int, columns: int, file: str) -> tuple[Tensor, tuple[str, ...]]:
    """The channels (F, columns), and a note where the file holds a frame more or less than it declares."""
    lines = numbers.splitlines()
    try:
        # By blocks of lines: words of text take six times the memory of the numbers.
        blocks = ("\n".join(lines[start : start + LINES_AT_ONCE]) for start in range(0, len(lines), LINES_AT_ONCE))
        values = np.concatenate([np.zeros(0), *(np.array(block.split(), np.float64) for block in blocks)])
    except ValueError as error:
        raise InputError(f"{file} is damaged: its motion holds something else than numbers ({error}).") from error
    held = len(values) // columns
    if len(values) % columns or abs(held - frames) > 1 or not held:
        raise InputError(
            f"{file} is cut off or damaged: it declares {frames} frames of {columns} values and holds {len(values)} "
            f"values, {held} whole frames. Export it again."
        )
    notes = () if held == frames else (f"{file} declares {frames} frames and holds {held}, which are read.",)
    return torch.from_numpy(values).float().view(held, columns), notes


def write_bvh(animation: SkeletalAnimation) -> str:
    """A animation in metres as BVH in centimetres, angles in the order Z, X, Y, every joint with its rotation."""
    lines = ["HIERARCHY"]
    _write_joint(lines, animation, 0, 0)
    lines += ["MOTION", f"Frames: {len(animation.rotations)}", f"Frame Time: {1 / animation.fps:.8f}"]
    order = _depth_first(animation.parents)
    local = animation.rotations.clone()
    for joint, parent in enumerate(animation.parents[1:], 1):
        local[:, joint] = animation.rotations[:, parent].mT @ animation.rotations[:, joint]
    angles = torch.rad2deg(_zxy(local[:, order].double())).flatten(1)
    root = animation.places[:, 0].double() * CENTIMETRES
    rows = torch.cat([root, angles], 1).numpy()
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def _split_words(skeleton: str, file: str) -> Iterator[str]:
    """The words of the skeleton: keywords in capitals, the name of a joint as one word with its spaces."""
    place = 0
    while place < len(skeleton):
        match = WORD.match(skeleton, place)
        if match is None:
            break
        place = match.end()
        keyword = match.group(1).upper()
        yield keyword if keyword in KEYWORDS else match.group(1)
        if keyword in ("ROOT", "JOINT", "END"):
            name = NAME.match(skeleton, place)
            if name is None or not name.group(1).strip():
                raise InputError(f"{file} is cut off within its skeleton. Export it again.")
            place = name.end()
            yield name.group(1).strip()


def _read_hierarchy(words: Iterator[str], file: str) -> list[_Joint]:
    found = next(words, "nothing")
    if found != "HIERARCHY":
        raise InputError(f"{file} is no BVH file: {found[:40]!r} stands where HIERARCHY should.")
    joints: list[_Joint] = []
    line = [-1]  # the joints whose blocks are open; -2 is an end site
    opened = None
    for word in words:
        if word in ("ROOT", "JOINT"):
            if len(joints) == MOST_JOINTS:
                raise InputError(f"{file} has more than {MOST_JOINTS} joints.")
            joints.append(_Joint(_next(words, file), max(line[-1], -1)))
            opened = len(joints) - 1
        elif word == "END":
            _next(words, file)
            opened = -2
        elif word == "{":
            if opened is None:
                raise InputError(f"{file} is damaged: a block opens without a joint.")
            line.append(opened)
        elif word == "}":
            line.pop()
            if not line:
                raise InputError(f"{file} is damaged: a block closes that was not open.")
        elif word == "OFFSET":
            offset = [_number(words, file) for _ in range(3)]
            if line[-1] >= 0:
                joints[line[-1]].offset = offset
        elif word == "CHANNELS":
            if line[-1] < 0:
                raise InputError(f"{file} is damaged: channels stand outside of a joint.")
            count = int(_number(words, file))
            joints[line[-1]].channels = [_channel(words, file) for _ in range(min(max(count, 0), 6))]
        elif line[-1] >= 0 and 0 < len(joints[line[-1]].channels) < 6 and CHANNEL.fullmatch(word):
            joints[line[-1]].channels.append(_channel_name(word))  # the count before them was too small
        else:
            raise InputError(f"{file} is damaged: {word[:40]!r} stands where a joint should.")
    if not joints or len(line) != 1:
        raise InputError(f"{file} is cut off within its skeleton. Export it again.")
    return joints


def _read_header(match: re.Match, file: str) -> tuple[int, float]:
    """Frames, and the seconds from one to the next."""
    values = []
    for word in match.groups():
        try:
            values.append(float(word.replace(",", ".")))
        except ValueError:
            raise InputError(f"{file} is damaged: {word[:40]!r} is no number.") from None
    frames, seconds = values
    if not 1 <= frames < float("inf") or frames != int(frames):
        raise InputError(f"{file} declares {frames:g} frames. Export it again.")
    if not 1 / MOST_BVH_RATE <= seconds < LONGEST_FRAME:
        rate = f" Is it a rate? Then write {1 / seconds:.6f}." if LONGEST_FRAME <= seconds <= MOST_BVH_RATE else ""
        raise InputError(
            f"{file} has a Frame Time of {seconds:g} seconds; from {1 / MOST_BVH_RATE:g} up to {LONGEST_FRAME:g} makes "
            f"sense.{rate} Correct the line in the file, or export it again."
        )
    return int(frames), seconds


def _animate_joints(joints: list[_Joint], values: Tensor, fps: float) -> SkeletalAnimation:
    frames = len(values)
    parents = tuple(joint.parent for joint in joints)
    offsets = torch.tensor([joint.offset for joint in joints])
    rest, linear, places = [], [], []
    column = 0
    for joint, offset in zip(joints, offsets, strict=True):
        shift = offset.repeat(frames, 1)
        turn = torch.eye(3).repeat(frames, 1, 1)
        for channel in joint.channels:
            if channel in SHIFTS:
                shift[:, SHIFTS[channel]] = values[:, column]
            else:
                turn = turn @ _about(ROTATION_CHANNELS[channel], values[:, column])
            column += 1
        if joint.parent < 0:
            rest.append(offset), linear.append(turn), places.append(shift)
            continue
        if float(shift.norm(dim=1).max()) < NO_SHIFT * float(offset.norm()):
            shift = offset.repeat(frames, 1)  # programs that write zeros mean no shift against the offset
        above = linear[joint.parent]
        rest.append(rest[joint.parent] + offset)
        places.append(places[joint.parent] + (above @ shift[..., None])[..., 0])
        linear.append(above @ turn)
    names = tuple(joint.name for joint in joints)
    return SkeletalAnimation(names, parents, torch.stack(rest), torch.stack(linear, 1), torch.stack(places, 1), fps)


def _about(axis: int, degrees: Tensor) -> Tensor:
    """Rotations (F, 3, 3) about one axis."""
    vector = torch.zeros(len(degrees), 3)
    vector[:, axis] = torch.deg2rad(torch.remainder(degrees + 180, 360) - 180)
    return matrix_from_axis_angle(vector)


def _zxy(matrix: Tensor) -> Tensor:
    """Angles (..., 3) with matrix = Rz Rx Ry, radians, in that order."""
    x = torch.asin(matrix[..., 2, 1].clamp(-1, 1))
    z = torch.atan2(-matrix[..., 0, 1], matrix[..., 1, 1])
    y = torch.atan2(-matrix[..., 2, 0], matrix[..., 2, 2])
    locked = matrix[..., 2, 1].abs() > 1 - 1e-9  # only the sum of the other two is known: all of it goes to z
    free = torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0])
    return torch.stack([torch.where(locked, free, z), x, torch.where(locked, 0.0, y)], -1)


def _depth_first(parents: tuple[int, ...]) -> list[int]:
    order, waiting = [], [0]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting += reversed([child for child, parent in enumerate(parents) if parent == joint])
    return order


def _write_joint(lines: list[str], animation: SkeletalAnimation, joint: int, depth: int):
    pad = "  " * depth
    parent = animation.parents[joint]
    children = [child for child, above in enumerate(animation.parents) if above == joint]
    offset = animation.rest[joint] - animation.rest[parent] if parent >= 0 else torch.zeros(3)
    lines += [f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {animation.names[joint]}", f"{pad}{{"]
    lines.append(f"{pad}  OFFSET {_offset(offset)}")
    turns = "Zrotation Xrotation Yrotation"
    lines.append(f"{pad}  CHANNELS {'6 Xposition Yposition Zposition' if parent < 0 else '3'} {turns}")
    for child in children:
        _write_joint(lines, animation, child, depth + 1)
    if not children:
        end = torch.nn.functional.normalize(offset, dim=0) * END
        lines += [f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {_offset(end)}", f"{pad}  }}"]
    lines.append(f"{pad}}}")


def _offset(offset: Tensor) -> str:
    return " ".join(f"{value:.6f}" for value in (offset.double() * CENTIMETRES).tolist())


def _next(words: Iterator[str], file: str) -> str:
    try:
        return next(words)
    except StopIteration:
        raise InputError(f"{file} is cut off within its skeleton. Export it again.") from None


def _number(words: Iterator[str], file: str) -> float:
    word = _next(words, file)
    try:
        value = float(word)
    except ValueError:
        raise InputError(f"{file} is damaged: {word[:40]!r} is no number.") from None
    if not np.isfinite(value):
        raise InputError(f"{file} holds {word[:40]} in its skeleton. Export it again.")
    return value


def _channel(words: Iterator[str], file: str) -> str:
    word = _next(words, file)
    if not CHANNEL.fullmatch(word):
        raise InputError(f"{file} is damaged: {word[:40]!r} is no channel of a BVH file.")
    return _channel_name(word)


def _channel_name(word: str) -> str:
    return word[:1].upper() + word[1:].lower()
