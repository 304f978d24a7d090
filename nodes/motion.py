"""Nodes that take motion out of a clip, and keep it in files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import comfy.model_management
import folder_paths
from comfy_api.latest import Types, io

from ..mimo_core.errors import InputError
from ..mimo_core.example import example_shots
from ..mimo_core.media.clip import Clip, Masks
from ..mimo_core.motion.bones import parse_names
from ..mimo_core.motion.builtin import builtin_motion, builtin_names
from ..mimo_core.motion.files import READ_SUFFIXES, WRITTEN_SUFFIXES, load_motion, save_motion
from ..mimo_core.motion.heads import has_motion_head
from ..mimo_core.motion.motion import Motion
from ..mimo_core.motion.seen import SeenMasks
from ..mimo_core.motion.upright import UP_CHOICES, posture_notes
from ..mimo_core.pose.estimators import ESTIMATORS, find_estimator
from .batches import FrameBatch
from .boxes import parse_boxes, parse_people_boxes
from .listing import list_folder
from .media import make_progress, show_clip, show_files, show_notes, to_clip, to_masks
from .sockets import MimoMotion, check_choice, clip_socket, fps_socket, make_schema, mark_advanced, mask_socket
from .tracks import select_tracked_person, split_tracked_people
from .views import show_motion


COMPUTED = " [built in]"
EVERYBODY = -1  # as a number of a person


class MimoEstimatePose(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_EstimatePose",
            display_name="SMPL Pose Estimator (MIMO)",
            category="MIMO/motion",
            essentials_category="Video Tools",
            search_aliases=["motion capture", "mocap", "pose to smpl", "smpl", "pose estimation", "human pose"],
            description="Finds a person in a clip and fits a moving 3D body (SMPL) to them.",
            inputs=[
                clip_socket("clip", "The shot with the person. VIDEO is read frame by frame and needs little memory."),
                mask_socket(
                    "person_mask",
                    "White where the person is, one mask per frame or one for all. Connect it when somebody else is "
                    "picked up. Of a SAM 3 track, the number in person says which object.",
                ),
                io.MultiType.Input(
                    "boxes",
                    [io.Custom("BBOX"), io.Custom("BOUNDING_BOX")],
                    optional=True,
                    tooltip="A box around the person, one per frame or one for all, from a detector node. Of several "
                    "in a frame, person says which.",
                ),
                io.MultiType.Input(
                    "poses",
                    [io.Custom("MHR_POSE_DATA"), io.Custom("NLFPRED"), io.Custom("POSE_KEYPOINT")],
                    optional=True,
                    tooltip="Poses that SAM 3D Body, NLF or an OpenPose node found in this clip, in place of the "
                    "estimator. Of several people, person says which.",
                ),
                io.Combo.Input(
                    "estimator",
                    options=list(ESTIMATORS),
                    default="auto",
                    tooltip="blazepose ships with the pack, and auto takes it. blazepose both is the mean of it and "
                    "pose_landmark_heavy.tflite in models/mimo: better joints, a third slower. vitpose takes the "
                    "joints from the transformer in models/mimo/vitpose; you fetch its files.",
                ),
                io.Int.Input(
                    "person",
                    default=0,
                    min=EVERYBODY,
                    max=15,
                    tooltip="Which person: 0 is who is seen longest and largest. -1 is everybody: the motion then has "
                    "several people, and Choose People gives each of them.",
                ),
                io.Float.Input(
                    "smoothing",
                    default=1.0,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    tooltip="How much shaking is taken out. Lower it for fast dance, raise it for noisy clips.",
                ),
                fps_socket(),
                mark_advanced(
                    io.Float.Input(
                        "focal",
                        default=0.0,
                        min=0.0,
                        max=100000.0,
                        step=1.0,
                        tooltip="Focal length in pixels, if you know it. 0 assumes a normal lens, "
                        "about 45 degrees across.",
                    )
                ),
                io.String.Input(
                    "at",
                    default="",
                    optional=True,
                    tooltip="A point on the person in one frame instead, as FRAME,X,Y in pixels. A click on somebody "
                    "in the viewer, seen through the camera, writes it. Empty: person counts.",
                ),
            ],
            outputs=[
                MimoMotion.Output(
                    display_name="motion",
                    tooltip="To Proxy Decoder, Render Body Code, Scene Separator or Save Motion.",
                ),
                io.Image.Output(
                    display_name="overlay",
                    tooltip="The body drawn over the clip, to check the fit. 12 bytes a pixel and frame in memory.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, clip, estimator, person, smoothing, fps, focal, at="", person_mask=None, boxes=None, poses=None
    ) -> io.NodeOutput:
        from ..mimo_core.pose.estimate import draw_overlay
        from ..mimo_core.pose.other_packs import read_people, read_poses

        check_choice("estimator", estimator, ESTIMATORS)
        progress = make_progress()
        clip = to_clip(clip, fps=fps, progress=progress)
        networks = find_estimator(
            estimator, folder_paths.get_folder_paths("mimo"), device=str(comfy.model_management.get_torch_device())
        )
        settings = {"smoothing": smoothing, "focal": focal, "progress": progress}
        people, notes, point = (), {}, parse_point(at) if poses is None else None
        if point is not None:
            person = max(person, 0)  # a point on somebody wins over everybody
        shown_as = {"frames": len(clip), "size": (clip.width, clip.height), "fps": float(clip.fps)}
        if poses is None and person == EVERYBODY:
            motion, notes, people = _estimate_everybody(clip, boxes, person_mask, networks=networks, **settings)
        elif poses is None:
            motion, notes, people = _estimate_motion(
                clip, boxes, person_mask, person=person, at=point, networks=networks, **settings
            )
        elif person == EVERYBODY:
            motion = read_people(poses, **shown_as, **settings)
        else:
            motion = read_poses(poses, person=person, **shown_as, **settings)
        images = FrameBatch(clip.derive(lambda index: draw_overlay(clip[index], motion, index)))
        shown = show_motion(motion, clip=clip, people=people, progress=progress)
        said = show_notes((*clip.notes, *notes.get("warnings", ())), notes.get("details", ()))
        return io.NodeOutput(motion, images, ui=show_clip(images, cls, clip.fps) | shown | said)


def parse_point(text: str) -> tuple[int, float, float] | None:
    """The frame and pixel of "FRAME,X,Y", None of an empty text. Raises InputError for anything else."""
    if not text.strip():
        return None
    try:
        frame, x, y = text.split(",")
        return int(frame), float(x), float(y)
    except ValueError:
        raise InputError(f"at wants FRAME,X,Y such as 12,320,180, got {text!r}. Empty it to count by person.") from None


def _estimate_motion(clip: Clip, boxes, person_mask, *, person: int, **settings) -> tuple[Motion, dict, tuple]:
    """The motion that the estimator finds, the `warnings` and `details` that it has to say, and everybody's tracks."""
    from ..mimo_core.replace import find_person

    found = find_person(
        clip,
        person=person,
        boxes=parse_boxes(boxes, len(clip), person),
        person_mask=to_person_masks(person_mask, len(clip), person),
        with_others=True,
        **settings,
    )
    seen = SeenMasks.from_masks(found.masks, settings["progress"])
    warnings = [note for note in found.notes if note not in found.assumptions]
    return replace(found.motion, seen=seen), {"warnings": warnings, "details": found.assumptions}, found.people


