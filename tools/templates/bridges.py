"""Templates of motions and of layers for others: motion files, control videos, scene templates, Wan-Animate."""

from .files import WAN_TEXT, WAN_UNET, WAN_VAE, WAN_VISION
from .parts import (
    BLUE,
    FOLLOWED,
    GREEN,
    GREY,
    MOVING,
    PLAYED,
    PURPLE,
    SAVED,
    SEPARATED,
    SHOT_LINKS,
    SHOWN,
    SMALL,
    Node,
    Template,
    group,
    ksampler,
    save_video,
    start,
)


MOTION_FILES = Template(
    "7_motion_files_and_control_videos",
    "Motion files, control videos, scene templates",
    "A clip becomes a motion file and a scene template; a motion file becomes a control video for a ControlNet.",
    rows=(
        (
            start("7_motion_files_and_control_videos"),
            group(
                "2  A clip becomes a motion file",
                BLUE,
                [Node("pose", "MIMO_EstimatePose", FOLLOWED), Node("save", "MIMO_SaveMotion")],
            ),
            group(
                "3  A clip becomes a scene template",
                GREEN,
                [Node("scene", "MIMO_SeparateScene", SEPARATED)],
                [Node("code", "MIMO_RenderMotion", PLAYED), Node("keep", "MIMO_SaveTemplate", SAVED)],
            ),
            group(
                "4  A motion file becomes a control video",
                PURPLE,
                [
                    Node("load", "MIMO_LoadMotion", (340, 420), widgets={"file": "dance [example]"}),
                    Node("render", "MIMO_RenderMotion", PLAYED, {"style": "openpose"}),
                ],
                [Node("create", "CreateVideo", (300, 110), {"fps": 24}), save_video("video", "mimo_control")],
            ),
        ),
    ),
    links=(
        "example.video > pose.clip",
        "pose.motion > save.motion",
        "load.motion > render.motion",
        "render.images > create.images",
        "create.VIDEO > video.video",
        "example.video > scene.clip",
        "pose.motion > scene.motion",
        "pose.motion > code.motion",
        "scene.scene > code.scene",
        "scene.scene > keep.scene",
        "code.images > keep.body_code",
    ),
)


EDIT_MOTION = Template(
    "9_edit_and_place_a_motion",
    "Edit, retarget and place a motion",
    "A motion is trimmed, repeated and mirrored, put on the character's proportions, and seen by a following camera.",
    rows=(
        (
            start("9_edit_and_place_a_motion"),
            group(
                "2  Edit, retarget, place",
                BLUE,
                [
                    Node("edit", "MIMO_EditMotion", MOVING, {"start": 24, "speed": 0.8, "loop": 2, "mirror": True}),
                    Node("identity", "MIMO_EncodeIdentity", SMALL),
                ],
                [
                    Node("retarget", "MIMO_RetargetMotion", (340, 460)),
                    Node("place", "MIMO_PlaceMotion", MOVING, {"turn": 20.0, "camera": "follow"}),
                ],
            ),
            group(
                "3  Draw",
                PURPLE,
                [
                    Node("scene", "MIMO_SceneFromPicture", SHOWN, {"color": "#8fb0c8"}),
                    Node("proxy", "MIMO_DecodeProxy", PLAYED),
                ],
            ),
            group(
                "4  Put it together, and keep the motion",
                GREEN,
                [
                    Node("composite", "MIMO_Composite", PLAYED, {"color_match": "none"}),
                    Node("keep", "MIMO_SaveMotion", widgets={"format": "glb"}),
                ],
                [save_video("video", "mimo_edited")],
            ),
        ),
    ),
    links=(
        "example.motion > edit.motion",
        "example.character > identity.character",
        "edit.motion > retarget.motion",
        "identity.identity > retarget.identity",
        "retarget.motion > place.motion",
        "place.motion > scene.motion",
        "place.motion > proxy.motion",
        "identity.identity > proxy.identity",
        "scene.scene > proxy.scene",
        "scene.scene > composite.scene",
        "proxy.images > composite.images",
        "proxy.mask > composite.mask",
        "composite.video > video.video",
        "place.motion > keep.motion",
    ),
)


