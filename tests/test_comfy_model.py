"""The denoiser as a MODEL inside a real ComfyUI: what stock samplers, patches and loaders do to it and with it."""

import importlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from tests import tiny_comfy
from tests.tiny_comfy import CONFIG, SIZE, apply_control, assert_alike, frame_hints, sample


pytestmark = pytest.mark.comfy
FRAMES = 6


@pytest.fixture(scope="module")
def native(pack):
    return importlib.import_module(f"{pack.__name__}.nodes.comfy_model")


@pytest.fixture(scope="module")
def made(native):
    """A model, its conditions, and what it samples."""
    model = native.build_model(tiny_comfy.checkpoint())
    positive, negative = tiny_comfy.conditions(native, model, FRAMES)
    return SimpleNamespace(model=model, conds=(positive, negative), latents=sample(model, positive, negative))


@pytest.fixture
def spy(native, monkeypatch):
    """What every call of the denoiser got: rows, chunks, and what flows through by name."""
    calls, forward = [], native.Denoiser.forward

    def watch(self, x, timesteps, context=None, control=None, transformer_options=None, **kwargs):
        calls.append(SimpleNamespace(x=x, t=timesteps, options=transformer_options, control=control, **kwargs))
        return forward(self, x, timesteps, context, control, transformer_options, **kwargs)

    monkeypatch.setattr(native.Denoiser, "forward", watch)
    return calls


@pytest.fixture(scope="module")
def large(native, made):
    """Samples two frames of 128 pixels: FreeU and SAG divide by zero where the deepest level is one pixel."""
    conds = tiny_comfy.conditions(native, made.model, 2, size=128)
    return lambda model: sample(model, *conds, latent=tiny_comfy.empty_latent(2, 128))


def differs(actual, expected):
    assert torch.isfinite(actual).all()
    return not torch.equal(actual, expected)


