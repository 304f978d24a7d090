"""The quality bench: perfect layers score perfectly, wrong ones do not, and the report keeps its shape."""

import argparse
import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.media.clip import Masks
from mimo_core.scene.scene import Scene
from mimo_lab.bench import quality
from mimo_lab.bench.table import BenchRow, parse_seeds, report_rows
from mimo_lab.synthetic import make_shot


@pytest.fixture(scope="module")
def made():
    return make_shot(15, size=96, frames=4)


@pytest.fixture(scope="module")
def wanted():
    return make_shot(15, size=96, frames=4, character=515)


def layer_rows(made, scene):
    tally = defaultdict(list)
    quality._compare_layers(tally, made, scene)
    return quality._summarize(tally)


def picture_rows(made, wanted, drawn, masks):
    tally = defaultdict(list)
    quality._compare_pictures(tally, "end ", made, wanted, quality.make_true_scene(made), drawn, masks)
    return quality._summarize(tally)


class TestLayers:
    def test_the_truth_itself_scores_perfectly(self, made):
        rows = layer_rows(made, quality.make_true_scene(made))
        assert rows["person IoU"].value == 1
        assert rows["moving occluder IoU"].value == 1
        assert rows["plate PSNR"].value == 99

    def test_the_source_as_plate_misses_the_target(self, made):
        truth = quality.make_true_scene(made)
        rows = layer_rows(made, replace(truth, plate=truth.source))
        assert not rows["plate PSNR"].ok

    def test_a_separator_that_finds_nothing_has_no_overlap(self, made):
        truth = quality.make_true_scene(made)
        nothing = Masks.constant(0, 4, 96, 96)
        rows = layer_rows(made, Scene(truth.source, truth.plate, nothing, nothing))
        assert rows["person IoU"].value == rows["moving occluder IoU"].value == 0

    def test_what_a_walker_uncovers_is_known_and_what_somebody_standing_hides_is_not(self):
        walker = make_shot(5, size=64, frames=16, performance="walk", samples=1)
        stands = make_shot(2, size=64, frames=16, performance="idle", samples=1)
        shares = [quality.mark_shown_elsewhere(made)[made.visible > 127].mean() for made in (walker, stands)]
        assert shares[0] > 0.9 and shares[1] < 0.5

    def test_a_turning_camera_does_not_shift_what_is_shown(self):
        made = make_shot(5, size=64, frames=4, performance="walk", samples=1)
        free = (made.person == 0) & (made.occluder == 0)
        shown = quality.mark_shown_elsewhere(made)
        assert shown[1:3][free[1:3]].mean() > 0.8

    def test_a_ghost_in_the_plate_is_counted_beside_the_true_plate(self):
        made = make_shot(2, size=256, frames=2)
        clip = quality.make_true_clip(made)
        rows = layer_rows(made, replace(quality.make_true_scene(made), plate=clip))
        assert rows["plates without a ghost"].value == 0
        assert rows["plates without a ghost"].baseline == 1


class TestPictures:
    def test_the_truth_itself_scores_perfectly_and_beats_every_rival(self, made, wanted):
        rows = picture_rows(made, wanted, wanted.frames, wanted.person)
        assert rows["end PSNR"].value == 99
        assert rows["end SSIM"].value == pytest.approx(1)
        assert rows["end silhouette IoU"].value == pytest.approx(1, abs=2e-3)  # half-covered pixels at two edges
        assert all(row.ok for row in rows.values())

    def test_the_unchanged_source_has_no_margin_over_itself(self, made, wanted):
        rows = picture_rows(made, wanted, made.frames, made.person)
        assert rows["end PSNR above source"].value == 0
        assert not rows["end PSNR above source"].ok

    def test_the_rivals_are_what_they_say(self, made, wanted):
        truth = quality.make_true_scene(made)
        drawn = np.stack(list(truth.plate))
        rows = picture_rows(made, wanted, drawn, wanted.person)
        assert rows["end PSNR above plate only"].value == pytest.approx(0)


class TestReport:
    def test_json_has_the_agreed_shape(self, capsys):
        rows = {
            "person IoU": BenchRow(0.95, 0.93),
            "error": BenchRow(80.0, 90.0, at_most=True),
            "none": BenchRow(float("nan"), 1.0),
        }
        assert report_rows(rows, range(1000, 1020), 256, as_json=True) == 0
        printed = json.loads(capsys.readouterr().out)
        assert printed["seeds"] == "1000-1019" and printed["size"] == 256
        assert printed["rows"]["person IoU"] == {"value": 0.95, "target": 0.93, "ok": True, "baseline": None}
        assert printed["rows"]["none"]["value"] is None

    def test_a_missed_target_is_exit_code_one(self, capsys):
        assert report_rows({"PSNR": BenchRow(15.0, 16.0, 12.0)}, range(2), 64, as_json=False) == 1
        assert "MISSED" in capsys.readouterr().out

    def test_seeds_are_first_and_last(self):
        assert list(parse_seeds("7-9")) == [7, 8, 9] and list(parse_seeds("4")) == [4]

    @pytest.mark.parametrize("text", ["9-7", "a-b", ""])
    def test_other_seeds_are_refused(self, text):
        with pytest.raises(InputError):
            parse_seeds(text)


class TestRun:
    def test_the_proxy_stage_runs_from_the_command_line(self, capsys):
        parser = argparse.ArgumentParser()
        quality.add_quality_options(parser)
        arguments = parser.parse_args(["--seeds", "3", "--size", "128", "--frames", "2", "--only", "proxy", "--json"])
        assert quality.run_quality(arguments) == 0  # the proxy's rows have no targets
        printed = json.loads(capsys.readouterr().out)
        assert printed["rows"]["proxy silhouette IoU"]["value"] > 0.7
        assert printed["rows"]["proxy PSNR above plate only"]["baseline"] > 5
