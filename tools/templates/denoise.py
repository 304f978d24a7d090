"""Templates of the denoiser: ControlNet and LoRA, long clips, the official weights."""

from .files import CLIP_VISION, CONTROLNET, LORA, NETWORKS, OFFICIAL, SCENE_TEMPLATE, SDC, SMPL, VAE
from .parts import (
    BLUE,
    DRAWING,
    GREEN,
    GREY,
    NEWER_CORE,
    PLAYED,
    PURPLE,
    SEPARATED,
    SHOT_LINKS,
    SMALL,
    Node,
    Template,
    group,
    save_video,
    start,
    take_apart,
)


LOADERS = [
    Node("load", "MIMO_LoadModel", widgets={"checkpoint": "denoising_unet.pth"}, files=NETWORKS),
    Node("vae", "VAELoader", widgets={"vae_name": VAE["file"]}, files=(VAE,)),
    Node("clip_vision", "CLIPVisionLoader", widgets={"clip_name": CLIP_VISION["file"]}, files=(CLIP_VISION,)),
]
CONTROL_FILES = (*OFFICIAL, SDC, SMPL, CONTROLNET, LORA)
CONTROLNET_AND_LORA = Template(
    "4_controlnet_and_lora_needs_files",
    "ControlNet and LoRA on the official weights",
    "A character replaced with the official MIMO weights, a LoRA, and an OpenPose ControlNet that sees MIMO's squares.",
    files=CONTROL_FILES,
    rows=(
        (
            start("4_controlnet_and_lora_needs_files", *CONTROL_FILES),
            group(
                "2  Models",
                GREY,
                [
                    *LOADERS,
                    Node("lora", "LoraLoaderModelOnly", widgets={"lora_name": LORA["file"], "strength_model": 0.8}),
                    Node(
                        "net",
                        "ControlNetLoader",
                        widgets={"control_net_name": CONTROLNET["file"]},
                        files=(CONTROLNET,),
                    ),
                ],
            ),
            take_apart(
                [Node("scene", "MIMO_SeparateScene", SEPARATED)],
                title="3  Take the shot apart",
            ),
            group(
                "4  Draw",
                PURPLE,
                [
                    Node("conditioning", "MIMO_Conditioning", widgets={"size": 512, "length": 24}),
                    Node("hints", "MIMO_RenderMotion", PLAYED, {"style": "openpose"}),
                ],
                [
                    Node("control", "ControlNetApplyAdvanced", widgets={"strength": 0.6}),
                    Node("guide", "CFGGuider", widgets={"cfg": 3.5}),
                    Node("noise", "MIMO_Noise", widgets={"seed": 42, "control_after_generate": "fixed"}),
                    Node("ddim", "KSamplerSelect", widgets={"sampler_name": "ddim"}),
                    Node("steps", "BasicScheduler", widgets={"scheduler": "simple", "steps": 25}),
                ],
                [Node("sampler", "SamplerCustomAdvanced"), Node("decode", "MIMO_Decode")],
            ),
            group(
                "5  Put it together",
                GREEN,
                [Node("composite", "MIMO_Composite", PLAYED), save_video("video", "mimo_controlnet")],
            ),
        ),
    ),
    links=(
        *SHOT_LINKS,
        "example.character > identity.character",
        "vae.VAE > identity.vae",
        "clip_vision.CLIP_VISION > identity.clip_vision",
        "load.model > lora.model",
        "lora.MODEL > conditioning.model",
        "vae.VAE > conditioning.vae",
        "identity.identity > conditioning.identity",
        "pose.motion > conditioning.motion",
        "scene.scene > conditioning.scene",
        "pose.motion > hints.motion",
        "scene.scene > hints.scene",
        "conditioning.plan > hints.plan",
        "conditioning.positive > control.positive",
        "conditioning.negative > control.negative",
        "net.CONTROL_NET > control.control_net",
        "hints.images > control.image",
        "conditioning.model > guide.model",
        "control.positive > guide.positive",
        "control.negative > guide.negative",
        "conditioning.model > steps.model",
        "noise.noise > sampler.noise",
        "guide.GUIDER > sampler.guider",
        "ddim.SAMPLER > sampler.sampler",
        "steps.SIGMAS > sampler.sigmas",
        "conditioning.latent > sampler.latent_image",
        "sampler.output > decode.samples",
        "vae.VAE > decode.vae",
        "conditioning.model > decode.model",
        "scene.scene > composite.scene",
        "decode.images > composite.images",
        "conditioning.plan > composite.plan",
        "composite.video > video.video",
    ),
)


def _draw_links(sampler: str, composite: str, model: str = "load") -> tuple[str, ...]:
    """What joins a sampler and its compositor to the rest."""
    return (
        f"{model}.model > {sampler}.model",
        f"load.vae > {sampler}.vae",
        f"identity.identity > {sampler}.identity",
        f"pose.motion > {sampler}.motion",
        f"scene.scene > {sampler}.scene",
        f"scene.scene > {composite}.scene",
        f"{sampler}.images > {composite}.images",
        f"{sampler}.plan > {composite}.plan",
    )


