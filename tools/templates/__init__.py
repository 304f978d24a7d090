"""What the templates hold. `tools/save_templates.py` has the page of a running ComfyUI make them."""

from .apps import ANIMATE_APP, REPLACE_APP
from .bridges import EDIT_MOTION, MOTION_FILES, WAN_ANIMATE
from .denoise import CONTROLNET_AND_LORA, LONG_CLIP, OFFICIAL_WEIGHTS, TWO_PARTS
from .newer import PERCEPTION, SCAIL_2, VOID_PLATE, WAN_ANIMATE_2
from .people import TWO_PEOPLE
from .start import ANIMATE, NEW_SCENE, REPLACE


TEMPLATES = (
    REPLACE,
    ANIMATE,
    NEW_SCENE,
    CONTROLNET_AND_LORA,
    LONG_CLIP,
    OFFICIAL_WEIGHTS,
    MOTION_FILES,
    WAN_ANIMATE,
    EDIT_MOTION,
    ANIMATE_APP,
    PERCEPTION,
    REPLACE_APP,
    SCAIL_2,
    TWO_PARTS,
    TWO_PEOPLE,
    VOID_PLATE,
    WAN_ANIMATE_2,
)
