"""The pack's public surface: one extension, its nodes in the order of the data flow."""

from comfy_api.latest import ComfyExtension, io

from .colors import MimoLearnColors
from .composite import MimoComposite
from .denoise import MimoConditioning, MimoContextWindows, MimoDecode, MimoLoadModel, MimoNoise, MimoSampler
from .example import MimoExample
from .frame import MimoFrameCharacter
from .identity import MimoEncodeIdentity
from .models import register_folders
from .motion import MimoEstimatePose, MimoLoadMotion, MimoSaveMotion
from .motion_edit import MimoEditMotion, MimoPlaceMotion, MimoRetargetMotion
from .people import MimoChoosePeople
from .renamed import watch_prompts
from .render import MimoDecodeProxy, MimoRenderMotion
from .review import MimoReviewLayers
from .routes import add_routes
from .scene import MimoSeparateScene
from .scene_picture import MimoSceneFromPicture
from .speed import MimoSpeed
from .template import MimoLoadTemplate, MimoSaveTemplate


register_folders()
watch_prompts()
add_routes()


class MimoExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            MimoExample,
            MimoEstimatePose,
            MimoLoadMotion,
            MimoSaveMotion,
            MimoEditMotion,
            MimoRetargetMotion,
            MimoPlaceMotion,
            MimoChoosePeople,
            MimoSeparateScene,
            MimoReviewLayers,
            MimoSceneFromPicture,
            MimoLoadTemplate,
            MimoSaveTemplate,
            MimoEncodeIdentity,
            MimoFrameCharacter,
            MimoLearnColors,
            MimoRenderMotion,
            MimoDecodeProxy,
            MimoLoadModel,
            MimoContextWindows,
            MimoSpeed,
            MimoConditioning,
            MimoNoise,
            MimoSampler,
            MimoDecode,
            MimoComposite,
        ]
