"""Other engines between our layers, and the core's own perception at our sockets: the core's real nodes and networks.

The networks are tiny or stand-ins of a shape: what is tested is that everything fits and comes back in place.
"""

import importlib.util
import json
import os
from pathlib import Path

import pytest
import torch

from tests.template_prompts import ROOT, values


def _has_newer_nodes():
    return Path(os.environ.get("COMFYUI_PATH", ""), "comfy_extras", "nodes_scail.py").is_file()


pytestmark = [pytest.mark.comfy, pytest.mark.skipif(not _has_newer_nodes(), reason="this ComfyUI lacks these nodes")]
FRAMES = 6


@pytest.fixture(scope="module")
def run(node_classes, tmp_path_factory):
    """Run a node of ours with its defaults, or a node class of the core, and give its outputs."""
    import folder_paths

    for kind in ("output", "temp"):
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path_factory.mktemp(kind)))

    def execute(node, **given):
        node = node_classes[node] if isinstance(node, str) else node
        entries = node.GET_SCHEMA().inputs or []
        defaults = {entry.id: entry.as_dict().get("default") for entry in entries if not entry.optional}
        return node.execute(**({name: value for name, value in defaults.items() if value is not None} | given)).args

    return execute


@pytest.fixture(scope="module")
def shot(run):
    """A few frames of the example at 96 by 128: clip, a motion whose body is taken for the person, scene, identity."""
    import comfy.utils

    video, character, motion, *_ = run("MIMO_Example", shot="dance")
    clip = video.get_components().images[:FRAMES]
    clip = comfy.utils.common_upscale(clip.movedim(-1, 1), 96, 128, "area", "disabled").movedim(1, -1)
    motion = motion[:FRAMES]
    motion = type(motion)(motion.people, motion.fps, motion.camera.resize(96, 128))
    person = run("MIMO_RenderMotion", motion=motion, style="mask")[1]
    scene = run("MIMO_SeparateScene", clip=clip, motion=motion, person=person, camera="none")[0]
    identity = run("MIMO_EncodeIdentity", character=character)[0]
    return {"clip": clip, "motion": motion, "scene": scene, "identity": identity, "character": character}


