"""Weight files: official, merged, wrong, damaged. Real networks at tiny width."""

import json
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from mimo_core.denoise.checkpoints import (
    Checkpoint,
    TrainingSettings,
    build_networks,
    merge_checkpoint,
    open_checkpoint,
    save_checkpoint,
)
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.pose_guider import PoseGuider
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.state_files import describe_state, read_metadata, read_tensors
from mimo_core.errors import InputError
from tests.tiny_networks import TINY, random_weights


CONFIG = replace(TINY, heads=8, norm_groups=32, motion_heads=8)  # what weights alone do not tell is official


@pytest.fixture(scope="module")
def states():
    """What the four official files hold."""
    denoiser = random_weights(Denoiser(CONFIG)).state_dict()
    return {
        "denoising_unet": {name: tensor for name, tensor in denoiser.items() if "motion_modules" not in name},
        "motion_module": {name: tensor for name, tensor in denoiser.items() if "motion_modules" in name},
        "reference_unet": random_weights(ReferenceUNet(CONFIG), 1).state_dict(),
        "pose_guider": random_weights(PoseGuider(CONFIG), 2).state_dict(),
    }


@pytest.fixture
def official(states, tmp_path):
    folder = tmp_path / "official"
    folder.mkdir()
    for name, state in states.items():
        torch.save(state, folder / f"{name}.pth")
    return folder


class TestOfficialFiles:
    def test_they_load_with_the_widths_that_their_shapes_tell(self, official, states):
        networks = build_networks(open_checkpoint(official))
        assert networks.denoiser.config == CONFIG
        loaded = networks.denoiser.state_dict()
        expected = states["denoising_unet"] | states["motion_module"]
        assert_close({name: loaded[name] for name in expected}, expected, rtol=0, atol=0)

    def test_one_of_the_four_files_stands_for_its_folder(self, official):
        assert open_checkpoint(official / "denoising_unet.pth").config == CONFIG

    def test_safetensors_of_the_same_names_do_as_well(self, states, tmp_path):
        for name, state in states.items():
            save_file(state, tmp_path / f"{name}.safetensors")
        assert open_checkpoint(tmp_path).config == CONFIG

    def test_motion_modules_inside_the_denoising_unet_win(self, official, states):
        motion = {name: tensor + 1 for name, tensor in states["motion_module"].items()}
        torch.save(states["denoising_unet"] | motion, official / "denoising_unet.pth")
        name = next(iter(motion))
        assert_close(open_checkpoint(official).denoising_unet[name], motion[name], rtol=0, atol=0)

    def test_a_wrapped_state_dict_with_a_module_prefix_is_unwrapped(self, official, states):
        wrapped = {
            "epoch": 3,
            "state_dict": {f"module.{name}": value for name, value in states["motion_module"].items()},
        }
        torch.save(wrapped, official / "motion_module.pth")
        assert open_checkpoint(official).config == CONFIG

    @pytest.mark.parametrize(
        ("wrapper", "before", "within"),
        [("model_state_dict", "model.", ""), ("module", "module._orig_mod.", ""), (None, "_orig_mod.module.", ""),
         ("state_dict", "module.model.", ""), (None, "", "_orig_mod.")],
    )  # fmt: skip
    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    def test_what_trainers_and_compilers_put_around_names_is_taken_off(
        self, official, states, wrapper, before, within, suffix
    ):
        state = {
            before + name.replace("conv_in.", f"conv_in.{within}"): value
            for name, value in states["reference_unet"].items()
        }
        (official / "reference_unet.pth").unlink()
        if suffix == ".pth":
            torch.save({"epoch": 3, wrapper: state} if wrapper else state, official / "reference_unet.pth")
        else:
            save_file(state, official / "reference_unet.safetensors")
        assert open_checkpoint(official).config == CONFIG

    def test_files_of_training_steps_go_together_and_the_last_counts(self, official, states):
        for name in ("denoising_unet", "reference_unet", "pose_guider"):
            (official / f"{name}.pth").unlink()
            for step in (900, 25000):
                state = {key: value + step for key, value in states[name].items()}
                torch.save(state, official / f"{name}-{step}.pth")
        key, plain = next(iter(states["denoising_unet"].items()))
        for path, step in ((official, 25000), (official / "denoising_unet-900.pth", 900)):
            checkpoint = open_checkpoint(path)
            assert_close(checkpoint.denoising_unet[key], plain + step, rtol=0, atol=0)
            other, value = next(iter(states["reference_unet"].items()))
            assert_close(checkpoint.reference_unet[other], value + step, rtol=0, atol=0)

    def test_a_file_that_was_cut_into_several_is_read_by_its_list(self, official, states):
        (official / "denoising_unet.pth").unlink()
        names = sorted(states["denoising_unet"])
        listed = {}
        for number in range(2):
            file = f"denoising_unet-0000{number + 1}-of-00002.safetensors"
            save_file({name: states["denoising_unet"][name] for name in names[number::2]}, official / file)
            listed |= dict.fromkeys(names[number::2], file)
        index = official / "denoising_unet.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": listed}))
        for path in (official, index):
            assert open_checkpoint(path).config == CONFIG

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('{"weight_map": {"a": "../../secret.safetensors"}}', "damaged or no list"),
            ('{"weight_map": {"a": "gone.safetensors"}}', "lists gone.safetensors, not found"),
            (
                '{"weight_map": {"a": "denoising_unet.safetensors.index.json"}}',
                "lists denoising_unet.safetensors.index",
            ),
            ('{"weight_map": [1]}', "damaged or no list"),
            ("[" * 50_000, "damaged or no list"),
            ("", "damaged or no list"),
        ],
    )
    def test_a_list_of_files_that_is_none_is_refused(self, tmp_path, content, message):
        (tmp_path / "denoising_unet.safetensors.index.json").write_text(content)
        with pytest.raises(InputError, match=message):
            read_tensors(tmp_path / "denoising_unet.safetensors.index.json")


