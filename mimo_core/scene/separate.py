"""A shot taken apart: the person, what passes in front of them, and the scene as if they had never been there.

The passes, in order. Each takes values and gives values, and its file says what it decides:

1. `first_guess`: the working size, where the person may be in each frame, the camera's path (`camera_motion`), and
   what moves with them that the guess left out (`carried_things`, `carried_colors`), and whether it is whole
   (`carried_shapes`).
2. `coarse_background`: for each `canvas`, what holds still, also behind the first guess.
3. `appearance`: what person, scene and moving objects look like (`color_histograms`), taught by the first guess.
4. `labels`: person, moving object or scene for every pixel (`moving_objects`); what stands in front
   (`fixed_occluders`). Two rounds with 5.
5. `track_objects`: where rigid objects are in every frame (`object_tracks`, `sprites`).
6. `frame_masks`: which pieces are the person's and which pass in front.
7. `background`: what lies behind at the clip's own size (`frame_light`, `pixel_samples`, `cast_shadows`,
   `continue_texture`, `grain`).
8. `refine_edges`: the masks on the edges of the full picture, soft at blurred rims (`soften_occluder`);
   `letters` that were drawn over it go in front.
9. `fill_plate`: the hole of each frame filled with the background, in the light and grain of the frame.

Passes 2 to 9 run once a canvas: a stretch of frames that one still picture plane holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..ahead import leave_if_unwanted, map_ahead
from ..body.person import Person
from ..errors import InputError
from ..geometry.box import Box
from ..heap import give_back_memory
from ..media.clip import Clip, Masks, join_masks
from ..media.letterbox import crop_layer, find_picture
from ..motion.motion import Motion
from ..motion.seen import IN_FRONT
from ..progress import Progress, Ticker, scale_progress, silent
from .appearance import learn_appearance
from .background import FAINT_ALPHA, HOLE_REACH, Background, collect_background
from .brief_pieces import find_lasting_masks
from .camera_motion import check_camera
from .canvas import BackgroundCanvas, make_canvas, plan_canvases
from .carried_shapes import find_carried_shapes
from .coarse_background import estimate_coarse_background
from .depth import find_nearer
from .depth_order import find_ranks
from .fill_plate import FilledPatch, fill_hole
from .filters import GuidedFilter, dilate_mask
from .find_remains import REMAINS_REACH
from .first_guess import WorkingClip, make_first_guess
from .frame_masks import FrameMasks, FrameMaskStore, assign_owners, should_remove_held
from .frame_views import FrameViews
from .held_things import check_held_things
from .labels import label_frames
from .letters import Letters
from .overrides import Overrides, fit_overrides
from .refine_edges import guide_edges, refine_mask, refine_occluder, smooth_along_edges
from .scene import Scene, ScenePeople
from .separated_clip import FinishedFrame, SeparatedClip
from .sprites import ObjectMasks
from .track_objects import track_objects


TICKS = 8  # over the frames: cuts, first guess, coarse background, appearance, two rounds of labels, background, plate
PEOPLE_TICKS = 1  # more of a shot of several: who is in front
LABEL_ROUNDS = 2  # the second one knows what the first one labelled


def separate_scene(
    clip: Clip,
    *,
    motion: Motion | None = None,
    coarse: Masks | None = None,
    person: Masks | None = None,
    occluder: Masks | None = None,
    depth: Clip | None = None,
    plate: Clip | None = None,
    camera: str = "auto",
    edge: int = 2,
    held_things: str = "keep",
    progress: Progress = silent,
) -> Scene:
    """Take a clip apart into plate, person and occluder.

    `motion` is the person's, and `coarse` a first guess of their mask (as `Estimate.masks`); what is missing is
    estimated. All people of a motion are taken out, and the scene tells who stands before whom (`Scene.people`).
    `person`, `occluder`, `depth` (near is bright) and `plate` win over what would be found: one frame or one
    per frame, of the clip's shape. `camera` is auto, none, pan or homography; `edge` the softness of masks in pixels.

    The motion's `others` say where somebody else is: they stay whole, in front of the person or in the plate. A
    `person` that is given wins over them, too.

    What the person holds or carries has one fate, by `held_things`: keep leaves it in front, remove takes it away with
    them. What is not seen whole for most of the clip is removed in either case, and the report says so.

    The plate equals the clip outside the person dilated by 2 % of the body's height, but for their shadow on the ground
    (`cast_shadows`) and blurred rims (`find_remains`). Memory does not grow with the clip. Raises InputError for layers
    of another length or shape, and for a camera that does not exist. Black bars around the picture of a film stay as
    they are and count as what is in front of everybody.
    """
    check_camera(camera)
    check_held_things(held_things)
    check_motion_length(motion, clip)
    overrides = fit_overrides(clip, person=person, occluder=occluder, depth=depth, plate=plate)
    seeks_letters = overrides.occluder is None and overrides.depth is None and overrides.person is None
    is_of_several = motion is not None and len(motion.people) > 1
    tick = Ticker(progress, (TICKS + seeks_letters + PEOPLE_TICKS * is_of_several) * len(clip))
    picture = find_picture(clip, tick.ask)
    result = SeparatedClip(clip, picture or Box(0, 0, clip.width, clip.height), overrides)
    others = _read_others(motion)
    if picture is not None:
        motion = crop_motion(motion, clip, picture)
        coarse, others = (crop_guess(masks, clip, picture) for masks in (coarse, others))
        clip, overrides = crop_layer(clip, picture), overrides.crop(picture)
    if coarse is None and overrides.person is None:
        if motion is None:
            motion, coarse = _estimate_anybody(clip, progress)
            others = _read_others(motion)
        else:
            coarse = _find_guess(clip, motion, progress)
    working = make_first_guess(
        clip,
        motion,
        overrides.person or coarse,
        mask_source="estimator" if overrides.person is None else "user",
        camera=camera,
        tick=tick,
        ranks=find_ranks(motion, clip, tick=tick) if is_of_several else None,
        others=others,
    )
    if working.carried is not None and held_things == "keep" and overrides.occluder is None:
        result.carried = find_carried_shapes(working, tick.ask)
        if result.carried.is_whole:
            working = replace(working, kept=result.carried)
    letters = Letters(working, tick) if seeks_letters else None
    for canvas in plan_canvases(working.path.scaled(1 / working.scale), working.full_boxes()):
        masks, removes_held = find_masks(working, canvas, overrides.plate, tick, held_things)
        result.lost_held |= removes_held and held_things == "keep" and overrides.occluder is None
        background = None
        give_back_memory()
        if overrides.plate is None:
            background = collect_background(working, canvas, masks, tick, letters)
        result.is_diffuse |= background is not None and background.is_diffuse
        for source, finished in _finish_frames(working, canvas, masks, background, overrides, edge, letters, tick.ask):
            result.add(finished)
            tick(source)
    scene = result.scene(working)
    if not is_of_several:
        return scene
    return replace(scene, people=ScenePeople(working.ranks, result.pad(_find_owners(working))))


def crop_motion(motion: Motion | None, clip: Clip, picture: Box) -> Motion | None:
    """A motion in front of the camera of a part of the clip's frames."""
    if motion is None:
        return None
    camera = motion.camera.resize(clip.width, clip.height)
    return replace(
        motion, camera=camera.crop(picture.left, picture.top, picture.width, picture.height), seen=None, others=None
    )


