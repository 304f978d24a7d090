"""What estimators write: GVHMR (.pt, or .npz of its ComfyUI pack), WHAM and 4D-Humans (joblib), as motions.

The way through the world and the view of the camera come as one motion: the body moves in a world with Y up, and the
camera moves so that each frame shows it where the estimator saw it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..body.model import free_body
from ..body.person import Person
from ..errors import InputError
from ..geometry.camera import Camera
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from . import datasets, soma
from .cameras import camera_in_front, pelvis_path
from .motion import Motion
from .place import turn_world
from .upright import UP_AXES, up_matrix
from .values import as_numbers, check_shape, lens_from_intrinsics, mean_betas, read_values


RESULT_FPS = 30.0  # none of these files says; GVHMR resamples to it
MOST_RESULT_FRAMES = 200_000  # frames
WHAM_SIZE = (1920, 1080)  # WHAM keeps no size; it assumes a focal length of the picture's diagonal
PHALP_FOCAL, PHALP_SIZE = 5000.0, 256  # pixels: 4D-Humans' cameras belong to a square of 256, the longer side's length


@dataclass(frozen=True, eq=False)
class _Track:
    """A body over F frames in one space."""

    orient: Tensor  # (F, 3)
    pose: Tensor  # (F, 69)
    transl: Tensor  # (F, 3)


def is_gvhmr(arrays: Mapping) -> bool:
    """Whether these are GVHMR's, as it saves them or flat as its ComfyUI pack does."""
    return "smpl_params_global" in arrays or {"body_pose", "global_orient", "transl"} <= set(arrays)


def motion_from_gvhmr(arrays: Mapping, *, name: str) -> Motion:
    """GVHMR's result (Shen et al. 2024): SMPL-X in a world with Y up and in the camera, with its intrinsics.

    Without intrinsics the way through the world is kept, and a camera stands in front. Raises InputError naming `name`.
    """
    world = arrays.get("smpl_params_global", arrays)
    seen = arrays.get("smpl_params_incam")
    if seen is None and "global_orient_incam" in arrays:
        seen = {key: arrays.get(f"{key}_incam", arrays.get(key)) for key in ("body_pose", "global_orient", "transl")}
    body = _track(world, name)
    person = _person_from_track(body, mean_betas(world, "betas", name), "smplx")
    if seen is None or arrays.get("K_fullimg") is None:
        notes = () if seen is None else (f"{name} has no lens (K_fullimg); a camera is put in front of the person.",)
        return Motion((person,), RESULT_FPS, camera_in_front(person), notes=notes)
    return _see(person, _track(seen, name), lens_from_intrinsics(arrays["K_fullimg"], name))


def motion_from_wham(subjects: Mapping, *, name: str) -> Motion:
    """WHAM's result (Shin et al. 2024): the subject that was seen longest, SMPL in the world and in the camera."""
    subject = max(subjects.values(), key=lambda each: len(each["frame_ids"]))
    frames = read_values(subject, "frame_ids", name).long()
    spread = _spread_over(frames, name)
    pose, transl = (read_values(subject, key, name) for key in ("pose_world", "trans_world"))
    seen_pose, seen_transl = (read_values(subject, key, name) for key in ("pose", "trans"))
    for key, value, width in (("pose_world", pose, 72), ("pose", seen_pose, 72), ("trans", seen_transl, 3)):
        check_shape(value, (len(frames), width), key, name)
    check_shape(transl, (len(frames), 3), "trans_world", name)
    world = _Track(pose[spread, :3], pose[spread, 3:], transl[spread])
    seen = _Track(seen_pose[spread, :3], seen_pose[spread, 3:], seen_transl[spread])
    person = _person_from_track(world, mean_betas(subject, "betas", name), "smpl", visible=_present(frames))
    lens = Camera.for_size(*WHAM_SIZE, focal=math.hypot(*WHAM_SIZE))
    return _see(person, seen, lens)


