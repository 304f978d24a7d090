"""The nodes of the denoiser on a real ComfyUI: load, condition, sample, and what they refuse."""

import importlib
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mimo_core.denoise.checkpoints import save_checkpoint
from tests import tiny_comfy
from tests.test_comfy_windows import custom_sample
from tests.tiny_networks import tiny_autoencoder


pytestmark = pytest.mark.comfy
FRAMES, WIDTH, HEIGHT = 6, 96, 80


@pytest.fixture(scope="module")
def part(pack):
    """A module of the pack by its dotted name."""
    return lambda name: importlib.import_module(f"{pack.__name__}.{name}")


@pytest.fixture(scope="module")
def run(node_classes):
    def execute(node, **inputs):
        with torch.inference_mode():  # as ComfyUI runs every node
            return node_classes[node].execute(**inputs).args

    return execute


@pytest.fixture(scope="module")
def world(part, tmp_path_factory):
    """A tiny model with VAE, a character, and body code of somebody who walks through a scene."""
    folder = tmp_path_factory.mktemp("models")
    checkpoint = tiny_comfy.checkpoint(vae=tiny_comfy.small_vae(), clip_vision=tiny_comfy.clip_vision(folder).get_sd())
    save_checkpoint(checkpoint, folder / "tiny.safetensors", dtype=torch.float32)
    model, vae, clip_vision = part("nodes.comfy_load").load_checkpoint(folder / "tiny.safetensors")

    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (64, 64, 3), np.uint8)
    identity = part("mimo_core.identity.identity").Identity(picture, np.full((64, 64), 255, np.uint8))
    identity = part("nodes.conditioning").encode_views_by_nodes(identity, vae=vae, clip_vision=clip_vision)
    clip = part("mimo_core.media.clip")
    plate = clip.Clip.from_array(generator.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8))
    nobody = clip.Masks.constant(0, FRAMES, HEIGHT, WIDTH)
    scene = part("mimo_core.scene.scene").Scene(plate, plate, nobody, nobody)
    return SimpleNamespace(
        model=model, vae=vae, clip_vision=clip_vision, identity=identity, scene=scene, folder=folder,
        sockets={"model": model, "vae": vae, "identity": identity, "motion": body_code(part), "scene": scene},
    )  # fmt: skip


def body_code(part, frames=FRAMES, width=WIDTH):
    """IMAGE (F, H, W, 3): a block in the colours of our own map that moves to the right."""
    table = part("mimo_core.body.colors").point_colors(part("mimo_core.body.model").free_body())
    images = torch.zeros(frames, HEIGHT, width, 3)
    colours = table[torch.linspace(0, len(table) - 1, 40 * 20).long()].view(40, 20, 3)
    for frame in range(frames):
        images[frame, 20:60, 20 + 4 * frame : 40 + 4 * frame] = colours
    return images


DEFAULTS = {"size": 0, "start": 0, "length": 0, "behavior": "fixed"}
SAMPLING = {
    "seed": 42,
    "steps": 0,
    "cfg": 0.0,
    "sampler": "ddim",
    "scheduler": "simple",
    "denoise": 1.0,
    "noise": "per_frame",
}