IDENTITY_LINKS = (
    "example.character > identity.character",
    "load.vae > identity.vae",
    "load.clip_vision > identity.clip_vision",
)
LONG_WIDGETS = {"seed": 42, "control_after_generate": "fixed", "steps": 4, "start": 0, "length": 32}
LONG_CLIP = Template(
    "5_long_clip",
    "A long clip in windows",
    "Part of a clip, drawn in windows that overlap; more parts fit on to it.",
    rows=(
        (
            start("5_long_clip"),
            take_apart(
                [
                    Node("scene", "MIMO_SeparateScene", SEPARATED),
                    Node("load", "MIMO_LoadModel"),
                    Node("windows", "MIMO_ContextWindows", widgets={"overlap": 4}),
                ],
            ),
            group("3  Draw in windows", PURPLE, [Node("sampler", "MIMO_Sampler", DRAWING, LONG_WIDGETS)]),
            group(
                "4  Put it together",
                GREEN,
                [Node("composite", "MIMO_Composite", PLAYED)],
                [save_video("video", "mimo_long")],
            ),
        ),
    ),
    links=(
        *SHOT_LINKS,
        *IDENTITY_LINKS,
        "load.model > windows.model",
        *_draw_links("sampler", "composite", "windows"),
        "composite.video > video.video",
    ),
)


PART_WIDGETS = {"seed": 42, "control_after_generate": "fixed", "steps": 4, "length": 16}


TWO_PARTS = Template(
    "two_parts",
    "One clip in two parts",
    "Two halves of a shot, each with a sampler of its own, as two GPUs or two machines would draw them.",
    rows=(
        (
            start("two_parts"),
            take_apart(
                [Node("scene", "MIMO_SeparateScene", SEPARATED), Node("load", "MIMO_LoadModel")],
            ),
            group(
                "3  Draw the first part",
                PURPLE,
                [Node("first", "MIMO_Sampler", DRAWING, PART_WIDGETS | {"start": 0}, "Sampler, frames 0 to 15")],
                [Node("first_part", "MIMO_Composite", PLAYED)],
            ),
            group(
                "4  Draw the second part",
                PURPLE,
                [Node("second", "MIMO_Sampler", DRAWING, PART_WIDGETS | {"start": 16}, "Sampler, frames 16 to 31")],
                [Node("second_part", "MIMO_Composite", PLAYED)],
            ),
            group(
                "5  Put the parts together",
                GREEN,
                [
                    Node("rate", "GetVideoComponents"),
                    Node("parts", "BatchImagesNode"),
                    Node("joined", "CreateVideo"),
                    save_video("video", "mimo_two_parts"),
                ],
            ),
        ),
    ),
    links=(
        *SHOT_LINKS,
        *IDENTITY_LINKS,
        *_draw_links("first", "first_part"),
        *_draw_links("second", "second_part"),
        "first_part.images > parts.images.image0",
        "second_part.images > parts.images.image1",
        "example.video > rate.video",
        "rate.fps > joined.fps",
        "parts.IMAGE > joined.images",
        "joined.VIDEO > video.video",
    ),
    core=NEWER_CORE,
)


OFFICIAL_FILES = (*OFFICIAL, SCENE_TEMPLATE)
OFFICIAL_WEIGHTS = Template(
    "6_official_weights_needs_files",
    "The official weights in an official scene",
    "The official MIMO weights put a character into a scene template of the release. No SMPL file is needed.",
    files=OFFICIAL_FILES,
    rows=(
        (
            start("6_official_weights_needs_files", *OFFICIAL_FILES),
            group("2  Models", GREY, [*LOADERS, Node("speed", "MIMO_Speed")]),
            group(
                "3  Who and where",
                BLUE,
                [
                    Node("template", "MIMO_LoadTemplate", SMALL, {"folder": SCENE_TEMPLATE["file"]}),
                    Node("identity", "MIMO_EncodeIdentity", SMALL),
                ],
            ),
            group(
                "4  Draw",
                PURPLE,
                [
                    Node(
                        "sampler",
                        "MIMO_Sampler",
                        DRAWING,
                        {"seed": 42, "control_after_generate": "fixed", "size": 512, "length": 24},
                    )
                ],
            ),
            group(
                "5  Put it together",
                GREEN,
                [Node("composite", "MIMO_Composite", PLAYED)],
                [save_video("video", "mimo_official")],
            ),
        ),
        (
            group(
                "6  Learn Body Colors (muted)",
                BLUE,
                [Node("colors", "MIMO_LearnColors", (300, 340), {"folder": SCENE_TEMPLATE["file"]})],
                muted=True,
            ),
        ),
    ),
    links=(
        "example.character > identity.character",
        "vae.VAE > identity.vae",
        "clip_vision.CLIP_VISION > identity.clip_vision",
        "load.model > speed.model",
        "speed.model > sampler.model",
        "vae.VAE > sampler.vae",
        "identity.identity > sampler.identity",
        "template.body_code > sampler.motion",
        "template.scene > sampler.scene",
        "template.scene > composite.scene",
        "sampler.images > composite.images",
        "sampler.plan > composite.plan",
        "composite.video > video.video",
    ),
)
