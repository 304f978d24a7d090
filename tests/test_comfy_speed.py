"""MIMO Speed inside a real ComfyUI, and the core's own caches on our MODEL."""

import importlib
from collections import Counter
from types import SimpleNamespace

import pytest

from tests import tiny_comfy
from tests.tiny_comfy import assert_alike, sample


pytestmark = pytest.mark.comfy
FRAMES, STEPS = 7, 8


@pytest.fixture(scope="module")
def made(pack):
    nodes = f"{pack.__name__}.nodes"
    native, windows, speed = (
        importlib.import_module(f"{nodes}.comfy_{name}") for name in ("model", "windows", "speed")
    )
    model = native.build_model(tiny_comfy.checkpoint(frame_local=True))
    conds = tiny_comfy.conditions(native, model, FRAMES)
    return SimpleNamespace(model=model, conds=conds, set_windows=windows.set_windows, set_speed=speed.set_speed)


@pytest.fixture
def count(made, monkeypatch):
    """Rows that the denoiser saw, and how often its middle ran."""
    counted, network = Counter(), made.model.model.diffusion_model
    middle, conv_out = network.run_middle, network.conv_out.forward
    monkeypatch.setattr(network, "run_middle", lambda *given: (counted.update(middle=1), middle(*given))[1])
    monkeypatch.setattr(network.conv_out, "forward", lambda x: (counted.update(rows=len(x)), conv_out(x))[1])
    return counted


def draw(made, model):
    return sample(model, *made.conds, frames=FRAMES, steps=STEPS)


def test_off_it_changes_nothing(made):
    assert_alike(draw(made, made.set_speed(made.model, (0.0, 1.0), 1, 0)), draw(made, made.model))


def test_outside_the_interval_only_one_half_runs(made, count):
    draw(made, made.set_speed(made.model, (0.2, 0.8), 1, 0))
    assert FRAMES * STEPS < count["rows"] < 2 * FRAMES * STEPS


def test_deep_features_are_made_every_other_step_and_anew_in_the_next_run(made, count):
    model = made.set_speed(made.model, (0.0, 1.0), 2, 0)
    draw(made, model), draw(made, model)
    assert count["middle"] == STEPS and count["rows"] == 4 * FRAMES * STEPS


def test_windows_with_deep_features_are_as_the_whole_with_them(made):
    """The model mixes nothing between frames."""
    fast = made.set_speed(made.model, (0.0, 1.0), 2, 0)
    assert_alike(draw(made, made.set_windows(fast, 4, 2)), draw(made, fast))


@pytest.mark.parametrize("name", ["EasyCacheNode", "LazyCacheNode"])
@pytest.mark.parametrize("windows", [False, True])
def test_the_cores_caches_leave_out_passes_or_nothing(made, count, name, windows):
    core = importlib.import_module("comfy_extras.nodes_easycache")
    if name == "EasyCacheNode" and not hasattr(core.EasyCacheHolder, "can_apply_cache_diff"):
        pytest.skip("This core's EasyCache loses half the batch of a model that reads more channels than it gives.")
    node = getattr(core, name)
    model = made.set_windows(made.model, 4, 2) if windows else made.model
    whole = draw(made, model)
    rows = count.pop("rows")
    assert_alike(draw(made, node.execute(model, 0.0, 0.15, 0.95, False).args[0]), whole)
    assert count.pop("rows") == rows
    assert draw(made, node.execute(model, 3.0, 0.15, 0.95, False).args[0]).isfinite().all()
    assert count["rows"] < rows
