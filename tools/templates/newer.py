"""Templates for nodes of newer cores: other engines between our layers, and ComfyUI's own perception."""

from .files import (
    BIREFNET,
    DEPTH_ANYTHING,
    MOGE,
    SAM3,
    SCAIL2_DPO,
    SCAIL2_FAST,
    SCAIL2_UNET,
    VOID_FLOW,
    VOID_PASS1,
    VOID_PASS2,
    VOID_TEXT,
    VOID_VAE,
    WAN_ANIMATE2_UNET,
    WAN_TEXT,
    WAN_VAE,
    WAN_VISION,
)
from .parts import (
    BLUE,
    FOLLOWED,
    GREEN,
    GREY,
    NEWER_CORE,
    PLAYED,
    PURPLE,
    SEPARATED,
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


LOADERS = (
    Node("clip", "CLIPLoader", widgets={"clip_name": WAN_TEXT["file"], "type": "wan"}, files=(WAN_TEXT,)),
    Node("vae", "VAELoader", widgets={"vae_name": WAN_VAE["file"]}, files=(WAN_VAE,)),
    Node("vision", "CLIPVisionLoader", widgets={"clip_name": WAN_VISION["file"]}, files=(WAN_VISION,)),
)


def _unet(file) -> Node:
    return Node("unet", "UNETLoader", widgets={"unet_name": file["file"]}, files=(file,))


def _prompt(text: str) -> Node:
    return Node("prompt", "CLIPTextEncode", (300, 160), {"text": text}, "Prompt")


def _stretch(key: str, title: str) -> Node:
    """To another size with nothing cut off, so that what is drawn lies where the clip has it."""
    return Node(key, "ImageScale", widgets={"upscale_method": "area", "crop": "disabled"}, title=title)


def _take_apart(multiple: int) -> Group:
    return take_apart(
        [
            Node("scene", "MIMO_SeparateScene", SEPARATED),
            Node("frame", "MIMO_FrameCharacter", SHOWN, {"multiple": multiple}),
        ],
        [
            Node("frames", "GetVideoComponents"),
            _stretch("sized", "Clip in the size to draw"),
            Node("proxy", "MIMO_DecodeProxy", PLAYED),
        ],
        title="3  Take the shot apart, frame the character",
    )


def _put_back(prefix: str) -> Group:
    composite = {"color_match": "none", "feather": 12, "shadow": 0.0}
    return group(
        "5  Back into the plate: size, length, sound, what is in front",
        GREEN,
        [
            Node("size", "GetImageSize"),
            _stretch("unsized", "Back to the clip's size"),
            Node("count", "ImageFromBatch", widgets={"batch_index": 0, "length": 48}),
            Node("grow", "GrowMask", widgets={"expand": 24}),
        ],
        [Node("composite", "MIMO_Composite", PLAYED, composite)],
        [save_video("video", prefix)],
    )


APART_LINKS = (
    "example.video > pose.clip",
    "example.video > scene.clip",
    "example.video > frames.video",
    "example.character > identity.character",
    "pose.motion > scene.motion",
    "pose.motion > frame.motion",
    "pose.motion > proxy.motion",
    "identity.identity > frame.identity",
    "identity.identity > proxy.identity",
    "scene.scene > proxy.scene",
    "frames.images > sized.image",
    "frame.width > sized.width",
    "frame.height > sized.height",
)
DRAW_LINKS = (
    "clip.CLIP > prompt.clip",
    "vision.CLIP_VISION > look.clip_vision",
    "frame.image > look.image",
    "prompt.CONDITIONING > animate.positive",
    "prompt.CONDITIONING > animate.negative",
    "vae.VAE > animate.vae",
    "look.CLIP_VISION_OUTPUT > animate.clip_vision_output",
    "frame.image > animate.reference_image",
    "sized.IMAGE > animate.pose_video",
    "frame.width > animate.width",
    "frame.height > animate.height",
    "frame.length > animate.length",
    "animate.positive > sampler.positive",
    "animate.negative > sampler.negative",
    "animate.latent > sampler.latent_image",
    "vae.VAE > decode.vae",
)
BACK_LINKS = (
    "scene.plate > size.image",
    "decode.IMAGE > unsized.image",
    "size.width > unsized.width",
    "size.height > unsized.height",
    "unsized.IMAGE > count.image",
    "size.batch_size > count.length",
    "proxy.mask > grow.mask",
    "scene.scene > composite.scene",
    "count.IMAGE > composite.images",
    "grow.MASK > composite.mask",
    "composite.video > video.video",
)
WAN_ANIMATE2_FILES = (WAN_ANIMATE2_UNET, WAN_TEXT, WAN_VAE, WAN_VISION)
WAN_ANIMATE_2 = Template(
    "wan_animate_2_needs_files",
    "Replace with Wan-Animate-2",
    "Wan-Animate-2 animates a picture and makes the background up; between our layers it replaces a person.",
    files=WAN_ANIMATE2_FILES,
    core=NEWER_CORE,
    rows=(
        (
            start("wan_animate_2_needs_files", *WAN_ANIMATE2_FILES),
            group(
                "2  Models",
                GREY,
                [
                    _unet(WAN_ANIMATE2_UNET),
                    *LOADERS,
                    Node(
                        "windows",
                        "ContextWindowsManual",
                        widgets={
                            "context_length": 21,
                            "context_overlap": 8,
                            "dim": 2,
                            # The network takes the first latent frame of every window for the reference.
                            "cond_retain_index_list": "0",
                            "latent_retain_index_list": "0",
                        },
                        title="Windows of 81 frames",
                    ),
                    Node("cache", "WanAnimate2Cache", widgets={"device": "cpu", "dtype": "int8"}),
                    Node("shift", "ModelSamplingSD3", widgets={"shift": 5.0}),
                ],
            ),
            _take_apart(16),
        ),
        (
            group(
                "4  Draw with Wan-Animate-2",
                PURPLE,
                [
                    _prompt("A person dances in a room with a brick wall. The camera stands still."),
                    Node("look", "CLIPVisionEncode", widgets={"crop": "none"}),
                    Node("animate", "WanAnimate2ToVideo"),
                ],
                [ksampler(steps=10, sampler="lcm"), Node("trim", "TrimVideoLatent"), Node("decode", "VAEDecode")],
            ),
            _put_back("mimo_wan_animate_2"),
        ),
    ),
    links=(
        *APART_LINKS,
        "scene.plate > frame.background",
        "unet.MODEL > windows.model",
        "windows.MODEL > cache.model",
        "cache.MODEL > shift.model",
        "shift.MODEL > sampler.model",
        *DRAW_LINKS,
        "sampler.LATENT > trim.samples",
        "animate.trim_latent > trim.trim_amount",
        "trim.LATENT > decode.samples",
        *BACK_LINKS,
    ),
)
SAM_NODES = (
    Node("sam", "CheckpointLoaderSimple", widgets={"ckpt_name": SAM3["file"]}, title="SAM 3", files=(SAM3,)),
    Node("who", "CLIPTextEncode", (300, 100), {"text": "person"}, "Whom to follow"),
    Node("track", "SAM3_VideoTrack"),
)
SAM_LINKS = (
    "sam.MODEL > track.model",
    "sam.CLIP > who.clip",
    "who.CONDITIONING > track.conditioning",
)
SCAIL2_FILES = (SCAIL2_UNET, SCAIL2_DPO, SCAIL2_FAST, WAN_TEXT, WAN_VAE, WAN_VISION, SAM3)
SCAIL_2 = Template(
    "scail_2_needs_files",
    "Replace with SCAIL-2",
    "SCAIL-2 draws the character in the size of the driver, one of several people, behind what passes in front.",
    files=SCAIL2_FILES,
    core=NEWER_CORE,
    rows=(
        (
            start("scail_2_needs_files", *SCAIL2_FILES),
            group(
                "2  Models",
                GREY,
                [
                    _unet(SCAIL2_UNET),
                    *(
                        Node(
                            key,
                            "LoraLoaderModelOnly",
                            widgets={"lora_name": file["file"], "strength_model": strength},
                            files=(file,),
                        )
                        for key, file, strength in (("dpo", SCAIL2_DPO, 1.0), ("fast", SCAIL2_FAST, 0.8))
                    ),
                    Node("shift", "ModelSamplingSD3", widgets={"shift": 5.0}),
                    *LOADERS,
                ],
                [*SAM_NODES],
            ),
            _take_apart(32),
        ),
        (
            group(
                "4  Draw with SCAIL-2",
                PURPLE,
                [
                    _prompt("A person dances in a room with a brick wall. The camera stands still."),
                    Node("look", "CLIPVisionEncode", widgets={"crop": "none"}),
                    Node(
                        "colored",
                        "SCAIL2ColoredMask",
                        widgets={"object_indices": "0", "sort_by": "area", "replacement_mode": True},
                    ),
                ],
                [
                    Node(
                        "people",
                        "ImageScale",
                        widgets={"upscale_method": "nearest-exact", "crop": "disabled"},
                        title="Colored mask in the size to draw",
                    ),
                    Node("animate", "WanSCAILToVideo", widgets={"replacement_mode": True}),
                ],
                [ksampler(steps=6, sampler="euler"), Node("decode", "VAEDecode")],
            ),
            _put_back("mimo_scail_2"),
        ),
    ),
    links=(
        *APART_LINKS,
        *SAM_LINKS,
        "track.track_data > pose.person_mask",
        "frames.images > track.images",
        "unet.MODEL > dpo.model",
        "dpo.MODEL > fast.model",
        "fast.MODEL > shift.model",
        "shift.MODEL > sampler.model",
        "track.track_data > colored.driving_track_data",
        "frame.mask > colored.ref_track_data",
        "colored.pose_video_mask > people.image",
        "frame.width > people.width",
        "frame.height > people.height",
        "people.IMAGE > animate.pose_video_mask",
        "colored.reference_image_mask > animate.reference_image_mask",
        *DRAW_LINKS,
        "sampler.LATENT > decode.samples",
        *BACK_LINKS,
    ),
)
PERCEPTION_FILES = (SAM3, BIREFNET, DEPTH_ANYTHING, MOGE)
PERCEPTION = Template(
    "core_perception_needs_files",
    "Replace a character, seen by ComfyUI's own networks",
    "SAM 3 follows the person and what passes in front, BiRefNet cuts the character out, Depth Anything 3 and MoGe "
    "measure the shot.",
    files=PERCEPTION_FILES,
    core=NEWER_CORE,
    rows=(
        (
            start("core_perception_needs_files", *PERCEPTION_FILES),
            group(
                "2  Who, and what is in front: SAM 3",
                GREY,
                [Node("frames", "GetVideoComponents"), *SAM_NODES],
                [
                    Node("whom", "SAM3_TrackToMask", widgets={"object_indices": "0"}, title="One of them"),
                    Node("front", "CLIPTextEncode", (300, 100), {"text": "ball"}, "What passes in front"),
                    Node("passing", "SAM3_VideoTrack"),
                ],
            ),
            group(
                "3  Depth, lens, matte",
                GREY,
                [
                    Node(
                        "depth_net",
                        "LoadDA3Model",
                        widgets={"model_name": DEPTH_ANYTHING["file"]},
                        files=(DEPTH_ANYTHING,),
                    ),
                    Node("geometry", "DA3Inference"),
                    Node("depth", "DA3Render"),
                ],
                [
                    Node("first", "ImageFromBatch", widgets={"batch_index": 0, "length": 1}),
                    Node("lens_net", "LoadMoGeModel", widgets={"model_name": MOGE["file"]}, files=(MOGE,)),
                    Node("points", "MoGeInference"),
                    Node("lens", "MoGeGeometryToFOV"),
                    Node(
                        "matte_net",
                        "LoadBackgroundRemovalModel",
                        widgets={"bg_removal_name": BIREFNET["file"]},
                        files=(BIREFNET,),
                    ),
                    Node("matte", "RemoveBackground"),
                ],
            ),
        ),
        (
            group(
                "4  Take the shot apart",
                BLUE,
                [Node("pose", "MIMO_EstimatePose", FOLLOWED)],
                [Node("identity", "MIMO_EncodeIdentity", SMALL), Node("scene", "MIMO_SeparateScene", SEPARATED)],
            ),
            group("5  Draw the character", PURPLE, [Node("proxy", "MIMO_DecodeProxy", PLAYED)]),
            group(
                "6  Put it together",
                GREEN,
                [Node("composite", "MIMO_Composite", PLAYED)],
                [save_video("video", "mimo_core")],
            ),
        ),
    ),
    links=(
        *SAM_LINKS,
        "example.video > frames.video",
        "example.video > pose.clip",
        "example.video > scene.clip",
        "frames.images > track.images",
        "frames.images > passing.images",
        "sam.MODEL > passing.model",
        "sam.CLIP > front.clip",
        "front.CONDITIONING > passing.conditioning",
        "track.track_data > whom.track_data",
        "whom.masks > pose.person_mask",
        "whom.masks > scene.person",
        "passing.track_data > scene.occluder",
        "depth_net.DA3_MODEL > geometry.da3_model",
        "frames.images > geometry.image",
        "geometry.da3_geometry > depth.da3_geometry",
        "depth.IMAGE > scene.depth",
        "frames.images > first.image",
        "lens_net.MOGE_MODEL > points.moge_model",
        "first.IMAGE > points.image",
        "points.moge_geometry > lens.moge_geometry",
        "lens.focal_pixels > pose.focal",
        "matte_net.bg_model > matte.bg_removal_model",
        "example.character > matte.image",
        "matte.mask > identity.mask",
        "example.character > identity.character",
        "pose.motion > scene.motion",
        "pose.motion > proxy.motion",
        "identity.identity > proxy.identity",
        "scene.scene > proxy.scene",
        "scene.scene > composite.scene",
        "proxy.images > composite.images",
        "proxy.mask > composite.mask",
        "composite.video > video.video",
    ),
)
VOID_SIZE = {"width": 384, "height": 512, "length": 45}
VOID_FILES = (VOID_PASS1, VOID_PASS2, VOID_TEXT, VOID_VAE, VOID_FLOW)
VOID_PLATE = Template(
    "void_plate_needs_files",
    "A plate by VOID",
    "VOID paints what the person hides, in two passes of which the second follows optical flow; the character goes "
    "into that plate.",
    files=VOID_FILES,
    core=NEWER_CORE,
    rows=(
        (
            start("void_plate_needs_files", *VOID_FILES),
            group(
                "2  Models",
                GREY,
                [
                    Node(
                        "clip",
                        "CLIPLoader",
                        widgets={"clip_name": VOID_TEXT["file"], "type": "cogvideox"},
                        files=(VOID_TEXT,),
                    ),
                    Node("vae", "VAELoader", widgets={"vae_name": VOID_VAE["file"]}, files=(VOID_VAE,)),
                    Node(
                        "pass1",
                        "UNETLoader",
                        widgets={"unet_name": VOID_PASS1["file"]},
                        title="Pass 1",
                        files=(VOID_PASS1,),
                    ),
                    Node(
                        "pass2",
                        "UNETLoader",
                        widgets={"unet_name": VOID_PASS2["file"]},
                        title="Pass 2",
                        files=(VOID_PASS2,),
                    ),
                    Node("flow", "OpticalFlowLoader", widgets={"model_name": VOID_FLOW["file"]}, files=(VOID_FLOW,)),
                ],
            ),
            group(
                "3  Where the person is",
                BLUE,
                [Node("pose", "MIMO_EstimatePose", FOLLOWED), Node("frames", "GetVideoComponents")],
                [
                    Node("part", "ImageFromBatch", widgets={"batch_index": 0, "length": 45}),
                    Node("body", "MIMO_RenderMotion", PLAYED, {"style": "mask"}),
                    Node("grow", "GrowMask", widgets={"expand": 24}),
                    Node("invert", "InvertMask"),
                    Node("quad", "VOIDQuadmaskPreprocess"),
                ],
            ),
        ),
        (
            group(
                "4  Take the person out",
                PURPLE,
                [
                    Node(
                        "place",
                        "CLIPTextEncode",
                        (300, 120),
                        {"text": "an empty room with a brick wall"},
                        "What is behind",
                    ),
                    Node("negative", "CLIPTextEncode", (300, 100), {"text": ""}, "Negative"),
                    Node("inpaint", "VOIDInpaintConditioning", widgets=VOID_SIZE),
                    Node("steps", "BasicScheduler", widgets={"scheduler": "simple", "steps": 30}),
                    Node("method", "VOIDSampler"),
                ],
                [
                    Node("noise1", "RandomNoise", widgets={"noise_seed": 42, "control_after_generate": "fixed"}),
                    Node("guide1", "CFGGuider", widgets={"cfg": 6.0}, title="Guider of pass 1"),
                    Node("draw1", "SamplerCustomAdvanced", title="Pass 1"),
                    Node("decode1", "VAEDecode"),
                ],
                [
                    Node("warp", "VOIDWarpedNoise", widgets=VOID_SIZE),
                    Node("noise2", "VOIDWarpedNoiseSource"),
                    Node("guide2", "CFGGuider", widgets={"cfg": 6.0}, title="Guider of pass 2"),
                    Node("draw2", "SamplerCustomAdvanced", title="Pass 2"),
                    Node("decode2", "VAEDecode"),
                ],
            ),
            group(
                "5  The character in that plate",
                GREEN,
                [
                    Node("size", "GetImageSize"),
                    _stretch("plate", "Plate in the clip's size"),
                    Node("scene", "MIMO_SeparateScene", SEPARATED),
                ],
                [Node("identity", "MIMO_EncodeIdentity", SMALL), Node("proxy", "MIMO_DecodeProxy", PLAYED)],
                [Node("composite", "MIMO_Composite", PLAYED), save_video("video", "mimo_void")],
            ),
        ),
    ),
    links=(
        "example.video > frames.video",
        "frames.images > part.image",
        "part.IMAGE > pose.clip",
        "part.IMAGE > scene.clip",
        "frames.fps > pose.fps",
        "frames.fps > scene.fps",
        "pose.motion > body.motion",
        "body.mask > grow.mask",
        "grow.MASK > invert.mask",
        "invert.MASK > quad.mask",
        "clip.CLIP > place.clip",
        "clip.CLIP > negative.clip",
        "place.CONDITIONING > inpaint.positive",
        "negative.CONDITIONING > inpaint.negative",
        "vae.VAE > inpaint.vae",
        "part.IMAGE > inpaint.video",
        "quad.quadmask > inpaint.quadmask",
        "pass1.MODEL > steps.model",
        "noise1.NOISE > draw1.noise",
        "guide1.GUIDER > draw1.guider",
        "method.SAMPLER > draw1.sampler",
        "steps.SIGMAS > draw1.sigmas",
        "inpaint.latent > draw1.latent_image",
        "pass1.MODEL > guide1.model",
        "inpaint.positive > guide1.positive",
        "inpaint.negative > guide1.negative",
        "draw1.output > decode1.samples",
        "vae.VAE > decode1.vae",
        "flow.OPTICAL_FLOW > warp.optical_flow",
        "decode1.IMAGE > warp.video",
        "warp.warped_noise > noise2.warped_noise",
        "noise2.NOISE > draw2.noise",
        "pass2.MODEL > guide2.model",
        "inpaint.positive > guide2.positive",
        "inpaint.negative > guide2.negative",
        "guide2.GUIDER > draw2.guider",
        "method.SAMPLER > draw2.sampler",
        "steps.SIGMAS > draw2.sigmas",
        "inpaint.latent > draw2.latent_image",
        "draw2.output > decode2.samples",
        "vae.VAE > decode2.vae",
        "part.IMAGE > size.image",
        "decode2.IMAGE > plate.image",
        "size.width > plate.width",
        "size.height > plate.height",
        "plate.IMAGE > scene.plate",
        "pose.motion > scene.motion",
        "pose.motion > proxy.motion",
        "example.character > identity.character",
        "identity.identity > proxy.identity",
        "scene.scene > proxy.scene",
        "scene.scene > composite.scene",
        "proxy.images > composite.images",
        "proxy.mask > composite.mask",
        "composite.video > video.video",
    ),
)
