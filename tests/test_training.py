"""Training: samples, stages, the loop, and that what comes out is a checkpoint like any other."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mimo_core.denoise.autoencoder import LATENT_SCALE, Autoencoder, rename_taesd
from mimo_core.denoise.checkpoints import open_checkpoint
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.detail import DetailNetwork, build_detail_network
from mimo_core.denoise.sampling import Conditions, sample_latents
from mimo_core.errors import InputError
from mimo_core.media.video_writer import write_video
from mimo_lab.synthetic import make_shot, shards
from mimo_lab.training import distillation, real_samples
from mimo_lab.training.autoencoder import AutoencoderStage, make_autoencoder, normalize_pictures, psnr_of_error
from mimo_lab.training.denoiser import BatchConfig, DenoiserStage, Mimo, compute_min_snr, compute_signal
from mimo_lab.training.distillation import FewStepsStage
from mimo_lab.training.export import clip_vision_tensors, export_checkpoint, load_networks, vae_tensors
from mimo_lab.training.image_encoder import ImageEncoderStage, make_image_encoder
from mimo_lab.training.latents import Encoders, Latents, encode_shards
from mimo_lab.training.loop import Step, fit_stage
from mimo_lab.training.lora import add_lora, lora_tensors
from mimo_lab.training.real_samples import make_real_sample
from mimo_lab.training.samples import SAMPLE_FIELDS, Sample, Shards, write_sample_shards
from mimo_lab.training.settings import TRAINING_STAGES, DataSettings, Run, StageSettings, read_run
from mimo_lab.training.shard_samples import make_shard_sample
from mimo_lab.training.synthetic_samples import jitter_motion, make_synthetic_sample


SIZE, FRAMES, CLIPS = 64, 4, 4
NETWORKS = MimoConfig(
    block_out_channels=(32, 32),
    layers_per_block=1,
    heads=2,
    cross_attention_dim=16,
    norm_groups=8,
    motion_heads=2,
    motion_frames=8,
    pose_channels=(4, 4, 8, 8),
    in_channels=12,
)
LAYERS = ("plate", "proxy")
FAST = StageSettings(steps=12, batch=2, frames=2, lr=2e-3, warmup=1, save_every=4, show_every=100)


def sample_like(rng) -> Sample:
    """Blocks of random colours instead of shots: quick to make, and as hard to draw."""

    def blocks(*shape):
        small = rng.integers(0, 255, (*shape, 8, 8, 3)).astype(np.uint8)
        return small.repeat(SIZE // 8, -3).repeat(SIZE // 8, -2)

    clips = {name: blocks(FRAMES) for name in ("frames", "plate", "proxy", "occluder", "body_code")}
    visible = np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    visible[:, 16:48, 24:40] = 255
    return Sample(**clips, visible=visible, reference=blocks())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    write_sample_shards(
        folder, lambda number: sample_like(np.random.default_rng(number)), CLIPS, each=2, recorded={"kind": "blocks"}
    )
    return folder


@pytest.fixture(scope="module")
def encoders():
    torch.manual_seed(0)
    return make_autoencoder(), make_image_encoder(NETWORKS.cross_attention_dim)


@pytest.fixture(scope="module")
def latents(folder, encoders):
    both = Encoders(Autoencoder(encoders[0], LATENT_SCALE), encoders[1])
    encode_shards(folder, both, layers=LAYERS)
    return Latents(folder, both.key)


@pytest.fixture(scope="module")
def accelerator():
    return pytest.importorskip("accelerate").Accelerator(cpu=True)


def networks(seed=0) -> Mimo:
    torch.manual_seed(seed)
    return Mimo(NETWORKS)


def stage(latents, *, motion=False, name="images", **settings) -> DenoiserStage:
    asked = BatchConfig(**({"clips": 2, "frames": 2, "in_order": motion} | settings))
    return DenoiserStage(name, networks(), latents, LAYERS, asked, motion=motion)


class TestSamples:
    def test_a_synthetic_sample_is_the_same_whoever_makes_it(self):
        first, again = (make_synthetic_sample(2, seed=3, size=SIZE, frames=2) for _ in range(2))
        assert all(np.array_equal(getattr(first, name), getattr(again, name)) for name in SAMPLE_FIELDS)

    def test_a_share_of_the_characters_is_randomized_with_their_shots(self):
        how = {"seed": 3, "size": SIZE, "frames": 2}
        wanted, plain = (make_synthetic_sample(2, is_randomized=kind, **how) for kind in (True, False))
        for share, sample in ((1.0, wanted), (0.0, plain)):
            assert np.array_equal(make_synthetic_sample(2, randomized_share=share, **how).frames, sample.frames)
        assert not np.array_equal(wanted.frames, plain.frames)

    def test_its_proxy_stands_where_the_person_is_and_leaves_the_plate_elsewhere(self):
        made = make_synthetic_sample(2, seed=3, size=SIZE, frames=2)
        changed = (np.abs(made.proxy.astype(int) - made.plate) > 12).any(-1)
        person = made.visible > 127
        assert person.any()
        assert (changed & person).sum() / person.sum() > 0.5
        assert (changed & ~person).sum() / (~person).sum() < 0.05

    def test_shards_give_back_what_was_written(self, folder):
        shards = Shards(folder)
        assert len(shards) == CLIPS
        wanted = sample_like(np.random.default_rng(3))
        assert all(np.array_equal(shards.read(3, name), getattr(wanted, name)) for name in SAMPLE_FIELDS)
        assert np.array_equal(shards.read(3, "frames", [2, 0]), wanted.frames[[2, 0]])

    def test_shards_that_are_there_are_not_made_again(self, folder):
        def never(number):
            raise AssertionError(number)

        write_sample_shards(folder, never, CLIPS, each=2, recorded={})

    def test_samples_of_a_smaller_run_are_completed(self, tmp_path):
        def make(number):
            return sample_like(np.random.default_rng(number))

        write_sample_shards(tmp_path, make, 1, each=2, recorded={"size": SIZE})
        write_sample_shards(tmp_path, make, 3, each=2, recorded={"size": SIZE})
        assert len(Shards(tmp_path)) == 3

    def test_their_latents_are_completed_too(self, tmp_path, encoders):
        both = Encoders(Autoencoder(encoders[0], LATENT_SCALE), encoders[1])
        for count in (1, 2):
            write_sample_shards(
                tmp_path, lambda number: sample_like(np.random.default_rng(number)), count, each=2, recorded={}
            )
            encode_shards(tmp_path, both, layers=LAYERS)
            held = Latents(tmp_path, both.key)
            assert len(held.tensors["reference"]) == count

    def test_samples_that_call_randomized_shots_rich_are_read(self, tmp_path):
        def make(number):
            return sample_like(np.random.default_rng(number))

        write_sample_shards(tmp_path, make, 1, recorded={"is_rich": True})
        assert Shards(tmp_path).recorded == {"is_randomized": True}
        write_sample_shards(tmp_path, make, 1, recorded={"is_randomized": True})
        with pytest.raises(InputError, match="is_randomized True, not False"):
            write_sample_shards(tmp_path, make, 1, recorded={"is_randomized": False})

    def test_samples_made_with_other_settings_are_refused(self, folder):
        with pytest.raises(InputError, match="made with kind blocks, not spheres"):
            write_sample_shards(folder, sample_like, CLIPS, each=2, recorded={"kind": "spheres"})

    def test_shots_in_shards_become_samples(self, tmp_path):
        recipe = shards.Recipe(30, 31, size=SIZE, frames=2, picture=128, each=1, variety=None)
        shards.write_shot_shards(tmp_path / "shards", recipe)
        made = make_shard_sample(1, folder=tmp_path / "shards", size=SIZE, frames=2)
        assert np.array_equal(made.frames, make_shot(31, size=SIZE, frames=2).frames)
        assert (made.body_code > 0).any()
        with pytest.raises(InputError, match="holds 2 shots, clip 4"):
            make_shard_sample(3, folder=tmp_path / "shards", size=SIZE, frames=2)

    def test_real_clips_become_samples(self, tmp_path):
        """A clip of a folder, taken apart by our own estimator and separator."""
        made = make_shot(2, size=256, frames=4)
        write_video(tmp_path / "clip.mp4", made.frames, fps=made.fps)
        sample = make_real_sample(0, folder=tmp_path, size=64, frames=3)
        shown = sample.visible > 127
        assert 0.02 < shown.mean() < 0.6
        assert (sample.body_code.max(-1) > 0)[shown].mean() > 0.7  # the body stands where the person is
        apart = np.abs(sample.frames.astype(int) - sample.plate).max(-1)
        assert np.median(apart[shown]) > 25 and np.median(apart[~shown]) < 3  # and is gone from the plate
        again = make_real_sample(0, folder=tmp_path, size=64, frames=3)
        assert np.array_equal(sample.frames, again.frames) and np.array_equal(sample.plate, again.plate)

    def test_a_folder_whose_clips_show_nobody_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(real_samples, "MOST_TRIES", 2)
        write_video(tmp_path / "clip.mp4", make_shot(2, size=64, frames=3).plate, fps=12)
        with pytest.raises(InputError, match="2 clips of .* none showed a person in 3 frames"):
            make_real_sample(0, folder=tmp_path, size=32, frames=3)

    def test_a_jittered_motion_stays_near_the_true_one(self):
        true = make_shot(7, size=32, frames=6).motion
        off = jitter_motion(true, np.random.default_rng(0)).person
        step = (off.body_pose - true.person.body_pose).abs()
        assert 0.01 < float(step.mean()) < 0.1
        assert float((off.transl - true.person.transl).norm(dim=1).max()) < 0.1

    def test_an_empty_folder_is_named(self, tmp_path):
        with pytest.raises(InputError, match="holds no training samples"):
            Shards(tmp_path)

    def test_arrays_of_another_shape_are_refused(self):
        made = sample_like(np.random.default_rng(0))
        with pytest.raises(InputError, match="plate of a training sample"):
            replace(made, plate=made.plate[:2])


class TestLoop:
    def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(self, latents, accelerator, tmp_path):
        whole = fit_stage(stage(latents), FAST, tmp_path / "whole", accelerator=accelerator, seed=5)

        def killed(done, total, preview=None):
            if done == 6:  # two steps after the last state was written
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit_stage(stage(latents), FAST, tmp_path / "killed", accelerator=accelerator, seed=5, progress=killed)
        rest = fit_stage(stage(latents), FAST, tmp_path / "killed", accelerator=accelerator, seed=5)
        assert rest.losses == whole.losses[4:]
        first, again = (
            torch.load(tmp_path / name / "state.pt", weights_only=True)["average"] for name in ("whole", "killed")
        )
        assert all(torch.equal(first[name], again[name]) for name in first)

    def test_a_state_that_calls_its_settings_told_goes_on_as_well(self, latents, accelerator, tmp_path):
        whole = fit_stage(stage(latents), FAST, tmp_path / "whole", accelerator=accelerator, seed=5)

        def killed(done, total, preview=None):
            if done == 6:  # two steps after the last state was written
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit_stage(stage(latents), FAST, tmp_path, accelerator=accelerator, seed=5, progress=killed)
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        state["told"] = state.pop("settings")
        torch.save(state, tmp_path / "state.pt")
        with pytest.raises(InputError, match="lr .*, not"):
            fit_stage(stage(latents), replace(FAST, lr=1e-4), tmp_path, accelerator=accelerator, seed=5)
        rest = fit_stage(stage(latents), FAST, tmp_path, accelerator=accelerator, seed=5)
        assert rest.losses == whole.losses[4:]

    def test_it_stops_when_the_time_is_over_and_keeps_what_it_has(self, latents, accelerator, tmp_path):
        report = fit_stage(stage(latents), FAST, tmp_path, accelerator=accelerator, until=0.0)
        assert (report.step, report.is_finished) == (0, False)

    def test_it_does_not_go_on_with_other_settings(self, latents, accelerator, tmp_path):
        fit_stage(
            stage(latents), replace(FAST, steps=2), tmp_path, accelerator=accelerator, recorded={"layers": "plate"}
        )
        before = (tmp_path / "state.pt").read_bytes()
        for changed in ({"lr": 1e-4}, {"ema": 0.5}):
            with pytest.raises(InputError, match=f"{next(iter(changed))} .*, not .*new folder"):
                fit_stage(stage(latents), replace(FAST, **changed), tmp_path, accelerator=accelerator)
        with pytest.raises(InputError, match="layers plate, not proxy"):
            fit_stage(stage(latents), FAST, tmp_path, accelerator=accelerator, recorded={"layers": "proxy"})
        assert (tmp_path / "state.pt").read_bytes() == before
        longer = fit_stage(stage(latents), replace(FAST, steps=3), tmp_path, accelerator=accelerator)
        assert longer.step == 3

    def test_a_fixed_batch_is_overfitted(self, latents, accelerator, tmp_path):
        one = stage(latents, dropped=0.0)
        fixed = Step(0, torch.Generator().manual_seed(1), torch.device("cpu"))
        batch = one.batch(fixed)
        one.batch = lambda step: batch
        settings = replace(FAST, steps=30, ema=0.0)
        losses = fit_stage(one, settings, tmp_path, accelerator=accelerator).losses
        assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])

    def test_the_average_is_what_the_network_holds_afterwards(self, latents, accelerator, tmp_path):
        one = stage(latents)
        fit_stage(one, replace(FAST, steps=3), tmp_path, accelerator=accelerator)
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        held = dict(one.network.named_parameters())
        assert all(torch.equal(held[name], weight) for name, weight in state["average"].items())
        assert any(not torch.equal(held[name], weight) for name, weight in state["weights"].items())

    def test_every_step_has_randomness_of_its_own(self, latents):
        one = stage(latents)
        steps = [Step(0, torch.Generator().manual_seed(seed), torch.device("cpu")) for seed in (1, 1, 2)]
        first, again, other = (float(one.loss(step)[0].detach()) for step in steps)
        assert first == again != other


class TestDenoiser:
    def test_the_weight_of_pure_noise_is_not_zero(self):
        signal = compute_signal()
        assert float(signal[-1]) == 0
        assert float(compute_min_snr(signal)[-1]) == 1

    def test_the_weights_are_those_of_min_snr_on_the_clean_latents_plus_one(self):
        signal = torch.tensor([0.5, 0.9, 0.99])
        snr = signal / (1 - signal)
        of_x0 = compute_min_snr(signal) * (1 + snr)  # (v error) = (1 + SNR) (x0 error)
        torch.testing.assert_close(of_x0, 1 + torch.tensor([1.0, 5.0, 5.0]))

    def test_single_frames_train_no_motion_module(self, latents):
        assert not [name for name, _ in stage(latents).network.named_parameters() if "motion_modules" in name]

    def test_motion_modules_and_body_codes_add_nothing_at_the_start(self):
        fresh = networks().denoising_unet
        still = networks().denoising_unet
        for level in [*still.down_blocks, still.mid_block, *still.up_blocks]:
            level.motion_modules = None
        x, token = torch.randn(3, 12, 8, 8), torch.zeros(1, 1, 16)
        with torch.no_grad():
            assert torch.equal(fresh(x, torch.tensor([5] * 3), token), still(x, torch.tensor([5] * 3), token))
            assert networks().pose_guider(torch.rand(1, 3, 64, 64)).abs().max() == 0

    def test_an_unconditioned_clip_reads_neither_reference_nor_token(self, latents):
        one = stage(latents)
        batch = one.batch(Step(0, torch.Generator().manual_seed(0), torch.device("cpu")))
        noisy, when = torch.randn_like(batch.frames), torch.full((len(batch.frames),), 500)
        from mimo_lab.training.denoiser import predict_batch_velocity

        other = replace(batch, reference=batch.reference + 1, token=batch.token + 1)
        with torch.no_grad():
            assert torch.equal(
                *(predict_batch_velocity(one.network, noisy, when, b, conditioned=0) for b in (batch, other))
            )
            known, changed = (
                predict_batch_velocity(one.network, noisy, when, b, conditioned=1) for b in (batch, other)
            )
        assert not torch.equal(known[:2], changed[:2])
        assert torch.equal(known[2:], changed[2:])

    def test_frames_of_a_clip_share_their_noise_level(self, latents):
        one = stage(latents, motion=True, name="clips", frames=3)
        assert one.batch(Step(0, torch.Generator().manual_seed(0), torch.device("cpu"))).frames.shape == (6, 4, 8, 8)


class TestAutoencoder:
    def test_colours_pass_before_it_has_learned_anything(self):
        flat = torch.tensor([[200, 40, 90], [20, 180, 60]], dtype=torch.uint8)[:, None, None].expand(2, 64, 64, 3)
        with torch.no_grad():
            network = make_autoencoder()
            decoded = network.decoder(network.encoder(normalize_pictures(flat)))
        middle = decoded[:, :, 24:40, 24:40]
        assert float((middle - normalize_pictures(flat)[:, :, 24:40, 24:40]).abs().mean()) < 0.2

    def test_it_has_the_shape_that_comfyui_knows(self):
        network = make_autoencoder()
        pictures = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3)).astype(np.uint8)
        opened = Autoencoder.from_tensors(rename_taesd(network.state_dict()))
        with torch.no_grad():
            wanted = network.encoder(normalize_pictures(torch.from_numpy(pictures)))
        torch.testing.assert_close(opened.encode(pictures) * opened.scale, wanted)

    def test_it_learns(self, folder, accelerator, tmp_path):
        torch.manual_seed(0)
        one = AutoencoderStage(Shards(folder), batch=2, crop=32)
        losses = fit_stage(one, replace(FAST, steps=14, lr=1e-3), tmp_path, accelerator=accelerator).losses
        assert np.mean(losses[-4:]) < np.mean(losses[:4])
        assert one.pictures().shape == (3, 2 * SIZE, 6 * SIZE)

    def test_a_frozen_encoder_stays(self, folder):
        names = [name for name, p in AutoencoderStage(Shards(folder), frozen=True).network.named_parameters()
                 if p.requires_grad]  # fmt: skip
        assert names
        assert all(name.startswith("decoder.") for name in names)

    def test_decibels_are_those_of_pictures_in_0_to_1(self):
        assert float(psnr_of_error(torch.tensor(4 * 0.01))) == pytest.approx(20)


class TestImageEncoder:
    def test_it_learns_who_is_who(self, folder, accelerator, tmp_path):
        torch.manual_seed(0)
        one = ImageEncoderStage(Shards(folder), width=16, batch=4)
        losses = fit_stage(one, replace(FAST, steps=8), tmp_path, accelerator=accelerator).losses
        assert losses[-1] < losses[0]


class TestLatents:
    def test_latents_of_other_encoders_do_not_count(self, folder, latents, encoders):
        with pytest.raises(InputError, match="no latents of these encoders"):
            Latents(folder, "another")
        assert len(latents) == CLIPS
        assert latents.read("frames", 1, [0, 3]).shape == (2, 4, SIZE // 8, SIZE // 8)

    def test_they_do_not_depend_on_the_decoder(self, encoders):
        first, other = (Encoders(Autoencoder(make_autoencoder(), LATENT_SCALE), encoders[1]) for _ in range(2))
        assert first.key != other.key
        other.autoencoder.network.encoder.load_state_dict(first.autoencoder.network.encoder.state_dict())
        assert first.key == other.key

    def test_they_are_the_autoencoder_s(self, folder, latents, encoders):
        with torch.no_grad():
            wanted = encoders[0].encoder(normalize_pictures(torch.from_numpy(Shards(folder).read(2, "plate"))))
        torch.testing.assert_close(latents.read("plate", 2, list(range(FRAMES))), wanted, atol=3e-3, rtol=2e-3)


class TestFewSteps:
    def test_levels_end_at_pure_noise_and_at_the_picture(self):
        levels = torch.arange(distillation.TEACHER_LEVELS + 1)
        assert distillation.timestep_of_level(levels)[[0, 1, -1]].tolist() == [-1, 39, 999]

    def test_it_starts_as_its_teacher_and_trains_the_denoiser_alone(self, latents):
        one = FewStepsStage(
            "few steps", networks(), latents, LAYERS, BatchConfig(clips=1, frames=3, in_order=True), cfg=2.0
        )
        loss, _ = one.loss(Step(0, torch.Generator().manual_seed(0), torch.device("cpu")))
        loss.backward()
        learned = {name.split(".")[0] for name, p in one.network.named_parameters() if p.grad is not None}
        assert learned == {"denoising_unet"}
        assert all(p.grad is None for p in one.teacher.parameters())

    def test_frames_stand_at_rising_levels_where_they_are_staggered(self, latents, monkeypatch):
        monkeypatch.setattr(distillation, "STAGGERED_SHARE", 1.0)
        one = FewStepsStage(
            "few steps", networks(), latents, LAYERS, BatchConfig(clips=1, frames=4, in_order=True), cfg=1.0
        )
        step = Step(0, torch.Generator().manual_seed(0), torch.device("cpu"))
        levels = one._levels(one.batch(step), step)
        assert len(set(levels.tolist())) == 4
        assert 1 <= int(levels.min()) <= int(levels.max()) <= distillation.TEACHER_LEVELS


class TestLora:
    def test_it_changes_nothing_at_the_start_and_its_names_are_those_of_the_weights(self):
        plain, changed = networks().denoising_unet, networks().denoising_unet
        add_lora(changed, rank=2)
        x, token, when = torch.randn(2, 12, 8, 8), torch.zeros(1, 1, 16), torch.tensor([5, 5])
        with torch.no_grad():
            torch.testing.assert_close(plain(x, when, token), changed(x, when, token))
        tensors = lora_tensors(changed)
        weights = plain.state_dict()
        stems = {name.removeprefix("diffusion_model.").rsplit(".lora_", 1)[0] for name in tensors}
        assert stems
        assert all(f"{stem}.weight" in weights for stem in stems)

    def test_only_what_was_added_learns(self):
        denoiser = networks().denoising_unet
        add_lora(denoiser, rank=2)
        learned = [name for name, p in denoiser.named_parameters() if p.requires_grad]
        assert learned
        assert all(".parametrizations.weight.0." in name for name in learned)


@pytest.fixture(scope="module")
def out(encoders, tmp_path_factory):
    """The checkpoint of networks that nothing was taught."""
    data = DataSettings(size=SIZE, frames=FRAMES)
    run = Run("tiny", data=data, networks=NETWORKS, layers=LAYERS, window=FRAMES, steps=2)
    out = tmp_path_factory.mktemp("export") / "tiny.safetensors"
    extras = {"vae": vae_tensors(encoders[0]), "clip_vision": clip_vision_tensors(encoders[1])}
    export_checkpoint(run, networks(), out, extras=extras)
    return out


class TestExport:
    def test_the_result_is_a_checkpoint_with_its_numbers(self, out):
        checkpoint = open_checkpoint(out)
        assert checkpoint.trained.concat == LAYERS
        assert (checkpoint.trained.size, checkpoint.trained.window, checkpoint.trained.colors) == (
            SIZE,
            FRAMES,
            "free",
        )
        assert set(checkpoint.extras) == {"vae", "clip_vision"}

    def test_it_samples(self, out):
        from mimo_lab.bench.tiny import TinyModel

        model = TinyModel.open(out)
        conditions = Conditions(concat_latents=torch.zeros(3, 8, 8, 8), token=torch.zeros(1, 1, 16))
        drawn = sample_latents(
            model.networks.denoiser, torch.randn(3, 4, 8, 8), conditions, windows=[[0, 1, 2]], steps=2
        )
        assert torch.isfinite(drawn).all()

    def test_it_can_be_trained_further_on_more_conditions(self, out):
        run = Run("more", networks=replace(NETWORKS, in_channels=16), layers=(*LAYERS, "occluder"))
        wide = load_networks(out, run).denoising_unet.conv_in.weight
        assert wide.shape[1] == 16
        assert not wide[:, 12:].any()

    @pytest.mark.parametrize(("layers", "stays"), [(LAYERS, True), (("plate", "occluder"), False)])
    def test_a_detail_network_stays_where_its_layers_do(self, encoders, tmp_path, layers, stays):
        from mimo_lab.training.run import train_run

        pytest.importorskip("accelerate")
        pytest.importorskip("tensorboard")
        data = DataSettings(clips=1, size=SIZE, frames=2)
        run = Run("more", data=data, networks=NETWORKS, layers=LAYERS)
        extras = {"vae": vae_tensors(encoders[0]), "clip_vision": clip_vision_tensors(encoders[1])}
        extras["detail"] = DetailNetwork((8, 8)).state_dict()
        export_checkpoint(run, networks(), tmp_path / "start.safetensors", extras=extras)
        fast = replace(FAST, steps=1, batch=1, frames=2)
        run = replace(run, layers=layers, start=str(tmp_path / "start.safetensors"), stages={"clips": fast})
        assert train_run(run, tmp_path / "out", on_cpu=True)
        found = build_detail_network(open_checkpoint(tmp_path / "out" / "more.safetensors"))
        assert (found is not None) == stays

    def test_what_it_brings_is_trained_further_or_stays(self, out, tmp_path):
        """A run that starts from a checkpoint goes on with its autoencoder and keeps its image encoder."""
        from mimo_lab.training.run import train_run

        pytest.importorskip("accelerate")
        pytest.importorskip("tensorboard")
        fast = replace(FAST, steps=2, batch=1, frames=2)
        data = DataSettings(clips=2, size=SIZE, frames=2)
        run = Run("more", data=data, networks=NETWORKS, layers=LAYERS, start=str(out), stages={"clips": fast})
        before = open_checkpoint(out)
        for folder, stages, changed in (
            ("denoiser", ("clips",), ""),
            ("decoder", ("clips", "decoder"), "taesd_decoder."),
            ("autoencoder", ("autoencoder", "clips"), "taesd_"),
        ):
            run = replace(run, stages=dict.fromkeys(stages, fast))
            assert train_run(run, tmp_path / folder, samples=tmp_path / "samples", on_cpu=True)
            after = open_checkpoint(tmp_path / folder / "more.safetensors")
            assert after.trained.source.endswith(f". Before: {before.trained.source}")
            assert all(torch.equal(*pair) for pair in zip(*map(clip_vision_of, (before, after)), strict=True))
            names = [name for name in before.extras["vae"] if name.endswith(".weight")]
            moved = {name for name in names if not torch.equal(before.extras["vae"][name], after.extras["vae"][name])}
            assert moved == {name for name in names if changed and name.startswith(changed)}


def clip_vision_of(checkpoint) -> list[torch.Tensor]:
    return [tensor for _, tensor in sorted(checkpoint.extras["clip_vision"].items())]


class TestSettings:
    def test_the_shipped_configurations_are_read(self):
        for path in sorted(Path(__file__).parents[1].joinpath("configs").glob("*.yaml")):
            run = read_run(path)
            assert run.networks.in_channels == 4 * (1 + len(run.layers))
            assert run.stages

    def test_numbers_that_yaml_takes_for_text_are_numbers(self, tmp_path):
        path = tmp_path / "a.yaml"
        path.write_text("stages: {images: {lr: 1e-3}}")
        assert read_run(path).stages["images"].lr == 0.001

    def test_a_configuration_that_calls_randomized_shots_rich_is_read(self, tmp_path):
        path = tmp_path / "a.yaml"
        path.write_text("data: {is_rich: true}")
        assert read_run(path).data.is_randomized

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("stages: {pictures: {}}", "pictures"),
            ("data: {clip: 3}", "there is no clip"),
            ("seed: many", "whole number"),
            ("cfg: [2.0]", "cfg must be a number"),
            ("- a", "names and values"),
            ("a: [", "not valid YAML"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path, text, said):
        path = tmp_path / "a.yaml"
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            read_run(path)


class TestTraining:
    def test_a_smoke_run_of_all_stages_ends_with_a_checkpoint(self, tmp_path):
        """The command itself, at a size that is trained in seconds."""
        from mimo_lab.training.run import train_run

        pytest.importorskip("accelerate")
        pytest.importorskip("tensorboard")
        names = [
            name for name in TRAINING_STAGES if name not in ("drawing", "sharpening")
        ]  # which needs samples that are streamed
        stages = {name: replace(FAST, steps=2, batch=1, frames=2) for name in names}
        stages["image encoder"] = replace(FAST, steps=2, batch=2)
        run = Run(
            "smoke", data=DataSettings(clips=2, size=SIZE, frames=2), networks=NETWORKS, layers=LAYERS, stages=stages
        )
        assert train_run(run, tmp_path, on_cpu=True)
        for name in ("smoke", "smoke-few-steps"):
            assert open_checkpoint(tmp_path / f"{name}.safetensors").config == NETWORKS
        assert (tmp_path / "smoke-lora.safetensors").is_file()
        assert train_run(run, tmp_path, on_cpu=True)  # nothing is left to do
        recorded = json.loads(json.dumps(Shards(tmp_path / "samples").recorded))
        assert recorded["kind"] == "synthetic"
