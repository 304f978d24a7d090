"""Noise, windows, schedulers and the sampling loop outside ComfyUI."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mimo_core.denoise.config import SAMPLERS
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.noise import draw_frame_noise, draw_official_noise, make_step_generators
from mimo_core.denoise.pose_guider import PoseGuider
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.sampling import Conditions, make_scheduler, sample_latents
from mimo_core.denoise.windows import plan_context_windows, plan_fixed_windows, plan_official_windows
from mimo_core.errors import InputError
from tests.tiny_networks import TINY, random_weights


class FrameLocal(nn.Module):
    """Stands in for a denoiser that mixes nothing across frames: v is a function of the frame's own input."""

    dtype = None

    def __init__(self):
        super().__init__()
        self.conv_in = nn.Conv2d(8, 4, 1)
        self.calls = []

    def forward(self, x, timesteps, context, transformer_options, pose, reference, deep):
        self.calls.append(transformer_options["cond_or_uncond"])
        rows = pose.repeat(len(x) // len(pose), 1, 1, 1) + context.mean((1, 2)).view(-1, 1, 1, 1)
        return torch.tanh(self.conv_in(x) + rows)


@pytest.fixture(scope="module")
def networks():
    return random_weights(Denoiser(TINY)), random_weights(ReferenceUNet(TINY), 1), random_weights(PoseGuider(TINY), 2)


def clip_conditions(frames, *, size=4, reference=None, pose=None):
    generator = torch.Generator().manual_seed(5)
    background = torch.randn(frames, 4, size, size, generator=generator)
    features = torch.randn(frames, 32, size, size, generator=generator) if pose is None else pose
    return Conditions(background, torch.full((1, 1, 16), 0.3), reference, lambda indices: features[indices])


def local_conditions(frames):
    return clip_conditions(frames, pose=torch.linspace(-1, 1, frames).view(-1, 1, 1, 1).expand(-1, 4, 4, 4))


class TestFrameNoise:
    def test_a_frame_has_the_same_noise_in_the_clip_and_in_a_segment(self):
        whole = draw_frame_noise(7, range(10), 4, 6)
        assert_close(draw_frame_noise(7, [8, 3], 4, 6), whole[[8, 3]], rtol=0, atol=0)

    def test_every_seed_and_frame_differs(self):
        drawn = torch.cat([draw_frame_noise(seed, range(4), 2, 2) for seed in (0, 1, 2**32, 2**64 - 1)])
        assert len({tuple(noise.flatten().tolist()) for noise in drawn}) == 16

    def test_it_is_standard_normal(self):
        noise = draw_frame_noise(1, range(20), 16, 16)
        assert noise.shape == (20, 4, 16, 16)
        assert noise.dtype == torch.float32
        assert abs(noise.mean().item()) < 0.03
        assert abs(noise.std().item() - 1) < 0.03

    def test_generators_for_samplers_that_draw_on_the_way_follow_the_frame_too(self):
        first = torch.randn(2, generator=make_step_generators(7, [3])[0])
        second = torch.randn(2, generator=make_step_generators(7, [1, 2, 3])[2])
        assert_close(first, second, rtol=0, atol=0)


class TestOfficialNoise:
    def test_it_is_one_draw_for_the_clip_with_frames_behind_channels(self):
        drawn = torch.randn(1, 4, 5, 2, 3, generator=torch.Generator().manual_seed(42), dtype=torch.float16)
        noise = draw_official_noise(5, 2, 3)
        assert noise.shape == (5, 4, 2, 3)
        for frame in range(5):
            assert_close(noise[frame], drawn[0, :, frame].float(), rtol=0, atol=0)

    def test_its_numbers_are_a_float32_draw_rounded_to_float16(self):
        # True where the count of numbers divides by 16, as 98x98 latents do: torch draws the rest of a row anew
        single = torch.randn(1, 4, 5, 4, 4, generator=torch.Generator().manual_seed(42))
        assert_close(draw_official_noise(5, 4, 4), single.half().float()[0].transpose(0, 1), rtol=0, atol=0)

    def test_its_first_numbers_are_those_of_the_release(self):
        # fixtures.json noise_info, (1, 4, 2, 4, 4) with seed 42
        expected = [1.9267578125, 1.4873046875, 0.90087890625, -2.10546875, 0.67822265625, -1.234375]
        assert draw_official_noise(2, 4, 4)[0, 0].flatten()[:6].tolist() == expected


class TestWindows:
    @pytest.mark.parametrize("frames", [25, 30, 44, 64, 150])
    def test_fixed_windows_are_full_in_order_and_cover_every_frame(self, frames):
        windows = plan_fixed_windows(frames)
        assert {frame for window in windows for frame in window} == set(range(frames))
        assert all(window == list(range(window[0], window[0] + 24)) for window in windows)
        assert windows[-1][-1] == frames - 1
        assert all(later[0] <= earlier[-1] - 3 for earlier, later in zip(windows, windows[1:], strict=False))

    def test_the_official_last_window_wraps_and_the_fixed_one_does_not(self):
        assert plan_official_windows(30)[-1][-1] == 13
        assert plan_fixed_windows(30)[-1] == list(range(6, 30))

    def test_fixed_windows_need_no_more_passes_than_official_ones(self):
        assert all(len(plan_fixed_windows(frames)) <= len(plan_official_windows(frames)) for frames in range(1, 200))

    def test_windows_never_cross_a_context(self):
        windows = plan_context_windows([5, 30], size=24, overlap=4)
        assert windows == [[0, 1, 2, 3, 4], list(range(5, 29)), list(range(11, 35))]

    def test_an_overlap_as_long_as_the_window_is_refused(self):
        with pytest.raises(InputError, match="8 frames cannot share 8.*0 to 7"):
            plan_fixed_windows(20, size=8, overlap=8)


class TestSchedulers:
    def test_timesteps_are_the_literal_official_formula_half_to_even(self):
        timesteps = make_scheduler("ddim", 48).timesteps.tolist()
        assert {936, 686, 436, 186} <= set(timesteps)

    @pytest.mark.parametrize("steps", [61, 103, 121])
    def test_the_surplus_step_at_minus_one_is_official_and_dropped_in_fixed(self, steps):
        assert make_scheduler("ddim", steps, behavior="official").timesteps.tolist()[steps:] == [-1]
        assert len(make_scheduler("ddim", steps).timesteps) == steps

    @pytest.mark.parametrize("sampler", SAMPLERS)
    def test_every_sampler_recovers_a_clip_whose_velocity_is_known(self, sampler):
        torch.manual_seed(0)
        clean, noise = torch.randn(2, 4, 4, 4), torch.randn(2, 4, 4, 4)

        class Oracle(FrameLocal):
            def forward(self, x, timesteps, context, **_):
                alphas = make_scheduler("ddim", 10).alphas_cumprod[timesteps.long()].view(-1, 1, 1, 1)
                return (alphas.sqrt() * x[:, :4] - clean) / (1 - alphas).sqrt()  # v of x that gives `clean`

        latents = sample_latents(
            Oracle(), noise, clip_conditions(2), windows=[[0, 1]], steps=10, cfg=1, sampler=sampler
        )
        assert_close(latents, clean, rtol=0, atol=0.02)

    def test_an_unknown_sampler_is_refused_with_the_choices(self):
        with pytest.raises(InputError, match="'heun'.*ddim, euler"):
            make_scheduler("heun", 10)


class TestSample:
    def test_a_frame_local_network_gives_the_same_with_and_without_windows(self):
        torch.manual_seed(0)
        network, noise = FrameLocal(), torch.randn(12, 4, 4, 4)
        whole = sample_latents(network, noise, local_conditions(12), windows=[list(range(12))], steps=3)
        for behavior in ("fixed", "official"):
            windowed = sample_latents(
                network,
                noise,
                local_conditions(12),
                windows=plan_fixed_windows(12, size=5, overlap=2),
                steps=3,
                behavior=behavior,
            )
            assert_close(windowed, whole, rtol=0, atol=1e-5)

    def test_without_guidance_fixed_averages_and_official_sums(self):
        torch.manual_seed(0)
        network, noise = FrameLocal(), torch.randn(8, 4, 4, 4)
        windows = plan_fixed_windows(8, size=5, overlap=2)
        whole = sample_latents(network, noise, local_conditions(8), windows=[list(range(8))], steps=2, cfg=1)
        fixed = sample_latents(network, noise, local_conditions(8), windows=windows, steps=2, cfg=1)
        official = sample_latents(
            network, noise, local_conditions(8), windows=windows, steps=2, cfg=1, behavior="official"
        )
        assert_close(fixed, whole, rtol=0, atol=1e-5)
        assert_close(official[[0, 1, 2, 5, 6, 7]], whole[[0, 1, 2, 5, 6, 7]], rtol=0, atol=1e-5)
        assert (official[3:5] - whole[3:5]).abs().max() > 0.1

    def test_guidance_of_one_runs_only_the_conditional_half(self):
        network = FrameLocal()
        sample_latents(network, torch.zeros(2, 4, 4, 4), local_conditions(2), windows=[[0, 1]], steps=1, cfg=1)
        sample_latents(network, torch.zeros(2, 4, 4, 4), local_conditions(2), windows=[[0, 1]], steps=1, cfg=2)
        assert network.calls == [[0], [1, 0]]

    def test_windows_in_one_batch_equal_windows_one_by_one(self, networks):
        denoiser, reference_unet, _ = networks
        with torch.no_grad():
            features = reference_unet(draw_frame_noise(2, [0], 8, 8), torch.full((1, 1, 16), 0.3))
        conditions, noise = clip_conditions(8, size=8, reference=features), draw_frame_noise(1, range(8), 8, 8)
        windows = plan_fixed_windows(8, size=4, overlap=2)
        one_by_one = sample_latents(denoiser, noise, conditions, windows=windows, steps=2)
        together = sample_latents(denoiser, noise, conditions, windows=windows, steps=2, windows_at_once=3)
        assert_close(together, one_by_one, rtol=0, atol=2e-5)

    def test_denoise_below_one_keeps_more_of_the_start(self):
        torch.manual_seed(0)
        network, start, noise = FrameLocal(), torch.full((2, 4, 4, 4), 3.0), torch.randn(2, 4, 4, 4)

        def distance(denoise):
            result = sample_latents(
                network, noise, local_conditions(2), windows=[[0, 1]], steps=10, start=start, denoise=denoise
            )
            return (result - start).abs().mean()

        assert distance(0.2) < distance(0.5) < distance(1.0)

    def test_denoise_of_one_forgets_the_start(self):
        network, noise = FrameLocal(), draw_frame_noise(0, range(2), 4, 4)
        plain = sample_latents(network, noise, local_conditions(2), windows=[[0, 1]], steps=4)
        started = sample_latents(
            network, noise, local_conditions(2), windows=[[0, 1]], steps=4, start=torch.ones(2, 4, 4, 4)
        )
        assert_close(started, plain, rtol=0, atol=1e-5)

    def test_progress_counts_every_pass_and_may_stop_it(self):
        seen, network = [], FrameLocal()

        def progress(done, total, preview=None):
            seen.append((done, total))
            if done == 3:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            sample_latents(
                network,
                torch.zeros(8, 4, 4, 4),
                local_conditions(8),
                windows=plan_fixed_windows(8, size=4, overlap=0),
                steps=2,
                progress=progress,
            )
        assert seen == [(1, 4), (2, 4), (3, 4)]
        assert len(network.calls) == 3

    def test_an_overflow_is_named_with_its_step_and_cure(self):
        network = FrameLocal()
        network.conv_in.weight.data[:] = float("inf")
        with pytest.raises(InputError, match="step 1 of 2.*bfloat16 or float32"):
            sample_latents(network, torch.ones(2, 4, 4, 4), local_conditions(2), windows=[[0, 1]], steps=2)


class TestGuidanceInterval:
    def run(self, network, **settings):
        noise = draw_frame_noise(0, range(2), 4, 4)
        network.calls.clear()
        return sample_latents(network, noise, local_conditions(2), windows=[[0, 1]], steps=4, **settings)

    def test_the_whole_schedule_is_as_without(self):
        network = FrameLocal()
        self.run(network, guidance_interval=(0.0, 1.0))
        assert network.calls == [[1, 0]] * 4

    def test_outside_only_the_conditional_half_runs(self):
        network = FrameLocal()
        self.run(network, guidance_interval=(0.3, 0.8))
        assert network.calls == [[0], [1, 0], [1, 0], [0]]  # trailing timesteps of 4 steps: 999, 749, 499, 249

    def test_an_interval_the_wrong_way_round_is_refused(self):
        with pytest.raises(InputError, match="two shares from 0 to 1, the lower first"):
            self.run(FrameLocal(), guidance_interval=(0.8, 0.3))


class TestBadInput:
    def refused(self, message, noise=None, conditions=None, **options):
        options = {"windows": [[0, 1]], "steps": 1} | options
        with pytest.raises(InputError, match=message):
            sample_latents(
                FrameLocal(),
                torch.zeros(2, 4, 4, 4) if noise is None else noise,
                conditions or local_conditions(2),
                **options,
            )

    def test_zero_frames(self):
        self.refused("no frames to sample", noise=torch.zeros(0, 4, 4, 4))

    def test_a_background_of_another_length(self):
        message = r"concatenated latents are \(3, 4, 4, 4\) but must be \(2, 4, 4, 4\)"
        self.refused(message, conditions=local_conditions(3))

    def test_windows_that_leave_a_frame_out(self):
        self.refused("No window shows frame 1 of 2", windows=[[0]])

    def test_no_steps(self):
        self.refused("0 steps cannot be sampled", steps=0)

    def test_denoise_without_a_start(self):
        self.refused("Denoise 0.5 needs latents", denoise=0.5)

    def test_a_start_of_another_size(self):
        self.refused("start latents are", start=torch.zeros(2, 4, 5, 5))