class TestSamplers:
    def test_both_halves_run_as_one_batch_with_the_unconditional_first(self, made, spy):
        sample(made.model, *made.conds)
        assert [len(call.x) for call in spy] == [2 * FRAMES] * 2
        assert spy[0].options["cond_or_uncond"] == [1, 0]
        assert spy[0].reads_reference == (False, True)
        assert spy[0].x.shape[1] == 8 and spy[0].pose.shape == (FRAMES, 32, SIZE // 8, SIZE // 8)

    def test_the_same_seed_gives_the_same_latents_and_another_seed_does_not(self, made):
        assert torch.equal(sample(made.model, *made.conds), made.latents)
        assert differs(sample(made.model, *made.conds, seed=2), made.latents)

    def test_without_guidance_only_the_conditional_half_runs(self, made, spy):
        out = sample(made.model, *made.conds, cfg=1.0)
        assert {len(call.x) for call in spy} == {FRAMES} and torch.isfinite(out).all()

    @pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "heun", "dpmpp_2m", "dpmpp_sde", "lcm", "uni_pc"])
    def test_stock_samplers_run(self, made, sampler):
        assert torch.isfinite(sample(made.model, *made.conds, sampler=sampler)).all()

    def test_the_first_step_begins_at_the_last_training_timestep(self, made, spy):
        sample(made.model, *made.conds, steps=4)
        assert [float(call.t[0]) for call in spy] == [999, 749, 499, 249]

    def test_image_to_image_starts_from_the_latent(self, made):
        latent = {"samples": torch.ones(FRAMES, 4, SIZE // 8, SIZE // 8)}
        half = sample(made.model, *made.conds, steps=2, latent=latent, denoise=0.5)
        assert differs(half, made.latents)
        other = {"samples": -latent["samples"]}
        assert differs(sample(made.model, *made.conds, steps=2, latent=other, denoise=0.5), half)

    def test_a_noise_mask_keeps_what_it_does_not_select(self, made):
        kept = torch.full((FRAMES, 4, SIZE // 8, SIZE // 8), 2.0)
        mask = torch.zeros(1, SIZE, SIZE)
        mask[:, :, : SIZE // 2] = 1
        out = sample(made.model, *made.conds, latent={"samples": kept, "noise_mask": mask})
        left, right = out.chunk(2, -1)
        torch.testing.assert_close(right, kept.chunk(2, -1)[1])
        assert differs(left, kept.chunk(2, -1)[0])

    def test_sampling_in_two_parts_equals_sampling_at_once(self, made):
        import nodes

        latent, advanced = tiny_comfy.empty_latent(FRAMES), nodes.KSamplerAdvanced()
        run = {"noise_seed": 1, "steps": 2, "cfg": 3.5, "sampler_name": "ddim", "scheduler": "simple"}
        run |= {"model": made.model, "positive": made.conds[0], "negative": made.conds[1]}
        with torch.inference_mode():
            (first,) = advanced.sample(
                add_noise="enable", start_at_step=0, end_at_step=1, return_with_leftover_noise="enable",
                latent_image=latent, **run,
            )  # fmt: skip
            (second,) = advanced.sample(
                add_noise="disable", start_at_step=1, end_at_step=2, return_with_leftover_noise="disable",
                latent_image=first, **run,
            )  # fmt: skip
        torch.testing.assert_close(second["samples"], made.latents, rtol=1e-4, atol=1e-4)

    def test_odd_latent_sizes_work(self, native, made):
        positive, negative = tiny_comfy.conditions(native, made.model, 2, size=88)
        out = sample(made.model, positive, negative, latent=tiny_comfy.empty_latent(2, 88))
        assert torch.isfinite(out).all()

    def test_one_frame_is_a_clip(self, native, made):
        positive, negative = tiny_comfy.conditions(native, made.model, 1)
        assert torch.isfinite(sample(made.model, positive, negative, frames=1)).all()

    def test_the_reference_is_projected_once_a_run(self, native, made, monkeypatch):
        count, project = [], native.Denoiser.project_reference
        monkeypatch.setattr(native.Denoiser, "project_reference", lambda *args: count.append(1) or project(*args))
        sample(made.model, *made.conds, steps=3)
        assert len(count) == 1

    def test_a_library_run_gives_the_same_latents(self, native, made):
        """The official DDIM of the library against ComfyUI's, which rounds its first sigma: 4e-5 is documented."""
        from mimo_core.denoise.sampling import Conditions
        from mimo_core.denoise.sampling import sample_latents as library_sample

        token, clip = made.conds[0][0][0], made.conds[0][0][1][native.CLIP_KEY]
        denoiser = made.model.model.diffusion_model
        guider = made.model.get_additional_models()[0].model
        import comfy.sample

        noise = comfy.sample.prepare_noise(torch.zeros(FRAMES, 4, SIZE // 8, SIZE // 8), 1)
        theirs = library_sample(
            denoiser,
            noise,
            Conditions(
                clip.concat_latents * 0.18215,
                token,
                clip.reference,
                lambda frames: guider.encode_frames(clip.body_code[list(frames)]),
            ),
            windows=[list(range(FRAMES))],
            steps=4,
        )
        ours = sample(made.model, *made.conds, steps=4) * 0.18215
        assert (ours - theirs).norm() / theirs.norm() < 1e-3


class TestControl:
    def test_a_controlnet_changes_every_frame_by_its_own_hint(self, made, spy):
        hints = frame_hints(FRAMES)
        conds = apply_control(*made.conds, tiny_comfy.controlnet(), hints)
        out = sample(made.model, *conds)
        assert differs(out, made.latents)
        assert len(spy[0].control["output"]) == 12 and len(spy[0].control["middle"]) == 1
        other = torch.cat([hints[:2], 1 - hints[2:3], hints[3:]])
        before = [residual.chunk(FRAMES * 2) for residual in spy[0].control["output"]]
        spy.clear()
        sample(made.model, *apply_control(*made.conds, tiny_comfy.controlnet(), other))
        after = [residual.chunk(FRAMES * 2) for residual in spy[0].control["output"]]
        changed = {
            row for b, a in zip(before, after, strict=True) for row in range(2 * FRAMES) if differs(a[row], b[row])
        }
        assert changed == {2, 2 + FRAMES}

    def test_strength_0_is_off(self, made):
        conds = apply_control(*made.conds, tiny_comfy.controlnet(), frame_hints(FRAMES), strength=0.0)
        assert torch.equal(sample(made.model, *conds), made.latents)

    def test_zeroed_residuals_are_off(self, made, spy):
        net = tiny_comfy.controlnet()
        conds = apply_control(*made.conds, net, frame_hints(FRAMES))
        conds[0][0][1]["control"].strength = 0.0
        assert torch.equal(sample(made.model, *conds), made.latents) and spy[0].control is not None

    def test_two_stacked_nets_with_start_and_end_take_their_turns(self, made, spy):
        first, second = tiny_comfy.controlnet(1), tiny_comfy.controlnet(6)
        conds = apply_control(*made.conds, first, frame_hints(FRAMES), end=0.5)
        conds = apply_control(*conds, second, frame_hints(FRAMES), start=0.5)
        out = sample(made.model, *conds, steps=4)
        assert differs(out, sample(made.model, *made.conds, steps=4))
        alone = apply_control(*made.conds, tiny_comfy.controlnet(1), frame_hints(FRAMES))
        early, late = spy[0].control["middle"][0], spy[3].control["middle"][0]
        spy.clear()
        sample(made.model, *alone, steps=4)
        assert torch.equal(spy[0].control["middle"][0], early)
        assert not torch.equal(spy[3].control["middle"][0], late)

    def test_a_t2i_adapter_changes_the_result(self, made, spy):
        out = sample(made.model, *apply_control(*made.conds, tiny_comfy.t2i_adapter(), frame_hints(FRAMES)))
        assert differs(out, made.latents)
        assert any(residual is not None for residual in spy[0].control["input"])

    def test_text_for_the_controlnet_replaces_the_token(self, made):
        text = torch.randn(1, 7, CONFIG.cross_attention_dim, generator=torch.Generator().manual_seed(0))
        told = [[[token, entry | {"cross_attn_controlnet": text}] for token, entry in cond] for cond in made.conds]
        hints = frame_hints(FRAMES)
        out = sample(made.model, *apply_control(*told, tiny_comfy.controlnet(), hints))
        assert differs(out, sample(made.model, *apply_control(*made.conds, tiny_comfy.controlnet(), hints)))
        assert torch.equal(sample(made.model, *told), made.latents)

    def test_a_file_that_the_stock_loader_opens(self, native, tmp_path, spy):
        """Two levels as wide as Stable Diffusion 1.5's first, by which the loader knows a ControlNet for it."""
        import folder_paths
        from safetensors.torch import save_file

        import nodes

        shape = {"model_channels": 320, "context_dim": 768, "num_heads": 8, "num_res_blocks": [1, 1]}
        shape |= {"channel_mult": (1, 1), "transformer_depth": [1, 0]}
        save_file(tiny_comfy.controlnet(**shape).control_model.state_dict(), tmp_path / "control.safetensors")
        folder_paths.add_model_folder_path("controlnet", str(tmp_path))
        folder_paths.filename_list_cache.clear()
        (net,) = nodes.ControlNetLoader().load_controlnet("control.safetensors")

        wide = {"block_out_channels": (320, 320), "layers_per_block": 1, "heads": 8, "cross_attention_dim": 768}
        model = native.build_model(tiny_comfy.checkpoint(config=replace(CONFIG, **wide, norm_groups=32)))
        conds = tiny_comfy.conditions(native, model, 2)
        without = sample(model, *conds, frames=2, steps=1)
        out = sample(model, *apply_control(*conds, net, frame_hints(2)), frames=2, steps=1)
        assert differs(out, without)
        assert len(spy[-1].control["output"]) == 4 and len(spy[-1].control["middle"]) == 1

    def test_a_controlnet_for_another_text_encoder_is_refused(self, made):
        conds = apply_control(*made.conds, tiny_comfy.controlnet(context_dim=48), frame_hints(FRAMES))
        with pytest.raises(ValueError, match="tokens of width 48, the conditioning has 32.*Stable Diffusion 1.5"):
            sample(made.model, *conds)


class TestPatches:
    def test_lora_with_kohyas_names_applies(self, made):
        import comfy.sd

        patched, _ = comfy.sd.load_lora_for_models(made.model, None, tiny_comfy.lora(), 1.0, 0.0)
        assert len(patched.patches) == 3
        assert differs(sample(patched, *made.conds), made.latents)
        assert torch.equal(sample(made.model, *made.conds), made.latents)

    def test_every_layer_of_stable_diffusion_1_5_has_its_kohya_name(self, made):
        import comfy.lora
        import diffusers

        with torch.device("meta"):
            original = diffusers.UNet2DConditionModel(
                block_out_channels=CONFIG.block_out_channels, cross_attention_dim=32, norm_num_groups=8
            )
        layers = (torch.nn.Linear, torch.nn.Conv2d)
        names = {name for name, layer in original.named_modules() if isinstance(layer, layers)}
        known = comfy.lora.model_lora_keys_unet(made.model.model, {})
        assert len(names) > 250
        assert {name for name in names if f"lora_unet_{name.replace('.', '_')}" not in known} == set()

    def test_model_sampling_discrete(self, made):
        import comfy_extras.nodes_model_advanced as advanced

        same = advanced.ModelSamplingDiscrete().patch(made.model, "v_prediction", True)[0]
        assert torch.equal(sample(same, *made.conds), made.latents)
        other = advanced.ModelSamplingDiscrete().patch(made.model, "v_prediction", False)[0]
        assert differs(sample(other, *made.conds), made.latents)

    def test_freeu(self, made, large):
        import comfy_extras.nodes_freelunch as freelunch

        assert differs(large(freelunch.FreeU_V2().patch(made.model, 1.3, 1.4, 0.9, 0.2)[0]), large(made.model))

    def test_rescale_cfg(self, made):
        import comfy_extras.nodes_model_advanced as advanced

        assert differs(sample(advanced.RescaleCFG().patch(made.model, 0.7)[0], *made.conds), made.latents)

    def test_perturbed_attention_guidance(self, made):
        import comfy_extras.nodes_pag as pag

        node = pag.PerturbedAttentionGuidance
        assert differs(sample(node.execute(made.model, 3.0).result[0], *made.conds), made.latents)
        assert torch.equal(sample(node.execute(made.model, 0.0).result[0], *made.conds), made.latents)

    def test_self_attention_guidance_evaluates_the_unconditional_half_without_the_reference(self, made, large, spy):
        import comfy_extras.nodes_sag as sag

        patched = sag.SelfAttentionGuidance.execute(made.model, 0.5, 2.0).result[0]
        assert differs(large(patched), large(made.model))
        extra = [call for call in spy if len(call.x) == 2]
        assert extra and all(call.options["cond_or_uncond"] == [0] for call in extra)
        assert all(call.reads_reference == (False,) and call.reference is None for call in extra)

    def test_an_attn2_patch_like_ip_adapters_is_called_with_the_token(self, made):
        seen = []

        def more_tokens(query, key, value, options):
            seen.append((options["block"], key.shape[1], options["n_heads"]))
            return query, torch.cat([key, key.flip(-1)], 1), torch.cat([value, value.flip(-1)], 1)

        patched = made.model.clone()
        patched.set_model_attn2_patch(more_tokens)
        assert differs(sample(patched, *made.conds), made.latents)
        assert len(seen) == 2 * 16 and {tokens for _, tokens, _ in seen} == {1}

    def test_an_attn2_replacement_like_ip_adapter_plus_reaches_its_block_only(self, made):
        seen = []

        def replacement(query, key, value, options):
            seen.append(options["block"])
            return value.expand_as(query) * 0.5

        patched = made.model.clone()
        patched.set_model_attn2_replace(replacement, "input", 4)
        assert differs(sample(patched, *made.conds), made.latents)
        assert set(seen) == {("input", 4)}

    def test_torch_compile(self, made):
        import comfy_api.torch_helpers

        compiled = made.model.clone()
        comfy_api.torch_helpers.set_torch_compile_wrapper(model=compiled, backend="eager")
        # Where a level has one pixel the layout of a sum is ambiguous, and a CPU's convolutions round by layout.
        torch.testing.assert_close(sample(compiled, *made.conds), made.latents, rtol=1e-3, atol=1e-3)

    def test_with_torchs_own_attention_a_call_of_the_model_is_one_graph(self, native, monkeypatch):
        """NVIDIA's cards have it. Attention by parts, a CPU's, asks for free memory, and no graph can hold that."""
        import comfy.ldm.modules.attention as chosen

        monkeypatch.setattr(chosen, "optimized_attention", chosen.attention_pytorch)
        config = replace(CONFIG, block_out_channels=(32, 32), layers_per_block=1)
        model, calls = native.build_model(tiny_comfy.checkpoint(config=config)), []
        network, forward = model.model.diffusion_model, native.NativeDenoiser.forward
        with monkeypatch.context() as watched:
            watched.setattr(
                native.NativeDenoiser,
                "forward",
                lambda self, *args, **given: calls.append((args, given)) or forward(self, *args, **given),
            )
            sample(model, *tiny_comfy.conditions(native, model, 2), frames=2, steps=1)
        with torch.inference_mode():
            found = torch._dynamo.explain(network)(*calls[0][0], **calls[0][1])
        assert (found.graph_count, found.graph_break_count) == (1, 0), found.break_reasons[:1]


class TestMemory:
    @pytest.mark.parametrize("share", [0.0, 0.5])
    def test_no_parameter_left_behind_misses_the_cast_at_use(self, native, share):
        """On the meta device, which stands for a GPU that cannot hold the model."""
        model = native.build_model(tiny_comfy.checkpoint())
        for patcher in (model, *model.get_additional_models()):
            patcher.load(torch.device("meta"), lowvram_model_memory=1 + share * patcher.model_size())
            left = [name for name, weight in patcher.model.named_parameters() if weight.device.type == "cpu"]
            assert len(left) > len(list(patcher.model.parameters())) / 4
            owner = patcher.model.get_submodule
            assert [name for name in left if not owner(name.rpartition(".")[0]).comfy_cast_weights] == []

    def test_a_model_that_is_cast_at_use_gives_the_same(self, native, made):
        model = native.build_model(tiny_comfy.checkpoint())
        for patcher in (model, *model.get_additional_models()):
            for module in patcher.model.modules():
                if hasattr(module, "comfy_cast_weights"):
                    module.comfy_cast_weights = True
        assert_alike(sample(model, *made.conds), made.latents)

    def test_on_the_paths_of_a_gpu_group_norms_are_cast_too(self, native, made, pack, monkeypatch):
        operators = importlib.import_module(f"{pack.__name__}.mimo_core.denoise.torch_operators")
        monkeypatch.setattr(operators, "_has_own_kernel", lambda x: True)
        model = native.build_model(tiny_comfy.checkpoint(), dtype=torch.float16)
        norms = [module for module in model.model.diffusion_model.modules() if isinstance(module, torch.nn.GroupNorm)]
        assert all(norm.read_parameters is native.read_cast_parameters for norm in norms) and norms
        weight, bias = norms[0].read_parameters(norms[0], torch.zeros(1))
        assert weight.dtype == bias.dtype == torch.float32
        out, expected = (sample(any_model, *made.conds, steps=1) for any_model in (model, made.model))
        assert (out - expected).norm() / expected.norm() < 0.01

    def test_what_a_group_norm_borrows_from_elsewhere_is_copied_and_given_back(self, native, monkeypatch):
        """As ComfyUI's dynamic memory asks: what is not given back can never leave the card."""
        import comfy.ops

        if not hasattr(comfy.ops, "uncast_bias_weight"):
            pytest.skip("This core lends nothing.")
        norm, like = comfy.ops.manual_cast.GroupNorm(2, 4, device="meta"), torch.zeros(1, 3, 4)
        lent, back = (torch.ones(4), torch.full((4,), 2.0)), []
        monkeypatch.setattr(comfy.ops, "cast_bias_weight", lambda *_, offloadable: (*lent, ("stream", None, None)))
        monkeypatch.setattr(comfy.ops, "uncast_bias_weight", lambda *given: back.append(given))
        read = native.read_cast_parameters(norm, like)
        assert back == [(norm, *lent, ("stream", None, None))]
        for copy, original in zip(read, lent, strict=True):
            assert torch.equal(copy, original) and copy.data_ptr() != original.data_ptr()

    def test_the_pose_guider_is_loaded_with_the_model_and_the_reference_is_not(self, native, made):
        import comfy.model_management as management

        management.unload_all_models()
        sample(made.model, *made.conds, steps=1)
        loaded = [type(entry.model.model).__name__ for entry in management.current_loaded_models]
        assert "PoseGuider" in loaded and "MimoModel" in loaded and "ReferenceUNet" not in loaded

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
    def test_other_precisions_come_near(self, native, made, dtype):
        model = native.build_model(tiny_comfy.checkpoint(), dtype=dtype)
        assert {weight.dtype for weight in model.model.diffusion_model.parameters()} == {dtype}
        out = sample(model, *made.conds, steps=1)
        expected = sample(made.model, *made.conds, steps=1)
        limit = {torch.bfloat16: 0.05, torch.float16: 0.01, torch.float8_e4m3fn: 0.4}[dtype]
        assert (out - expected).norm() / expected.norm() < limit

    def test_clones_share_what_is_large(self, made):
        clone = made.model.clone()
        assert clone.model is made.model.model
        assert clone.get_attachment("mimo_reference_unet") is made.model.get_attachment("mimo_reference_unet")

    def test_the_body_code_stays_on_the_cpu_as_bytes(self, native, made, spy):
        sample(made.model, *made.conds, steps=1)
        clip = made.conds[0][0][1][native.CLIP_KEY]
        assert clip.body_code.dtype == torch.uint8 and clip.body_code.device.type == "cpu"


class TestCancel:
    def test_cancel_is_seen_within_one_call_of_the_denoiser(self, native, made, monkeypatch):
        import comfy.model_management as management

        calls, forward = [], native.Denoiser.forward

        def press_cancel(self, *args, **kwargs):
            calls.append(1)
            management.interrupt_current_processing(True)
            return forward(self, *args, **kwargs)

        monkeypatch.setattr(native.Denoiser, "forward", press_cancel)
        with pytest.raises(management.InterruptProcessingException):
            sample(made.model, *made.conds, steps=5, sampler="heun")
        assert len(calls) == 1


class TestBadInput:
    def test_another_number_of_frames(self, made):
        with pytest.raises(ValueError, match="latent has 4 frames but MIMO Conditioning made 6"):
            sample(made.model, *made.conds, frames=4)

    def test_another_size(self, made):
        with pytest.raises(ValueError, match="latent is 64x96 pixels but MIMO Conditioning made 64x64"):
            sample(made.model, *made.conds, latent={"samples": torch.zeros(FRAMES, 4, 12, 8)})

    def test_a_negative_from_elsewhere(self, made):
        with pytest.raises(ValueError, match="negative conditioning does not come from MIMO Conditioning"):
            sample(made.model, made.conds[0], [[torch.zeros(1, 1, 32), {}]])

    def test_an_overflow_is_named_with_step_and_cure(self, native, made):
        model = native.build_model(tiny_comfy.checkpoint())
        model.model.diffusion_model.conv_out.bias.data.fill_(float("nan"))
        with pytest.raises(ValueError, match="NaN or infinite at step 1 of 2.*precision"):
            sample(model, *made.conds)

    def test_more_frames_than_positions(self, native, made):
        conds = tiny_comfy.conditions(native, made.model, CONFIG.motion_frames + 1)
        with pytest.raises(ValueError, match="9 frames in one window.*at most 8"):
            sample(made.model, *conds, frames=CONFIG.motion_frames + 1)


class TestAttention:
    """On a CPU every frame that reads the reference is one call, on a GPU all frames are."""

    @staticmethod
    def count(model):
        names = [name for name, _ in model.model.diffusion_model.named_modules()]
        spatial, temporal = (sum(name.endswith(end) for name in names) for end in (".attn1", ".pos_encoder"))
        return temporal + spatial * (1 + FRAMES)

    def test_every_attention_of_every_block_is_comfyuis_choice(self, made, monkeypatch):
        import comfy.ldm.modules.attention as chosen

        seen, original = [], chosen.optimized_attention
        monkeypatch.setattr(
            chosen, "optimized_attention", lambda *args, **options: seen.append(1) or original(*args, **options)
        )
        sample(made.model, *made.conds, steps=1)
        assert len(seen) == self.count(made.model)

    def test_so_is_an_override_in_the_options_of_a_model(self, made):
        model, seen = made.model.clone(), []

        def override(function, *args, **options):
            seen.append(1)
            return function(*args, **options)

        model.model_options["transformer_options"]["optimized_attention_override"] = override
        latents = sample(model, *made.conds, steps=1)
        assert len(seen) == self.count(model)
        torch.testing.assert_close(latents, sample(made.model, *made.conds, steps=1))
