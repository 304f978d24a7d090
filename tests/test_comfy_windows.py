"""Windows over frames inside a real ComfyUI, and the laws that hold with them."""

import importlib
from types import SimpleNamespace

import pytest
import torch

from mimo_lab.bench.denoise import peak_bytes
from tests import tiny_comfy
from tests.tiny_comfy import CONFIG, apply_control, assert_alike, frame_hints, sample


pytestmark = pytest.mark.comfy
FRAMES = 7


@pytest.fixture(scope="module")
def native(pack):
    return importlib.import_module(f"{pack.__name__}.nodes.comfy_model")


@pytest.fixture(scope="module")
def windowed(pack):
    return importlib.import_module(f"{pack.__name__}.nodes.comfy_windows").set_windows


@pytest.fixture(scope="module")
def local(native):
    """A model that mixes nothing between frames, its conditions, and what it samples of the whole clip."""
    model = native.build_model(tiny_comfy.checkpoint(frame_local=True))
    conds = tiny_comfy.conditions(native, model, FRAMES)
    return SimpleNamespace(model=model, conds=conds, latents=sample(model, *conds, frames=FRAMES))


@pytest.fixture(scope="module")
def mixing(native):
    model = native.build_model(tiny_comfy.checkpoint())
    return SimpleNamespace(model=model, conds=tiny_comfy.conditions(native, model, FRAMES))


def hints_seen(monkeypatch):
    """The mean of every hint frame of each call of a ControlNet."""
    import comfy.controlnet

    seen, get_control = [], comfy.controlnet.ControlNet.get_control

    def watch(self, *args):
        residuals = get_control(self, *args)
        if self.cond_hint is not None:
            seen.append(self.cond_hint.mean((1, 2, 3)))
        return residuals

    monkeypatch.setattr(comfy.controlnet.ControlNet, "get_control", watch)
    return seen


class TestLaws:
    @pytest.mark.parametrize(("size", "overlap"), [(4, 2), (4, 3), (5, 4), (6, 0)])
    @pytest.mark.parametrize("schedule", ["fixed", "official"])
    def test_a_frame_local_network_gives_the_same(self, local, windowed, size, overlap, schedule):
        model = windowed(local.model, size, overlap, schedule)
        assert_alike(sample(model, *local.conds, frames=FRAMES), local.latents)

    @pytest.mark.parametrize("size", [2, 3])
    def test_so_do_short_windows_where_the_deepest_level_has_more_than_one_pixel(self, native, local, windowed, size):
        conds, latent = tiny_comfy.conditions(native, local.model, 5, size=128), tiny_comfy.empty_latent(5, 128)
        whole = sample(local.model, *conds, latent=latent, steps=1)
        assert_alike(sample(windowed(local.model, size, 1), *conds, latent=latent, steps=1), whole)

    def test_with_two_controlnets_too(self, local, windowed):
        conds = apply_control(*local.conds, tiny_comfy.controlnet(1), frame_hints(FRAMES), end=0.5)
        conds = apply_control(*conds, tiny_comfy.controlnet(6), frame_hints(FRAMES), strength=0.7)
        whole = sample(local.model, *conds, frames=FRAMES)
        assert not torch.equal(whole, local.latents)
        assert_alike(sample(windowed(local.model, 4, 2), *conds, frames=FRAMES), whole)

    def test_with_a_t2i_adapter_too(self, local, windowed):
        conds = apply_control(*local.conds, tiny_comfy.t2i_adapter(), frame_hints(FRAMES))
        whole = sample(local.model, *conds, frames=FRAMES)
        assert_alike(sample(windowed(local.model, 4, 2), *conds, frames=FRAMES), whole)

    @pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2m"])
    def test_samplers_may_evaluate_between_sigmas(self, local, windowed, sampler):
        whole = sample(local.model, *local.conds, frames=FRAMES, sampler=sampler)
        assert_alike(sample(windowed(local.model, 4, 2), *local.conds, frames=FRAMES, sampler=sampler), whole)

    def test_segments_that_share_no_window_are_the_whole_bit_for_bit(self, native, mixing, windowed, node_classes):
        """Two segments of three frames, and both at once in windows of three without overlap."""
        noise = node_classes["MIMO_Noise"].execute(seed=9, noise="per_frame").args[0]
        clip = mixing.conds[0][0][1][native.CLIP_KEY]
        model = windowed(mixing.model, 3, 0)

        def run(first, last):
            part = native.ClipConditions(
                clip.concat_latents[first:last], clip.body_code[first:last], clip.reference, True
            )
            latent = tiny_comfy.empty_latent(last - first) | {"batch_index": list(range(first, last))}
            token = mixing.conds[0][0][0]
            positive = [[token, {native.CLIP_KEY: part}]]
            negative = [[torch.zeros_like(token), {native.CLIP_KEY: part.make_unconditional()}]]
            return custom_sample(model, positive, negative, noise, latent)["samples"]

        assert torch.equal(torch.cat([run(0, 3), run(3, 6)]), run(0, 6))

    def test_a_batch_of_windows_is_the_windows_one_by_one(self, native, mixing):
        """Two windows as four chunks of one call, which is how the library batches them."""
        clip, token = mixing.conds[0][0][1][native.CLIP_KEY], mixing.conds[0][0][0]
        denoiser = mixing.model.model.diffusion_model
        keys = denoiser.project_reference(clip.reference)
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(2, 3, 8, 8, 8, generator=generator)
        pose = torch.randn(2, 3, CONFIG.block_out_channels[0], 8, 8, generator=generator)

        def run(rows, kinds, features):
            count = len(rows)
            return denoiser(
                rows, torch.full((count,), 500.0), token.expand(count, -1, -1), pose=features, reference=keys,
                transformer_options={"cond_or_uncond": kinds},
            )  # fmt: skip

        with torch.inference_mode():
            together = run(torch.cat([*x, *x]), [1, 1, 0, 0], torch.cat([*pose, *pose])).unflatten(0, (2, 2, 3))
            alone = [
                run(torch.cat([w, w]), [1, 0], torch.cat([p, p])).unflatten(0, (2, 3))
                for w, p in zip(x, pose, strict=True)
            ]
        torch.testing.assert_close(together, torch.stack(alone, 1), rtol=0, atol=2e-5)


