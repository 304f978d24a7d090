"""From landmarks over a clip to a person in SMPL's parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.person import Person
from ..body.skeleton import JOINT
from ..errors import InputError
from ..geometry.camera import Camera
from ..geometry.rotations import (
    axis_angle_from_matrix,
    matrix_from_quaternion,
    quaternion_from_matrix,
    slerp,
)
from ..media.clip import Masks
from ..motion.intervals import find_intervals
from ..motion.motion import Motion
from ..progress import Progress, silent
from .blazepose import ANKLES, EARS, ELBOWS, INDICES, KNEES, NOSE, PINKIES, TOES, WRISTS
from .contacts import find_contacts, lock_feet
from .inverse_kinematics import rotations_from_landmarks
from .landmarks import Landmarks, find_bridges
from .refine import FootLocks, rays_from_pixels, refine_pose, world_from_camera_axes
from .rig import BodyState, Rig, load_rig
from .silhouette import compare_outline, shrink_masks
from .unseen import drop_unseen_limbs, hang_unseen_limbs


# Time and memory are linear in the frames of a window; the banded system of 192 frames takes 12 MB.
WINDOW_FRAMES = 192  # frames that are solved at once
LOOKAHEAD_FRAMES = 24  # frames behind a window that are solved with it and then again
HELD_BEFORE_WINDOW = 2  # frames before a window that its accelerations lean on
FRAMES_AT_ONCE = 256  # placed or converted at once: in between they take up to 80 kB each
SHAPE_FRAMES = 120  # frames of a long clip that tell the shape
STEPS, PLANT_STEPS = 8, 4  # Gauss-Newton steps before and after feet are locked
# Meters at the person's depth from a sure landmark of a limb to the body that has let go of it: habits turn a leg round
# that the closed form reads the wrong way round, and far from its landmarks on that way it no longer feels them. So a
# skater's standing leg ended beside the lifted one (2026-11-28).
LET_GO = 0.3
WIDE_STEPS = 4  # of a limb that is caught again, in which landmarks that are far off pull too
SURE_LIMB = 0.5  # confidence
LIMB_POINTS = [*ELBOWS, *WRISTS, *KNEES, *ANKLES]
OUTLINE_ROUNDS, OUTLINE_STEPS = 2, 3  # 18 tuning shots of 256 px: joints 2.62 -> 2.26 px (2026-11-26)
PORTRAIT_ROUNDS, PORTRAIT_STEPS = 4, 3  # 12 pictures: surface 3.6 -> 3.0 px from the truth (2026-11-23)
CONFIDENCE_POWER = 3  # power of the confidence that a landmark counts with; bench pose, seeds 300-329 (2026-11-23)
LEAST_CONFIDENCE = 0.1  # a joint whose landmarks are less certain than this comes from the prior


def fit_motion(
    landmarks: Landmarks,
    camera: Camera,
    *,
    fps: float,
    masks: Masks | None = None,
    cuts: Collection[int] = (),
    smoothing: float = 1.0,
    rig: Rig | None = None,
    progress: Progress = silent,
) -> Motion:
    """Fit the free body to landmarks of F frames, seen by a camera that stands in the origin.

    `masks` show the person in every frame; the outline of the body is drawn towards theirs. `smoothing` weighs
    accelerations; 0 leaves every frame to itself, and they are not smoothed across `cuts`, the frames that begin a
    shot. Frames without landmarks are bridged in gaps of up to half a second; in longer gaps the person is invisible
    and keeps the nearest pose. What no landmark shows follows the prior and has joint confidence 0. Distances are those
    of a body of average size: one camera cannot tell a small person close by from a large one far away. Raises
    InputError for a camera that moves.
    """
    if camera.camera_from_world is not None:
        raise InputError("The fit needs a camera that stands still in the origin; it got one with extrinsics.")
    rig = rig or load_rig()
    found = landmarks.found
    bridged = find_bridges(found, fps, cuts)
    if not found.any():
        return _make_nobody(len(landmarks), camera, fps)
    landmarks = drop_unseen_limbs(landmarks, fps)
    state = _interpolate_initial(rig, landmarks, camera)
    segments = _split_at_cuts(find_intervals(found | bridged), cuts)
    windows = [window for segment in segments for window in _cut_windows(*segment)]
    is_long = len(windows) > 1
    total = 2 * len(windows)
    if is_long:
        state = _estimate_shape(rig, state, landmarks, camera, fps, tick=lambda: progress(0, total))
    options = {"fps": fps, "smoothing": max(smoothing, 1e-3), "shape": "fixed" if is_long else "free"}
    problem = (landmarks, camera, windows)
    state = _solve_windows(rig, state, *problem, progress=progress, total=total, steps=STEPS, **options)
    catch_limbs(rig, state, landmarks, camera, fps, tick=lambda: progress(len(windows), total))
    points = _convert_in_parts(lambda part: rig.place(state[part]).points, len(state))
    contacts = find_contacts(points, found, fps)
    locks = lock_feet(points, contacts)
    state = _solve_windows(
        rig, state, *problem, locks=locks, masks=masks, progress=progress, done=len(windows), total=total,
        steps=PLANT_STEPS, **options,
    )  # fmt: skip
    return Motion((_make_person(state, landmarks, contacts, bridged),), float(fps), camera)


def fit_portrait(
    motion: Motion, landmarks: Landmarks, matte: NDArray, *, ask: Callable[[], None] = lambda: None
) -> Motion:
    """Bring the body of somebody who poses for a picture, one frame, onto the outline of their matte (H, W) uint8.

    `ask` is called between the steps; it may raise to cancel.
    """
    landmarks = drop_unseen_limbs(landmarks, motion.fps)
    person, seen = motion.person, _weigh_landmarks(landmarks)
    state = _refine_to_outline(
        load_rig(), BodyState.from_person(person), seen, motion.camera, [matte],
        rounds=PORTRAIT_ROUNDS, steps=PORTRAIT_STEPS, fps=motion.fps, subject="posing", tick=ask,
    )  # fmt: skip
    return motion.with_person(_make_person(state, landmarks, person.contacts, person.bridged))


def fit_closed_form(landmarks: Landmarks, camera: Camera, *, fps: float) -> Motion:
    """What the fit starts from: every frame by itself, on the average body, without refinement."""
    if not landmarks.found.any():
        return _make_nobody(len(landmarks), camera, fps)
    state = _interpolate_initial(load_rig(), landmarks, camera)
    contacts = torch.zeros(len(landmarks), 2, dtype=torch.bool)
    bridged = find_bridges(landmarks.found, fps)
    return Motion((_make_person(state, landmarks, contacts, bridged),), float(fps), camera)


def solve_initial_pose(rig: Rig, seen: Landmarks, camera: Camera) -> BodyState:
    """The closed form, frame by frame: rotations from the 3D landmarks, translation from both kinds together."""
    betas = torch.zeros(10, dtype=torch.float64)
    rotations = rotations_from_landmarks(world_from_camera_axes(seen.world), rig.rest_landmarks(betas))
    rotations = hang_unseen_limbs(rotations, seen.confidence)
    state = BodyState(rotations, torch.zeros(len(seen), 3, dtype=torch.float64), betas)
    points, ray = rig.place(state).points, rays_from_pixels(seen.pixels, camera)
    # A point at p + t projects onto its ray r where (p + t).xy = -r (p + t).z: linear in t.
    matrix = torch.zeros(*points.shape[:2], 2, 3, dtype=torch.float64)
    matrix[..., 0, 0] = matrix[..., 1, 1] = 1
    matrix[..., 2] = ray
    weight = seen.confidence[..., None].clamp_min(1e-3)
    rows = (matrix * weight[..., None]).flatten(1, 2)
    right = ((-ray * points[..., 2:] - points[..., :2]) * weight).flatten(1)
    transl = torch.linalg.solve(rows.mT @ rows, (rows.mT @ right[..., None])[..., 0])
    transl[:, 2].clamp_(max=-0.3)  # in front of the camera, whatever the landmarks say
    return BodyState(rotations, transl, betas)


def _interpolate_initial(rig: Rig, landmarks: Landmarks, camera: Camera) -> BodyState:
    """The closed form where the person was found, interpolated in between, the nearest pose before and after."""
    known = landmarks.found.nonzero()[:, 0]
    quaternions, transl = [], []
    for part in known.split(FRAMES_AT_ONCE):
        solved = solve_initial_pose(rig, _weigh_landmarks(landmarks[part]), camera)
        quaternions.append(quaternion_from_matrix(solved.rotations))
        transl.append(solved.transl)
    quaternions, transl = torch.cat(quaternions), torch.cat(transl)
    frames = torch.arange(len(landmarks))
    after = torch.searchsorted(known, frames).clamp(max=len(known) - 1)
    before = (torch.searchsorted(known, frames, right=True) - 1).clamp(min=0)
    way = (known[after] - known[before]).clamp_min(1)
    share = ((frames - known[before]) / way).clamp(0, 1).double()

    def turn_between(part: slice) -> Tensor:
        first, last = quaternions[before[part]], quaternions[after[part]]
        return matrix_from_quaternion(slerp(first, last, share[part, None, None]))

    rotations = _convert_in_parts(turn_between, len(landmarks))
    return BodyState(rotations, torch.lerp(transl[before], transl[after], share[:, None]), solved.betas)


def _convert_in_parts(convert: Callable[[slice], Tensor], frames: int) -> Tensor:
    """What `convert` gives for all frames (F, ...), made of a few at a time."""
    first = convert(slice(0, FRAMES_AT_ONCE))
    whole = first.new_empty(frames, *first.shape[1:])
    whole[:FRAMES_AT_ONCE] = first
    for start in range(FRAMES_AT_ONCE, frames, FRAMES_AT_ONCE):
        part = slice(start, start + FRAMES_AT_ONCE)
        whole[part] = convert(part)
    return whole


def _split_at_cuts(segments: list[tuple[int, int]], cuts: Collection[int]) -> list[tuple[int, int]]:
    """Runs of frames (start, stop), none of which goes on past a cut."""
    pieces = []
    for start, stop in segments:
        edges = [start, *sorted(cut for cut in cuts if start < cut < stop), stop]
        pieces += zip(edges[:-1], edges[1:], strict=True)
    return pieces


def _cut_windows(start: int, stop: int) -> list[tuple[int, int, int, int]]:
    """Cut frames into windows: (first solved, first kept, last kept + 1, last solved + 1)."""
    if stop - start <= WINDOW_FRAMES + LOOKAHEAD_FRAMES:
        return [(start, start, stop, stop)]
    cuts = list(range(start, stop - LOOKAHEAD_FRAMES, WINDOW_FRAMES)) + [stop]
    return [
        (max(first - HELD_BEFORE_WINDOW, start), first, last, min(last + LOOKAHEAD_FRAMES, stop))
        for first, last in zip(cuts[:-1], cuts[1:], strict=True)
    ]


def _estimate_shape(
    rig: Rig, state: BodyState, landmarks: Landmarks, camera: Camera, fps: float, *, tick: Callable[[], None]
) -> BodyState:
    """The same state with the shape that a sample of the frames shows."""
    known = landmarks.found.nonzero()[:, 0]
    sample = known[torch.linspace(0, len(known) - 1, min(SHAPE_FRAMES, len(known))).long()]
    seen = _weigh_landmarks(landmarks[sample])
    shaped = refine_pose(rig, state[sample], seen, camera, fps=fps, smoothing=0.0, steps=STEPS, tick=tick)
    return BodyState(state.rotations, state.transl, shaped.betas)


def catch_limbs(
    rig: Rig, state: BodyState, landmarks: Landmarks, camera: Camera, fps: float, *, tick: Callable[[], None]
) -> None:
    """Solve frames in which the body has let go of a limb again, each by itself; `state` is changed in place where its
    limbs are caught."""
    landmarks = _doubt_jumps(landmarks, state, camera)
    frames = (_measure_limbs_away(rig, state, landmarks, camera) > LET_GO).nonzero()[:, 0]
    for part in frames.split(FRAMES_AT_ONCE):
        seen = _weigh_landmarks(landmarks[part])
        caught = replace(solve_initial_pose(rig, seen, camera), betas=state.betas)
        caught = refine_pose(
            rig, caught, seen, camera,
            fps=fps, smoothing=0.0, shape="fixed", steps=STEPS, wide_steps=WIDE_STEPS, tick=tick,
        )  # fmt: skip
        is_caught = _measure_limbs_away(rig, caught, landmarks[part], camera) <= LET_GO
        state.rotations[part[is_caught]] = caught.rotations[is_caught]
        state.transl[part[is_caught]] = caught.transl[is_caught]


def _doubt_jumps(landmarks: Landmarks, state: BodyState, camera: Camera) -> Landmarks:
    """The same landmarks, without confidence in those of limbs that are far from their median over five frames.

    In one or two frames the network may be sure and wrong; the frames around, which the fit leans on, know better.
    """
    shown = torch.where(landmarks.found[:, None, None], landmarks.pixels[:, LIMB_POINTS].double(), torch.nan)
    around = torch.nn.functional.pad(shown, (0, 0, 0, 0, 2, 2), value=torch.nan).unfold(0, 5, 1)  # (F, points, 2, 5)
    away = (shown - around.nanquantile(0.5, dim=-1)).norm(dim=-1) * (-state.transl[:, 2:] / camera.focal)
    confidence = landmarks.confidence.clone()
    confidence[:, LIMB_POINTS] = torch.where(away > LET_GO, 0.0, confidence[:, LIMB_POINTS])
    return replace(landmarks, confidence=confidence)


def _measure_limbs_away(rig: Rig, state: BodyState, landmarks: Landmarks, camera: Camera) -> Tensor:
    """How far the limb is, of which the body is furthest from what is surely seen, (F,) in meters at its depth."""

    def measure(part: slice) -> Tensor:
        points = rig.place(state[part]).points[:, LIMB_POINTS]
        depth = -points[..., 2:].clamp_max(-0.1)
        ray = rays_from_pixels(landmarks.pixels[part][:, LIMB_POINTS].double(), camera)
        away = ((points[..., :2] / depth - ray) * depth).norm(dim=-1)
        is_sure = (landmarks.confidence[part][:, LIMB_POINTS] > SURE_LIMB) & landmarks.found[part, None]
        return torch.where(is_sure, away, 0.0).amax(1)

    return _convert_in_parts(measure, len(state))


def _solve_windows(
    rig: Rig, state: BodyState, landmarks: Landmarks, camera: Camera, windows, *, locks: FootLocks | None = None,
    masks: Masks | None = None, progress: Progress, done: int = 0, total: int, steps: int, **options,
) -> BodyState:  # fmt: skip
    """The state with every window solved, one after the other; its rotations and places are changed in place."""
    for start, first, last, stop in windows:
        frames = slice(start, stop)
        part = None if locks is None else FootLocks(locks.points, locks.targets[frames], locks.held[frames])
        problem = (rig, state[frames], _weigh_landmarks(landmarks[frames]), camera)
        # Cancel comes through `progress`, so it is called within a window too, which can take ten seconds.
        options = options | {"locks": part, "held": first - start, "tick": lambda done=done: progress(done, total)}
        if masks is None:
            solved = refine_pose(*problem, steps=steps, **options)
        else:
            solved = _refine_to_outline(
                *problem, masks.read(start, stop), rounds=OUTLINE_ROUNDS, steps=OUTLINE_STEPS, **options
            )
        state.rotations[first:last] = solved.rotations[first - start : last - start]
        state.transl[first:last] = solved.transl[first - start : last - start]
        state = replace(state, betas=solved.betas)
        done += 1
        progress(done, total)
    return state


def _refine_to_outline(
    rig: Rig, state: BodyState, seen: Landmarks, camera: Camera, masks: Iterable[NDArray], *, rounds: int, steps: int,
    **options,
) -> BodyState:  # fmt: skip
    """Refine in turns with looking where masks want the outline of the body."""
    tick = options.get("tick", lambda: None)
    masks = shrink_masks(_tick_each(masks, tick), camera)
    for _ in range(rounds):
        outline = compare_outline(state, camera, masks, tick)
        state = refine_pose(rig, state, seen, camera, outline=outline, steps=steps, **options)
    return state


def _tick_each(masks: Iterable[NDArray], tick: Callable[[], None]) -> Iterator[NDArray]:
    for mask in masks:
        tick()
        yield mask


def _make_person(state: BodyState, landmarks: Landmarks, contacts: Tensor, bridged: Tensor) -> Person:
    pose = _convert_in_parts(lambda part: axis_angle_from_matrix(state.rotations[part]).float(), len(state))
    visible = landmarks.found | bridged
    return Person(
        betas=state.betas.float(),
        global_orient=pose[:, 0],
        body_pose=pose[:, 1:].flatten(1),
        transl=state.transl.float(),
        visible=visible,
        confidence=landmarks.score.float(),
        contacts=contacts & visible[:, None],
        bridged=bridged,
        joint_confidence=average_joint_confidence(
            torch.where(landmarks.found[:, None], landmarks.confidence.float(), 0.0)
        ),
    )


def average_joint_confidence(confidence: Tensor) -> Tensor:
    """Confidence of the 24 joints (F, 24) from that of the landmarks (F, 33) that show them; 0 where none does."""
    joints = torch.stack([confidence[:, list(shown)].mean(1) for shown in LANDMARKS_OF_JOINTS], 1)
    return torch.where(joints < LEAST_CONFIDENCE, 0.0, joints)


def _list_landmarks_of_joints() -> tuple[tuple[int, ...], ...]:
    shoulders, hips = (11, 12), (23, 24)
    shown = {
        "pelvis": hips,
        "spine1": (*hips, *shoulders),
        "spine2": (*hips, *shoulders),
        "spine3": shoulders,
        "neck": (NOSE, *shoulders),
        "head": (NOSE, *EARS),
    }
    for side, name in enumerate(("left", "right")):
        limbs = {"shoulder": 11, "elbow": 13, "wrist": 15, "hip": 23, "knee": 25, "ankle": 27, "collar": 11}
        shown |= {f"{name}_{joint}": (landmark + side,) for joint, landmark in limbs.items()}
        shown |= {f"{name}_hand": (INDICES[side], PINKIES[side]), f"{name}_foot": (TOES[side],)}
    return tuple(shown[name] for name in JOINT)


LANDMARKS_OF_JOINTS = _list_landmarks_of_joints()


def _make_nobody(frames: int, camera: Camera, fps: float) -> Motion:
    """A motion whose person is never visible."""
    unseen = torch.zeros(frames, dtype=torch.bool)
    person = Person(
        betas=torch.zeros(10),
        global_orient=torch.zeros(frames, 3),
        body_pose=torch.zeros(frames, 69),
        transl=torch.tensor([0.0, 0.0, -3.0]).repeat(frames, 1),
        visible=unseen,
        confidence=torch.zeros(frames),
        joint_confidence=torch.zeros(frames, 24),
    )
    return Motion((person,), float(fps), camera)


def _weigh_landmarks(landmarks: Landmarks) -> Landmarks:
    """In double precision, zero where nobody was found, with confidence as weight.

    What BlazePose is not sure of it puts where it sees something, so doubtful landmarks count for little.
    """
    found = landmarks.found[:, None]
    return Landmarks(
        torch.where(found[..., None], landmarks.pixels.double(), 0.0),
        torch.where(found[..., None], landmarks.world.double(), 0.0),
        torch.where(found, landmarks.confidence.double() ** CONFIDENCE_POWER, 0.0),
        landmarks.score.double(),
    )
