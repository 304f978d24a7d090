"""The nodes for template folders, on the stand-in or a real ComfyUI."""

import importlib

import numpy as np
import pytest
import torch


@pytest.fixture
def scene(pack):
    part = lambda name: importlib.import_module(f"{pack.__name__}.mimo_core.{name}")  # noqa: E731
    clip = part("media.clip")
    source = clip.Clip.from_array(np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), np.uint8), 30)
    nobody = clip.Masks.constant(0, 5, 32, 48)
    return part("scene.scene").Scene(source, source, nobody, nobody)


class TestTemplateNodes:
    def test_a_saved_template_is_offered_and_loaded(self, node_classes, folders, scene):
        body_code = torch.linspace(0, 1, 5)[:, None, None, None].expand(5, 32, 48, 3)
        save, load = node_classes["MIMO_SaveTemplate"], node_classes["MIMO_LoadTemplate"]
        for _ in range(2):
            save.execute(scene=scene, body_code=body_code, folder="template/mimo")
        names = load.GET_SCHEMA().inputs[0].as_dict()["options"]
        assert names[0] == "template/mimo_00001_ [output]"
        loaded, images = load.execute(folder=names[0]).args
        assert loaded.frames == 5 and images.shape == (5, 32, 48, 3)
        torch.testing.assert_close(images.mean((1, 2, 3)), torch.linspace(0, 1, 5), rtol=0, atol=0.02)

    def test_a_folder_that_is_gone_or_outside_is_refused(self, node_classes, folders):
        for name in ("gone", "../../etc"):
            with pytest.raises(ValueError, match="There is no template"):
                node_classes["MIMO_LoadTemplate"].execute(folder=name)

    def test_nothing_is_written_outside_the_output_folder(self, node_classes, folders, scene):
        with pytest.raises(Exception, match="outside the output folder"):
            node_classes["MIMO_SaveTemplate"].execute(scene=scene, body_code=torch.zeros(5, 32, 48, 3), folder="../x")
