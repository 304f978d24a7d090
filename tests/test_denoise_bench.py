"""The bench of the denoiser: what it compares must be the same function, or its ratios mean nothing."""

import math

import pytest
import torch

from mimo_lab.bench import denoise
from mimo_lab.bench.table import BenchRow
from tests.tiny_networks import TINY


@pytest.fixture(scope="module")
def rows():
    return denoise.measure_case(denoise.Case("tiny 3x64", TINY, 3, 64, target=0.0), repeats=1)


class TestPlainVariant:
    def test_it_gives_the_same_as_ours(self, rows):
        assert rows["relative difference, tiny 3x64"].ok

    def test_the_reference_adds_less_memory_than_one_frame_of_the_plain_variant(self, rows):
        assert rows["extra memory of the reference, tiny 3x64"].ok

    def test_it_counts_the_flops_that_are_known_of_it(self):
        assert denoise._flops().ok

    def test_the_speed_is_a_ratio(self, rows):
        speed = rows["speed, tiny 3x64"]
        assert isinstance(speed, BenchRow)
        assert speed.value > 0
        assert math.isfinite(speed.value)


class TestPeakBytes:
    def test_it_sees_what_is_held_at_one_time_only(self):
        def one_after_the_other():
            for _ in range(4):
                torch.zeros(1 << 20)

        assert denoise.peak_bytes(one_after_the_other) == pytest.approx(4 << 20, rel=0.01)
        assert denoise.peak_bytes(lambda: [torch.zeros(1 << 20) for _ in range(4)]) == pytest.approx(16 << 20, rel=0.01)