class TestLoad:
    def test_a_merged_file_brings_model_vae_and_clip_vision(self, world, part):
        assert part("nodes.comfy_model").get_training_settings(world.model).size == tiny_comfy.SIZE
        assert world.vae.encode(torch.rand(1, 64, 64, 3)).shape == (1, 4, 8, 8)
        assert world.clip_vision.encode_image(torch.rand(1, 50, 40, 3), crop=False).image_embeds.shape == (1, 32)

    def test_the_node_lists_files_of_all_mimo_folders_and_loads_them(self, world, run, node_classes):
        import folder_paths

        folder_paths.add_model_folder_path("mimo", str(world.folder))
        folder_paths.filename_list_cache.clear()
        try:
            assert "tiny.safetensors" in node_classes["MIMO_LoadModel"].GET_SCHEMA().inputs[0].options
            model, vae, clip_vision = run("MIMO_LoadModel", checkpoint="tiny.safetensors", precision="bf16")
            assert model.model_dtype() == torch.bfloat16 and vae is not None and clip_vision is not None
        finally:
            folder_paths.folder_names_and_paths["mimo"][0].remove(str(world.folder))
            folder_paths.filename_list_cache.clear()

    def test_a_missing_file_is_answered_with_the_whole_command(self, run):
        import sys

        with pytest.raises(ValueError, match="no MIMO checkpoint") as caught:
            run("MIMO_LoadModel", checkpoint="gone.safetensors", precision="auto")
        assert f'"{sys.executable}" -m mimo_core fetch mimo' in str(caught.value)
        assert "denoising_unet.pth, motion_module.pth" in str(caught.value)

    def test_another_models_windows_are_checked(self, world, run):
        with pytest.raises(ValueError, match="window has 9 frames.*at most 8"):
            run("MIMO_ContextWindows", model=world.model, window=9, overlap=2, schedule="fixed")
        with pytest.raises(ValueError, match="overlap of 4"):
            run("MIMO_ContextWindows", model=world.model, window=4, overlap=4, schedule="fixed")


class TestLibrary:
    """What the command line draws with sees the same as ComfyUI's own networks."""

    @pytest.mark.parametrize("kind", ["kl", "tiny", "tiny by diffusers' names"])
    def test_its_autoencoders_are_comfyuis(self, part, kind):
        import comfy.sd

        library = part("mimo_core.denoise.autoencoder")
        if kind == "kl":
            theirs = tiny_comfy.vae()
            state = {f"first_stage_model.{name}": w for name, w in theirs.first_stage_model.state_dict().items()}
        else:
            state = tiny_comfy.small_vae() | {"vae_scale": torch.tensor(0.18215), "vae_shift": torch.tensor(0.0)}
            if kind != "tiny":
                state = tiny_autoencoder().state_dict()
            theirs = comfy.sd.VAE(sd=library.rename_taesd(state), dtype=torch.float32)
        ours = library.Autoencoder.from_tensors(state)
        pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), np.uint8)
        latents = ours.encode(pictures)
        expected = theirs.encode(torch.from_numpy(pictures).float() / 255)
        torch.testing.assert_close(latents, expected, rtol=1e-3, atol=1e-3)
        decoded = (theirs.decode(latents).detach() * 255).round().numpy()
        assert np.abs(ours.decode(latents) - decoded).max() <= 1

    def test_its_image_encoder_is_comfyuis(self, part, tmp_path):
        library, theirs = part("mimo_core.denoise.image_encoder"), tiny_comfy.clip_vision(tmp_path)
        picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
        ours = library.embed_picture(library.build_image_encoder(theirs.get_sd()), picture)
        expected = theirs.encode_image(torch.from_numpy(picture).float()[None] / 255, crop=False).image_embeds
        torch.testing.assert_close(ours, expected.float().cpu(), rtol=1e-3, atol=1e-3)


class TestIdentity:
    def test_the_token_is_the_projection_of_the_uncropped_square_and_not_normalised(self, world):
        picture = torch.from_numpy(world.identity.picture).float()[None] / 255
        expected = world.clip_vision.encode_image(picture, crop=False).image_embeds
        torch.testing.assert_close(world.identity.token[0], expected.float())
        assert abs(float(world.identity.token.norm()) - 1) > 1e-3

    def test_a_back_view_is_added_to_the_reference(self, world, part):
        from dataclasses import replace

        identity = replace(world.identity, back=(world.identity.picture[::-1].copy(), world.identity.matte))
        conditioning = part("nodes.conditioning")
        identity = conditioning.encode_views_by_nodes(identity, vae=world.vae, clip_vision=world.clip_vision)
        encode = conditioning.make_encoder(world.vae)
        features = {
            behavior: conditioning._compute_clip_reference(world.model, identity, encode, identity.token, 64, behavior)
            for behavior in ("fixed", "official")
        }
        tokens = {name: next(iter(views.banks.values())).shape[1] for name, views in features.items()}
        assert tokens == {"fixed": 2 * 64, "official": 64}


