"""The node with which layers are looked at and corrected by hand."""

from __future__ import annotations

from comfy_api.latest import io

from .media import make_progress, show_notes
from .sockets import MimoScene, make_schema
from .views import show_layers


class MimoReviewLayers(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_ReviewLayers",
            display_name="Review Layers (MIMO)",
            category="MIMO/scene",
            search_aliases=["rotoscope", "paint mask", "fix mask"],
            description="Shows the layers of a scene and takes strokes that correct them, before anything is drawn.",
            inputs=[
                MimoScene.Input("scene", tooltip="From Scene Separator, Scene From Picture or Load Scene Template."),
                io.String.Input(
                    "strokes",
                    default="[]",
                    tooltip="What was painted, as [[layer, frame, add or remove, radius, [[x, y], ...]], ...] in "
                    "pixels of the scene. The viewer on the node writes it; it travels with the workflow.",
                ),
            ],
            outputs=[
                MimoScene.Output(
                    display_name="scene",
                    tooltip="The scene with corrected layers, its plate filled anew. To Proxy Decoder and Compositor.",
                )
            ],
        )

    @classmethod
    def execute(cls, scene, strokes) -> io.NodeOutput:
        from ..mimo_core.scene.review import review_scene
        from ..mimo_core.scene.strokes import read_strokes

        progress = make_progress()
        reviewed = review_scene(scene, read_strokes(strokes, scene.frames), progress=progress)
        said = show_notes(details=reviewed.scene.report.notes[len(scene.report.notes) :])
        return io.NodeOutput(reviewed.scene, ui=said | show_layers(reviewed, progress=progress))