def _estimate_everybody(clip: Clip, boxes, person_mask, **settings) -> tuple[Motion, dict, tuple]:
    """The same for everybody: whom the estimator finds, or all boxes or objects of a track."""
    from ..mimo_core.replace import find_everybody

    if isinstance(person_mask, dict):
        masks = split_tracked_people(person_mask)
    else:
        mask = to_masks(person_mask, len(clip))
        masks = None if mask is None else [mask]
    found = find_everybody(
        clip, boxes=parse_people_boxes(boxes, len(clip)), person_masks=masks, with_others=True, **settings
    )
    seen = SeenMasks.join([SeenMasks.from_masks(each, settings["progress"]) for each in found.masks_each])
    warnings = [note for note in found.notes if note not in found.assumptions]
    return replace(found.motion, seen=seen), {"warnings": warnings, "details": found.assumptions}, found.people


def to_person_masks(value, frames: int, person: int | None = None) -> Masks | None:
    """A MASK, or the person among the objects of a SAM 3 track."""
    return select_tracked_person(value, person) if isinstance(value, dict) else to_masks(value, frames)


def find_seen_masks(motion: Motion | None, clip: Clip) -> Masks | None:
    """The people as the estimator saw them, where the motion carries masks of all in this clip's length and size."""
    seen = None if motion is None else motion.seen
    if (
        seen is None
        or seen.people != len(motion.people)
        or (len(seen), seen.width, seen.height) != (len(clip), clip.width, clip.height)
    ):
        return None
    return seen.masks()


class MimoLoadMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_LoadMotion",
            display_name="Load Motion (MIMO)",
            category="MIMO/motion",
            search_aliases=["bvh", "amass", "mixamo", "load animation", "motion capture"],
            description="Reads a motion from a file: ours, AMASS, BVH, GLB, VRMA, or a result of GVHMR, GEM-X, Kimodo, "
            "WHAM or 4D-Humans.",
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list(list_motions()),
                    tooltip="What ships, motions in the input folder, and those that Save Motion wrote to output. "
                    "Drop a .npz, .safetensors, .bvh, .glb, .gltf, .vrma, .pt, .pkl or .joblib file on the node to "
                    "add it.",
                ),
                io.String.Input(
                    "names",
                    optional=True,
                    multiline=True,
                    default="",
                    tooltip="For a skeleton that is not known by name: JSON from our joints to the names of the file, "
                    'such as {"left_hip": "Thigh_L"}.',
                ),
                mark_advanced(
                    io.Combo.Input(
                        "up",
                        options=list(UP_CHOICES),
                        default="auto",
                        optional=True,
                        tooltip="Which axis of a BVH, glTF or AMASS file points up. auto finds it from head, hips and "
                        "feet.",
                    )
                ),
                mark_advanced(
                    io.String.Input(
                        "animation",
                        default="",
                        optional=True,
                        tooltip="Which of the animations in a glTF file, by its name. Empty takes the longest.",
                    )
                ),
            ],
            outputs=[MimoMotion.Output(display_name="motion", tooltip="To Proxy Decoder or Render Body Code.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, file, **options):
        found = find_motion(file)
        if not isinstance(found, Path):
            return found
        status = os.stat(found)
        return f"{status.st_mtime_ns} {status.st_size}"

    @classmethod
    def execute(cls, file, names="", up="auto", animation="") -> io.NodeOutput:
        check_choice("up", up, UP_CHOICES)
        found = find_motion(file)
        given = parse_names(names)
        if isinstance(found, Path):
            motion = load_motion(found, up=up, names=given, animation=animation)
        else:
            motion = builtin_motion(found)
        return io.NodeOutput(motion, ui=show_motion(motion, progress=make_progress()) | show_notes(motion.notes))


class MimoSaveMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_SaveMotion",
            display_name="Save Motion (MIMO)",
            category="MIMO/motion",
            search_aliases=["export bvh", "export glb", "save animation"],
            description="Writes a motion into ComfyUI's output folder. Files that exist are never replaced.",
            inputs=[
                MimoMotion.Input("motion", tooltip="From SMPL Pose Estimator, Example Shot or Load Motion."),
                io.String.Input(
                    "prefix",
                    default="motion/mimo",
                    tooltip="Folder and beginning of the name inside the output folder; a number is added.",
                ),
                io.Combo.Input(
                    "format",
                    options=[suffix.lstrip(".") for suffix in WRITTEN_SUFFIXES],
                    default="npz",
                    tooltip="npz opens in NumPy, safetensors in most AI tools; both hold the whole motion. "
                    "bvh and glb are for Blender and other 3D programs; glb has the skinned body too.",
                ),
            ],
            outputs=[
                io.Custom("FILE_3D_GLB").Output(
                    display_name="model_3d",
                    tooltip="The glb file, for Preview 3D of newer ComfyUI. Other formats give none.",
                )
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, motion, prefix, format) -> io.NodeOutput:
        check_choice("format", f".{format}", WRITTEN_SUFFIXES)
        folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
        path = Path(folder, f"{name}_{counter:05}_.{format}")
        save_motion(path, motion)
        # Blocked, so that a preview that is connected says why it has nothing, and a node without one runs as before.
        blocked = (
            None if format == "glb" else f"Save Motion wrote {format}, which has no 3D preview. Set format to glb."
        )
        shown = show_files([path]) | show_notes(posture_notes(motion))
        return io.NodeOutput(_to_file_3d(path), ui=shown, block_execution=blocked)


def _to_file_3d(path: Path):
    """A file as the core's 3D nodes pass it on; cores without such nodes get its path."""
    kind = getattr(Types, "File3D", None)
    return str(path) if kind is None else kind(str(path))


def list_motions() -> dict[str, Path | str]:
    """What Load Motion offers: what ships and the names of motions that are computed, input folder, output folder."""
    loaded = _list_motion_files(folder_paths.get_input_directory(), "")
    saved = _list_motion_files(folder_paths.get_output_directory(), " [output]")
    shipped = {f"{example.name} [example]": example.motion_file for example in example_shots()}
    return shipped | {f"{name}{COMPUTED}": name for name in builtin_names()} | loaded | saved


def _list_motion_files(folder: str, mark: str) -> dict[str, Path]:
    """Motion files at most one folder deep, by their path relative to `folder` with slashes and a mark behind it.

    Other programs keep models in .safetensors and scenes in .glb: those are left out.
    """
    found = [path for path in list_folder(folder, 2) if path.suffix.lower() in READ_SUFFIXES and has_motion_head(path)]
    return {path.relative_to(folder).as_posix() + mark: path for path in found}


def find_motion(name: str) -> Path | str:
    """Where a listed motion lies, or the name of a built-in one. Only what is listed is taken, so that no name leaves
    the folders."""
    files = list_motions()
    if name not in files:
        raise InputError(f"There is no motion {name} in the input or output folder. Choose another file.")
    return files[name]