class TestConditioning:
    def test_it_feeds_stock_samplers(self, world, run):
        model, positive, negative, latent, plan = run("MIMO_Conditioning", **DEFAULTS, **world.sockets)
        assert latent["samples"].shape == (FRAMES, 4, 8, 8) and latent["batch_index"] == list(range(FRAMES))
        assert plan.width == WIDTH and len(plan.network_frames) == FRAMES
        out = tiny_comfy.sample(model, positive, negative, latent=latent)
        assert torch.isfinite(out).all() and out.std() > 0

    def test_the_sampler_node_equals_the_wired_graph(self, world, run):
        images, _, latent = run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)
        model, positive, negative, empty, _ = run("MIMO_Conditioning", **DEFAULTS, **world.sockets)
        noise = run("MIMO_Noise", seed=42, noise="per_frame")[0]
        wired = custom_sample(model, positive, negative, noise, empty)["samples"]
        assert float((latent["samples"] - wired).abs().max()) == 0
        assert images.shape == (FRAMES, 64, 64, 3)
        assert torch.equal(run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)[0], images)

    def test_image_to_image_starts_from_the_start_images(self, world, run):
        start = torch.rand(FRAMES, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(0))
        half = SAMPLING | {"denoise": 0.5}
        first = run("MIMO_Sampler", **DEFAULTS, **half, **world.sockets, start_images=start)[2]["samples"]
        other = run("MIMO_Sampler", **DEFAULTS, **half, **world.sockets, start_images=1 - start)[2]["samples"]
        assert not torch.equal(first, other)
        with pytest.raises(ValueError, match="Denoise 0.5 needs something to start from"):
            run("MIMO_Sampler", **DEFAULTS, **half, **world.sockets)

    def test_a_segment_has_the_frames_noise_and_regions_of_the_whole(self, world, run):
        whole, cut = (
            run("MIMO_Conditioning", **(DEFAULTS | bounds), **world.sockets)
            for bounds in ({}, {"start": 2, "length": 3})
        )
        entry = lambda made: made[1][0][1]["mimo_clip"]  # noqa: E731
        assert cut[3]["batch_index"] == [2, 3, 4]
        assert torch.equal(entry(cut).body_code, entry(whole).body_code[2:5])
        torch.testing.assert_close(entry(cut).concat_latents, entry(whole).concat_latents[2:5])
        noise = run("MIMO_Noise", seed=1, noise="per_frame")[0]
        assert torch.equal(noise.generate_noise(cut[3]), noise.generate_noise(whole[3])[2:5])

    def test_text_goes_to_controlnets_only(self, world, run):
        text = torch.randn(1, 5, 32)
        _, positive, negative, *_ = run("MIMO_Conditioning", **DEFAULTS, **world.sockets, text=[[text, {}]])
        assert positive[0][1]["cross_attn_controlnet"] is text and negative[0][1]["cross_attn_controlnet"] is text
        assert positive[0][0].shape == (1, 1, 32) and not negative[0][0].any()

    def test_one_frame_is_a_clip(self, world, run):
        images, *_ = run("MIMO_Sampler", **(DEFAULTS | {"length": 1}), **SAMPLING, **world.sockets)
        assert images.shape == (1, 64, 64, 3)

    def test_guidance_1_runs(self, world, run):
        images, *_ = run("MIMO_Sampler", **DEFAULTS, **(SAMPLING | {"cfg": 1.0}), **world.sockets)
        assert torch.isfinite(images).all()

    def test_official_noise_is_one_draw(self, run):
        noise = run("MIMO_Noise", seed=42, noise="official")[0].generate_noise(tiny_comfy.empty_latent(3))
        drawn = torch.randn(1, 4, 3, 8, 8, generator=torch.Generator().manual_seed(42), dtype=torch.float16)
        assert torch.equal(noise, drawn[0].transpose(0, 1).float())


