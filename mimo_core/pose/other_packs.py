"""Poses in the forms of other ComfyUI packs, as motions, and motions as theirs.

`MHR_POSE_DATA` of core's SAM 3D Body: a dict with `frames`, a list per frame of dicts with `pred_keypoints_3d` (70, 3)
in meters about the root, `pred_cam_t` (3) and `focal_length`, in camera axes. `NLFPRED`: a dict with
`joints3d_nonparam`, one batch of frames with (people, 24, 3) millimeters in camera space. `POSE_KEYPOINT`: a list of
frames with `people`, whose `pose_keypoints_2d` is x, y, score, in pixels of the canvas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.height import measure_height, scale_to_height
from ..body.model import free_body
from ..body.person import Person
from ..body.skeleton import JOINT
from ..errors import InputError
from ..geometry.camera import Camera
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from ..motion.motion import Motion
from ..progress import Progress, scale_progress, silent
from ..render.openpose import OPENPOSE_POINTS, openpose_points
from .blazepose import LANDMARK_COUNT, MOUTH
from .fit import average_joint_confidence, fit_motion
from .inverse_kinematics import SIDES
from .joints import motion_from_joints
from .landmarks import Landmarks, nearest_known
from .lift import SURE_SCORE, lift_openpose, read_points
from .linking import link_detections
from .people import MOST_FOLLOWED
from .rig import BodyState, load_rig
from .unseen import LIMBS, TELLING, drop_unseen_limbs, hang_unseen_limbs


# BlazePose's landmark: the keypoint of MHR's 70 that lies at the same place. Fingers are their knuckles.
MHR_KEYPOINTS = {
    0: 0, 2: 1, 5: 2, 7: 3, 8: 4, 11: 5, 12: 6, 13: 7, 14: 8, 15: 62, 16: 41, 17: 61, 18: 40, 19: 49, 20: 28, 21: 44,
    22: 23, 23: 9, 24: 10, 25: 11, 26: 12, 27: 13, 28: 14, 29: 17, 30: 20, 31: 15, 32: 18,
}  # fmt: skip
MHR_COUNT, NLF_COUNT = 70, 24
NEAREST_METERS = 0.2  # meters: a person closer to the camera than this is a mistake
# Points of the other parts; ComfyUI's SDPose Draw Keypoints takes a list of another length for damaged.
OPENPOSE_OTHERS = {"face_keypoints_2d": 70, "hand_left_keypoints_2d": 21, "hand_right_keypoints_2d": 21}
PEOPLE_REACH = 0.8  # meters by which somebody may be off from one frame to the next; depths shake
OPENPOSE_REACH = 0.5  # the same in heights of the person in the picture
POSED_AT_ONCE = 32  # frames posed at once


def read_poses(
    value,
    *,
    frames: int,
    size: tuple[int, int],
    fps: float,
    person: int = 0,
    smoothing: float = 1.0,
    focal: float = 0.0,
    progress: Progress = silent,
) -> Motion:
    """The motion that MHR_POSE_DATA, NLFPRED or POSE_KEYPOINT tell of a clip of `size` (width, height).

    Frames with fewer people than asked for are invisible. Raises InputError where the value is none of these, has
    another length than the clip, or shows nobody.
    """
    if isinstance(value, Mapping) and "joints3d_nonparam" in value:
        joints, found = _read_nlf(value, frames, person)
        camera = Camera.for_size(*size, focal=focal)
        motion = motion_from_joints(joints, found, camera, fps=fps, smoothing=smoothing)
        return _hang_limbs_outside(motion, joints, size)
    if isinstance(value, Mapping) and "frames" in value:
        landmarks, seen_focal = _read_mhr(value, frames, size, person, focal)
        camera = Camera.for_size(*size, focal=seen_focal)
        motion = fit_motion(landmarks, camera, fps=fps, smoothing=smoothing, progress=progress)
        return motion.with_person(_scale_to_metric(motion.person, landmarks, camera))
    if _is_list(value):
        landmarks = lift_openpose(value, frames=frames, size=size, fps=fps, person=person)
        return fit_motion(
            landmarks, Camera.for_size(*size, focal=focal), fps=fps, smoothing=smoothing, progress=progress
        )
    raise InputError("These poses are none of MHR_POSE_DATA (SAM 3D Body), NLFPRED (NLF) and POSE_KEYPOINT (OpenPose).")


def read_people(value, *, frames: int, size: tuple[int, int], progress: Progress = silent, **settings) -> Motion:
    """The motion of all people of such poses: `read_poses` of each, who is seen longest first.

    Detectors list people in any order, so they are linked from frame to frame by their places. Raises InputError as
    `read_poses` does.
    """
    located = [[(person, at) for person in people if (at := _locate(person, size))] for people in _list_people(value)]
    lists, places = ([[entry[part] for entry in row] for row in located] for part in (0, 1))
    centers = [np.array([place for place, _ in row], np.float32).reshape(len(row), -1) for row in places]
    links = link_detections(centers, [np.array([reach for _, reach in row], np.float32) for row in places])
    if len(lists) != frames or not links:
        return read_poses(value, frames=frames, size=size, progress=progress, **settings)
    parts = []
    for number, link in enumerate(links[:MOST_FOLLOWED]):
        rows = [[people[link[frame]]] if frame in link else [] for frame, people in enumerate(lists)]
        share = scale_progress(progress, number, min(len(links), MOST_FOLLOWED))
        parts.append(read_poses(_with_people(value, rows), frames=frames, size=size, progress=share, **settings))
    return replace(parts[0], people=tuple(part.person for part in parts))


def _list_people(value) -> list[list]:
    """The people of each frame in any of the forms; nobody in a form that is not known."""
    if isinstance(value, Mapping) and "joints3d_nonparam" in value:
        return [list(people) for people in _list_nlf(value)]
    if isinstance(value, Mapping) and "frames" in value:
        return [list(people) for people in value["frames"]]
    if _is_list(value) and all(isinstance(entry, Mapping) for entry in value):
        return [[entry | {"people": [person]} for person in entry.get("people") or ()] for entry in value]
    return []


def _with_people(value, rows: list[list]):
    """The value with other people in its frames, as `_list_people` gives them."""
    if isinstance(value, Mapping) and "joints3d_nonparam" in value:
        return {
            **value,
            "joints3d_nonparam": [[torch.stack(row) if row else torch.zeros(0, NLF_COUNT, 3) for row in rows]],
        }
    if isinstance(value, Mapping):
        return {**value, "frames": rows}
    return [row[0] if row else {**entry, "people": []} for row, entry in zip(rows, value, strict=True)]


def _list_nlf(value: Mapping) -> list[Tensor]:
    """The people (n, J, 3) of each frame of NLF."""
    batches = value["joints3d_nonparam"]
    listed = batches[0] if len(batches) == 1 and _is_list(batches[0]) else batches
    empty = torch.zeros(0, NLF_COUNT, 3)
    return [_to_tensor(people).reshape(-1, *np.shape(people)[-2:]) if len(people) else empty for people in listed]


def _locate(person, size: tuple[int, int]) -> tuple[NDArray, float] | None:
    """Where somebody is, and how far off they may be in the next frame: meters, or pixels of OpenPose.

    None for who is nowhere: an entry that only fills a list up, or of which nothing is seen.
    """
    if isinstance(person, Tensor) and not (torch.isfinite(person).all() and person.any()):
        return None
    if isinstance(person, Tensor):
        return np.nan_to_num(person.mean(0).numpy() / 1000), PEOPLE_REACH
    if "people" not in person:
        return np.nan_to_num(_to_tensor(person.get("pred_cam_t", [0.0] * 3)).flatten().numpy()), PEOPLE_REACH
    points = read_points(person, 0, size, 0)
    seen = points[points[:, 2] > SURE_SCORE]
    if not len(seen):
        return None
    tall = float(seen[:, 1].max() - seen[:, 1].min())
    return seen[:, :2].mean(0).numpy(), OPENPOSE_REACH * max(tall, 1.0)


def project_openpose(motion: Motion, *, size: tuple[int, int] | None = None, progress: Progress = silent) -> list[dict]:
    """POSE_KEYPOINT: the 18 points of OpenPose of the first person, in pixels; unseen points are zeros.

    `size` is (width, height) of the picture, the camera's own if left out.
    """
    camera = motion.camera.resize(*size) if size else motion.camera
    width, height = camera.size
    people = []
    for start in range(0, motion.frames, POSED_AT_ONCE):
        frames = slice(start, min(start + POSED_AT_ONCE, motion.frames))
        posed = free_body().pose(motion.person, frames)
        points, seen = openpose_points(free_body(), posed, lambda world, at=frames: camera.view(world, at))
        seen = seen & (points[..., 2] > NEAREST_METERS) & motion.person.visible[frames, None]
        pixels = camera.pixels(points)
        rows = torch.where(seen[..., None], torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1), 0.0)
        people += rows.flatten(1).tolist()
        progress(frames.stop, motion.frames)
    return [
        {
            "canvas_width": width,
            "canvas_height": height,
            "people": [_format_openpose(row)] if any(row) else [],
        }
        for row in people
    ]


def _format_openpose(row: list[float]) -> dict:
    others = {name: [0.0] * 3 * count for name, count in OPENPOSE_OTHERS.items()}  # score 0: not seen
    return {"pose_keypoints_2d": row[: 3 * len(OPENPOSE_POINTS)]} | others


def _read_nlf(value: Mapping, frames: int, person: int) -> tuple[Tensor, Tensor]:
    """Joints (F, 24, 3) in meters and which frames show the person."""
    listed = _list_nlf(value)
    _check_length("NLFPRED", len(listed), frames)
    joints, found = torch.zeros(frames, NLF_COUNT, 3), torch.zeros(frames, dtype=torch.bool)
    for frame, people in enumerate(listed):
        if people.shape[1:] != (NLF_COUNT, 3):
            raise InputError(f"NLFPRED holds {tuple(people.shape)} in frame {frame}; (people, 24, 3) is read.")
        if person < len(people) and torch.isfinite(people[person]).all() and people[person].any():
            joints[frame], found[frame] = people[person] / 1000, True
    return joints, found


def _read_mhr(value: Mapping, frames: int, size: tuple[int, int], person: int, focal: float) -> tuple[Landmarks, float]:
    _check_length("MHR_POSE_DATA", len(value["frames"]), frames)
    world = torch.zeros(frames, LANDMARK_COUNT, 3)  # in camera space, not only centered anywhere
    pixels = torch.zeros(frames, LANDMARK_COUNT, 2)
    score = torch.zeros(frames)
    confidence = torch.zeros(LANDMARK_COUNT)
    confidence[list(MHR_KEYPOINTS)] = 1.0
    confidence[list(MOUTH)] = 1.0
    center = torch.tensor(size) / 2
    focals = []
    for frame, people in enumerate(value["frames"]):
        if person >= len(people):
            continue
        points, place, seen_focal = _read_mhr_person(people[person], frame)
        world[frame, list(MHR_KEYPOINTS)] = points[list(MHR_KEYPOINTS.values())]
        _add_mouth(world[frame])
        world[frame] += place
        in_camera = world[frame]
        pixels[frame] = in_camera[:, :2] / in_camera[:, 2:].clamp_min(NEAREST_METERS) * seen_focal + center
        focals.append(seen_focal)
        score[frame] = 1.0
    if not focals:
        raise InputError(f"MHR_POSE_DATA shows no person {person} in any frame. Set person to 0, or detect again.")
    seen = confidence * _is_inside(pixels, size)  # what is outside the picture is the network's guess
    return Landmarks(pixels, world, seen, score), focal or float(np.median(focals))


def _is_inside(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Which pixels (..., 2) lie in a picture of `size` (width, height), (...) bool."""
    return ((pixels >= 0) & (pixels <= torch.tensor(size))).all(-1)


