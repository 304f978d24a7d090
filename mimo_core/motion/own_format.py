"""The format of our own motions, as arrays with a header: all of a motion, in .npz and .safetensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body.person import PER_FRAME, Person
from ..errors import InputError
from ..geometry.camera import Camera
from ..media.video import check_size
from .array_files import MOST_FRAME_VALUES, MOST_FRAMES, LazyArray, read_checked
from .motion import Motion
from .seen import LARGEST_PACKED, SeenMasks


MOTION_FORMAT = "mimo motion 1"
MOST_PEOPLE = 16


def write_npz(file, motion: Motion) -> None:
    header = np.frombuffer(_header(motion).encode(), np.uint8)
    np.savez_compressed(file, motion=header, **{name: value.numpy() for name, value in _motion_arrays(motion).items()})


def write_safetensors(file, motion: Motion) -> None:
    from safetensors.torch import save

    file.write(save(_motion_arrays(motion), metadata={"motion": _header(motion)}))


def _motion_arrays(motion: Motion) -> dict[str, Tensor]:
    arrays = {}
    for number, person in enumerate(motion.people):
        arrays[f"{number}.betas"] = person.betas
        for name in PER_FRAME:
            if getattr(person, name) is not None:
                arrays[f"{number}.{name}"] = getattr(person, name)
    if motion.camera.camera_from_world is not None:
        arrays["camera_from_world"] = motion.camera.camera_from_world
    for name, masks in (("seen", motion.seen), ("others", motion.others)):
        if masks is not None:
            content, lengths = masks.arrays()
            arrays[name] = torch.from_numpy(content.copy())
            arrays[f"{name}.lengths"] = torch.from_numpy(lengths)
    return {name: value.detach().cpu().contiguous() for name, value in arrays.items()}


def _header(motion: Motion) -> str:
    about = {
        "format": MOTION_FORMAT,
        "fps": motion.fps,
        "focal": motion.camera.focal,
        "center": motion.camera.center,
        "size": motion.camera.size,
        "bodies": [person.body for person in motion.people],
    }
    if motion.seen is not None:
        about["seen"] = (motion.seen.width, motion.seen.height)
        if motion.seen.people > 1:
            about["seen_people"] = motion.seen.people
    if motion.others is not None:
        about["others"] = (motion.others.width, motion.others.height)
    return json.dumps(about)


def motion_from_arrays(path: Path, arrays: Mapping[str, LazyArray], header: dict | None) -> Motion:
    if not isinstance(header, dict) or header.get("format") != MOTION_FORMAT:
        raise InputError(
            f"{path.name} is not a motion of this program ({MOTION_FORMAT}) and has no AMASS 'poses'. "
            f"It holds: {', '.join(sorted(arrays)) or 'nothing'}."
        )
    try:
        bodies = [str(body) for body in header["bodies"]]
        fps, focal = float(header["fps"]), float(header["focal"])
        (center_x, center_y), (width, height) = header["center"], header["size"]
        center, size = (float(center_x), float(center_y)), (int(width), int(height))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} is damaged: its header lacks or garbles {error}.") from error
    if not all(math.isfinite(value) for value in (focal, *center)) or min(size) < 1:
        raise InputError(f"{path.name} is damaged: its camera has focal {focal:g}, picture {size[0]}x{size[1]}.")
    check_size(*size)
    if not 1 <= len(bodies) <= MOST_PEOPLE:
        raise InputError(f"{path.name} holds {len(bodies)} people; 1 to {MOST_PEOPLE} can be read.")
    extrinsics = None
    if "camera_from_world" in arrays:
        extrinsics = torch.from_numpy(
            read_checked(path, arrays, "camera_from_world", limit=(MOST_FRAMES, 4, 4))
        ).float()
    people = tuple(_person_from_arrays(path, arrays, number, body) for number, body in enumerate(bodies))
    camera = Camera(focal, center, size, extrinsics)
    count = header.get("seen_people", 1)
    if type(count) is not int or count not in (1, len(bodies)):
        raise InputError(f"{path.name} is damaged: it has {len(bodies)} people but masks of {count}.")
    seen, others = _seen_masks(path, arrays, header, "seen", count), _seen_masks(path, arrays, header, "others")
    return Motion(people, fps, camera, seen, others)


def _seen_masks(
    path: Path, arrays: Mapping[str, LazyArray], header: dict, name: str, people: int = 1
) -> SeenMasks | None:
    if header.get(name) is None:
        return None
    try:
        width, height = (int(side) for side in header[name])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} is damaged: its header garbles the size of the masks ({error}).") from error
    content = read_checked(path, arrays, name, limit=(LARGEST_PACKED,))
    lengths = read_checked(path, arrays, f"{name}.lengths", limit=(MOST_FRAMES * MOST_PEOPLE,))
    return SeenMasks.from_arrays(content, lengths, width=width, height=height, name=path.name, people=people)


def _person_from_arrays(path: Path, arrays: Mapping[str, LazyArray], number: int, body: str) -> Person:
    values = {"betas": torch.from_numpy(read_checked(path, arrays, f"{number}.betas", limit=(10,))).float()}
    for name, shape in PER_FRAME.items():
        key = f"{number}.{name}"
        if key in arrays:
            value = torch.from_numpy(
                read_checked(path, arrays, key, limit=(MOST_FRAMES, *(max(size, MOST_FRAME_VALUES) for size in shape)))
            )
            values[name] = value if value.dtype == torch.bool else value.float()
    if missing := {"global_orient", "body_pose", "transl"} - values.keys():
        raise InputError(f"{path.name} lacks {', '.join(sorted(missing))} of person {number}.")
    return Person(**values, body=body)
