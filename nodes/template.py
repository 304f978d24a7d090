"""Nodes that read and write official template folders."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..mimo_core.errors import InputError
from ..mimo_core.scene.template import load_template, save_template
from .batches import FrameBatch
from .listing import list_folder
from .media import make_progress, show_clip, show_files, to_clip
from .sockets import MimoScene, make_schema


NONE = "(none in input)"
FROM_OUTPUT = " [output]"  # how ComfyUI marks a name in its output folder


class MimoLoadTemplate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        names = list(list_templates()) or [NONE]
        return make_schema(
            node_id="MIMO_LoadTemplate",
            display_name="Load Scene Template (MIMO)",
            category="MIMO/scene",
            search_aliases=["scene template"],
            description="Reads an official template: vid, sdc, bk and occ as mp4, and config.json.",
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=names,
                    default=names[0],
                    tooltip="Template folders in ComfyUI's input folder, and those that Save Scene Template wrote.",
                ),
            ],
            outputs=[
                MimoScene.Output(display_name="scene", tooltip="To MIMO Conditioning, MIMO Sampler and Compositor."),
                io.Image.Output(display_name="body_code", tooltip="To motion of MIMO Conditioning. 12 bytes a pixel."),
            ],
        )

    @classmethod
    def execute(cls, folder) -> io.NodeOutput:
        scene, body_code = load_template(find_template(folder), progress=make_progress())
        images = FrameBatch(body_code)
        return io.NodeOutput(scene, images, ui=show_clip(images, cls, body_code.fps))


class MimoSaveTemplate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_SaveTemplate",
            display_name="Save Scene Template (MIMO)",
            category="MIMO/scene",
            search_aliases=["scene template"],
            description="Writes a scene and its body code as an official template into ComfyUI's output folder.",
            inputs=[
                MimoScene.Input("scene", tooltip="From Scene Separator."),
                io.Image.Input("body_code", tooltip="From Render Body Code with the same scene."),
                io.String.Input(
                    "folder",
                    default="template/mimo",
                    tooltip="Name inside the output folder; a number is added, so nothing is ever replaced.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, scene, body_code, folder) -> io.NodeOutput:
        parent, name, counter, _, _ = folder_paths.get_save_image_path(folder, folder_paths.get_output_directory())
        while (target := Path(parent, f"{name}_{counter:05}_")).exists():
            counter += 1
        progress = make_progress()
        save_template(target, scene, to_clip(body_code, progress=progress), progress=progress)
        return io.NodeOutput(ui=show_files(sorted(target.glob("*.mp4"))))


def find_template(name: str) -> Path:
    """Where a listed template lies."""
    known = list_templates()
    if name not in known:
        raise InputError(f"There is no template {name}. Copy a folder with vid, sdc and bk.mp4 to input, press R.")
    return known[name]


def list_templates() -> dict[str, Path]:
    """Folders with a body code, at most two deep in the input folder and then in the output folder, by shown name."""
    found = {}
    for root, mark in ((folder_paths.get_input_directory(), ""), (folder_paths.get_output_directory(), FROM_OUTPUT)):
        for file in list_folder(root, 3):
            if file.name == "sdc.mp4" and file.parent != Path(root):
                found[file.parent.relative_to(root).as_posix() + mark] = file.parent
    return found