def full(limit, run, *, rows_of=len):
    """`run`, but out of memory for more than `limit` rows; and the rows of every call that was tried."""
    import comfy.model_management

    tried = []

    def in_little_memory(self, x, *args, **kwargs):
        tried.append(rows_of(x))
        if rows_of(x) > limit:
            raise comfy.model_management.OOM_EXCEPTION("Tried to allocate 20.00 GiB.")
        return run(self, x, *args, **kwargs)

    return in_little_memory, tried


class TestOutOfMemory:
    def test_the_halves_are_run_one_by_one_from_the_first_time_on(self, world, part, run, monkeypatch):
        wanted = run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)[2]["samples"]
        native = part("nodes.comfy_model").Denoiser
        forward, tried = full(FRAMES, native.forward)
        monkeypatch.setattr(native, "forward", forward)
        found = run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)[2]["samples"]
        # ComfyUI's attention for CPUs cuts the rows by how many there are, and so sums in another order.
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
        assert tried == [2 * FRAMES] + [FRAMES] * 4  # two steps

    def test_a_controlnet_is_shared_out_too(self, world, part, run, monkeypatch):
        model, positive, negative, latent, _ = run("MIMO_Conditioning", **DEFAULTS, **world.sockets)
        conds = tiny_comfy.apply_control(positive, negative, tiny_comfy.controlnet(), tiny_comfy.frame_hints(FRAMES))
        wanted = tiny_comfy.sample(model, *conds, latent=latent)
        native = part("nodes.comfy_model").Denoiser
        monkeypatch.setattr(native, "forward", full(FRAMES, native.forward)[0])
        torch.testing.assert_close(tiny_comfy.sample(model, *conds, latent=latent), wanted, rtol=1e-3, atol=1e-3)

    def test_what_does_not_fit_at_all_is_told_with_numbers_and_stays_an_error_of_memory(
        self, world, part, run, monkeypatch
    ):
        import comfy.model_management

        native = part("nodes.comfy_model").Denoiser
        monkeypatch.setattr(native, "forward", full(0, native.forward)[0])
        message = r"windows of 6 frames of 64x64 pixels.*MIMO Context Windows with 3 frames.*GB are free"
        with pytest.raises(comfy.model_management.OOM_EXCEPTION, match=message) as caught:
            run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)
        assert isinstance(caught.value, ValueError)

    def test_the_vae_works_in_tiles(self, world, run, monkeypatch):
        wanted = run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)[0]
        network = type(world.vae.first_stage_model)
        for name in ("encode", "decode"):
            monkeypatch.setattr(network, name, full(1, getattr(network, name))[0])
        with torch.inference_mode():  # as ComfyUI runs every node
            found = run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)[0]
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)

    def test_a_vae_that_does_not_fit_in_tiles_is_told_with_numbers(self, world, run, monkeypatch):
        network = type(world.vae.first_stage_model)
        monkeypatch.setattr(network, "decode", full(0, network.decode)[0])
        with pytest.raises(ValueError, match="the VAE should decode 64x64 pixels in tiles.*GB are free"):
            run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)