def _hang_limbs_outside(motion: Motion, joints: Tensor, size: tuple[int, int]) -> Motion:
    """A motion whose limbs hang and are marked where `joints` (F, 24, 3) in camera space are outside the picture."""
    person, confidence = motion.person, torch.ones(motion.frames, LANDMARK_COUNT)
    inside = _is_inside(motion.camera.pixels(joints), size) | ~person.visible[:, None]
    for limb in LIMBS:
        for side, name in enumerate(SIDES):
            for joint, pair in zip(limb.joints[1:], limb.pairs[:TELLING], strict=True):
                confidence[:, pair[side]] = inside[:, JOINT[f"{name}_{joint}"]].float()
    blank = torch.zeros(motion.frames, LANDMARK_COUNT, 3)
    seen = drop_unseen_limbs(Landmarks(blank[..., :2], blank, confidence, person.visible.float()), motion.fps)
    if (seen.confidence > 0).all():
        return motion
    rotations = hang_unseen_limbs(matrix_from_axis_angle(person.pose().double()), seen.confidence)
    hung = person.with_pose(axis_angle_from_matrix(rotations).float())
    return motion.with_person(replace(hung, joint_confidence=average_joint_confidence(seen.confidence)))


def _scale_to_metric(person: Person, landmarks: Landmarks, camera: Camera) -> Person:
    """The fitted person at the stature and the place that metric 3D keypoints tell; the fit itself knows no scale."""
    body, rig, used = free_body(), load_rig(), list(MHR_KEYPOINTS)
    depth = landmarks.world[..., 2:].double()
    places = torch.cat([(landmarks.pixels - torch.tensor(camera.center)) / camera.focal * depth, depth], -1)
    places = (places * torch.tensor([1.0, -1.0, -1.0]))[:, used]
    turns = matrix_from_axis_angle(person.pose().double())

    def points_of(betas: Tensor) -> Tensor:
        return rig.place(BodyState(turns, person.transl.double(), betas.double())).points[:, used]

    seen = (landmarks.confidence[:, used, None] > 0).double()
    seen = torch.where(seen.any(1, keepdim=True), seen, 1.0)

    def average(values: Tensor) -> Tensor:
        """Of the keypoints in the picture, (F, 1, D)."""
        return (values * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True)

    size = [
        average((each - average(each)).norm(dim=2, keepdim=True))[landmarks.found].median()
        for each in (places, points_of(person.betas))
    ]
    betas = scale_to_height(body, person.betas, measure_height(body, person.betas) * float(size[0] / size[1]))
    shift = average(places - points_of(betas))[:, 0]
    nearest = nearest_known(landmarks.found)
    return replace(person, betas=betas, transl=(person.transl + shift[nearest]).float())