def test_weights_that_hold_themselves_are_read_to_an_end(tmp_path):
    state = {"a": torch.ones(2)}
    state["model"] = state
    torch.save(state, tmp_path / "a.pth")
    assert list(read_tensors(tmp_path / "a.pth")) == ["a"]


class TestWhatDoesNotFit:
    def refused(self, folder, message):
        with pytest.raises(InputError, match=message):
            open_checkpoint(folder)

    def test_a_missing_motion_module_is_named_not_ignored(self, official):
        (official / "motion_module.pth").unlink()
        self.refused(
            official, r"lacks \d+ of \d+ tensors: .*motion_modules.* and \d+ more.*put motion_module.pth beside"
        )

    def test_missing_extra_and_misshapen_tensors_are_listed(self, official, states):
        state = dict(states["reference_unet"])
        state["surplus.weight"] = state.pop("conv_in.bias")
        state["time_embedding.linear_1.bias"] = torch.zeros(3)
        torch.save(state, official / "reference_unet.pth")
        self.refused(
            official,
            r"lacks 1 of \d+ tensors: conv_in.bias; it has 1 unknown tensors: surplus.weight; "
            r"it has 1 tensors of another shape: time_embedding.linear_1.bias is \(3,\) instead of \(128,\)",
        )

    def test_absent_files_are_named_with_the_way_to_get_them(self, official):
        (official / "pose_guider.pth").unlink()
        self.refused(official, r"lacks pose_guider.pth.*fetch mimo")

    def test_a_file_under_a_wrong_name_is_named_for_what_it_is(self, official, states):
        torch.save(states["pose_guider"], official / "reference_unet.pth")
        self.refused(official, "reference_unet.pth is not what its name says: it seems to be a pose guider")

    def test_a_missing_path_is_named(self, tmp_path):
        self.refused(tmp_path / "nothing.safetensors", "no file .*nothing")

    def test_a_picture_is_not_a_weight_file(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"")
        self.refused(tmp_path / "a.png", "not a weight file")

    def test_a_damaged_file_is_named(self, tmp_path):
        (tmp_path / "a.safetensors").write_bytes(b"\x00" * 100)
        self.refused(tmp_path / "a.safetensors", "a.safetensors is damaged")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty or holds only zeros"),
            (bytes(1000), "is empty or holds only zeros"),
            (b"\n <!DOCTYPE html><html>", "is a web page"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS"),
            (b'{"error": "Access denied"}', "is damaged"),
            (b"PK\x03\x04" + bytes(100), "is cut off"),
            (b"a" * 257 + b"ustar\x0000" + bytes(1024), "is damaged"),
        ],
    )
    @pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".bin"])
    def test_what_is_no_torch_file_gets_no_advice_to_switch_safety_off(self, tmp_path, content, message, suffix):
        (tmp_path / f"a{suffix}").write_bytes(content)
        with pytest.raises(InputError, match=f"a{suffix} {message}") as caught:
            read_tensors(tmp_path / f"a{suffix}")
        assert "weights_only" not in str(caught.value) and "PyTorch" not in str(caught.value)

    @pytest.mark.parametrize("is_archive", [True, False])
    @pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
    def test_a_file_that_is_cut_off_says_so(self, official, share, is_archive):
        path = official / "motion_module.pth"
        torch.save(torch.load(path, weights_only=True), path, _use_new_zipfile_serialization=is_archive)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        self.refused(official, "motion_module.pth is (cut off|damaged)")

    def test_a_script_of_torch_is_no_weight_file(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
            for name in ("data.pkl", "constants.pkl", "version"):
                archive.writestr(f"a/{name}", b"\x80\x02).")
        self.refused(tmp_path / "a.pt", r"a.pt is damaged, or holds more than weights, which is not opened.$")

    def test_code_in_a_pickled_file_is_not_run(self, official):
        class Payload:
            def __reduce__(self):
                return (open, (str(official / "ran"), "w"))

        torch.save({"weight": Payload()}, official / "motion_module.pth")
        self.refused(official, "holds more than weights")
        assert not (official / "ran").exists()

    def test_pickled_files_are_refused_on_an_old_torch_with_the_remedy(self, official, monkeypatch):
        monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
        self.refused(official, "torch 2.5.1.*cannot open those safely. Update torch to 2.6.*convert")


class TestSeemsToBe:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "a LoRA"),
            ("conditioner.embedders.0.transformer.text_model.embeddings.position_ids", "an SDXL checkpoint"),
            ("add_embedding.linear_1.weight", "an SDXL UNet"),
            ("model.diffusion_model.input_blocks.0.0.weight", "a whole Stable Diffusion checkpoint"),
            ("controlnet_cond_embedding.conv_in.weight", "a ControlNet"),
            ("vision_model.embeddings.class_embedding", "a CLIP vision model"),
            ("text_model.embeddings.token_embedding.weight", "a text encoder"),
            ("something.weight", "an unknown file with 1 tensors such as something.weight"),
        ],
    )
    def test_a_name_gives_a_file_away(self, name, expected):
        assert describe_state({name: torch.zeros(1)}) == expected

    def test_a_vae_has_both_ends(self):
        names = ("encoder.conv_in.weight", "decoder.conv_in.weight")
        assert describe_state({name: torch.zeros(1) for name in names}) == "a VAE"

    def test_our_own_parts_are_told_apart(self, states):
        assert describe_state(states["denoising_unet"]) == "a MIMO denoising UNet"
        assert describe_state(states["motion_module"]) == "a motion module"
        assert describe_state(states["reference_unet"]) == "a reference UNet"
        assert describe_state(states["pose_guider"]) == "a pose guider"

    def test_a_wrong_file_chosen_as_a_checkpoint_says_so(self, tmp_path):
        save_file({"a.lora_up.weight": torch.zeros(2)}, tmp_path / "style.safetensors")
        with pytest.raises(InputError, match="style.safetensors is not a MIMO checkpoint: it seems to be a LoRA"):
            open_checkpoint(tmp_path / "style.safetensors")


