"""The node that everything can be tried with: a shot, a character, a motion and a place that ship with the pack."""

from __future__ import annotations

from pathlib import Path

import torch
from comfy_api.latest import InputImpl, io

from ..mimo_core.example import example_shots
from ..mimo_core.media.picture import read_picture
from .media import make_progress
from .sockets import MimoMotion, check_choice, make_schema
from .views import show_motion


class MimoExample(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        names = [shot.name for shot in example_shots()]
        return make_schema(
            node_id="MIMO_Example",
            display_name="Example Shot (MIMO)",
            category="MIMO",
            search_aliases=["demo", "sample clip"],
            description="A short clip, a character, a motion and a place, which ship with the pack, to try nodes with.",
            inputs=[
                io.Combo.Input("shot", options=names, default=names[0], tooltip="Which of the shots that ship."),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video",
                    tooltip="The clip with the person to replace. Put Load Video in its place for your own.",
                ),
                io.Image.Output(
                    display_name="character",
                    tooltip="The character to put in. Put Load Image in its place for your own.",
                ),
                MimoMotion.Output(
                    display_name="motion",
                    tooltip="Another dance. Put Load Motion in its place for your own.",
                ),
                io.Image.Output(
                    display_name="scene_picture",
                    tooltip="A place for that dance, by the same camera. Put Load Image in its place for your own.",
                ),
                io.Image.Output(
                    display_name="foreground",
                    tooltip="A bush with an alpha channel, to stand in front. To foreground of Scene From Picture.",
                ),
            ],
        )

    @classmethod
    def execute(cls, shot) -> io.NodeOutput:
        shots = {example.name: example for example in example_shots()}
        check_choice("shot", shot, shots)
        example = shots[shot]
        pictures = [load_image(path) for path in (example.character, example.scene, example.foreground)]
        motion = example.motion()
        outputs = (InputImpl.VideoFromFile(str(example.video)), pictures[0], motion, *pictures[1:])
        return io.NodeOutput(*outputs, ui=show_motion(motion, progress=make_progress()))


def load_image(path: Path) -> torch.Tensor:
    """A picture file as IMAGE (1, H, W, C)."""
    return torch.from_numpy(read_picture(path)).float()[None] / 255
