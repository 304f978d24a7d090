"""Shots as WebDataset shards: whole or not there, the same to the byte after a kill, readable by the package."""

import io

import numpy as np
import pytest

from mimo_core.cli import run_command
from mimo_core.errors import InputError
from mimo_core.motion.files import load_motion
from mimo_lab.synthetic import Variety, make_shot
from mimo_lab.synthetic.shards import SHARD_FIELDS, Recipe, read_shot_shards, write_shot_shards


RECIPE = Recipe(300, 304, size=32, frames=2, each=2, picture=32, variety=Variety())


class Stopped(Exception):
    """What a progress raises to cancel."""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shots") / "set"
    return write_shot_shards(folder, RECIPE)


def test_every_shot_is_there_once_with_every_field(written):
    samples = list(read_shot_shards(written))
    assert [sample["__key__"] for sample in samples] == [f"{seed:09d}" for seed in range(300, 305)]
    assert len(written) == 3
    for sample in samples:
        assert set(sample) == {"__key__", *SHARD_FIELDS}


def test_a_sample_is_the_shot_of_its_seed(written, tmp_path):
    sample = list(read_shot_shards(written))[3]
    made = make_shot(303, size=32, frames=2, variety=Variety())
    for name in ("frames", "plate", "visible", "depth", "flow", "parts"):
        np.testing.assert_array_equal(sample[f"{name}.npy"], getattr(made, name))
    assert sample["json"]["seed"] == 303 and tuple(sample["json"]["wearing"]) == made.wearing
    (tmp_path / "motion.npz").write_bytes(sample["motion.npz"])
    motion = load_motion(tmp_path / "motion.npz")
    np.testing.assert_array_equal(motion.person.body_pose, made.motion.person.body_pose)
    np.testing.assert_array_equal(motion.camera.camera_from_world, made.motion.camera.camera_from_world)


def test_a_stopped_run_goes_on_and_gives_the_same_bytes(written, tmp_path):
    def stop(done, total, preview=None):
        if done == 3:
            raise Stopped

    folder = tmp_path / "set"
    with pytest.raises(Stopped):
        write_shot_shards(folder, RECIPE, progress=stop)
    assert sorted(path.name for path in folder.iterdir()) == ["shots-000000.tar", "shots.json"]
    kept = (folder / "shots-000000.tar").stat().st_mtime_ns
    again = write_shot_shards(folder, RECIPE)
    assert (folder / "shots-000000.tar").stat().st_mtime_ns == kept
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
    assert not list(folder.glob(".*"))


def test_two_processes_write_the_same_bytes_as_one(written, tmp_path):
    again = write_shot_shards(tmp_path / "set", RECIPE, workers=2)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_a_folder_begun_with_other_settings_is_refused(written):
    with pytest.raises(InputError, match="begun with size 32, not 48"):
        write_shot_shards(written[0].parent, Recipe(300, 304, size=48, frames=2, each=2, picture=32))


def test_a_folder_of_somebody_else_s_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        write_shot_shards(tmp_path, RECIPE)


def test_the_package_webdataset_reads_them(written):
    webdataset = pytest.importorskip("webdataset")
    data = webdataset.WebDataset([str(path) for path in written], shardshuffle=False).decode("rgb8")
    samples = list(data)
    assert [sample["__key__"] for sample in samples] == [f"{seed:09d}" for seed in range(300, 305)]
    assert samples[0]["frames.npy"].shape == (2, 32, 32, 3)
    assert samples[0]["character.png"].shape == (32, 32, 3)
    assert samples[0]["json"]["seed"] == 300


def test_the_command_writes_plain_shots_too(tmp_path):
    arguments = ["shots", "--out", tmp_path / "set", "--seeds", "7-8", "--size", "32", "--frames", "2", "--plain"]
    assert run_command([str(argument) for argument in arguments]) == 0
    first = next(read_shot_shards(sorted((tmp_path / "set").glob("*.tar"))))
    np.testing.assert_array_equal(first["frames.npy"], make_shot(7, size=32, frames=2).frames)
    assert io.BytesIO(first["character.png"]).read(4) == b"\x89PNG"