class TestMergedFile:
    def test_conversion_keeps_every_tensor_in_half_the_bytes(self, official, tmp_path):
        out = tmp_path / "mimo.safetensors"
        before = merge_checkpoint(official, out)
        after = open_checkpoint(out)
        assert after.config == before.config
        stored = load_file(out)
        assert {tensor.dtype for name, tensor in stored.items() if not name.endswith(".pe")} == {torch.float16}
        assert_close(
            dict(after.reference_unet),
            {name: tensor.half() for name, tensor in before.reference_unet.items()},
            rtol=0,
            atol=0,
        )

    def test_it_says_how_it_is_sampled_and_what_it_was_made_from(self, official, tmp_path):
        merge_checkpoint(official, tmp_path / "mimo.safetensors")
        trained = open_checkpoint(tmp_path / "mimo.safetensors").trained
        assert (trained.size, trained.window, trained.steps, trained.cfg) == (784, 24, 25, 3.5)
        assert set(trained.hashes) == {
            f"{name}.pth" for name in ("denoising_unet", "motion_module", "reference_unet", "pose_guider")
        }
        assert all(len(value) == 64 for value in trained.hashes.values())

    def test_a_folder_with_a_merged_file_opens_it(self, official, tmp_path):
        folder = tmp_path / "merged"
        folder.mkdir()
        merge_checkpoint(official, folder / "mimo.safetensors")
        assert open_checkpoint(folder).config == CONFIG

    def test_a_vae_inside_comes_back(self, official, tmp_path):
        checkpoint = replace(open_checkpoint(official), extras={"vae": {"encoder.conv_in.weight": torch.ones(2, 2)}})
        save_checkpoint(checkpoint, tmp_path / "with_vae.safetensors")
        assert list(open_checkpoint(tmp_path / "with_vae.safetensors").extras["vae"]) == ["encoder.conv_in.weight"]

    def test_counts_that_leave_no_trace_in_shapes_are_kept(self, tmp_path):
        networks = [random_weights(network(TINY)).state_dict() for network in (Denoiser, ReferenceUNet, PoseGuider)]
        save_checkpoint(
            Checkpoint(TINY, TrainingSettings(size=256, colors="free"), *networks), tmp_path / "tiny.safetensors"
        )
        opened = open_checkpoint(tmp_path / "tiny.safetensors")
        assert opened.config == TINY
        assert opened.trained.colors == "free"

    def test_a_file_with_the_settings_under_their_names_of_before_still_opens(self, tmp_path):
        networks = [random_weights(network(TINY)).state_dict() for network in (Denoiser, ReferenceUNet, PoseGuider)]
        settings = TrainingSettings(size=256, colors="free", concat=("plate",))
        save_checkpoint(Checkpoint(TINY, settings, *networks), tmp_path / "new.safetensors", dtype=torch.float32)
        recorded = json.loads(read_metadata(tmp_path / "new.safetensors")["mimo"])
        for name, before in (("colors", "colours"), ("concat", "layers")):
            recorded["trained"][before] = recorded["trained"].pop(name)
        save_file(
            load_file(tmp_path / "new.safetensors"),
            tmp_path / "old.safetensors",
            metadata={"mimo": json.dumps(recorded)},
        )
        assert open_checkpoint(tmp_path / "old.safetensors").trained == settings

    def test_values_that_overflow_float16_are_named_and_nothing_is_left(self, official, states, tmp_path):
        state = dict(states["pose_guider"])
        state["conv_in.bias"] = torch.full_like(state["conv_in.bias"], 1e6)
        torch.save(state, official / "pose_guider.pth")
        with pytest.raises(InputError, match="pose_guider.conv_in.bias cannot be stored in torch.float16"):
            merge_checkpoint(official, tmp_path / "mimo.safetensors")
        assert [path.name for path in tmp_path.iterdir()] == ["official"]

    def test_a_surplus_network_is_refused(self, tmp_path):
        metadata = {"mimo": json.dumps({"format": 1, "config": {}, "trained": {}})}
        save_file({"mystery.weight": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata=metadata)
        with pytest.raises(InputError, match="mystery.weight, which belongs to no network"):
            open_checkpoint(tmp_path / "odd.safetensors")


class TestBuild:
    def test_weights_take_the_wanted_dtype_and_position_tables_stay_exact(self, official):
        denoiser = build_networks(open_checkpoint(official), dtype=torch.bfloat16).denoiser
        assert denoiser.conv_in.weight.dtype == torch.bfloat16
        tables = [buffer for name, buffer in denoiser.named_buffers() if name.endswith(".pe")]
        assert tables
        assert {table.dtype for table in tables} == {torch.float32}

    def test_a_built_denoiser_runs_in_half_precision(self, official):
        denoiser = build_networks(open_checkpoint(official), dtype=torch.bfloat16).denoiser
        x = torch.randn(2, 8, 8, 8, dtype=torch.bfloat16)
        velocity = denoiser(x, torch.full((2,), 500), torch.ones(1, 1, 16, dtype=torch.bfloat16))
        assert velocity.dtype == torch.bfloat16
        assert torch.isfinite(velocity).all()