def crop_guess(masks: Masks | None, clip: Clip, picture: Box) -> Masks | None:
    """The part of masks of the clip, at any size, that belongs to a part of its frames."""
    if masks is None:
        return None
    step = masks.width / clip.width, masks.height / clip.height
    return crop_layer(masks, picture.scaled(*step, masks.height, masks.width))


def check_motion_length(motion: Motion | None, clip: Clip) -> None:
    """Raise InputError for a motion that has not as many frames as the clip."""
    if motion is not None and motion.frames != len(clip):
        raise InputError(
            f"The motion has {motion.frames} frames but the clip has {len(clip)}. "
            "Estimate it on the same clip at the same frame rate."
        )


def _read_others(motion: Motion | None) -> Masks | None:
    return None if motion is None or motion.others is None else motion.others.orders()


def _estimate_anybody(clip: Clip, progress: Progress) -> tuple[Motion, Masks]:
    from ..pose.estimate import estimate_motion

    found = estimate_motion(clip, with_others=True, progress=progress)
    return found.motion, found.masks


def _find_guess(clip: Clip, motion: Motion, progress: Progress) -> Masks:
    """BlazePose's mask of the people who do a motion."""
    from ..pose.estimate import draw_guided

    masks = []
    for number, person in enumerate(motion.people):
        boxes = _project_boxes(motion, person, clip.width, clip.height)
        share = scale_progress(progress, number, len(motion.people))
        drawn = draw_guided(clip, boxes, None, [], None, None, _count_frames(share, len(clip)))
        masks.append(Masks.from_frames(drawn))
    return join_masks(masks)


def _count_frames(progress: Progress, total: int) -> Callable[[int], None]:
    return lambda frame: progress(frame + 1, total)


def _project_boxes(motion: Motion, person: Person, width: int, height: int) -> list:
    """Boxes (x0, y0, x1, y1) around a person's projected joints, NaN where they are not visible."""
    from ..body.model import free_body

    camera, boxes = motion.camera.resize(width, height), []
    for start in range(0, motion.frames, 64):
        frames = slice(start, min(start + 64, motion.frames))
        joints = camera.project(free_body().pose(person, frames).joints, frames).numpy()
        low, high = joints.min(1), joints.max(1)
        margin = 0.1 * (high - low).max(1, keepdims=True)
        found = np.concatenate([low - margin, high + margin], 1)
        boxes.extend(np.where(person.visible[frames, None].numpy(), found, np.nan))
    return boxes


def _find_owners(working: WorkingClip) -> Masks:
    """Whose body each pixel shows, or is nearest to it, as `ScenePeople.owner`; kept at working size."""
    import cv2

    width, height = working.clip.width, working.clip.height
    everywhere = Masks.constant(0, len(working.clip), height, width)
    owners = working.owners
    return everywhere.derive(lambda at: cv2.resize(owners[at], (width, height), interpolation=cv2.INTER_NEAREST))