WAN_FILES = (WAN_UNET, WAN_TEXT, WAN_VAE, WAN_VISION)
WAN_ANIMATE = Template(
    "8_wan_animate_needs_files",
    "Our layers for Wan-Animate",
    "MIMO's pose, plate and person mask drive ComfyUI's own Wan-Animate; what passes in front is laid over at the end.",
    files=WAN_FILES,
    rows=(
        (
            start("8_wan_animate_needs_files", *WAN_FILES),
            group(
                "2  Models",
                GREY,
                [
                    Node("unet", "UNETLoader", widgets={"unet_name": WAN_UNET["file"]}, files=(WAN_UNET,)),
                    Node(
                        "clip", "CLIPLoader", widgets={"clip_name": WAN_TEXT["file"], "type": "wan"}, files=(WAN_TEXT,)
                    ),
                    Node("vae", "VAELoader", widgets={"vae_name": WAN_VAE["file"]}, files=(WAN_VAE,)),
                    Node("vision", "CLIPVisionLoader", widgets={"clip_name": WAN_VISION["file"]}, files=(WAN_VISION,)),
                    Node("look", "CLIPVisionEncode", widgets={"crop": "none"}),
                    Node("shift", "ModelSamplingSD3", widgets={"shift": 8.0}),
                ],
            ),
            group(
                "3  Take the shot apart",
                BLUE,
                [
                    Node("pose", "MIMO_EstimatePose", FOLLOWED),
                    Node("skeleton", "MIMO_RenderMotion", PLAYED, {"style": "openpose"}),
                ],
                [Node("scene", "MIMO_SeparateScene", SEPARATED)],
            ),
            group(
                "4  Draw with Wan-Animate",
                PURPLE,
                [
                    Node("positive", "CLIPTextEncode", (300, 110), {"text": "a person dances in a room"}, "Positive"),
                    Node(
                        "negative", "CLIPTextEncode", (300, 110), {"text": "blurry, deformed, low quality"}, "Negative"
                    ),
                    Node("animate", "WanAnimateToVideo", widgets={"width": 384, "height": 512, "length": 49}),
                ],
                [
                    ksampler(steps=20, cfg=5.0, sampler="euler"),
                    Node("trim", "TrimVideoLatent"),
                    Node("decode", "VAEDecode"),
                    Node("count", "ImageFromBatch", widgets={"batch_index": 0, "length": 48}),
                ],
            ),
            group(
                "5  What passes in front, in front",
                GREEN,
                [
                    Node("composite", "MIMO_Composite", PLAYED, {"color_match": "none", "shadow": 0.0}),
                    save_video("video", "mimo_wan_animate"),
                ],
            ),
        ),
    ),
    links=(
        *SHOT_LINKS,
        "pose.motion > skeleton.motion",
        "scene.scene > skeleton.scene",
        "unet.MODEL > shift.model",
        "clip.CLIP > positive.clip",
        "clip.CLIP > negative.clip",
        "vision.CLIP_VISION > look.clip_vision",
        "example.character > look.image",
        "positive.CONDITIONING > animate.positive",
        "negative.CONDITIONING > animate.negative",
        "vae.VAE > animate.vae",
        "look.CLIP_VISION_OUTPUT > animate.clip_vision_output",
        "example.character > animate.reference_image",
        "skeleton.images > animate.pose_video",
        "scene.plate > animate.background_video",
        "scene.person > animate.character_mask",
        "shift.MODEL > sampler.model",
        "animate.positive > sampler.positive",
        "animate.negative > sampler.negative",
        "animate.latent > sampler.latent_image",
        "sampler.LATENT > trim.samples",
        "animate.trim_latent > trim.trim_amount",
        "trim.LATENT > decode.samples",
        "vae.VAE > decode.vae",
        "decode.IMAGE > count.image",
        "scene.scene > composite.scene",
        "count.IMAGE > composite.images",
        "composite.video > video.video",
    ),
)
