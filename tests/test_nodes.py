"""The nodes at work, on tiny but real data."""

import importlib

import pytest
import torch


@pytest.fixture(scope="module")
def core(node_classes):
    """Modules of the library as the pack holds them."""
    return lambda name: importlib.import_module(f"pack_under_test.mimo_core.{name}")


@pytest.fixture
def run(node_classes, folders):
    """Run a node with its defaults and return its outputs."""

    def execute(name, **given):
        node = node_classes[name]
        defaults = {entry.id: entry.as_dict().get("default") for entry in node.GET_SCHEMA().inputs or []}
        required = {
            entry.id: defaults[entry.id]
            for entry in node.GET_SCHEMA().inputs or []
            if not entry.optional and defaults[entry.id] is not None
        }
        return node.execute(**(required | given))

    return execute


@pytest.fixture(scope="module")
def motion(core):
    """A body in the T pose, four frames, three metres away, turning its head."""
    pose = torch.zeros(4, 69)
    pose[:, 3 * 14 + 1] = torch.linspace(-0.5, 0.5, 4)
    place = torch.tensor([[0.0, 0.1, -3.0]]).repeat(4, 1)
    person = core("motion.motion").Person(torch.zeros(10), torch.zeros(4, 3), pose, place)
    camera = core("camera").Camera.for_size(96, 64, focal=60.0)
    return core("motion.motion").Motion((person,), 24.0, camera)


class TestRenderMotion:
    @pytest.mark.parametrize("style", ["body code", "openpose", "depth", "normal", "mask"])
    def test_every_style_gives_a_picture_and_a_mask_a_frame(self, run, motion, style):
        images, mask = run("MIMO_RenderMotion", motion=motion, style=style).args
        assert images.shape == (4, 64, 96, 3)
        assert mask.shape == (4, 64, 96)
        assert images.max() > 0.2
        assert 0.02 < mask.mean() < 0.5

    def test_a_style_of_an_older_workflow_is_refused_by_name(self, run, motion):
        with pytest.raises(ValueError, match="style is 'wireframe'"):
            run("MIMO_RenderMotion", motion=motion, style="wireframe")

    def test_the_official_colours_say_which_files_they_need(self, run, motion, folders):
        with pytest.raises(ValueError, match=r"sdc_info\.npy to models/mimo and an SMPL or SMPL-H file"):
            run("MIMO_RenderMotion", motion=motion, colours="official")

    def test_the_official_colours_ask_only_for_what_is_missing(self, run, motion, folders):
        import folder_paths
        import numpy as np

        (folders / "models").mkdir()
        np.save(folders / "models" / "sdc_info.npy", np.zeros((6890, 3), np.uint8))
        folder_paths.add_model_folder_path("mimo", str(folders / "models"))
        with pytest.raises(ValueError, match=r"Copy an SMPL or SMPL-H file"):
            run("MIMO_RenderMotion", motion=motion, colours="official")

    def test_a_handful_of_frames_is_shown(self, run, motion):
        shown = run("MIMO_RenderMotion", motion=motion).ui
        assert len(shown.as_dict()["images"]) == 4


class TestMotionFiles:
    def test_a_saved_motion_is_offered_and_comes_back(self, run, node_classes, motion, folders, close):
        run("MIMO_SaveMotion", motion=motion, prefix="motion/turn")
        offered = node_classes["MIMO_LoadMotion"].GET_SCHEMA().inputs[0].as_dict()["options"]
        assert offered == ["motion/turn_00001_.npz [output]"]
        (loaded,) = run("MIMO_LoadMotion", file=offered[0]).args
        close(loaded.person.body_pose, motion.person.body_pose)

    def test_nothing_is_overwritten(self, run, motion, folders):
        for _ in range(2):
            run("MIMO_SaveMotion", motion=motion, prefix="turn", format="safetensors")
        assert sorted(path.name for path in (folders / "output").iterdir()) == [
            "turn_00001_.safetensors",
            "turn_00002_.safetensors",
        ]

    def test_a_prefix_may_not_leave_the_output_folder(self, run, motion, folders):
        with pytest.raises(Exception, match="not allowed"):
            run("MIMO_SaveMotion", motion=motion, prefix="../elsewhere/turn")
        assert not (folders / "elsewhere").exists()

    @pytest.mark.parametrize("name", ["gone.npz", "../secret.npz", "../secret.npz [output]", "", None])
    def test_only_listed_files_are_read(self, run, folders, name):
        (folders / "secret.npz").write_bytes(b"")
        with pytest.raises(ValueError, match="There is no motion"):
            run("MIMO_LoadMotion", file=name)

    def test_a_file_that_is_no_motion_says_so(self, run, folders):
        (folders / "input" / "notes.npz").write_text("hello")
        with pytest.raises(ValueError, match=r"notes\.npz is damaged or no motion"):
            run("MIMO_LoadMotion", file="notes.npz")

    def test_a_changed_file_is_read_again(self, node_classes, run, motion, folders):
        run("MIMO_SaveMotion", motion=motion, prefix="turn")
        fingerprint = node_classes["MIMO_LoadMotion"].fingerprint_inputs
        first = fingerprint(file="turn_00001_.npz [output]")
        assert fingerprint(file="turn_00001_.npz [output]") == first
        path = folders / "output" / "turn_00001_.npz"
        path.write_bytes(path.read_bytes() + b"0")
        assert fingerprint(file="turn_00001_.npz [output]") != first


@pytest.fixture(scope="module")
def figure():
    """A plain figure with arms and legs before a white wall, no person to any network."""
    picture = torch.ones(1, 160, 120, 3)
    picture[:, 20:60, 45:75] = torch.tensor([0.8, 0.6, 0.5])
    picture[:, 60:140, 40:80] = torch.tensor([0.1, 0.2, 0.7])
    return picture


class TestEncodeIdentity:
    def test_a_given_mask_decides_what_the_character_is(self, run, figure):
        mask = torch.zeros(1, 160, 120)
        mask[:, 60:140, 40:80] = 1
        identity, crop = run("MIMO_EncodeIdentity", character=figure, mask=mask).args
        assert crop.shape == (1, identity.side, identity.side, 3)
        assert (identity.matte == 255).sum() == 80 * 40

    def test_an_empty_mask_is_refused(self, run, figure):
        with pytest.raises(ValueError, match="mask is empty"):
            run("MIMO_EncodeIdentity", character=figure, mask=torch.zeros(1, 64, 64))

    def test_a_batch_is_refused(self, run, figure):
        with pytest.raises(ValueError, match="takes one picture, got 2"):
            run("MIMO_EncodeIdentity", character=figure.repeat(2, 1, 1, 1))
