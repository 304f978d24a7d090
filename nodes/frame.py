"""The node that frames a character's picture as the driver is seen in the clip."""

from __future__ import annotations

import numpy as np
from comfy_api.latest import io

from ..mimo_core.errors import InputError
from .batches import make_batch
from .media import show_notes, show_preview, to_picture
from .scene_picture import parse_color
from .sockets import MimoIdentity, MimoMotion, check_links, color_widget, make_schema


class MimoFrameCharacter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_FrameCharacter",
            display_name="Frame Character (MIMO)",
            category="MIMO/character",
            search_aliases=["reference image", "scail", "wan animate", "character size", "crop character"],
            description="Frames the character as tall and at the place where the driver is, for models that take its "
            "size from the reference picture.",
            inputs=[
                MimoIdentity.Input("identity", tooltip="From Identity Encoder."),
                MimoMotion.Input("motion", tooltip="The driver, from SMPL Pose Estimator."),
                io.Image.Input(
                    "background",
                    optional=True,
                    tooltip="What is behind the character, such as the plate of Scene Separator. Of several pictures "
                    "the one of the frame counts. It is stretched to the size.",
                ),
                color_widget("Without a background: a color name, or a number such as #204060."),
                io.Int.Input(
                    "longest_side",
                    default=832,
                    min=0,
                    max=8192,
                    tooltip="Longer side of the picture in pixels; its shape is the clip's. 0 keeps the clip's size.",
                ),
                io.Int.Input(
                    "multiple",
                    default=16,
                    min=1,
                    max=128,
                    tooltip="Both sides become multiples of this: 16 for Wan-Animate, 32 for SCAIL-2.",
                ),
                io.Int.Input(
                    "frame",
                    default=-1,
                    min=-1,
                    max=1000000,
                    tooltip="The frame in which the driver is measured. -1 takes the median height of all frames, and "
                    "the place in the first.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="To reference_image of SCAIL-2 or Wan-Animate."),
                io.Mask.Output(display_name="mask", tooltip="White where the character is, in the same framing."),
                io.Int.Output(display_name="width", tooltip="Width to draw with. Scale the clip to it, uncropped."),
                io.Int.Output(display_name="height", tooltip="Height to draw with."),
                io.Int.Output(
                    display_name="length",
                    tooltip="Frames to draw: the next 4 n + 1 that covers the motion, as Wan models need it.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, input_types):
        return check_links(cls, input_types)

    @classmethod
    def execute(cls, identity, motion, color, longest_side, multiple, frame, background=None) -> io.NodeOutput:
        from ..mimo_core.identity.framing import choose_size, frame_character, round_up_length

        size = choose_size(motion.camera.size, longest=longest_side, multiple=multiple)
        behind = _make_background(background, parse_color(color), size, frame)
        framed = frame_character(identity, motion, size=size, background=behind, frame=None if frame < 0 else frame)
        image, mask = make_batch([framed.picture], 1), make_batch([framed.mask], 1)
        shown = show_preview(image, cls) | show_notes(framed.notes)
        return io.NodeOutput(image, mask, *size, round_up_length(motion.frames), ui=shown)


def _make_background(images, color: tuple[int, int, int], size: tuple[int, int], frame: int) -> np.ndarray:
    """The picture (H, W, 3) behind the character: that of the frame, a single one, or the color."""
    import cv2

    width, height = size
    if images is None:
        return np.full((height, width, 3), color, np.uint8)
    if len(images) > 1 and frame >= len(images):
        raise InputError(f"frame is {frame} but the background has {len(images)} pictures. Give one, or one per frame.")
    index = 0 if len(images) == 1 else max(frame, 0)
    picture = to_picture(images[index : index + 1], "background")[..., :3]
    method = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=method)