def motion_from_phalp(frames: Mapping, *, name: str) -> Motion:
    """4D-Humans' result (PHALP; Goel et al. 2023): the person that was tracked longest, SMPL in the camera.

    The camera stands still in the origin, with the very long lens that 4D-Humans assumes. Raises InputError.
    """
    entries = [frames[key] for key in sorted(frames, key=str)]
    if len(entries) > MOST_RESULT_FRAMES:
        raise InputError(f"{name} has {len(entries)} frames; at most {MOST_RESULT_FRAMES} are read.")
    tracked = _longest_tracked(entries, name)
    found = [(frame, _index(entry["tid"], tracked)) for frame, entry in enumerate(entries)]
    found = [(frame, number) for frame, number in found if number is not None]
    bodies = [entries[frame]["smpl"][number] for frame, number in found]
    turns = torch.stack(
        [torch.cat([read_values(body, "global_orient", name), read_values(body, "body_pose", name)]) for body in bodies]
    )
    check_shape(turns, (len(found), 24, 3, 3), "smpl", name)
    pose = axis_angle_from_matrix(turns)
    places = torch.stack([as_numbers(entries[frame]["camera"][number], "camera", name) for frame, number in found])
    check_shape(places, (len(found), 3), "camera", name)
    betas = torch.stack([read_values(body, "betas", name).flatten()[:10] for body in bodies]).mean(0)
    height, width = (int(side) for side in _size(entries[found[0][0]], found[0][1]))
    numbers = torch.tensor([frame for frame, _ in found])
    spread, visible = _spread_over(numbers - numbers[0], name), _present(numbers)
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # the camera's axes to the world's
    orient = axis_angle_from_matrix(flip @ matrix_from_axis_angle(pose[:, 0]))
    pelvis = free_body().shape(torch.zeros(10))[1][0]  # what bodies of other families are shown with
    transl = (pelvis + places[spread]) @ flip - pelvis
    track = _Track(orient[spread], pose[spread, 1:].flatten(1), transl)
    focal = PHALP_FOCAL / PHALP_SIZE * max(width, height)
    person = _person_from_track(track, betas, "smpl", visible=visible)
    return Motion((person,), RESULT_FPS, Camera.for_size(width, height, focal=focal))


def motion_from_tree(tree, *, name: str, up: str = "auto") -> Motion:
    """The result of an estimator or an entry of a data set, whichever it is, by what it holds.

    GVHMR, GEM-X, WHAM, 4D-Humans, ROMP, GLAMR, AIST++ and 3DPW are known. `up` is the axis of the file that points up,
    for those whose world is known to differ (GEM-X, GLAMR, AIST++, 3DPW) and where it is given. Raises InputError
    naming what does not fit.
    """
    if isinstance(tree, dict) and tree:
        first = next(iter(tree.values()))
        try:
            known = (
                (_is_gem_smpl(tree), _motion_from_gem_smpl),
                (soma.is_gemx(tree), soma.motion_from_gemx),
                (is_gvhmr(tree), motion_from_gvhmr),
                (datasets.is_aist(tree), datasets.motion_from_aist),
                (datasets.is_3dpw(tree), datasets.motion_from_3dpw),
                (datasets.is_glamr(tree), datasets.motion_from_glamr),
                (datasets.is_romp(tree), datasets.motion_from_romp),
                (isinstance(first, dict) and "pose_world" in first, motion_from_wham),
                (isinstance(first, dict) and {"smpl", "camera", "tid"} <= set(first), motion_from_phalp),
            )
            for is_it, read in known:
                if is_it:
                    return (
                        read(tree, name=name, up=up) if read in FINDING_UP else turn_upright(read(tree, name=name), up)
                    )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            if _has_no_frames(tree):
                raise InputError(f"{name} has no frames. Choose another file.") from None
            raise InputError(f"{name} is damaged: its parts do not fit together ({error!r}).") from error
    held = f" It holds {', '.join(sorted(map(str, tree))[:12])}." if isinstance(tree, dict) else ""
    raise InputError(
        f"{name} is no result of GVHMR, GEM-X, WHAM, 4D-Humans, ROMP or GLAMR, and no motion of AIST++ or 3DPW.{held} "
        "Save its arrays as .npz in AMASS's form instead."
    )


FINDING_UP = (soma.motion_from_gemx, datasets.motion_from_aist, datasets.motion_from_3dpw, datasets.motion_from_glamr)