@pytest.fixture(scope="module")
def vae(pack):
    """Wan's real VAE with random weights."""
    import comfy.sd
    from comfy.ldm.wan.vae import WanVAE

    torch.manual_seed(0)
    shape = {"dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
    network = WanVAE(**shape, temperal_downsample=[False, True, True], dropout=0.0)
    state = {name: 0.02 * torch.randn(value.shape) for name, value in network.state_dict().items()}
    return comfy.sd.VAE(sd=state, dtype=torch.float32)


def tiny_model(network, **settings):
    """A MODEL that the core itself makes of a state dict: one block, one head."""
    import comfy.ops
    import comfy.sd

    torch.manual_seed(1)
    size = {"dim": 128, "ffn_dim": 128, "num_heads": 1, "num_layers": 1}
    made = network(**size, **settings, operations=comfy.ops.disable_weight_init)
    state = {name: 0.02 * torch.randn(tensor.shape) for name, tensor in made.state_dict().items()}
    kind = {"config": json.dumps({"transformer": {"model_type": settings["model_type"]}})}
    return comfy.sd.load_diffusion_model_state_dict(state, model_options={"dtype": torch.float32}, metadata=kind)


def sample(model, positive, negative, latent, steps=1):
    import nodes

    return nodes.KSampler().sample(model, 42, steps, 1.0, "euler", "simple", positive, negative, latent)[0]


def lay_back(run, shot, drawn):
    """What group 5 of the templates does: back to the clip's size and length, and into the plate."""
    from comfy_extras.nodes_images import ImageFromBatch
    from comfy_extras.nodes_mask import GrowMask

    import nodes

    scene = shot["scene"]
    width, height, count = scene.width, scene.height, scene.frames
    (drawn,) = nodes.ImageScale().upscale(drawn, "area", width, height, "disabled")
    (drawn,) = ImageFromBatch.execute(drawn, 0, count).args
    _, mask = run("MIMO_DecodeProxy", identity=shot["identity"], motion=shot["motion"], scene=shot["scene"])
    (mask,) = GrowMask.execute(mask, 8, True).args
    return run(
        "MIMO_Composite", scene=shot["scene"], images=drawn, mask=mask, color_match="none", feather=2, shadow=0.0
    )


def check_result(shot, video, images, mask, _scene):
    """Exact size, length and rate, and the plate untouched away from the character."""
    parts = video.get_components()
    assert parts.images.shape == (FRAMES, 128, 96, 3)
    assert parts.frame_rate == shot["scene"].fps
    assert images.isfinite().all()
    far = torch.nn.functional.max_pool2d(mask[:, None], 9, 1, 4)[:, 0] == 0
    plate = torch.stack([torch.from_numpy(shot["scene"].plate[k].copy()) for k in range(FRAMES)]).float() / 255
    occluder = torch.stack([torch.from_numpy(shot["scene"].occluder[k].copy()) for k in range(FRAMES)])
    seen = far & (occluder == 0)
    assert seen.float().mean() > 0.3
    torch.testing.assert_close(images[seen], plate[seen], atol=2 / 255, rtol=0)


class TestWanAnimate2:
    def test_its_frames_come_back_into_the_plate_of_the_clip(self, run, shot, vae):
        from comfy.ldm.wan.model_animate2 import WanAnimate2Model
        from comfy_extras.nodes_wan import TrimVideoLatent, WanAnimate2Cache, WanAnimate2ToVideo

        import nodes

        plate = torch.stack([torch.from_numpy(shot["scene"].plate[0].copy())]).float() / 255
        image, _, width, height, length = run(
            "MIMO_FrameCharacter", identity=shot["identity"], motion=shot["motion"], background=plate, longest_side=64
        )
        assert (width, height, length) == (48, 64, 9)
        (clip,) = nodes.ImageScale().upscale(shot["clip"], "area", width, height, "disabled")
        prompt = [[torch.zeros(1, 8, 4096), {}]]
        positive, negative, latent, trim, _, _ = run(
            WanAnimate2ToVideo, positive=prompt, negative=prompt, vae=vae, width=width, height=height, length=length,
            reference_image=image, pose_video=clip,
        )  # fmt: skip
        model = tiny_model(WanAnimate2Model, model_type="animate2")
        (model,) = WanAnimate2Cache.execute(model, "cpu", "default").args
        made = sample(model, positive, negative, latent)
        (made,) = TrimVideoLatent.execute(made, trim).args
        (drawn,) = nodes.VAEDecode().decode(vae, made)
        drawn = drawn.reshape(-1, *drawn.shape[-3:])
        assert drawn.shape == (length, height, width, 3)
        check_result(shot, *lay_back(run, shot, drawn))

    def test_every_window_of_the_template_begins_with_the_reference(self, run, vae):
        """The network takes the first latent frame of what it gets for the reference, and no window but the first one
        has it there by itself."""
        from comfy.ldm.wan.model_animate2 import WanAnimate2Model
        from comfy_extras.nodes_context_windows import ContextWindowsManualNode
        from comfy_extras.nodes_wan import WanAnimate2ToVideo

        template = json.loads((ROOT / "workflows" / "wan_animate_2_needs_files.json").read_text())
        (windows,) = [values(node) for node in template["nodes"] if node["type"] == "ContextWindowsManual"]
        torch.manual_seed(2)
        picture, clip = torch.rand(1, 64, 48, 3), torch.rand(9, 64, 48, 3)
        prompt = [[torch.zeros(1, 8, 4096), {}]]
        positive, negative, latent, *_ = run(
            WanAnimate2ToVideo, positive=prompt, negative=prompt, vae=vae, width=48, height=64, length=9,
            reference_image=picture, pose_video=clip,
        )  # fmt: skip
        model = tiny_model(WanAnimate2Model, model_type="animate2")
        fewer = {"context_length": 2, "context_overlap": 1}
        (model,) = ContextWindowsManualNode.execute(model, **windows | fewer).args
        given = []

        def watch(network, call):
            given.append((call["input"][:, :, 0], call["c"]["c_concat"][:, :, 0]))
            return network(call["input"], call["timestep"], **call["c"])

        model.set_model_unet_function_wrapper(watch)
        sample(model, positive, negative, latent)
        assert len(given) >= 3
        for noise, reference in given[1:]:
            torch.testing.assert_close(reference, given[0][1])
            torch.testing.assert_close(noise, given[0][0])


def pack_track(masks):
    """SAM3_TRACK_DATA of masks (F, N, H, W), packed by the core itself."""
    from comfy.ldm.sam3.tracker import pack_masks

    small = torch.nn.functional.interpolate(masks.float(), (144, 144)) > 0.5
    return {"packed_masks": pack_masks(small), "n_frames": len(masks), "scores": [], "orig_size": masks.shape[-2:]}


class TestScail2:
    def test_reference_masks_and_clip_agree_and_the_frames_come_back(self, run, shot, vae):
        from comfy.ldm.wan.model import SCAIL2WanModel
        from comfy_extras.nodes_scail import SCAIL2ColoredMask, WanSCAILToVideo

        import nodes

        image, mask, width, height, length = run(
            "MIMO_FrameCharacter", identity=shot["identity"], motion=shot["motion"], longest_side=128, multiple=32
        )
        assert (width, height, length) == (96, 128, 9)
        (clip,) = nodes.ImageScale().upscale(shot["clip"], "area", width, height, "disabled")
        person = run("MIMO_RenderMotion", motion=shot["motion"], style="mask")[1] > 0.5
        aside = torch.zeros_like(person)
        aside[:, :20, :20] = True
        track = pack_track(torch.stack([aside, person], 1))
        colored, reference = SCAIL2ColoredMask.execute(track, "0", "area", True, ref_track_data=mask).args
        blue, white = torch.tensor([0.0, 0.0, 1.0]), torch.ones(3)
        where = (colored == blue).all(-1)
        assert (where & person).sum() > 0.8 * person.sum()  # the larger of the two objects, ours
        assert (colored[:, 2:14, 2:14] == white).all()
        assert torch.equal((reference == blue).all(-1), mask > 0.5)
        prompt = [[torch.zeros(1, 8, 4096), {}]]
        positive, negative, latent, _ = run(
            WanSCAILToVideo, positive=prompt, negative=prompt, vae=vae, width=width, height=height, length=length,
            replacement_mode=True, reference_image=image, reference_image_mask=reference, pose_video=clip,
            pose_video_mask=colored,
        )  # fmt: skip
        made = sample(tiny_model(SCAIL2WanModel, model_type="scail2"), positive, negative, latent)
        (drawn,) = nodes.VAEDecode().decode(vae, made)
        drawn = drawn.reshape(-1, *drawn.shape[-3:])
        assert drawn.shape[1:] == (height, width, 3)
        assert len(drawn) >= FRAMES
        check_result(shot, *lay_back(run, shot, drawn))


class TestPerception:
    """What the core's own networks give, at our sockets, by the core's own converters."""

    def test_a_sam_3_track_is_person_and_occluder(self, run, shot):
        from comfy_extras.nodes_sam3 import SAM3_TrackToMask

        person = run("MIMO_RenderMotion", motion=shot["motion"], style="mask")[1] > 0.5
        ball = torch.zeros_like(person)
        ball[:, 60:90, 10:40] = True
        track = pack_track(torch.stack([person, ball], 1))
        (mask,) = SAM3_TrackToMask.execute(track, "0").args
        assert ((mask > 0.5) ^ person).float().mean() < 0.01
        motion = shot["motion"]
        made = run("MIMO_SeparateScene", clip=shot["clip"], motion=motion, person=mask, occluder=track, camera="none")
        occluder, seen = made[3] > 0.5, made[2] > 0.5
        assert (occluder & ball).sum() > 0.9 * ball.sum()
        assert (seen & person & ~ball).sum() > 0.9 * (person & ~ball).sum()

    def test_depth_anything_gives_depth_that_is_bright_where_it_is_near(self, run, shot):
        from comfy_extras.nodes_depth_anything_3 import DA3Render

        distance = torch.full((FRAMES, 128, 96), 4.0)
        distance[:, 40:90, 30:60] = 2.0
        (depth,) = DA3Render.execute(
            {"depth": distance}, {"output": "depth", "normalization": "v2_style", "apply_sky_clip": False}
        ).args
        assert depth[:, 60, 45].min() > depth[:, 5, 5].max()
        scene = run("MIMO_SeparateScene", clip=shot["clip"], motion=shot["motion"], depth=depth, camera="none")[0]
        assert scene.frames == FRAMES

    def test_moge_gives_the_focal_length_in_pixels(self, run, shot):
        from comfy_extras.nodes_moge import MoGeGeometryToFOV

        lens = torch.tensor([[[1.1, 0.0, 0.5], [0.0, 0.825, 0.5], [0.0, 0.0, 1.0]]])  # per width and per height
        _, focal = MoGeGeometryToFOV.execute(
            {"intrinsics": lens, "image": shot["clip"][:1]}, "vertical", "degrees"
        ).args
        assert focal == pytest.approx(1.1 * 96)
        camera = run("MIMO_EstimatePose", clip=shot["clip"], focal=focal)[0].camera
        assert camera.focal == pytest.approx(focal)

    def test_a_background_remover_gives_the_matte(self, run, shot):
        """The core's BiRefNet gives MASK (1, H, W), white on the character; here that of the example's picture."""
        from comfy_extras.nodes_bg_removal import RemoveBackground

        mask = (shot["character"][..., :3] - shot["character"][:, :1, :1, :3]).abs().amax(-1) > 0.08

        class Model:
            def encode_image(self, image):
                return mask.float().to(image)

        (matte,) = RemoveBackground.execute(Model(), shot["character"]).args
        identity, _ = run("MIMO_EncodeIdentity", character=shot["character"], mask=matte)
        assert (identity.matte > 127).sum() == pytest.approx(int(mask.sum()), rel=0.1)

    def test_void_takes_out_what_our_mask_covers_and_its_frames_are_the_plate(self, run, shot):
        from comfy_extras.nodes_mask import GrowMask, InvertMask
        from comfy_extras.nodes_void import VOIDQuadmaskPreprocess

        _, mask, _ = run("MIMO_RenderMotion", motion=shot["motion"], style="mask")
        (grown,) = GrowMask.execute(mask, 4, True).args
        (quad,) = VOIDQuadmaskPreprocess.execute(InvertMask.execute(grown).args[0]).args
        assert (quad[mask > 0.9] == 1).all()
        assert (quad[grown == 0] == 0).all()
        plate = torch.rand(FRAMES, 128, 96, 3)
        motion = shot["motion"]
        made = run("MIMO_SeparateScene", clip=shot["clip"], motion=motion, person=mask, plate=plate, camera="none")[1]
        hole = mask > 0.9  # outside the person the clip itself is the plate
        torch.testing.assert_close(made[hole], plate[hole], atol=1 / 255, rtol=0)


def test_the_core_here_has_no_flow_that_could_be_connected():
    """OPTICAL_FLOW is a network, which VOID's warped noise takes, and no flow of a clip."""
    found = importlib.util.find_spec("comfy_extras.nodes_void")
    text = Path(found.origin).read_text()
    assert text.count("OpticalFlow.Input(") == 1 and 'node_id="VOIDWarpedNoise"' in text
