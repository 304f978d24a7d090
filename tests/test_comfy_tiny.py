"""The weights that ship, in a real ComfyUI: what a user gets straight after install."""

import importlib

import numpy as np
import pytest
import torch


pytestmark = pytest.mark.comfy
FRAMES, SIDE = 4, 256
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp8_e4m3fn": torch.float8_e4m3fn}


@pytest.fixture(scope="module")
def part(pack):
    return lambda name: importlib.import_module(f"{pack.__name__}.{name}")


@pytest.fixture(scope="module")
def run(node_classes):
    def execute(name, **given):
        inputs = node_classes[name].GET_SCHEMA().inputs
        defaults = {entry.id: entry.as_dict().get("default") for entry in inputs if not entry.optional}
        return node_classes[name].execute(**({k: v for k, v in defaults.items() if v is not None} | given)).args

    return execute


@pytest.fixture(scope="module")
def loaded(run):
    return run("MIMO_LoadModel")


@pytest.fixture(scope="module")
def motion(part):
    shot = part("mimo_lab.synthetic").make_shot(1700, size=SIDE, frames=FRAMES)
    return shot.motion


@pytest.fixture(scope="module")
def sample(run, part, motion):
    """Gives what the one-node road makes on a green ground with parts of a precision: images, plan, latent."""

    def sample_with(parts, **widgets):
        model, vae, clip_vision = parts
        picture = part("mimo_lab.synthetic").make_character_picture(1701, size=256).image
        character = torch.from_numpy(picture)[None].float() / 255
        identity = run("MIMO_EncodeIdentity", character=character, vae=vae, clip_vision=clip_vision)[0]
        scene = part("mimo_core.scene.picture").scene_from_picture(
            None, color=(40, 120, 60), width=SIDE, height=SIDE, fps=12
        )
        sockets = {"model": model, "vae": vae, "identity": identity, "motion": motion, "scene": scene}
        with torch.inference_mode():  # as ComfyUI runs every node
            return run("MIMO_Sampler", **sockets, **widgets)

    return sample_with


@pytest.fixture(scope="module")
def draw(sample):
    """Gives frames (F, S, S, 3) alone."""
    return lambda parts, **widgets: sample(parts, **widgets)[0]


@pytest.fixture(scope="module")
def drawn(draw, loaded):
    return draw(loaded, steps=8)


@pytest.fixture(scope="module")
def whole(draw, run):
    return draw(run("MIMO_LoadModel", precision="fp32"))


class TestBuiltIn:
    def test_it_is_the_first_choice(self, node_classes):
        names = node_classes["MIMO_LoadModel"].GET_SCHEMA().inputs[0].options
        assert names[0] == "mimo-tiny (built in)"

    def test_it_brings_all_parts_and_its_own_numbers(self, loaded, part):
        model, vae, clip_vision = loaded
        how = part("nodes.comfy_model").get_training_settings(model)
        assert (how.size, how.window, how.steps, how.cfg, how.colors) == (256, 16, 4, 1.0, "free")
        assert how.licence == "Apache-2.0"
        assert model.model_options["context_handler"].context_length == how.window
        encoded = clip_vision.encode_image(torch.rand(1, 64, 64, 3), crop=False).image_embeds
        assert encoded.shape[-1] == model.model.diffusion_model.config.cross_attention_dim
        assert vae.encode(torch.rand(1, 64, 64, 3)).shape == (1, 4, 8, 8)

    def test_it_draws_somebody_and_keeps_the_ground(self, drawn, part, motion):
        pictures = (drawn.numpy() * 255).round().astype(np.uint8)
        assert pictures.shape == (FRAMES, SIDE, SIDE, 3)
        off = np.abs(pictures.astype(int) - (40, 120, 60)).max(-1)
        share = (off > 40).mean((1, 2))
        assert (share > 0.02).all()
        assert (share < 0.6).all()
        assert np.median(off) < 25


class TestPrecision:
    @pytest.mark.parametrize(("precision", "least"), [("bf16", 60), ("fp16", 50), ("fp8_e4m3fn", 40)])
    def test_it_draws_what_full_precision_draws(self, draw, run, whole, precision, least):
        """On a CPU the core computes in fp32 with weights of any kind, so this is what the weights lose."""
        parts = run("MIMO_LoadModel", precision=precision)
        weights = list(parts[0].model.diffusion_model.parameters())
        coarse = sum(tensor.numel() for tensor in weights if tensor.dtype == PRECISIONS[precision])
        assert coarse > 0.95 * sum(tensor.numel() for tensor in weights)
        psnr = -10 * float((whole - draw(parts)).square().mean().log10())
        assert psnr >= least


class TestTrainedLora:
    def test_comfyui_finds_every_weight_that_it_changes(self, loaded, part):
        """What `mimo train` writes at the stage lora goes through Load LoRA as it is."""
        import comfy.sd

        lora = part("mimo_lab.training.lora")
        denoiser = part("mimo_core.denoise.denoiser").Denoiser(loaded[0].model.diffusion_model.config)
        lora.add_lora(denoiser, rank=2)
        tensors = {name: torch.ones_like(tensor) for name, tensor in lora.lora_tensors(denoiser).items()}
        changed, _ = comfy.sd.load_lora_for_models(loaded[0], None, tensors, 1.0, 0)
        assert len(changed.patches) == len(tensors) // 2


class TestDetail:
    def test_it_is_all_that_lies_between_what_the_vae_decodes_and_the_images(self, sample, loaded, part):
        model, vae, clip_vision = loaded
        bare = model.clone()
        bare.remove_attachments("mimo_detail")
        images, _, latent = sample(loaded, steps=1)
        plain, _, same = sample((bare, vae, clip_vision), steps=1)
        assert torch.equal(latent["samples"], same["samples"])
        with torch.inference_mode():
            assert torch.equal(plain, part("nodes.conditioning").decode_latents(vae, latent["samples"]))
        assert (images - plain).abs().mean() > 0.003
        off = np.abs((images.numpy() * 255) - (40, 120, 60)).max(-1)
        assert np.median(off) < 3  # where the plate shows, it is the plate

    def test_copies_of_the_model_keep_it(self, loaded):
        assert loaded[0].clone().get_attachment("mimo_detail") is loaded[0].get_attachment("mimo_detail") is not None
