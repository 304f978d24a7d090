"""The node that takes a shot apart."""

from __future__ import annotations

import comfy.model_management
import folder_paths
from comfy_api.latest import io

from ..mimo_core.scene.back_end_choices import CLASSICAL, DEPTH_CHOICES, MASK_CHOICES
from ..mimo_core.scene.camera_motion import CAMERA_KINDS
from ..mimo_core.scene.held_things import HELD_THINGS
from .batches import FrameBatch
from .media import make_progress, show_clip, show_notes, to_clip, to_masks
from .motion import find_seen_masks, to_person_masks
from .sockets import (
    MimoMotion,
    MimoScene,
    check_choice,
    clip_socket,
    fps_socket,
    make_schema,
    mark_advanced,
    mask_socket,
)
from .tracks import merge_tracked_objects


class MimoSeparateScene(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_SeparateScene",
            display_name="Scene Separator (MIMO)",
            category="MIMO/scene",
            essentials_category="Video Tools",
            search_aliases=["clean plate", "remove person", "rotoscope", "rotoscoping", "person mask", "occluder"],
            description="Takes a shot apart: the person, what passes in front of them, and the scene without them.",
            inputs=[
                clip_socket("clip", "The shot. VIDEO is read frame by frame and needs little memory."),
                MimoMotion.Input(
                    "motion",
                    optional=True,
                    tooltip="From SMPL Pose Estimator on the same clip. Without it the pose is estimated again.",
                ),
                mask_socket(
                    "person",
                    "White where the person can be seen: one mask per frame or one for all, or a SAM 3 track of the "
                    "person alone. It is taken as is.",
                ),
                mask_socket(
                    "occluder",
                    "White where something passes in front of the person: masks, or a SAM 3 track, of which all "
                    "objects count. It is taken as it is.",
                ),
                io.Image.Input(
                    "depth",
                    optional=True,
                    tooltip="Depth of the clip from any estimator, near is bright. Helps to find what is in front.",
                ),
                io.Image.Input(
                    "plate",
                    optional=True,
                    tooltip="The scene without the person, one picture or one per frame. Nothing is painted then.",
                ),
                io.Combo.Input(
                    "camera",
                    options=list(CAMERA_KINDS),
                    default="auto",
                    tooltip="How the camera moves. auto finds out; none is fastest and right for a tripod.",
                ),
                io.Int.Input(
                    "edge",
                    default=2,
                    min=0,
                    max=64,
                    tooltip="Softness of the edges of what passes in front, in pixels.",
                ),
                fps_socket(),
                io.Combo.Input(
                    "held_things",
                    options=list(HELD_THINGS),
                    default="keep",
                    optional=True,
                    tooltip="What happens to what the person holds, wears or carries: it stays whole in front of the "
                    "character, or goes away with the person.",
                ),
                mark_advanced(
                    io.Combo.Input(
                        "masks",
                        options=list(MASK_CHOICES),
                        default="auto",
                        optional=True,
                        tooltip="Who finds the person's outline: the separator itself (classical), or EdgeTAM or SAM 2 "
                        "in models/mimo, which the motion shows whom to follow. auto takes one whose files are there.",
                    )
                ),
                mark_advanced(
                    io.Combo.Input(
                        "depth_from",
                        options=list(DEPTH_CHOICES),
                        default="auto",
                        optional=True,
                        tooltip="Who decides what is in front: the separator itself (classical), or Depth Anything in "
                        "models/mimo. auto takes it if its files are there.",
                    )
                ),
            ],
            outputs=[
                MimoScene.Output(display_name="scene", tooltip="To Proxy Decoder and Compositor."),
                io.Image.Output(
                    display_name="plate",
                    tooltip="The scene without the person. 12 bytes a pixel and frame in memory.",
                ),
                io.Mask.Output(display_name="person", tooltip="Where the person can be seen."),
                io.Mask.Output(display_name="occluder", tooltip="What passes in front of the person."),
                io.String.Output(
                    display_name="report", tooltip="What was seen, filled and doubted. Show it with Preview Any."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip,
        camera,
        edge,
        fps,
        motion=None,
        person=None,
        occluder=None,
        depth=None,
        plate=None,
        held_things=HELD_THINGS[0],
        masks=MASK_CHOICES[0],
        depth_from=DEPTH_CHOICES[0],
    ) -> io.NodeOutput:
        from ..mimo_core.scene.back_ends import find_back_ends, separate_with

        check_choice("camera", camera, CAMERA_KINDS)
        check_choice("held_things", held_things, HELD_THINGS)
        check_choice("masks", masks, MASK_CHOICES)
        check_choice("depth_from", depth_from, DEPTH_CHOICES)
        folders, device = folder_paths.get_folder_paths("mimo"), str(comfy.model_management.get_torch_device())
        back_ends = find_back_ends(  # what is given wins: then nothing is loaded
            masks if person is None else CLASSICAL,
            depth_from if depth is None and occluder is None else CLASSICAL,
            folders,
            device=device,
        )
        progress = make_progress()
        clip = to_clip(clip, fps=fps, progress=progress)
        scene = separate_with(
            back_ends,
            clip,
            motion=motion,
            coarse=find_seen_masks(motion, clip),
            person=to_person_masks(person, len(clip)),
            occluder=merge_tracked_objects(occluder) if isinstance(occluder, dict) else to_masks(occluder, len(clip)),
            depth=None if depth is None else to_clip(depth, progress=progress),
            plate=None if plate is None else to_clip(plate, progress=progress),
            camera=camera,
            edge=edge,
            held_things=held_things,
            progress=progress,
        )
        layers = [FrameBatch(layer) for layer in (scene.plate, scene.person, scene.occluder)]
        said = show_notes((*clip.notes, *scene.report.notes))
        return io.NodeOutput(scene, *layers, scene.report.text(), ui=show_clip(layers[0], cls, scene.fps) | said)
