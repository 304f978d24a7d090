"""The nodes and the command line with small random networks in models/mimo."""

import pytest
import torch

from mimo_core.cli import run_command
from mimo_core.media.clip import write_video
from mimo_core.motion.files import load_motion
from mimo_lab.synthetic import make_shot
from tests.tiny_transformers import save_depth_network, save_detector, save_mask_network, save_vitpose


FRAMES = 4


@pytest.fixture(scope="module")
def made():
    return make_shot(11, size=128, frames=FRAMES, occluders="none", camera="fixed")


@pytest.fixture
def models(monkeypatch, tmp_path):
    """Where `fetch` puts files, with all optional networks."""
    folder = tmp_path / "models"
    monkeypatch.setenv("MIMO_MODELS", str(folder))
    save_vitpose(folder / "mimo" / "vitpose")
    save_detector(folder / "mimo" / "person_detector")
    save_mask_network(folder / "mimo" / "sam2")
    save_depth_network(folder / "mimo" / "depth_anything")
    return folder


def test_the_nodes_take_the_networks_that_are_there(node_classes, folders, models, made):
    images = torch.from_numpy(made.frames).float() / 255
    boxes = [[[0.0, 0.0, 128.0, 128.0]]] * FRAMES
    asked = {"person": 0, "smoothing": 1.0, "fps": 0.0, "focal": 0.0, "boxes": boxes}
    pose = node_classes["MIMO_EstimatePose"].execute(clip=images, estimator="vitpose", **asked)
    motion = pose.args[0]
    assert motion.frames == FRAMES
    separate = node_classes["MIMO_SeparateScene"]
    settings = {"clip": images, "motion": motion, "camera": "none", "edge": 2, "fps": 0.0}
    report = separate.execute(**settings).args[-1]
    assert "masks are those of sam2" in report and "decided by depth anything" in report
    report = separate.execute(masks="classical", depth_from="classical", **settings).args[-1]
    assert "sam2" not in report and "depth anything" not in report


def test_no_network_is_loaded_whose_layer_is_at_a_socket(node_classes, folders, models, made):
    for name in ("sam2", "depth_anything"):
        (models / "mimo" / name / "model.safetensors").write_bytes(b"damaged: loading it is refused")
    settings = {"clip": torch.from_numpy(made.frames).float() / 255, "camera": "none", "edge": 2, "fps": 0.0}
    given = {"person": torch.from_numpy(made.person).float() / 255, "occluder": torch.zeros(FRAMES, 128, 128)}
    report = node_classes["MIMO_SeparateScene"].execute(**settings, motion=made.motion, **given).args[-1]
    assert "sam2" not in report and "depth anything" not in report


def test_the_command_line_takes_them_too(models, made, tmp_path, capsys):
    write_video(tmp_path / "shot.mp4", iter(made.frames), fps=12, total=FRAMES)
    out = tmp_path / "layers"
    code = run_command(
        ["separate", str(tmp_path / "shot.mp4"), "--out", str(out), "--masks", "sam2", "--depth", "classical"]
    )
    assert not code
    report = (out / "report.txt").read_text()
    assert "masks are those of sam2" in report and "depth anything" not in report
    assert load_motion(out / "motion.npz").frames == FRAMES


def test_a_choice_without_its_files_ends_before_anything_is_written(monkeypatch, made, tmp_path, capsys):
    monkeypatch.setenv("MIMO_MODELS", str(tmp_path / "nothing"))
    write_video(tmp_path / "shot.mp4", iter(made.frames), fps=12, total=FRAMES)
    for words in (["--masks", "edgetam"], ["--estimator", "vitpose"]):
        code = run_command(["separate", str(tmp_path / "shot.mp4"), "--out", str(tmp_path / "layers"), *words])
        assert code == 2
        assert "fetch" in capsys.readouterr().err
    assert not (tmp_path / "layers").exists()


def test_doctor_names_every_network_and_what_to_do(models, capsys):
    run_command(["doctor"])
    report = capsys.readouterr().out
    assert "ViTPose usable" in report and "SAM 2 usable" in report and "Depth Anything usable" in report
    assert "EdgeTAM after `mimo fetch edgetam`" in report