class TestBadInput:
    def test_pictures_that_overflow_in_the_vae_are_not_a_black_video(self, world, run, monkeypatch):
        network = type(world.vae.first_stage_model)
        for name, culprit in (("decode", "pictures"), ("encode", "latents")):
            with monkeypatch.context() as patch:
                whole = getattr(network, name)
                patch.setattr(network, name, lambda self, x, whole=whole: whole(self, x) * float("nan"))
                with pytest.raises(ValueError, match=f"VAE's {culprit} are NaN or infinite.*--fp32-vae"):
                    run("MIMO_Sampler", **DEFAULTS, **SAMPLING, **world.sockets)

    @pytest.mark.parametrize("size", [100, 63, 56])
    def test_a_size_that_8_does_not_divide(self, world, run, size):
        with pytest.raises(ValueError, match=f"size is {size}"):
            run("MIMO_Conditioning", **(DEFAULTS | {"size": size}), **world.sockets)

    def test_frames_that_are_not_there(self, world, run):
        with pytest.raises(ValueError, match="Frames 4 to 13 are not all in the clip"):
            run("MIMO_Conditioning", **(DEFAULTS | {"start": 4, "length": 10}), **world.sockets)

    def test_a_clip_without_frames(self, world, run):
        with pytest.raises(ValueError, match="at least one frame"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"motion": torch.zeros(0, HEIGHT, WIDTH, 3)}))

    def test_another_number_of_frames_than_the_scene(self, world, part, run):
        with pytest.raises(ValueError, match="scene has 6 frames but the motion has 4"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"motion": body_code(part, 4)}))

    def test_body_code_of_another_size(self, world, part, run):
        with pytest.raises(ValueError, match="body code is 120x80, the scene 96x80"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"motion": body_code(part, width=120)}))

    def test_body_code_without_a_body(self, world, part, run):
        with pytest.raises(ValueError, match="black in all 6 frames"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"motion": 0 * body_code(part)}))

    def test_body_code_in_the_wrong_colours(self, world, part, run):
        wrong = body_code(part)
        wrong[wrong.amax(-1) > 0] = torch.tensor([1.0, 0.0, 1.0])
        with pytest.raises(ValueError, match="100% of the body code's pixels have colors"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"motion": wrong}))

    def test_a_missing_vae(self, world, run):
        with pytest.raises(ValueError, match="no VAE.*Load VAE"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"vae": None}))

    def test_a_vae_of_another_shape(self, world, run):
        class Wide:
            def encode(self, pixels):
                return torch.zeros(len(pixels), 16, 8, 8)

        with pytest.raises(ValueError, match=r"latents of \(16, 8, 8\).*Stable Diffusion 1.5"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"vae": Wide()}))

    def test_a_vae_of_another_scale_is_doubted(self, world, run, caplog):
        class Loud:
            def encode(self, pixels):
                return 8 * torch.randn(len(pixels), 4, 8, 8)

        with caplog.at_level(logging.WARNING, "mimo"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"vae": Loud()}))
        assert "VAE of another model" in caplog.text

    def test_an_identity_without_token(self, world, run):
        from dataclasses import replace

        blank = replace(world.identity, token=None)
        with pytest.raises(ValueError, match="Connect CLIP vision"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"identity": blank}))

    def test_a_token_of_another_width(self, world, run):
        from dataclasses import replace

        wide = replace(world.identity, token=torch.zeros(1, 1, 48))
        with pytest.raises(ValueError, match="width 48, this MIMO reads 32"):
            run("MIMO_Conditioning", **DEFAULTS, **(world.sockets | {"identity": wide}))

    def test_a_model_that_is_no_mimo(self, world, run):
        other = SimpleNamespace(model=torch.nn.Linear(1, 1))
        with pytest.raises(ValueError, match="MODEL is a Linear, not a MIMO"):
            run("MIMO_ContextWindows", model=other, window=0, overlap=4, schedule="fixed")

    def test_official_colours_stop_and_name_the_missing_files(self, world, part, run):
        import dataclasses

        model = world.model.clone()
        trained = part("nodes.comfy_model").get_training_settings(model)
        model.set_attachments("mimo_trained", dataclasses.replace(trained, colors="smpl"))
        motion = part("mimo_core.example").example_shots()[0].motion()
        with pytest.raises(ValueError, match="sdc_info.npy to models/mimo and an SMPL or SMPL-H file"):
            run(
                "MIMO_Conditioning",
                **DEFAULTS,
                **(world.sockets | {"model": model, "motion": motion, "scene": still_scene(part)}),
            )

    def test_a_motion_is_drawn_in_our_own_colours_for_our_own_weights(self, world, part, run):
        motion = part("mimo_core.example").example_shots()[0].motion()[:2]
        sockets = world.sockets | {"motion": motion, "scene": still_scene(part)}
        *_, latent, plan = run("MIMO_Conditioning", **DEFAULTS, **sockets)
        assert len(latent["samples"]) == 2 and plan.frames == 2


def still_scene(part):
    clip = part("mimo_core.media.clip")
    plate = clip.Clip.still(np.full((128, 96, 3), 200, np.uint8), 1)
    nobody = clip.Masks.constant(0, 1, 128, 96)
    return part("mimo_core.scene.scene").Scene(plate, plate, nobody, nobody, is_still=True)
