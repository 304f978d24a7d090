"""Parity with the official release: the samples in tests/data, and all of them if MIMO_FIXTURES names their folder."""

import argparse
import json
import os
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from mimo_core.errors import InputError
from mimo_lab.bench import parity


SAMPLES = Path(__file__).parent / "data" / "parity"


def options(*arguments):
    parser = argparse.ArgumentParser()
    parity.add_parity_options(parser)
    return parser.parse_args(arguments)


def over(rows):
    return [row for row in rows if not row.ok]


@pytest.fixture(scope="module")
def rows():
    return parity.compare(SAMPLES)


class TestSamplesOfTheRepository:
    def test_every_case_is_within_its_tolerance(self, rows):
        assert over(rows) == []

    def test_all_groups_are_compared(self, rows):
        assert not [row for row in rows if row.note.startswith("skipped")]
        assert sum(row.error is not None for row in rows) > 130

    def test_what_a_later_version_brings_is_said(self, rows):
        later = [row.case for row in rows if row.note == "not in this version"]
        assert "decomp.occluder_selection" in later


class TestAllSamples:
    def test_every_case_is_within_its_tolerance(self):
        folder = os.environ.get("MIMO_FIXTURES")
        if not folder:
            pytest.skip("MIMO_FIXTURES does not name a folder of official samples")
        rows = parity.compare(folder)
        assert over(rows) == []
        assert not [row for row in rows if row.note.startswith("skipped")]


class TestCommand:
    @pytest.fixture
    def scheduler_only(self, tmp_path):
        shutil.copy(SAMPLES / "scheduler.safetensors", tmp_path)
        return tmp_path

    def test_absent_files_are_skipped_and_named(self, scheduler_only, capsys):
        assert parity.run_parity(options("--fixtures", str(scheduler_only))) == 0
        printed = capsys.readouterr().out
        assert "skipped: roi.json absent" in printed
        assert "scheduler.alphas_cumprod" in printed

    def test_one_wrong_number_makes_it_fail(self, scheduler_only, capsys):
        tensors = load_file(scheduler_only / "scheduler.safetensors")
        tensors["step25.t39.prev_sample"][0, 0, 0, 0, 0] += 1e-4
        save_file(tensors, scheduler_only / "scheduler.safetensors")
        assert parity.run_parity(options("--fixtures", str(scheduler_only), "--json")) == 1
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert [case for case, row in rows.items() if not row["ok"]] == ["scheduler.step25.t39.prev_sample"]

    def test_a_folder_without_samples_fails(self, tmp_path, capsys):
        assert parity.run_parity(options("--fixtures", str(tmp_path))) == 1
        assert "0 cases compared" in capsys.readouterr().err

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"no folder .*nowhere.*fixtures\.json"):
            parity.compare(tmp_path / "nowhere")


class TestSensitivity:
    """A wrong constant must be seen by the samples, or they prove nothing."""

    @pytest.mark.parametrize(
        ("path", "eps"),
        [
            ("down_blocks.0.attentions.0.norm", 1e-5),
            ("down_blocks.0.motion_modules.0.temporal_transformer.norm", 1e-5),
        ],
    )
    def test_a_wrong_eps_goes_over_the_tolerance_of_single_modules(self, monkeypatch, path, eps):
        loaded = parity.parity_networks._denoiser

        def with_wrong_eps(folder):
            denoiser = loaded(folder)
            denoiser.get_submodule(path).eps = eps
            return denoiser

        monkeypatch.setattr(parity.parity_networks, "_denoiser", with_wrong_eps)
        errors = list(parity.parity_networks.parts(SAMPLES))
        assert any(error > tolerance for _, error, tolerance in errors)
