"""The node that turns a picture into a character."""

from __future__ import annotations

from comfy_api.latest import io

from .batches import make_batch
from .media import make_progress, show_notes, show_preview, to_mask_picture, to_picture
from .sockets import MimoIdentity, make_schema


class MimoEncodeIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_EncodeIdentity",
            display_name="Identity Encoder (MIMO)",
            category="MIMO/character",
            essentials_category="Video Tools",
            search_aliases=["character", "cut out character", "matte"],
            description="Cuts the character out of its picture and fits a body to it.",
            inputs=[
                io.Image.Input(
                    "character",
                    tooltip="One picture of the whole character, best from the front with arms off the body. "
                    "An alpha channel is used as the cut-out.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="White where the character is. Connect it when the preview shows a bad cut-out.",
                ),
                io.Image.Input(
                    "back_view",
                    optional=True,
                    tooltip="The same character from behind in the same pose. Without it the back is guessed. "
                    "MIMO Conditioning adds it to the reference.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="Encodes the character here, at its own size. MIMO Conditioning encodes it again where its "
                    "size differs.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="From Load MIMO or Load CLIP Vision. MIMO Conditioning needs it; the proxy does not.",
                ),
            ],
            outputs=[
                MimoIdentity.Output(display_name="identity", tooltip="To Proxy Decoder or MIMO Conditioning."),
                io.Image.Output(display_name="crop", tooltip="The cut-out on white, as the decoders see it."),
            ],
        )

    @classmethod
    def execute(cls, character, mask=None, back_view=None, vae=None, clip_vision=None) -> io.NodeOutput:
        from ..mimo_core.identity.encode import encode_identity
        from ..mimo_core.identity.preview import draw_identity

        identity = encode_identity(
            to_picture(character, "character"),
            mask=to_mask_picture(mask, "mask"),
            back=None if back_view is None else to_picture(back_view, "back_view"),
            progress=make_progress(),
        )
        if vae is not None or clip_vision is not None:
            from .conditioning import encode_views_by_nodes

            identity = encode_views_by_nodes(identity, vae=vae, clip_vision=clip_vision)
        crop, shown = make_batch([identity.picture], 1), make_batch([draw_identity(identity)], 1)
        return io.NodeOutput(identity, crop, ui=show_preview(shown, cls) | show_notes(identity.notes))
