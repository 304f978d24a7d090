"""The node that trades a little quality for speed."""

from __future__ import annotations

from comfy_api.latest import io

from .sockets import make_schema


class MimoSpeed(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_Speed",
            display_name="MIMO Speed",
            category="MIMO/denoise",
            search_aliases=["deepcache", "guidance interval", "cfg interval", "faster"],
            description="Faster sampling for a little quality: guidance at some noise levels, features used again.",
            inputs=[
                io.Model.Input("model", tooltip="From Load MIMO or MIMO Conditioning. Order does not matter."),
                io.Float.Input(
                    "guidance_low",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="No guidance below this noise level; 0 is the finished picture. 0.2 is a safe gain.",
                ),
                io.Float.Input(
                    "guidance_high",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="No guidance above this noise level; 1 is pure noise. 0.8 is a safe gain.",
                ),
                io.Int.Input(
                    "reuse_every",
                    default=1,
                    min=1,
                    max=20,
                    tooltip="Deep features are made at every n-th step and used again between (DeepCache). 1 is off.",
                ),
                io.Int.Input(
                    "reuse_depth",
                    default=0,
                    min=0,
                    max=11,
                    tooltip="Blocks that run at every step beside the last one. More is slower and more exact.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="To a sampler or MIMO Conditioning.")],
        )

    @classmethod
    def execute(cls, model, guidance_low, guidance_high, reuse_every, reuse_depth) -> io.NodeOutput:
        from .comfy_model import get_training_settings
        from .comfy_speed import set_speed

        get_training_settings(model)  # refuses other models
        return io.NodeOutput(set_speed(model, (guidance_low, guidance_high), reuse_every, reuse_depth))
