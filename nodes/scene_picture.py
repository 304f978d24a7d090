"""The node that makes a scene of a picture, a video or a color."""

from __future__ import annotations

from fractions import Fraction

from comfy_api.latest import io
from PIL import ImageColor
from torch import Tensor

from ..mimo_core.errors import InputError
from ..mimo_core.scene.picture import FITS, scene_from_picture
from .batches import make_batch
from .media import make_progress, show_preview, to_clip, to_mask_picture, to_picture
from .sockets import MimoMotion, MimoScene, check_choice, check_links, clip_socket, color_widget, make_schema


class MimoSceneFromPicture(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_SceneFromPicture",
            display_name="Scene From Picture (MIMO)",
            category="MIMO/scene",
            search_aliases=["background", "new scene"],
            description="Makes a scene of a picture, a video or a plain color.",
            inputs=[
                clip_socket(
                    "picture",
                    "What lies behind the character. Without it the scene is one color.",
                    optional=True,
                ),
                io.Image.Input(
                    "foreground",
                    optional=True,
                    tooltip="One picture of what stands in front of the character, fitted like the scene.",
                ),
                io.Mask.Input(
                    "foreground_mask",
                    optional=True,
                    tooltip="White where the foreground covers. Not needed where the foreground has an alpha channel. "
                    "Load Image gives the opposite: put Invert Mask between.",
                ),
                MimoMotion.Input(
                    "motion",
                    optional=True,
                    tooltip="The motion that will be drawn here. The scene gets its size, frame rate and length.",
                ),
                color_widget("Where there is no picture: a name such as white, or a number such as #204060."),
                io.Combo.Input(
                    "fit",
                    options=list(FITS),
                    default="cover",
                    tooltip="cover fills the frame and cuts what sticks out, contain pads with the color, "
                    "stretch distorts.",
                ),
                io.Int.Input(
                    "length",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="Frames. 0 takes the motion's; without one a picture lasts as long as needed and a video "
                    "its own length.",
                ),
            ],
            outputs=[MimoScene.Output(display_name="scene", tooltip="To Proxy Decoder and Compositor.")],
        )

    @classmethod
    def validate_inputs(cls, input_types):
        return check_links(cls, input_types)

    @classmethod
    def execute(
        cls, color, fit, length, picture=None, foreground=None, foreground_mask=None, motion=None
    ) -> io.NodeOutput:
        check_choice("fit", fit, FITS)
        width, height = motion.camera.size if motion else (0, 0)
        scene = scene_from_picture(
            to_background(picture),
            color=parse_color(color),
            foreground=None if foreground is None else to_picture(foreground, "foreground"),
            foreground_mask=to_mask_picture(foreground_mask, "foreground_mask"),
            fit=fit,
            width=width,
            height=height,
            length=length or (motion.frames if motion else 0),
            fps=Fraction(motion.fps).limit_denominator(1001) if motion else None,
        )
        return io.NodeOutput(scene, ui=show_preview(make_batch([scene.source[0]], 1), cls))


def to_background(value):
    """An IMAGE of one picture is a still, everything else a clip."""
    if value is None or (isinstance(value, Tensor) and len(value) == 1):
        return None if value is None else to_picture(value, "picture")
    return to_clip(value, progress=make_progress())


def parse_color(text: str) -> tuple[int, int, int]:
    try:
        return ImageColor.getrgb(text.strip())[:3]
    except ValueError as error:
        raise InputError(f"{text!r} is no color. Give a name such as white, or a number such as #204060.") from error
