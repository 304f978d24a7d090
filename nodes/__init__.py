"""The pack's public surface: one extension, its nodes in the order of the data flow."""

from comfy_api.latest import ComfyExtension, io

from .identity import MimoEncodeIdentity
from .models import register_folders
from .motion import MimoEstimatePose, MimoLoadMotion, MimoSaveMotion
from .render import MimoDecodeProxy, MimoRenderMotion


register_folders()


class MimoExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            MimoEstimatePose,
            MimoLoadMotion,
            MimoSaveMotion,
            MimoEncodeIdentity,
            MimoRenderMotion,
            MimoDecodeProxy,
        ]
