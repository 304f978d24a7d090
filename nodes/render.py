"""Nodes that draw a motion: as body code and other conditioning pictures, or as the character itself."""

from __future__ import annotations

import numpy as np
from comfy_api.latest import io

from ..mimo_core.body.colors import LearnedColors
from ..mimo_core.denoise.segments import BLACK, cut_network_frames
from ..mimo_core.errors import InputError
from ..mimo_core.media.clip import Clip
from ..mimo_core.render.styles import STYLES, render_motion
from .batches import keep_batches
from .media import make_progress, show_clip, show_notes
from .models import find_learned_body, find_official_body
from .people import list_left_out
from .sockets import MimoIdentity, MimoMotion, MimoPlan, MimoScene, check_choice, make_schema


CODE_COLORS = {
    "auto": lambda: (None, None),
    "official": find_official_body,
    "official (learned)": find_learned_body,
}
BACK_SIDES = ("mirror", "diffuse")
HINT_SIZE = 512  # pixels; ControlNet scales its pictures to the sampler's anyway


class MimoRenderMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_RenderMotion",
            display_name="Render Body Code (MIMO)",
            category="MIMO/motion",
            search_aliases=["openpose", "control video", "pose video", "body code", "dwpose"],
            description="Draws a motion frame by frame, for the MIMO denoiser, a ControlNet, or your eyes.",
            inputs=[
                MimoMotion.Input("motion", tooltip="From SMPL Pose Estimator, Example Shot or Load Motion."),
                MimoScene.Input(
                    "scene",
                    optional=True,
                    tooltip="Gives the pictures its size. Without it they have the size of the motion's camera.",
                ),
                MimoPlan.Input(
                    "plan",
                    optional=True,
                    tooltip="From MIMO Conditioning. The pictures are then the squares that the sampler draws, as "
                    "Apply ControlNet needs them. Give the scene, too.",
                ),
                io.Combo.Input(
                    "style",
                    options=list(STYLES),
                    default="body code",
                    tooltip="body code is what MIMO was trained on; openpose, depth and normal suit ControlNets of "
                    "those names; mask is the body in white; scail is for SCAIL.",
                ),
                io.Combo.Input(
                    "colors",
                    options=list(CODE_COLORS),
                    default="auto",
                    tooltip="Colors of the body code. auto takes the map that ships with the pack; official needs "
                    "sdc_info.npy and an SMPL file, or else takes what Learn Body Colors found, as official (learned) "
                    "always does.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="One picture per frame, on black. 12 bytes a pixel."),
                io.Mask.Output(display_name="mask", tooltip="White where the body is."),
                io.Custom("POSE_KEYPOINT").Output(
                    display_name="keypoints",
                    tooltip="18 points a frame as OpenPose nodes know them, in pixels of the whole picture.",
                ),
            ],
        )

    @classmethod
    def execute(cls, motion, style, colors, scene=None, plan=None) -> io.NodeOutput:
        from ..mimo_core.pose.other_packs import project_openpose

        check_choice("style", style, STYLES)
        check_choice("colors", colors, CODE_COLORS)
        size = None if scene is None else (scene.width, scene.height)
        body, table = CODE_COLORS[colors]() if style == "body code" else (None, None)
        drawn = render_motion(motion, body=body, style=style, size=size, colors=table, progress=make_progress())
        if plan is not None:
            drawn = _cut_squares(drawn, plan, motion, size or motion.camera.size)
        images, mask = keep_batches(drawn)
        keypoints = project_openpose(motion, size=size, progress=make_progress())
        said = show_notes(list_left_out(motion), [table.note] if isinstance(table, LearnedColors) else [])
        return io.NodeOutput(images, mask, keypoints, ui=show_clip(images, cls, motion.fps) | said)


def _cut_squares(drawn, plan, motion, size):
    """Pairs of picture and mask, cut out as the denoiser's frames are, in its order."""
    if plan.frames > motion.frames or (plan.width, plan.height) != tuple(size):
        raise InputError(
            f"The plan is of {plan.frames} frames of {plan.width}x{plan.height}, these pictures are {motion.frames} of "
            f"{size[0]}x{size[1]}. Give the motion and the scene that MIMO Conditioning got."
        )
    # Both side by side, so that the motion is drawn once.
    pairs = Clip.from_frames(np.concatenate([frame, mask[..., None].repeat(3, -1)], 1) for frame, mask in drawn)
    pictures, masks = (
        cut_network_frames(pairs.derive(lambda k, part=part: pairs[k][:, part]), plan, HINT_SIZE, fill=BLACK)
        for part in (slice(size[0]), slice(size[0], None))
    )
    return ((np.array(picture), np.array(mask[..., 0])) for picture, mask in zip(pictures, masks, strict=True))


class MimoDecodeProxy(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_DecodeProxy",
            display_name="Proxy Decoder (MIMO)",
            category="MIMO/character",
            essentials_category="Video Tools",
            search_aliases=["animate character", "animate picture", "replace character", "puppet"],
            description="Draws the character in a motion without any network: its picture on a moving 3D body.",
            inputs=[
                MimoIdentity.Input("identity", tooltip="From Identity Encoder."),
                MimoMotion.Input(
                    "motion", tooltip="From SMPL Pose Estimator, Example Shot or Load Motion. It is fitted to the body."
                ),
                MimoScene.Input(
                    "scene",
                    optional=True,
                    tooltip="Gives the pictures its size and, if it shows the person who does this motion, its light.",
                ),
                io.Combo.Input(
                    "back_side",
                    options=list(BACK_SIDES),
                    default="mirror",
                    tooltip="How the side that the picture does not show is made up: mirror repeats the front, "
                    "diffuse continues its colors. A back view always wins.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The character alone. 12 bytes a pixel and frame."),
                io.Mask.Output(display_name="mask", tooltip="Coverage of the character. Connect it to Compositor."),
            ],
        )

    @classmethod
    def execute(cls, identity, motion, back_side, scene=None) -> io.NodeOutput:
        from ..mimo_core.proxy.light import estimate_scene_light
        from ..mimo_core.proxy.proxy import Proxy

        check_choice("back_side", back_side, BACK_SIDES)
        proxy = Proxy.from_identity(identity, back_side=back_side, progress=make_progress())
        size = None if scene is None else (scene.width, scene.height)
        light = None if scene is None else estimate_scene_light(scene, motion)
        drawn = proxy.render(motion, size=size, light=light, progress=make_progress())
        images, mask = keep_batches(drawn)
        said = show_notes(list_left_out(motion))
        return io.NodeOutput(images, mask, ui=show_clip(images, cls, motion.fps) | said)
