"""The traffic counter against sums that can be done by hand, and the bench for cards on a small network."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from mimo_core.errors import InputError
from mimo_lab.bench import gpu, run_bench
from mimo_lab.bench.traffic import count_traffic, make_pass
from tests.tiny_networks import TINY


def make(*shape):
    return torch.empty(*shape, device="meta", dtype=torch.float16)


def test_an_addition_reads_two_tensors_and_writes_one():
    a, b = make(10, 20), make(10, 20)
    counter = count_traffic(lambda: a + b)
    assert dict(counter.bytes_moved) == {"add": 3 * 200 * 2}


def test_a_tensor_that_is_expanded_or_used_twice_is_read_once():
    a, row = make(10, 20), make(1, 20)
    assert count_traffic(lambda: a + row.expand(10, 20)).total == (200 + 20 + 200) * 2
    assert count_traffic(lambda: a * a).total == (200 + 200) * 2


def test_views_are_free_and_copies_are_not():
    a = make(4, 6)
    assert count_traffic(lambda: a.transpose(0, 1).unflatten(0, (2, 3))).total == 0
    assert dict(count_traffic(lambda: a.transpose(0, 1).contiguous()).bytes_moved) == {"clone": 2 * 24 * 2}


def test_an_attention_is_one_kernel_that_keeps_its_scores():
    query, key = make(2, 8, 100, 40), make(2, 8, 300, 40)
    counter = count_traffic(lambda: scaled_dot_product_attention(query, key, key))
    assert counter.calls["attention"] == 1
    assert counter.total == (2 * query.numel() + 2 * key.numel()) * 2


def test_twice_the_frames_move_nearly_twice_as_much():
    few, many = (count_traffic(make_pass(TINY, frames, 8)).total for frames in (4, 8))
    assert 1.5 < many / few < 2


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a GPU here")
def test_the_bench_for_cards_says_what_it_needs():
    with pytest.raises(InputError, match="found no CUDA, ROCm or MPS device here"):
        run_bench(["gpu"])


def read_table(capsys) -> list[str]:
    """The lines below the table's head, above which a device without kernels is said to be one."""
    lines = capsys.readouterr().out.splitlines()
    return lines[next(at for at, line in enumerate(lines) if "variant" in line) + 1 :]


def test_the_bench_for_cards_prints_a_row_for_every_variant(capsys):
    assert run_bench(["gpu", "--tiny", "--frames", "2", "--size", "64", "--no-compile"]) == 0
    rows = {line[7:39].strip(): line[39:].split() for line in read_table(capsys)}
    halves = [f"VAE {verb} a frame, {name}" for verb in ("encode", "decode") for name in ("float32", "bfloat16")]
    assert list(rows) == ["plain", "ours, torch's operators", "ours", "ours, halves apart", *halves]
    assert all(float(seconds) > 0 and float(start) >= 0 for seconds, _, _, start in rows.values())
    assert float(rows["ours"][1]) > 0 and rows[halves[0]][1] == "-"


def test_a_row_that_fails_says_why_and_leaves_the_others(capsys, monkeypatch):
    """As where there is no compiler, or an operator is missing."""

    def fail(job):
        raise RuntimeError("Cannot find a working triton installation.\nMore lines.")

    def fill(job):
        raise RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)")

    variants = (gpu.Variant("a", fail), gpu.Variant("b", fill), gpu.Variant("c", lambda job: lambda: None))
    monkeypatch.setattr(gpu, "VARIANTS", variants)
    assert run_bench(["gpu", "--tiny", "--size", "64"]) == 1
    rows = [line[7:].split(maxsplit=1) for line in read_table(capsys)]
    assert rows[0] == ["a", "failed: RuntimeError: Cannot find a working triton installation."]
    assert rows[1] == ["b", "out of memory"]
    assert rows[2][0] == "c" and float(rows[2][1].split()[0]) >= 0


def test_what_would_take_more_than_three_minutes_is_left_out(capsys, monkeypatch):
    variants = (gpu.Variant("compiled", lambda job: lambda: None, is_compiled=True),)
    monkeypatch.setattr(gpu, "VARIANTS", variants)
    monkeypatch.setattr(gpu, "MOST_SECONDS", -1)
    assert run_bench(["gpu", "--tiny", "--size", "64"]) == 0
    assert read_table(capsys)[0].endswith("left out for time: --size 64 measures it")
