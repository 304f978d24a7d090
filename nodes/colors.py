"""The node that learns the official colours of body codes, so that official weights need no SMPL file."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..mimo_core.body.colors import LEARNED_NAME, save_learned_colors
from ..mimo_core.scene.template import load_template
from .batches import make_batch
from .media import make_progress, show_notes, show_preview
from .sockets import make_schema
from .template import NONE, find_template, list_templates


class MimoLearnColors(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        names = list(list_templates()) or [NONE]
        return make_schema(
            node_id="MIMO_LearnColors",
            display_name="Learn Body Colors (MIMO)",
            category="MIMO/motion",
            search_aliases=["sdc", "body code", "official weights", "smpl", "color map"],
            description="Learns the colors of official body codes from a scene template: no SMPL file is needed then.",
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=names,
                    default=names[0],
                    tooltip="An official scene template in ComfyUI's input folder. One in which the person turns shows "
                    "most of the body.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The body from four sides in the learned colors."),
                io.String.Output(display_name="report", tooltip="What was learned from how much of the surface."),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder):
        path = list_templates().get(folder)
        files = [] if path is None else [Path(path, name) for name in ("sdc.mp4", "vid.mp4", "config.json")]
        return " ".join(f"{file.stat().st_mtime_ns} {file.stat().st_size}" for file in files if file.is_file())

    @classmethod
    def execute(cls, folder) -> io.NodeOutput:
        from ..mimo_core.body_code.learn import learn_colors
        from ..mimo_core.body_code.preview import draw_colors

        path, progress = find_template(folder), make_progress()
        scene, body_code = load_template(path, progress=progress)
        colors = learn_colors(scene.source, body_code, name=path.name, progress=progress)
        target = Path(folder_paths.get_folder_paths("mimo")[0], LEARNED_NAME)
        target.parent.mkdir(parents=True, exist_ok=True)
        save_learned_colors(target, colors)
        pictures = draw_colors(colors)
        images = make_batch(pictures, len(pictures))
        said = show_notes(details=[colors.note, f"Written to {target}."])
        return io.NodeOutput(images, colors.note, ui=show_preview(images, cls) | said)