def _read_mhr_person(entry: Mapping, frame: int) -> tuple[Tensor, Tensor, float]:
    missing = [key for key in ("pred_keypoints_3d", "pred_cam_t", "focal_length") if key not in entry]
    if missing:
        raise InputError(f"MHR_POSE_DATA lacks {', '.join(missing)} in frame {frame}.")
    points, place = _to_tensor(entry["pred_keypoints_3d"]), _to_tensor(entry["pred_cam_t"]).flatten()
    focal = float(_to_tensor(entry["focal_length"]).flatten()[0])
    if points.shape != (MHR_COUNT, 3) or place.shape != (3,):
        raise InputError(
            f"MHR_POSE_DATA holds {tuple(points.shape)} keypoints in frame {frame}; ({MHR_COUNT}, 3) is read."
        )
    if not (torch.isfinite(points).all() and torch.isfinite(place).all() and 0 < focal < 1e6):
        raise InputError(f"MHR_POSE_DATA holds NaN, or no focal length, in frame {frame}. Estimate it again.")
    return points, place, focal


def _add_mouth(points: Tensor):
    """Put BlazePose's mouth where it lies at rest between ears and nose; MHR's 70 keypoints have none."""
    rest = load_rig().rest_landmarks(torch.zeros(10, dtype=torch.float64)).float()
    theirs, ours = _face_frame(points), _face_frame(rest)
    for landmark in MOUTH:
        points[landmark] = theirs @ torch.linalg.solve(ours, rest[landmark] - rest[0]) + points[0]


def _face_frame(points: Tensor) -> Tensor:
    """Columns (3, 3): from ear to ear, from between them to the nose, and across both."""
    across = points[7] - points[8]
    out = points[0] - (points[7] + points[8]) / 2
    return torch.stack([across, out, torch.linalg.cross(across, out) / across.norm().clamp_min(1e-6)], 1)


def _to_tensor(value) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu().float()
    return torch.from_numpy(np.asarray(value, np.float32))


def _is_list(value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _check_length(name: str, found: int, frames: int):
    if found != frames:
        raise InputError(f"{name} has {found} frames but the clip has {frames}. Make both from one clip.")