class TestWindows:
    def test_each_window_gets_its_own_frames_of_everything(self, native, mixing, windowed, monkeypatch):
        calls, forward = [], native.Denoiser.forward

        def watch(self, x, *args, **kwargs):
            calls.append((x, args[3]["context_window"].index_list, kwargs["pose"]))
            return forward(self, x, *args, **kwargs)

        monkeypatch.setattr(native.Denoiser, "forward", watch)
        sample(windowed(mixing.model, 4, 2), *mixing.conds, frames=FRAMES, steps=1)
        clip = mixing.conds[0][0][1][native.CLIP_KEY]
        guider = mixing.model.get_additional_models()[0].model
        assert [window for _, window, _ in calls] == [[0, 1, 2, 3], [2, 3, 4, 5], [3, 4, 5, 6]]
        for x, window, pose in calls:
            assert torch.equal(x[:, 4:], clip.concat_latents[window].repeat(2, 1, 1, 1) * 0.18215)
            assert torch.equal(pose, guider.encode_frames(clip.body_code[window]))

    def test_hints_of_a_stock_controlnet_follow_the_windows(self, mixing, windowed, monkeypatch):
        hints = frame_hints(FRAMES)
        conds = apply_control(*mixing.conds, tiny_comfy.controlnet(), hints)
        seen = hints_seen(monkeypatch)
        sample(windowed(mixing.model, 4, 2), *conds, frames=FRAMES, steps=1)
        means = hints.mean((1, 2, 3))
        for frames, window in zip(seen, [[0, 1, 2, 3], [2, 3, 4, 5], [3, 4, 5, 6]], strict=True):
            torch.testing.assert_close(frames, means[window].repeat(2))

    def test_fewer_hints_than_frames_start_over_as_without_windows(self, local, windowed):
        conds = apply_control(*local.conds, tiny_comfy.controlnet(), frame_hints(3))
        whole = sample(local.model, *conds, frames=FRAMES)
        assert_alike(sample(windowed(local.model, 4, 2), *conds, frames=FRAMES), whole)

    def test_both_halves_stay_one_batch_under_a_controlnet(self, native, mixing, windowed, monkeypatch):
        rows, forward = [], native.Denoiser.forward
        monkeypatch.setattr(
            native.Denoiser, "forward", lambda self, x, *a, **k: rows.append(len(x)) or forward(self, x, *a, **k)
        )
        conds = apply_control(*mixing.conds, tiny_comfy.controlnet(), frame_hints(FRAMES))
        sample(windowed(mixing.model, 4, 2), *conds, frames=FRAMES, steps=1)
        assert rows == [8, 8, 8]

    def test_a_longer_clip_takes_no_more_memory_but_for_its_latents(self, native, mixing, windowed):
        model, latent_bytes = windowed(mixing.model, 4, 0), 4 * 8 * 8 * 4

        def measure_peak(frames):
            conds = tiny_comfy.conditions(native, mixing.model, frames)
            sample(model, *conds, frames=frames, steps=1)  # loads the model, which stays
            return peak_bytes(lambda: sample(model, *conds, frames=frames, steps=1))

        short, long = measure_peak(4), measure_peak(24)
        assert long - short < 20 * 20 * latent_bytes

    def test_windows_do_not_join_contexts(self, windowed, mixing):
        handler = windowed(mixing.model, 4, 0, contexts=(3, 4)).model_options["context_handler"]
        assert handler.windows(7) == [[0, 1, 2], [3, 4, 5, 6]]
        assert handler.windows(6) == [[0, 1, 2, 3], [2, 3, 4, 5]]

    def test_a_clip_that_fits_one_window_is_not_cut(self, local, windowed):
        assert (
            not windowed(local.model, 8, 2)
            .model_options["context_handler"]
            .should_use_context(None, None, torch.zeros(FRAMES, 4, 8, 8), None, {})
        )

    def test_the_handler_survives_clones_without_what_a_run_left(self, local, windowed):
        model = windowed(local.model, 4, 2)
        conds = apply_control(*local.conds, tiny_comfy.controlnet(), frame_hints(FRAMES))
        sample(model, *conds, frames=FRAMES, steps=1)
        handler = model.clone().model_options["context_handler"]
        assert set(vars(handler)) == set(vars(windowed(local.model, 4, 2).model_options["context_handler"]))
        assert "context_window" not in model.model_options["transformer_options"]

    def test_a_newer_core_that_cuts_conds_itself_does_not_cut_ours_twice(self, local, windowed):
        """Emulated, not run: the handler of cores from 0.15 on, which cuts every tensor with a row per frame."""
        import comfy.context_windows as stock

        class Newer(stock.IndexListContextHandler):
            def set_step(self, timestep, model_options):
                self._step = 0

            def get_resized_cond(self, cond_in, x_in, window, device=None):
                return cond_in and [self.cut(cond, len(x_in), window) for cond in cond_in]

            def cut(self, cond, frames, window):
                conds = dict(cond["model_conds"])
                for name, value in conds.items():
                    if isinstance(value.cond, torch.Tensor) and len(value.cond) == frames:
                        conds[name] = value._copy_with(window.get_tensor(value.cond))
                return cond | {"model_conds": conds}

        for kind in (Newer, FixedStep):
            model = local.model.clone()
            model.model_options["context_handler"] = kind(
                stock.get_matching_context_schedule("standard_static"), stock.get_matching_fuse_method("flat"), 4, 2
            )
            out = sample(model, *local.conds, frames=FRAMES)
            torch.testing.assert_close(out, local.latents, rtol=1e-4, atol=1e-4)


def FixedStep(*args):
    """0.3.64's own handler with its error in set_step taken out: it cuts no conds at all."""
    import comfy.context_windows as stock

    handler = stock.IndexListContextHandler(*args)
    handler.set_step = lambda timestep, model_options: None
    return handler


def custom_sample(model, positive, negative, noise, latent, *, steps=2, cfg=3.5):
    """The LATENT of the stock SamplerCustomAdvanced with ddim and the simple scheduler."""
    import comfy_extras.nodes_custom_sampler as custom

    (sigmas,) = custom.BasicScheduler().get_sigmas(model, "simple", steps, 1.0)
    (guider,) = custom.CFGGuider().get_guider(model, positive, negative, cfg)
    (sampler,) = custom.KSamplerSelect().get_sampler("ddim")
    with torch.inference_mode():
        return custom.SamplerCustomAdvanced().sample(noise, guider, sampler, sigmas, latent)[0]
