"""The page's jobs: what is let in, what is cut, and what comes out. No server and no browser."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimo_core.demo.job import CLIP, COLOR, MOTION_FILE, PICTURE, SHIPPED, PageRequest, run_page_job
from mimo_core.demo.uploads import Limits, check_upload, open_limited_clip, parse_page_color
from mimo_core.demo.workflow import GraphInputs, build_graph
from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, write_video
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion
from mimo_core.progress import silent
from mimo_lab.synthetic import make_character_picture


NODES = json.loads(Path(__file__).with_name("data").joinpath("nodes.json").read_text())


@pytest.fixture(scope="module")
def character(tmp_path_factory):
    path = tmp_path_factory.mktemp("character") / "somebody.png"
    Image.fromarray(make_character_picture(5, size=96, samples=1).image).save(path)
    return path


@pytest.fixture
def uploads(character, tmp_path):
    """An upload folder with a character, beside a file that nobody uploaded."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "somebody.png").write_bytes(character.read_bytes())
    (tmp_path / "secret.png").write_bytes(character.read_bytes())
    return folder


class TestUploads:
    @pytest.mark.parametrize(
        "name",
        [
            "../secret.png",
            "../uploads/../secret.png",
            "/etc/hostname",
            "link.png",
            "linked/secret.png",
            "somebody.png\0.png",
            "missing.png",
            ".",
            "~/secret.png",
            "a" * 5000 + ".png",
            "file:///etc/hostname",
        ],
    )
    def test_nothing_outside_the_upload_folder_is_read(self, uploads, name):
        os.symlink(uploads.parent / "secret.png", uploads / "link.png")
        os.symlink(uploads.parent, uploads / "linked")
        with pytest.raises(InputError, match="Upload it again"):
            check_upload(os.path.join(uploads, name), "picture", uploads)

    def test_names_with_odd_letters_are_just_names(self, uploads, character):
        odd = uploads / "; rm -rf $(x) %s '\"<b>\u00e9\n.png"
        odd.write_bytes(character.read_bytes())
        assert check_upload(str(odd), "picture", uploads) == odd

    def test_a_file_of_another_kind_is_named(self, uploads):
        (uploads / "motion.pkl").write_bytes(b"")
        with pytest.raises(InputError, match="motion.pkl is not a motion. Give a file of .bvh, .glb"):
            check_upload(str(uploads / "motion.pkl"), "motion", uploads)

    def test_colors_are_read_as_browsers_give_them(self):
        assert parse_page_color("#204060") == parse_page_color("rgba(32, 64, 96, 1)") == (32, 64, 96)
        assert parse_page_color(None) == (255, 255, 255)
        with pytest.raises(InputError, match="is not a color"):
            parse_page_color("/etc/hostname")

    def test_a_clip_is_cut_and_scaled_down_with_notes(self, tmp_path):
        frames = np.random.default_rng(0).integers(0, 255, (12, 48, 96, 3), dtype=np.uint8)
        write_video(tmp_path / "a.mp4", frames, fps=6)
        clip, notes = open_limited_clip(tmp_path / "a.mp4", Limits(seconds=1.5, side=32))
        assert (len(clip), clip.width, clip.height) == (9, 32, 16)
        assert notes == (
            "The clip was cut from 2.0 to 1.5 seconds.",
            "The clip was scaled down from 96x48 to 32x16 pixels.",
        )

    def test_hours_are_not_even_opened(self, tmp_path):
        write_video(tmp_path / "a.mp4", np.zeros((12, 16, 16, 3), np.uint8), fps=6)
        with pytest.raises(InputError, match="at most 0 are opened"):
            open_limited_clip(tmp_path / "a.mp4", Limits(longest_seconds=1.0))