def turn_upright(motion: Motion, up: str) -> Motion:
    """A motion whose file has Y up, in a world in which the axis that `up` names is it; auto and y change nothing."""
    return motion if up in ("auto", "y") else turn_world(motion, up_matrix(UP_AXES.index(up)))


def _has_no_frames(tree) -> bool:
    """Whether a value of a dictionary, or of one in it, is an array without rows."""
    values = list(tree.values()) if isinstance(tree, Mapping) else []
    values += [value for part in values if isinstance(part, Mapping) for value in part.values()]
    shapes = [getattr(value, "shape", ()) for value in values]
    return any(len(shape) > 0 and shape[0] == 0 for shape in shapes)


def _is_gem_smpl(tree: Mapping) -> bool:
    """Whether these are GEM's results on SMPL-X's body (smpl_params.pt), in GVHMR's form under other names."""
    params = tree.get("body_params_global")
    shape = tuple(getattr(params.get("body_pose"), "shape", ())) if isinstance(params, Mapping) else ()
    return len(shape) == 2 and shape[1] in (63, 69)


def _motion_from_gem_smpl(tree: Mapping, *, name: str) -> Motion:
    names = {"body_params_global": "smpl_params_global", "body_params_incam": "smpl_params_incam"}
    return motion_from_gvhmr({names.get(key, key): value for key, value in tree.items()}, name=name)


def _see(person: Person, seen: _Track, lens: Camera) -> Motion:
    """The person in the world, and the camera that sees them as `seen` says."""
    world_from_body = matrix_from_axis_angle(person.global_orient)
    camera_from_body = matrix_from_axis_angle(seen.orient)
    linear = camera_from_body @ world_from_body.mT
    pelvis = pelvis_path(person)
    in_camera = seen.transl + (pelvis - person.transl)
    matrix = torch.eye(4).repeat(person.frames, 1, 1)
    matrix[:, :3, :3] = linear
    matrix[:, :3, 3] = in_camera - (linear @ pelvis[..., None])[..., 0]
    return Motion((person,), RESULT_FPS, Camera(lens.focal, lens.center, lens.size, matrix))


def _track(values: Mapping, name: str) -> _Track:
    pose, orient, transl = (read_values(values, key, name) for key in ("body_pose", "global_orient", "transl"))
    frames = len(pose)
    if frames > MOST_RESULT_FRAMES:
        raise InputError(f"{name} has {frames} frames; at most {MOST_RESULT_FRAMES} are read.")
    if pose.ndim != 2 or pose.shape[1] not in (63, 69):
        raise InputError(f"body_pose in {name} is {tuple(pose.shape)}; 63 or 69 values a frame are expected.")
    check_shape(orient, (frames, 3), "global_orient", name)
    check_shape(transl, (frames, 3), "transl", name)
    return _Track(orient, torch.nn.functional.pad(pose, (0, 69 - pose.shape[1])), transl)


def _person_from_track(track: _Track, betas: Tensor, body: str, *, visible: Tensor | None = None) -> Person:
    return Person(betas, track.orient, track.pose, track.transl, visible=visible, body=body)


def _longest_tracked(entries: list[Mapping], name: str):
    tracked = [person for entry in entries for person in entry["tid"]]
    if not tracked:
        raise InputError(f"Nobody was tracked in {name}.")
    return max(sorted(set(tracked)), key=tracked.count)


def _index(people, person) -> int | None:
    people = list(people)
    return people.index(person) if person in people else None


def _size(entry: Mapping, number: int):
    size = entry["size"]
    return size[number] if np.ndim(size) == 2 else size


def _spread_over(frames: Tensor, name: str) -> Tensor:
    """For every frame from the first to the last the place of the nearest one before that was seen."""
    count = int(frames[-1] - frames[0]) + 1
    if count > MOST_RESULT_FRAMES or (frames.diff() <= 0).any():
        raise InputError(f"The frame numbers in {name} do not rise, or reach beyond {MOST_RESULT_FRAMES}.")
    return torch.searchsorted(frames, torch.arange(count) + frames[0], right=True) - 1


def _present(frames: Tensor) -> Tensor:
    visible = torch.zeros(int(frames[-1] - frames[0]) + 1, dtype=torch.bool)
    visible[frames - frames[0]] = True
    return visible
