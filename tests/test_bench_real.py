import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks, write_video
from mimo_core.scene.scene import Scene
from mimo_lab.bench import run_bench
from mimo_lab.bench.quality import make_true_clip
from mimo_lab.bench.real import OUTLINES, format_table
from mimo_lab.bench.real_job import RealJob, run_job
from mimo_lab.bench.real_measures import UNITS, measure_outlines, measure_plate, measure_result
from mimo_lab.bench.real_outlines import draw_outlines, hash_file, read_outlines
from mimo_lab.synthetic import make_character_picture, make_shot


SQUARE = {"person": [[[10, 10], [29, 10], [29, 29], [10, 29]]], "occluder": [[[20, 10], [29, 10], [29, 29], [20, 29]]]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one short clip and one character."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "clips").mkdir()
    (folder / "characters").mkdir()
    clip = make_true_clip(make_shot(7, size=128, frames=6))
    write_video(folder / "clips" / "walk.mp4", clip, fps=clip.fps)
    Image.fromarray(make_character_picture(507, size=256).image).save(folder / "characters" / "one.png")
    return folder


def make_scene(person, occluder, plate=None, source=None):
    source = np.zeros((len(person), 40, 40, 3), np.uint8) if source is None else source
    layers = (Masks.from_array(np.array(layer, np.uint8) * 255) for layer in (person, occluder))
    return Scene(Clip.from_array(source), Clip.from_array(source if plate is None else plate), *layers)


def test_outlines_of_the_truth_itself_are_met_exactly():
    truth = draw_outlines(SQUARE, (40, 40), 40, 40)
    rows = measure_outlines(make_scene([truth.person], [truth.occluder]), {0: truth})
    assert rows == {"person IoU": 1.0, "occluder IoU": 1.0, "false occluder": 0.0}


def test_an_occluder_where_nothing_is_in_front_counts_as_false():
    truth = draw_outlines({"person": SQUARE["person"]}, (40, 40), 40, 40)
    half = truth.person & (np.arange(40)[None, :] < 20)
    rows = measure_outlines(make_scene([truth.person & ~half], [half]), {0: truth})
    assert rows["false occluder"] == pytest.approx(50) and rows["person IoU"] == pytest.approx(0.5)
    assert math.isnan(rows["occluder IoU"])


def test_what_is_held_counts_for_nobody():
    truth = draw_outlines(SQUARE | {"held": SQUARE["occluder"]}, (40, 40), 40, 40)
    assert not truth.occluder.any()
    rows = measure_outlines(make_scene([truth.person | truth.held], [truth.held]), {0: truth})
    assert rows["person IoU"] == 1 and rows["false occluder"] == 0


def test_outlines_scale_with_the_picture():
    large, small = (draw_outlines(SQUARE, (40, 40), side, side).person.mean() for side in (160, 40))
    assert large == pytest.approx(small, rel=0.1)


def test_clothes_that_stay_in_the_plate_are_found():
    person = np.zeros((2, 40, 40), bool)
    person[:, 10:30, 10:30] = True
    source = np.full((2, 40, 40, 3), 90, np.uint8)
    source[person] = (220, 20, 20)
    clean, dirty = np.full_like(source, 90), np.full_like(source, 90)
    dirty[:, 10:20, 10:30] = (220, 20, 20)
    nothing = np.zeros_like(person)
    rows = [measure_plate(make_scene(person, nothing, plate, source)) for plate in (clean, dirty)]
    assert rows[0]["clothes in the plate"] == 0 and rows[1]["clothes in the plate"] == pytest.approx(50)


def test_the_bench_measures_every_row_and_draws_a_sheet(folder, tmp_path, capsys):
    assert run_bench(["real", str(folder), "--out", str(tmp_path), "--json"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])["clips"]["walk"]
    assert list(row) == list(UNITS)
    assert row["lost"] == 0 and row["joint distance"] < 10 and row["memory"] > 0.1 and row["person IoU"] is None
    assert np.asarray(Image.open(tmp_path / "walk.png")).std() > 10


def test_the_bench_names_the_clips_it_has(folder):
    with pytest.raises(InputError, match=r"no clip 'run'.*walk"):
        run_bench(["real", str(folder), "--clips", "run"])


def test_a_table_has_a_row_a_measure_and_a_mean():
    lines = format_table({"a": dict.fromkeys(UNITS, 1.0), "b": dict.fromkeys(UNITS, math.nan)})
    assert lines[2] == "| person IoU | 1 | - | 1 |"


def test_recorded_outlines_lie_in_their_pictures_and_show_somebody():
    clips = json.loads(OUTLINES.read_text(encoding="utf-8"))["clips"]
    assert len(clips) == 7
    for clip in clips.values():
        assert len(clip["frames"]) == 6
        for polygons in clip["frames"].values():
            points = np.concatenate([np.array(polygon) for each in polygons.values() for polygon in each])
            assert (points >= 0).all() and (points <= clip["size"]).all()
            assert draw_outlines(polygons, tuple(clip["size"]), *clip["size"]).person.mean() > 0.01


def test_masks_of_a_real_clip_meet_the_outlines_drawn_by_hand():
    if "MIMO_REAL_CLIPS" not in os.environ:
        pytest.skip("MIMO_REAL_CLIPS names no folder with clips/ and characters/")
    folder = Path(os.environ["MIMO_REAL_CLIPS"])
    known = json.loads(OUTLINES.read_text(encoding="utf-8"))["clips"]
    clips = [path for path in sorted((folder / "clips").iterdir()) if hash_file(path) in known]
    if not clips:
        pytest.skip(f"{folder} has none of the clips whose outlines are known")
    smallest = min(clips, key=lambda path: Clip.from_file(path).width * len(Clip.from_file(path)))
    character = next((folder / "characters").iterdir())
    assert read_outlines(OUTLINES, smallest)[1]
    row = measure_result(run_job(RealJob(smallest, character, None, 14, 6, 640, OUTLINES)))
    assert row["person IoU"] > 0.8 and row["false occluder"] < 10 and row["lost"] == 0