class TestJobs:
    def run(self, request, uploads, tmp_path, **limits):
        out = tmp_path / "out"
        out.mkdir()
        return run_page_job(
            request, uploads, out, limits=Limits(**{"side": 64, **limits}), progress_of=lambda stage: silent
        )

    def test_a_motion_that_ships_becomes_a_video_with_layers_and_a_workflow(self, uploads, tmp_path):
        request = PageRequest(str(uploads / "somebody.png"), SHIPPED, shipped="wave", scene_kind=COLOR, color="#204060")
        result = self.run(request, uploads, tmp_path, seconds=0.2)
        clip = Clip.from_file(result.video)
        assert (len(clip), max(clip.width, clip.height)) == (6, 64)
        np.testing.assert_allclose(clip[0][2, 2], (32, 64, 96), atol=6)
        assert [name for _, name in result.layers] == ["body code", "plate", "character"]
        assert any("was cut" in note for note in result.notes)
        graph = json.loads(result.workflow.read_text())
        assert {"somebody.png", "wave [built in]", "#204060"} <= {
            value for node in graph.values() for value in node["inputs"].values() if isinstance(value, str)
        }

    def test_a_motion_file_before_a_picture(self, uploads, tmp_path):
        save_motion(uploads / "walk.npz", builtin_motion("walk")[:3])
        Image.new("RGB", (40, 30), (200, 30, 30)).save(uploads / "wall.png")
        request = PageRequest(
            str(uploads / "wall.png"),  # a card, which takes no time to bake
            MOTION_FILE,
            motion_file=str(uploads / "walk.npz"),
            scene_kind=PICTURE,
            scene_picture=str(uploads / "wall.png"),
        )
        result = self.run(request, uploads, tmp_path)
        np.testing.assert_allclose(Clip.from_file(result.video)[0][2, 2], (200, 30, 30), atol=8)

    @pytest.mark.parametrize(
        ("request_", "said"),
        [
            (PageRequest(None), "no picture of a character yet"),
            (PageRequest("somebody.png", CLIP), "no clip yet"),
            (PageRequest("somebody.png", SHIPPED, shipped="../../secret"), "motion that ships is one of"),
            (PageRequest("somebody.png", "anything"), "The motion is one of a clip"),
            (PageRequest("somebody.png", CLIP, video="broken.mp4"), "broken.mp4"),
            (PageRequest("broken.png", SHIPPED), "broken.png"),
            (PageRequest("somebody.png", SHIPPED, scene_kind=PICTURE), "no picture of the scene yet"),
        ],
    )
    def test_what_is_missing_or_broken_gives_a_sentence(self, uploads, tmp_path, request_, said):
        for name in ("broken.mp4", "broken.png"):
            (uploads / name).write_bytes(b"nothing of the kind")
        from dataclasses import replace

        for field in ("character", "video"):
            if getattr(request_, field):
                request_ = replace(request_, **{field: str(uploads / getattr(request_, field))})
        with pytest.raises(InputError, match=said):
            self.run(request_, uploads, tmp_path)


class TestWorkflow:
    @pytest.mark.parametrize(
        "inputs",
        [
            GraphInputs("a.png", video="b.mp4", color=""),
            GraphInputs("a.png", video="b.mp4", scene="c.png", color=""),
            GraphInputs("a.png", motion="walk [built in]", color="#204060"),
            GraphInputs("a.png", motion="d.npz", scene="c.png", color=""),
        ],
    )
    def test_its_nodes_have_the_inputs_that_they_need(self, inputs):
        graph = build_graph(inputs)
        for node in graph.values():
            for value in node["inputs"].values():
                assert not isinstance(value, list) or value[0] in graph
            if not node["class_type"].startswith("MIMO_"):
                continue
            known = NODES[node["class_type"]]["inputs"]
            assert set(node["inputs"]) <= {entry["name"] for entry in known}
            assert {entry["name"] for entry in known if entry["group"] == "required"} <= set(node["inputs"])
        assert sum(node["class_type"] == "SaveVideo" for node in graph.values()) == 1

    def test_the_clip_s_own_scene_is_separated(self):
        kinds = [node["class_type"] for node in build_graph(GraphInputs("a.png", video="b.mp4", color="")).values()]
        assert "MIMO_SeparateScene" in kinds
        assert "MIMO_SceneFromPicture" not in kinds
