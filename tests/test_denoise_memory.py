"""Out of memory is a behavior: less at once, then tiles, then a message with the numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mimo_core.denoise.autoencoder import Autoencoder
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.memory import OutOfMemory, count_fitting, is_out_of_memory, run_with_fallbacks
from mimo_core.denoise.noise import draw_frame_noise
from mimo_core.denoise.sampling import Conditions, sample_latents
from mimo_core.denoise.windows import plan_fixed_windows
from mimo_lab.bench.denoise import peak_bytes
from tests.tiny_networks import TINY, random_weights, tiny_autoencoder


CPU = torch.device("cpu")


def in_little_memory(run, limit, size_of=len):
    """`run`, but out of memory for anything larger than `limit`; and the sizes that were tried."""
    tried = []

    def little(x, *args, **kwargs):
        tried.append(size_of(x))
        if size_of(x) > limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return run(x, *args, **kwargs)

    return little, tried


class TestInMemory:
    def test_ways_that_do_not_fit_are_never_tried_again(self):
        run, tried = in_little_memory(lambda way: way, 2, size_of=lambda way: way)
        ways = [4, 3, 2, 1]
        assert run_with_fallbacks(run, ways, CPU, situation="") == 2 and ways == [2, 1]
        assert run_with_fallbacks(run, ways, CPU, situation="") == 2 and tried == [4, 3, 2, 2]

    def test_the_last_failure_is_told(self):
        run, _ = in_little_memory(None, 0, size_of=lambda way: way)
        with pytest.raises(OutOfMemory, match="Out of memory with one frame. .*GB are free"):
            run_with_fallbacks(run, [2, 1], CPU, situation="with one frame")

    def test_other_errors_are_not_caught(self):
        def broken(way):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        with pytest.raises(RuntimeError, match="mat1"):
            run_with_fallbacks(broken, [2, 1], CPU, situation="")

    def test_a_cpu_that_is_full_counts(self):
        with pytest.raises(RuntimeError) as caught:
            torch.empty(1 << 60)
        assert is_out_of_memory(caught.value)

    def test_a_mac_that_is_full_counts(self):
        text = "MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1.00 GB, max allowed: 9.07 GB)."
        assert is_out_of_memory(RuntimeError(text))
        assert is_out_of_memory(RuntimeError("Invalid buffer size: 71.30 GB"))
        assert not is_out_of_memory(RuntimeError("The MPS backend does not know this operator."))


class TestSample:
    def run(self, denoiser, cfg=2.0):
        generator = torch.Generator().manual_seed(5)
        layers = torch.randn(8, 4, 8, 8, generator=generator)
        conditions = Conditions(layers, torch.full((1, 1, TINY.cross_attention_dim), 0.3))
        windows = plan_fixed_windows(8, size=4, overlap=2)
        noise = draw_frame_noise(1, range(8), 8, 8)
        return sample_latents(denoiser, noise, conditions, windows=windows, steps=2, cfg=cfg, windows_at_once=3)

    @pytest.mark.parametrize(
        ("limit", "expected"),
        [(8, [24] + [8] * 6), (4, [24, 8] + [4] * 12)],
    )
    def test_fewer_windows_then_one_half_at_a_time_give_the_same(self, limit, expected):
        denoiser = random_weights(Denoiser(TINY))
        with torch.no_grad():
            wanted = self.run(denoiser)
            denoiser.forward, tried = in_little_memory(denoiser.forward, limit)
            found = self.run(denoiser)
        torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5)
        assert tried == expected

    @pytest.mark.parametrize(("side", "expected"), [(56, [4]), (64, [2, 2])])
    def test_from_512_pixels_on_one_half_of_the_guidance_is_in_memory_at_a_time(self, side, expected):
        denoiser, rows = random_weights(Denoiser(TINY)), []
        denoiser.forward = lambda x, *_, **__: rows.append(len(x)) or torch.zeros_like(x[:, :4])
        conditions = Conditions(torch.zeros(2, 4, side, side), torch.zeros(1, 1, TINY.cross_attention_dim))
        sample_latents(denoiser, draw_frame_noise(1, range(2), side, side), conditions, windows=[[0, 1]], steps=1)
        assert rows == expected

    def test_a_longer_clip_takes_no_more_but_for_its_latents(self):
        denoiser = random_weights(Denoiser(TINY)).requires_grad_(False)

        def measure_peak(frames):
            noise = draw_frame_noise(1, range(frames), 8, 8)
            conditions = Conditions(noise, torch.zeros(1, 1, TINY.cross_attention_dim))
            windows = plan_fixed_windows(frames, size=4, overlap=0)
            return peak_bytes(
                lambda: sample_latents(denoiser, noise, conditions, windows=windows, steps=1)
            ), noise.nbytes

        (short, few), (long, many) = measure_peak(4), measure_peak(24)
        assert long - short < 10 * (many - few) < 0.3 * short

    def test_less_than_one_window_is_told_with_numbers(self):
        denoiser = random_weights(Denoiser(TINY))
        denoiser.forward, tried = in_little_memory(denoiser.forward, 3)
        with pytest.raises(OutOfMemory, match="one window of 4 frames of 64x64 pixels in float32.*GB are free"):
            self.run(denoiser)
        assert tried == [24, 8, 4]


class TestFreeMemory:
    def test_as_many_jobs_run_at_once_as_fit_and_one_at_least(self, monkeypatch):
        numbers = {
            "mem_get_info": lambda _: (7 * 2**30, 0),
            "memory_reserved": lambda _: 5,
            "memory_allocated": lambda _: 4,
        }
        monkeypatch.setattr(torch, "get_device_module", lambda _: SimpleNamespace(**numbers))
        device = torch.device("cuda")
        assert [count_fitting(gigabytes * 2**30, 4, device) for gigabytes in (1, 2, 3, 7, 9)] == [4, 3, 2, 1, 1]

    def test_a_cpu_is_not_asked(self):
        assert count_fitting(2**60, 4, CPU) == 4


class TestAutoencoder:
    @pytest.fixture
    def autoencoder(self):
        network = tiny_autoencoder()
        network.tile_sample_min_size, network.tile_latent_min_size, network.tile_overlap_factor = 32, 4, 0.5
        return Autoencoder(network)

    def limited(self, autoencoder, limit, size_of):
        network, tried = autoencoder.network, []
        for part in (network.encoder, network.decoder):
            part.forward, seen = in_little_memory(part.forward, limit, size_of)
            tried.append(seen)
        return tried

    def test_one_picture_at_a_time_gives_the_same(self, autoencoder):
        pictures = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
        latents = autoencoder.encode(pictures)
        decoded = autoencoder.decode(latents)
        encodes, decodes = self.limited(autoencoder, 1, len)
        torch.testing.assert_close(autoencoder.encode(pictures), latents, rtol=0, atol=1e-4)
        assert np.abs(autoencoder.decode(latents).astype(int) - decoded).max() <= 1
        assert encodes == [4, 1, 1, 1, 1, 1] and decodes == [1] * 5

    def test_tiles_come_near_the_whole(self, autoencoder):
        from scipy.ndimage import gaussian_filter

        noise = np.random.default_rng(0).random((2, 64, 64, 3)) * 255
        pictures = gaussian_filter(noise, (0, 8, 8, 0)).clip(0, 255).astype(np.uint8)
        latents = autoencoder.encode(pictures)
        encodes, _ = self.limited(autoencoder, 32 * 32, lambda x: x.shape[-1] * x.shape[-2] * len(x))
        tiled = autoencoder.encode(pictures)
        assert tiled.shape == latents.shape and max(encodes[2:]) <= 32 * 32
        assert (tiled - latents).norm() / latents.norm() < 0.4  # random weights see far beyond a tile of four latents

    def test_less_than_a_tile_is_told_with_numbers(self, autoencoder):
        self.limited(autoencoder, 0, len)
        with pytest.raises(OutOfMemory, match=r"should encode one picture of \(2, 64, 64, 3\) in tiles.*GB are free"):
            autoencoder.encode(np.zeros((2, 64, 64, 3), np.uint8))
