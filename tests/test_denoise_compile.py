"""Compiled blocks: no graph break, and nothing compiled again within a job. Backend eager: only graphs matter."""

from dataclasses import replace

import pytest
import torch

from mimo_core.denoise.compilation import REPEATED, compile_blocks
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.speed import DeepPass
from tests.tiny_networks import TINY, random_weights


CONFIG = replace(TINY, block_out_channels=(32, 32), layers_per_block=2)  # tracing takes its time
pytestmark = pytest.mark.skipif(not hasattr(torch, "compile"), reason="torch.compile is not there")


@pytest.fixture
def networks():
    torch._dynamo.reset()
    yield random_weights(Denoiser(CONFIG)).eval(), random_weights(ReferenceUNet(CONFIG)).eval()
    torch._dynamo.reset()


def pass_once(denoiser, keys, *, step=0, chunks=(1, 0), frames=2, control=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = len(chunks) * frames
    return denoiser(
        torch.randn(rows, 8, 8, 8, generator=generator),
        torch.full((rows,), 900 - step),
        torch.randn(1, 1, CONFIG.cross_attention_dim, generator=generator),
        control,
        {"cond_or_uncond": list(chunks), "sigmas": torch.tensor([float(step)]), "step": step},
        pose=torch.randn(frames, CONFIG.block_out_channels[0], 8, 8, generator=generator),
        reference=keys,
    )


def count_graphs():
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


@torch.no_grad()
def make_keys(denoiser, reference_unet):
    token = torch.randn(1, 1, CONFIG.cross_attention_dim, generator=torch.Generator().manual_seed(1))
    return denoiser.project_reference(reference_unet(torch.zeros(1, 4, 8, 8), token))


@torch.no_grad()
def test_compiled_blocks_give_the_same_numbers_and_are_really_used(networks):
    denoiser, reference_unet = networks
    keys = make_keys(denoiser, reference_unet)
    expected = pass_once(denoiser, keys)
    blocks, before = compile_blocks(denoiser, backend="eager", fullgraph=True), count_graphs()
    torch.testing.assert_close(pass_once(denoiser, keys), expected, rtol=1e-5, atol=1e-5)
    assert len(blocks) == sum(isinstance(module, REPEATED) for module in denoiser.modules()) > 12
    assert count_graphs() > before


@torch.no_grad()
def test_nothing_is_compiled_again_from_step_to_step_window_to_window_or_with_a_controlnet(networks):
    denoiser, reference_unet = networks
    keys = make_keys(denoiser, reference_unet)
    compile_blocks(denoiser, backend="eager", fullgraph=True)
    pass_once(denoiser, keys)  # both halves together
    pass_once(denoiser, keys, chunks=(1,))
    pass_once(denoiser, keys, chunks=(0,))
    compiled = count_graphs()
    residuals = {"middle": [torch.ones(1, CONFIG.block_out_channels[-1], 1, 1)], "output": [None] * 12}
    for step in range(2):
        for seed in range(2):  # windows: other frames
            pass_once(denoiser, keys, step=step, seed=seed)
            pass_once(denoiser, keys, step=step, seed=seed, control=residuals)
            pass_once(denoiser, keys, step=step, seed=seed, chunks=(1,))
            pass_once(denoiser, keys, step=step, seed=seed, chunks=(0,), control=residuals)
    assert count_graphs() == compiled


@torch.no_grad()
def test_more_shapes_than_torch_may_keep_run_uncompiled(networks):
    """A clip in many stretches has windows of many lengths."""
    denoiser, reference_unet = networks
    keys = make_keys(denoiser, reference_unet)
    expected = [pass_once(denoiser, keys, chunks=(0,), frames=frames) for frames in (2, 3)]
    compile_blocks(denoiser, backend="eager")
    with torch._dynamo.config.patch(recompile_limit=2):
        for frames, result in zip((2, 3), expected, strict=True):
            torch.testing.assert_close(pass_once(denoiser, keys, chunks=(0,), frames=frames), result)


@torch.no_grad()
def test_a_whole_pass_has_no_graph_break(networks):
    """What core's TorchCompileModel compiles: the model as it is. One level more would only take longer."""
    small = replace(CONFIG, layers_per_block=1)
    denoiser, reference_unet = (random_weights(network(small)) for network in (Denoiser, ReferenceUNet))
    keys = make_keys(denoiser, reference_unet)
    x, token = torch.zeros(2, 8, 8, 8), torch.zeros(1, 1, CONFIG.cross_attention_dim)
    options = {"cond_or_uncond": [1, 0]}
    found = torch._dynamo.explain(denoiser)(x, torch.zeros(2), token, transformer_options=options, reference=keys)
    assert found.graph_break_count == 0, found.break_reasons


@torch.no_grad()
def test_a_whole_model_whose_options_are_not_guarded_takes_other_halves_and_deep_features_as_they_come(networks):
    """ComfyUI's compile node leaves the guards of transformer_options out: one graph would serve all of them."""
    small = replace(CONFIG, layers_per_block=1)
    denoiser, reference_unet = (random_weights(network(small)).eval() for network in (Denoiser, ReferenceUNet))
    keys, token = make_keys(denoiser, reference_unet), torch.randn(1, 1, CONFIG.cross_attention_dim)
    options = {"guard_filter_fn": lambda entries: ["transformer_options" not in entry.name for entry in entries]}
    compiled, x = torch.compile(denoiser, backend="eager", options=options), torch.randn(4, 8, 8, 8)

    def assert_same(reads, kinds, *found):
        passes = [DeepPass(0, *found) if found else None for _ in range(2)]
        given = {"transformer_options": {"cond_or_uncond": kinds}, "reference": keys, "reads_reference": reads}
        results = [
            run(x, torch.full((4,), 500), token, deep=deep, **given)
            for run, deep in zip((denoiser, compiled), passes, strict=True)
        ]
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
        return passes[1]

    assert_same((False, True), [1, 0])
    assert_same((True,), [0])
    made = assert_same((False, True), [1, 0], None).made
    before = count_graphs()
    for _ in range(2):
        assert_same((False, True), [1, 0], made + 1)
        assert_same((False, True), [1, 0], None)
    assert count_graphs() == before + 1  # what reads features is another graph than what makes them


@torch.no_grad()
def test_equal_blocks_share_their_graph(networks):
    denoiser, reference_unet = networks
    keys = make_keys(denoiser, reference_unet)
    blocks, before = compile_blocks(denoiser, backend="eager", fullgraph=True), count_graphs()
    pass_once(denoiser, keys)
    assert count_graphs() - before < len(blocks) / 2
