"""Guidance in an interval, and deep features that are used again."""

from collections import Counter

import pytest
import torch

from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.sampling import Conditions, make_scheduler, sample_latents
from mimo_core.denoise.speed import DeepFeatures
from mimo_core.errors import InputError
from tests.tiny_comfy import CONFIG
from tests.tiny_networks import random_weights


@pytest.fixture(scope="module")
def denoiser():
    return random_weights(Denoiser(CONFIG), 0)


@pytest.fixture(scope="module")
def conditions(denoiser):
    frames = torch.Generator().manual_seed(1)
    token = torch.randn(1, 1, CONFIG.cross_attention_dim, generator=frames)
    with torch.no_grad():
        features = random_weights(ReferenceUNet(CONFIG), 1)(torch.randn(1, 4, 8, 8, generator=frames), token)
    return Conditions(torch.randn(8, 4, 8, 8, generator=frames), token, features)


@pytest.fixture
def blocks(denoiser, monkeypatch):
    """How often the middle and the last block ran."""
    count = Counter()
    middle, conv_out = denoiser.run_middle, denoiser.conv_out.forward
    monkeypatch.setattr(denoiser, "run_middle", lambda *given: (count.update(middle=1), middle(*given))[1])
    monkeypatch.setattr(denoiser.conv_out, "forward", lambda x: (count.update(passes=1), conv_out(x))[1])
    return count


def sample(denoiser, conditions, frames=range(8), **given):
    noise = torch.randn(8, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    given = {"windows": [list(frames)], "steps": 6, "cfg": 2.0} | given
    return sample_latents(denoiser, noise, conditions, **given)


class TestDeepFeatures:
    def test_they_are_made_at_every_nth_step_only(self, denoiser, conditions, blocks):
        sample(denoiser, conditions, reuse_every=3)
        assert (blocks["passes"], blocks["middle"]) == (6, 2)

    def test_what_comes_out_is_near_the_whole_and_nearer_with_more_blocks(self, denoiser, conditions):
        whole = sample(denoiser, conditions)
        errors = [
            float((sample(denoiser, conditions, reuse_every=2, reuse_depth=depth) - whole).norm() / whole.norm())
            for depth in (0, 11)
        ]
        assert 0 < errors[1] < errors[0] < 0.7

    def test_windows_do_not_read_each_others_features(self, denoiser, conditions, blocks):
        """Two windows without overlap, in one run or in two."""
        both = sample(denoiser, conditions, windows=[[0, 1, 2, 3], [4, 5, 6, 7]], reuse_every=2)
        assert (blocks["passes"], blocks["middle"]) == (12, 6)
        other = sample(denoiser, conditions, windows=[[0, 1, 2, 3], [4, 5, 6, 7]][::-1], reuse_every=2)
        assert torch.allclose(both, other, atol=1e-5)

    def test_windows_in_one_pass_are_as_windows_one_by_one(self, denoiser, conditions):
        windows = {"windows": [[0, 1, 2, 3], [4, 5, 6, 7]], "reuse_every": 2}
        together = sample(denoiser, conditions, windows_at_once=2, **windows)
        assert torch.allclose(together, sample(denoiser, conditions, **windows), atol=1e-4)

    def test_halves_apart_are_as_halves_together(self, denoiser, conditions):
        """One pass with both halves leaves features that two passes with one half each read, and the other way."""
        x = torch.randn(4, 8, 8, 8, generator=torch.Generator().manual_seed(3))
        token = conditions.token

        def run(deep, time, kinds):
            rows = x[:, :].repeat(len(kinds), 1, 1, 1)
            options, taken = {"cond_or_uncond": list(kinds)}, deep.open_pass(time, kinds)
            with torch.no_grad():
                v = denoiser(rows, torch.full((len(rows),), time), token, transformer_options=options, deep=taken)
            deep.keep(kinds, taken)
            return v

        together, apart = DeepFeatures(2), DeepFeatures(2)
        run(together, 900, (1, 0))
        run(apart, 900, (1,)), run(apart, 900, (0,))
        left = run(together, 800, (1, 0))
        right = torch.cat([run(apart, 800, (1,)), run(apart, 800, (0,))])
        assert torch.allclose(left, right, atol=1e-4)

    def test_a_half_that_was_not_run_before_makes_its_own(self, denoiser, conditions, blocks):
        """The first steps run without guidance; where it sets in, the other half has no features yet."""
        steps = [float(time) for time in make_scheduler("ddim", 6).timesteps]
        sample(denoiser, conditions, reuse_every=6, guidance_interval=(0.0, (steps[1] - 1) / 1000))
        assert blocks["middle"] == 2

    def test_numbers_out_of_reason_are_refused(self):
        with pytest.raises(InputError, match="give 1 or more"):
            DeepFeatures(0)


def test_the_bench_counts_fewer_flops_where_deep_features_are_taken_again():
    from mimo_lab.bench.speed import count_pass_flops

    made, taken = (count_pass_flops(1, is_reused, 0, frames=2, side=8) for is_reused in (False, True))
    assert 0 < taken < 0.7 * made
