"""The weights that ship, in a real ComfyUI: what a user gets straight after install."""

import copy
import gc
import importlib
import weakref

import numpy as np
import pytest
import torch

from tests.test_comfy_windows import custom_sample


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
def sockets(run, part, motion):
    """Gives what parts of a precision draw on a green ground: the sockets of a clip."""

    def join_sockets(parts):
        model, vae, clip_vision = parts
        picture = part("mimo_lab.synthetic").make_character_picture(1701, size=256).image
        character = torch.from_numpy(picture)[None].float() / 255
        identity = run("MIMO_EncodeIdentity", character=character, vae=vae, clip_vision=clip_vision)[0]
        scene = part("mimo_core.scene.picture").scene_from_picture(
            None, color=(40, 120, 60), width=SIDE, height=SIDE, fps=12
        )
        return {"model": model, "vae": vae, "identity": identity, "motion": motion, "scene": scene}

    return join_sockets


@pytest.fixture(scope="module")
def sample(run, sockets):
    """Gives what the one-node road makes: images, plan, latent."""

    def sample_with(parts, **widgets):
        given = sockets(parts)
        with torch.inference_mode():  # as ComfyUI runs every node
            return run("MIMO_Sampler", **given, **widgets)

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
            assert torch.equal(plain, part("nodes.decoding").decode_latents(vae, latent["samples"]))
        assert (images - plain).abs().mean() > 0.003
        off = np.abs((images.numpy() * 255) - (40, 120, 60)).max(-1)
        assert np.median(off) < 3  # where the plate shows, it is the plate

    def test_copies_of_the_model_keep_it(self, loaded):
        assert loaded[0].clone().get_attachment("mimo_detail") is loaded[0].get_attachment("mimo_detail") is not None


@pytest.fixture(scope="module")
def conditioned(run, loaded, sockets):
    """What MIMO Conditioning gives: model, positive, negative, latent, plan."""
    with torch.inference_mode():
        return run("MIMO_Conditioning", **sockets(loaded))


@pytest.fixture(scope="module")
def sampled(conditioned):
    """The LATENT of the stock KSampler after one step."""
    import nodes

    model, positive, negative, latent, _ = conditioned
    with torch.inference_mode():
        return nodes.KSampler().sample(model, 42, 1, 1.0, "ddim", "simple", positive, negative, latent, 1.0)[0]


@pytest.fixture(scope="module")
def decode(node_classes, loaded, conditioned):
    """Gives images and notes of a LATENT."""

    def decode_latent(latent, model=conditioned[0]):
        with torch.inference_mode():
            made = node_classes["MIMO_Decode"].execute(samples=latent, vae=loaded[1], model=model)
        return made.args[0], [note["text"] for note in (made.ui or {}).get("mimo_notes", [])]

    return decode_latent


@pytest.fixture(scope="module")
def plain(part, loaded, sampled):
    with torch.inference_mode():
        return part("nodes.decoding").decode_latents(loaded[1], sampled["samples"])


