"""Templates that need nothing but what ships: replace, animate, a new scene."""

from .parts import (
    BLUE,
    DRAWING,
    GREEN,
    GREY,
    PLAYED,
    PURPLE,
    SEPARATED,
    SHOT_LINKS,
    SHOWN,
    SMALL,
    Group,
    Node,
    Template,
    group,
    ksampler,
    save_video,
    start,
    take_apart,
)


def _put_together(prefix: str, **widgets) -> Group:
    composite = Node("composite", "MIMO_Composite", PLAYED, widgets)
    return group("4  Put it together", GREEN, [composite], [save_video("video", prefix)])


def _denoiser(prefix: str) -> Group:
    """The MIMO denoiser beside the proxy, switched off until somebody wants to wait for it."""
    widgets = {"seed": 42, "control_after_generate": "fixed", "length": 16}
    return group(
        "5  The MIMO denoiser (muted). Right-click here: Set Group Nodes to Always",
        GREY,
        [Node("load", "MIMO_LoadModel")],
        [Node("sampler", "MIMO_Sampler", DRAWING, widgets)],
        [Node("drawn", "MIMO_Composite", PLAYED)],
        [save_video("drawn_video", f"{prefix}_denoised")],
        muted=True,
    )


def _from(node: str, links: tuple[str, ...]) -> list[str]:
    """The same links, but with the scene of another node."""
    return [link.replace("scene.scene >", f"{node}.scene >") for link in links]


PROXY = group("3  Draw the character", PURPLE, [Node("proxy", "MIMO_DecodeProxy", PLAYED)])
PROXY_LINKS = (
    "example.character > identity.character",
    "identity.identity > proxy.identity",
    "scene.scene > proxy.scene",
    "scene.scene > composite.scene",
    "proxy.images > composite.images",
    "proxy.mask > composite.mask",
    "composite.video > video.video",
)
DENOISER_LINKS = (
    "load.vae > identity.vae",
    "load.clip_vision > identity.clip_vision",
    "load.model > sampler.model",
    "load.vae > sampler.vae",
    "identity.identity > sampler.identity",
    "scene.scene > sampler.scene",
    "scene.scene > drawn.scene",
    "sampler.images > drawn.images",
    "sampler.plan > drawn.plan",
    "proxy.mask > drawn.mask",
    "drawn.video > drawn_video.video",
)
REPLACE = Template(
    "1_replace_a_character",
    "Replace a character",
    "The character of a picture takes the place of a person in a clip; what passes in front stays in front.",
    rows=(
        (
            start("1_replace_a_character"),
            take_apart(
                [Node("scene", "MIMO_SeparateScene", SEPARATED), Node("review", "MIMO_ReviewLayers", (480, 480))],
            ),
            PROXY,
            _put_together("mimo_replace"),
        ),
        (_denoiser("mimo_replace"),),
    ),
    links=(
        *SHOT_LINKS,
        "pose.motion > proxy.motion",
        "scene.scene > review.scene",
        *_from("review", PROXY_LINKS),
        "pose.motion > sampler.motion",
        *_from("review", DENOISER_LINKS),
    ),
)
ANIMATE = Template(
    "2_animate_from_a_motion",
    "Animate from a motion",
    "The character of a picture does a motion, on a color, a picture or a video.",
    rows=(
        (
            start("2_animate_from_a_motion"),
            group(
                "2  Who and where",
                BLUE,
                [Node("identity", "MIMO_EncodeIdentity", SMALL), Node("scene", "MIMO_SceneFromPicture", SHOWN)],
            ),
            PROXY,
            _put_together("mimo_animate", color_match="none"),
        ),
        (_denoiser("mimo_animate"),),
    ),
    links=(
        "example.motion > scene.motion",
        "example.motion > proxy.motion",
        *PROXY_LINKS,
        "example.motion > sampler.motion",
        *DENOISER_LINKS,
    ),
)
NEW_SCENE = Template(
    "3_new_scene",
    "A new scene, by the MIMO denoiser",
    "A motion in front of a picture and behind a bush, drawn by mimo-tiny through ComfyUI's own KSampler.",
    rows=(
        (
            start("3_new_scene"),
            group(
                "2  Who and where",
                BLUE,
                [Node("scene", "MIMO_SceneFromPicture", SHOWN), Node("identity", "MIMO_EncodeIdentity", SMALL)],
            ),
            group(
                "3  Draw with any sampler",
                PURPLE,
                [
                    Node("load", "MIMO_LoadModel"),
                    Node("conditioning", "MIMO_Conditioning", widgets={"length": 16}),
                ],
                [ksampler(), Node("decode", "MIMO_Decode")],
                [Node("body", "MIMO_RenderMotion", SMALL, {"style": "mask"})],
            ),
            _put_together("mimo_scene"),
        ),
    ),
    links=(
        "example.scene_picture > scene.picture",
        "example.foreground > scene.foreground",
        "example.motion > scene.motion",
        "example.motion > body.motion",
        "scene.scene > body.scene",
        "body.mask > composite.mask",
        "example.character > identity.character",
        "load.vae > identity.vae",
        "load.clip_vision > identity.clip_vision",
        "load.model > conditioning.model",
        "load.vae > conditioning.vae",
        "identity.identity > conditioning.identity",
        "example.motion > conditioning.motion",
        "scene.scene > conditioning.scene",
        "conditioning.model > sampler.model",
        "conditioning.positive > sampler.positive",
        "conditioning.negative > sampler.negative",
        "conditioning.latent > sampler.latent_image",
        "sampler.LATENT > decode.samples",
        "load.vae > decode.vae",
        "conditioning.model > decode.model",
        "scene.scene > composite.scene",
        "decode.images > composite.images",
        "conditioning.plan > composite.plan",
        "composite.video > video.video",
    ),
)