def find_masks(
    working: WorkingClip, canvas: BackgroundCanvas, plate: Clip | None, tick: Ticker, held_things: str = "keep"
) -> tuple[FrameMaskStore, bool]:
    """Passes 2 to 6: the masks of the frames of `canvas` at working size, and whether what is held is removed.

    A user's `plate` is taken as it is.
    """
    small = make_canvas(working.path, working.boxes, canvas.start, canvas.stop, canvas.first, canvas.last)
    background = estimate_coarse_background(working, small, tick)
    fixed = np.zeros(background.known.shape, np.float32)
    model = learn_appearance(FrameViews(working, small, background, plate).make(fixed), tick, working.people)
    if plate is None:
        found = model.find_person_in_background(background, working.body_height)
        background = background.remove(found, tick.ask)
    views, objects = FrameViews(working, small, background, plate), ObjectMasks(working.size)
    for _ in range(LABEL_ROUNDS):
        found = None  # lets go of the labels of the round before and of their file
        give_back_memory()
        found = label_frames(views, model, fixed, objects, tick)
        model, fixed = found.model, found.fixed
        objects = track_objects(working, small, found.labels)
    removes_held = should_remove_held(working, small, found, objects, held_things)
    owners = assign_owners(working, small, found, objects, removes_held=removes_held)
    return FrameMaskStore(canvas.start, owners), removes_held


def _finish_frames(
    working: WorkingClip,
    canvas: BackgroundCanvas,
    masks: FrameMaskStore,
    background: Background | None,
    overrides: Overrides,
    edge: int,
    letters: Letters | None,
    ask: Callable[[], None],
) -> Iterator[tuple[np.ndarray, FinishedFrame]]:
    """Each frame of a canvas, and the same taken apart."""

    def finish(at: tuple[int, np.ndarray]) -> tuple[np.ndarray, FinishedFrame]:
        found = find_lasting_masks(masks, at[0], working.body_height)
        return at[1], _finish_frame(*at, working, found, background, overrides, edge, letters)

    frames = enumerate(working.clip.read(canvas.start, canvas.stop), canvas.start)
    # Layers of a user may be files, each of which one thread reads.
    return map_ahead(finish, frames, workers=2 if overrides.is_empty else 1, ask=ask)


def _finish_frame(
    frame: int,
    source: np.ndarray,
    working: WorkingClip,
    masks: FrameMasks | None,
    background: Background | None,
    overrides: Overrides,
    edge: int,
    letters: Letters | None,
) -> FinishedFrame:
    """Passes 8 and 9 on one frame: its masks at full size, and its plate."""
    import cv2

    if masks is None:
        return FinishedFrame(frame)
    step = working.clip.width / working.size[0], working.clip.height / working.size[1]
    box = masks.box.scaled(*step, working.clip.height, working.clip.width)
    here = box.cut(source)
    guide = guide_edges(here, working.scale)
    if overrides.person is None:
        person = refine_mask(masks.person, here, guide, edge=edge)
    else:
        person = box.cut(overrides.person[frame])
    leave_if_unwanted()
    occluder = _find_occluder(frame, here, guide, working, masks, person, overrides, box, edge)
    leave_if_unwanted()
    if letters is not None:
        drawn = box.cut(letters.read(frame, source))
        person, occluder = np.minimum(person, 255 - drawn), np.maximum(occluder, drawn)
    reach = HOLE_REACH * working.full_body_height
    hole = np.zeros(source.shape[:2], bool)
    box.cut(hole)[:] = dilate_mask(person > FAINT_ALPHA, reach)
    if working.others is not None:
        whole = cv2.resize(working.others[frame], hole.shape[::-1], interpolation=cv2.INTER_NEAREST)
        hole &= (whole == 0) | (whole == IN_FRONT)
    if not hole.any():
        return FinishedFrame(frame, box, occluder)
    if background is not None:
        front = np.zeros(source.shape[:2], np.uint8)
        box.cut(front)[:] = occluder
        remains = REMAINS_REACH * working.full_body_height
        patch = fill_hole(source, hole, background, frame, front=front, feather=0.4 * reach, remains=remains)
    else:
        plate = np.where(box.cut(hole)[..., None], box.cut(overrides.plate[frame]), here)
        patch = FilledPatch(box, plate, 1, 0)
    return FinishedFrame(frame, box, occluder, person, patch, reach)


def _find_occluder(
    frame: int,
    here: np.ndarray,
    guide: GuidedFilter | None,
    working: WorkingClip,
    masks: FrameMasks,
    person: np.ndarray,
    overrides: Overrides,
    box: Box,
    edge: int,
) -> np.ndarray:
    """The alpha (h, w) uint8 of what is in front, within `box`: the user's, from their depth, or what was found."""
    if overrides.occluder is not None:
        return box.cut(overrides.occluder[frame])
    if overrides.depth is not None:
        nearer = find_nearer(box.cut(overrides.depth[frame]), person, working.full_body_height)
        return smooth_along_edges(nearer, here)
    return refine_occluder(masks, here, guide, person, edge=edge, body_height=working.full_body_height)