class TestDecode:
    def test_behind_a_stock_sampler_it_gives_the_pictures_of_mimo_sampler(
        self, sample, loaded, conditioned, decode, run
    ):
        images, _, latent = sample(loaded, steps=2)
        model, positive, negative, empty, _ = conditioned
        noise = run("MIMO_Noise")[0]
        wired = custom_sample(model, positive, negative, noise, empty, steps=2, cfg=1.0)
        assert torch.equal(wired["samples"], latent["samples"])
        assert torch.equal(decode(wired)[0], images)
        assert torch.equal(decode(latent)[0], images)

    def test_behind_ksampler_it_puts_back_detail(self, decode, sampled, plain):
        images, notes = decode(sampled)
        assert notes == []
        assert (images - plain).abs().mean() > 0.003
        off = np.abs((images.numpy() * 255) - (40, 120, 60)).max(-1)
        assert np.median(off) < 3  # where the plate shows, it is the plate

    def test_any_copy_of_the_model_will_do(self, decode, sampled, loaded):
        assert torch.equal(decode(sampled, loaded[0].clone())[0], decode(sampled)[0])

    def test_a_part_of_the_latent_gets_its_own_layers(self, decode, sampled):
        import nodes

        (part,) = nodes.LatentFromBatch().frombatch(sampled, 1, 2)
        images, notes = decode(part)
        assert notes == []
        torch.testing.assert_close(images, decode(sampled)[0][1:3], rtol=0, atol=1e-4)

    def test_what_the_layers_do_not_fit_is_decoded_plain_with_a_note(self, decode, sampled, part, loaded):
        import nodes

        (larger,) = nodes.LatentUpscale().upscale(sampled, "bilinear", 320, 320, "disabled")
        (repeated,) = nodes.RepeatLatentBatch().repeat(sampled, 2)
        bare = {"samples": sampled["samples"]}
        for latent, reason in (
            (larger, "the latent is 320x320 pixels, the plate and proxy of MIMO Conditioning 256x256"),
            (repeated, "which of the 4 frames of MIMO Conditioning the latent's 8 are"),
            (sampled | {"batch_index": [0, 1, 1, 2]}, "which of the 4 frames"),
            (sampled | {"batch_index": [0, 1, 2, 9]}, "which of the 4 frames"),
            (bare, "the latent brings no plate and proxy"),
        ):
            images, (note,) = decode(latent)
            assert note.startswith("Decoded without detail: ") and reason in note
            with torch.inference_mode():
                assert torch.equal(images, part("nodes.decoding").decode_latents(loaded[1], latent["samples"]))

    def test_a_model_that_is_no_mimo_is_told_after_the_sampling_without_losing_it(self, decode, sampled, loaded, plain):
        images, (note,) = decode(sampled, loaded[1].patcher)
        assert "not a MIMO. Connect the model of Load MIMO" in note
        assert torch.equal(images, plain)

    def test_weights_without_the_network_need_no_layers_and_no_note(self, decode, sampled, loaded, plain):
        bare = loaded[0].clone()
        bare.remove_attachments("mimo_detail")
        images, notes = decode({"samples": sampled["samples"]}, bare)
        assert notes == []
        assert torch.equal(images, plain)

    def test_latents_of_other_models_and_no_vae_are_refused(self, decode, sampled, loaded, run):
        with pytest.raises(ValueError, match=r"shape \(1, 16, 3, 32, 32\).*VAE Decode"):
            decode({"samples": torch.zeros(1, 16, 3, 32, 32)})
        with pytest.raises(ValueError, match="There is no VAE"):
            run("MIMO_Decode", samples=sampled, vae=None, model=loaded[0])

    def test_it_decodes_eight_frames_at_a_time(self, decode, loaded, monkeypatch):
        sizes, whole = [], type(loaded[1]).decode
        monkeypatch.setattr(type(loaded[1]), "decode", lambda vae, few: sizes.append(len(few)) or whole(vae, few))
        assert len(decode({"samples": torch.zeros(19, 4, 8, 8)})[0]) == 19
        assert sizes == [8, 8, 3]

    def test_the_layers_go_with_the_latent(self, run, loaded, sockets):
        with torch.inference_mode():
            model, *_, latent, _ = run("MIMO_Conditioning", **sockets(loaded))
        assert latent["mimo_layers"] is copy.deepcopy(latent["mimo_layers"])
        kept = [weakref.ref(store) for store in latent["mimo_layers"].squares.values()]
        del latent, _
        gc.collect()
        assert model is not None and [store() for store in kept] == [None] * 3

    def test_frames_that_contexts_share_keep_their_order_and_no_part_of_them_is_guessed(self, part):
        layers = part("nodes.decoding").ClipLayers({}, (0, 1, 2, 2, 3), 64)
        assert layers.find_rows([0, 1, 2, 2, 3], 5) == layers.find_rows(None, 5) == [0, 1, 2, 3, 4]
        assert layers.find_rows([3, 1], 2) == [4, 1]
        assert layers.find_rows([1, 2], 2) is None
        assert layers.find_rows(None, 4) is None
