"""What the page is given to show: sheets of frames, the layers of a scene, a motion in one file."""

import importlib
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skinning import blend_skin
from mimo_core.geometry.camera import Camera
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.pose.blazepose import CropRegion, FramePose
from mimo_core.pose.tracks import PersonTrack
from mimo_core.scene.review import ReviewedScene
from mimo_core.scene.scene import Doubt, Scene, SceneReport
from mimo_core.view.layers import group_frames, write_layers_view
from mimo_core.view.motion import write_motion_view
from mimo_core.view.tiles import Grid, write_sheets


FRAMES = 30


@pytest.fixture(scope="module")
def motion():
    """A body that sinks by a millimetre a frame, planted in the second half; lost, bridged and unsure at times."""
    transl = torch.tensor([[0.0, 0.0, -3.0]]).repeat(FRAMES, 1)
    transl[:, 1] = -0.001 * torch.arange(FRAMES)
    visible, bridged = torch.ones(FRAMES, dtype=torch.bool), torch.zeros(FRAMES, dtype=torch.bool)
    visible[4:8], bridged[4:6] = False, True
    confidence = torch.full((FRAMES,), 0.9)
    confidence[10:12] = 0.2
    contacts = torch.zeros(FRAMES, 2, dtype=torch.bool)
    contacts[15:, 0] = True
    pose = torch.zeros(FRAMES, 69)
    pose[:, 3 * 15] = torch.linspace(0, 1, FRAMES)
    facts = {"visible": visible, "bridged": bridged, "confidence": confidence, "contacts": contacts}
    person = Person(torch.zeros(10), torch.zeros(FRAMES, 3), pose, transl, **facts)
    return Motion((person,), 24.0, Camera.for_size(96, 64))


@pytest.fixture
def frames():
    """Frames that each have a grey of their own."""
    return np.arange(FRAMES, dtype=np.uint8)[:, None, None, None] * np.full((1, 64, 96, 3), 8, np.uint8)


class TestSheets:
    def test_every_frame_lies_where_the_grid_says(self, frames, tmp_path):
        grid = Grid.of(FRAMES, 96, 64, longest=48)
        files = write_sheets(frames, tmp_path, "frame", grid, suffix=".png")
        assert (grid.width, grid.height, grid.every, files) == (48, 32, 1, ["frame_0.png", "frame_1.png"])
        sheets = [np.array(Image.open(tmp_path / file)) for file in files]
        for frame in range(FRAMES):
            number, place = divmod(frame, 25)
            row, column = divmod(place, 5)
            assert (sheets[number][row * 32 : row * 32 + 32, column * 48 : column * 48 + 48] == 8 * frame).all()

    def test_a_last_sheet_is_no_larger_than_it_must_be(self, frames, tmp_path):
        files = write_sheets(frames, tmp_path, "frame", Grid.of(FRAMES, 96, 64, longest=48))
        assert Image.open(tmp_path / files[-1]).size == (5 * 48, 32)

    def test_of_a_long_clip_every_second_frame_is_kept(self, tmp_path):
        grid = Grid.of(1000, 8, 8, longest=48)
        files = write_sheets((np.full((8, 8, 3), k % 256, np.uint8) for k in range(1000)), tmp_path, "f", grid)
        assert (grid.every, len(files)) == (2, 20)

    def test_small_frames_are_not_enlarged(self):
        assert (Grid.of(1, 20, 10, longest=48).width, Grid.of(1, 20, 10, longest=48).height) == (20, 10)


class TestRuns:
    @pytest.mark.parametrize(("frames", "found"), [([], []), ([3], [[3, 3]]), ([1, 2, 3, 7, 8], [[1, 3], [7, 8]])])
    def test_neighbours_come_together(self, frames, found):
        assert group_frames(frames) == found


class TestLayersView:
    @pytest.fixture
    def reviewed(self, frames):
        person = Masks.from_array(np.full((FRAMES, 64, 96), 200, np.uint8))
        occluder = Masks.from_array(np.full((FRAMES, 64, 96), 40, np.uint8))
        report = SceneReport(doubts=(Doubt(2, "a"), Doubt(3, "a"), Doubt(3, "b")))
        clip = Clip.from_array(frames)
        return ReviewedScene(Scene(clip, clip, person, occluder, report), painted=(1, 5), propagated=(2, 3, 4))

    def test_masks_lie_in_red_and_green_exactly(self, reviewed, tmp_path):
        described = write_layers_view(reviewed, tmp_path)
        sheet = np.array(Image.open(tmp_path / described["files"]["masks"][0]))
        np.testing.assert_array_equal(sheet[10, 10], (200, 40, 0))

    def test_the_description_is_short_and_plain_json(self, reviewed, tmp_path):
        described = write_layers_view(reviewed, tmp_path)
        assert described["doubts"] == {"a": [[2, 3]], "b": [[3, 3]]}
        assert (described["painted"], described["carried"]) == ([[1, 1], [5, 5]], [[2, 4]])
        assert described["size"] == [96, 64]
        assert len(json.dumps(described)) < 1000

    def test_progress_runs_once_from_the_first_layer_to_the_last(self, reviewed, tmp_path):
        seen = []
        write_layers_view(reviewed, tmp_path, progress=lambda done, total, preview=None: seen.append((done, total)))
        assert seen == [(done, 3 * FRAMES) for done in range(1, 3 * FRAMES + 1)]


class TestMotionView:
    def test_the_page_skins_the_body_as_the_library_does(self, motion, tmp_path):
        """Four bones of eight bits a vertex are enough to a few millimetres."""
        write_motion_view(motion, tmp_path)
        arrays = {name: torch.from_numpy(value) for name, value in load_file(tmp_path / "motion.safetensors").items()}
        weights = torch.zeros(len(arrays["rest"]), 24).scatter_add_(
            1, arrays["bones"].long(), arrays["weights"].float() / 255
        )
        moved = blend_skin(arrays["rest"], weights, arrays["transforms"][-1:])
        expected = free_body().pose(motion.person, slice(FRAMES - 1, None)).vertices
        assert (moved - expected).norm(dim=-1).max() < 0.02
        assert (moved - expected).norm(dim=-1).mean() < 0.003

    def test_people_are_described_by_the_frames_in_which_they_are_seen(self, motion, tmp_path):
        pixels = np.array([[10, 20], [30, 60]] + 31 * [[15, 40]], np.float32)
        pose = FramePose(1.0, pixels, np.zeros((33, 3)), np.ones(33), None, *2 * [CropRegion((20, 40), 60)])
        track = PersonTrack(dict.fromkeys((1, 2, 5), pose), np.ones((2, 256)))
        (described,) = write_motion_view(motion, tmp_path, people=[track])["people"]
        assert [(run["first"], len(run["boxes"])) for run in described["runs"]] == [(1, 2), (5, 1)]
        assert described["runs"][0]["boxes"][0] == [10, 20, 30, 60]

    def test_marks_say_where_the_person_is_unsure_bridged_or_missing(self, motion, tmp_path):
        described = write_motion_view(motion, tmp_path)
        assert described["unsure"] == [[10, 11]]
        assert described["bridged"] == [[4, 5]]
        assert described["missing"] == [[6, 7]]

    def test_the_floor_is_where_the_feet_are_planted(self, motion, tmp_path):
        lowest = free_body().pose(motion.person, slice(15, None)).vertices[..., 1].amin(1).median()
        assert write_motion_view(motion, tmp_path)["floor"] == pytest.approx(float(lowest), abs=0.01)

    def test_each_foot_is_marked_on_its_own_side(self, motion, tmp_path):
        write_motion_view(motion, tmp_path)
        arrays = load_file(tmp_path / "motion.safetensors")
        assert arrays["rest"][arrays["foot"] == 1, 0].min() > 0  # the body's left is +X
        assert arrays["rest"][arrays["foot"] == 2, 0].max() < 0

    def test_the_file_is_compact(self, motion, tmp_path):
        described = write_motion_view(motion, tmp_path)
        assert (tmp_path / "motion.safetensors").stat().st_size < 350_000 + 1300 * FRAMES
        assert len(json.dumps(described)) < 1000

    def test_the_driving_frames_come_along_where_there_are_some(self, motion, frames, tmp_path):
        described = write_motion_view(motion, tmp_path, clip=Clip.from_array(frames))
        assert described["files"] == ["frame_0.jpg", "frame_1.jpg"]
        assert "files" not in write_motion_view(motion, tmp_path)


class TestNodes:
    @pytest.fixture
    def views(self, node_classes, folders):
        return importlib.import_module("pack_under_test.nodes.views")

    @pytest.fixture
    def posed(self, node_classes):
        """A motion of the pack's own classes."""
        return importlib.import_module("pack_under_test.mimo_core.example").example_shots()[0].motion()[:3]

    def test_the_node_says_where_the_files_lie(self, views, posed, folders):
        (shown,) = views.show_motion(posed, progress=lambda *_: None)["mimo_motion"]
        assert (folders / "temp" / shown["subfolder"] / shown["file"]).is_file()

    def test_cancel_leaves_no_file(self, views, posed, folders):
        def cancel(done, total, preview=None):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            views.show_motion(posed, progress=cancel)
        assert not list((folders / "temp").iterdir())

    def test_review_layers_hands_on_the_scene_and_shows_it(self, node_classes, folders):
        scene_module = importlib.import_module("pack_under_test.mimo_core.scene.picture")
        scene = scene_module.scene_from_picture(width=64, height=48, length=3)
        node = node_classes["MIMO_ReviewLayers"]
        plain = node.execute(scene=scene, strokes="[]")
        assert plain.args[0] is scene
        painted = node.execute(scene=scene, strokes='[["occluder", 1, "add", 5, [[20, 20]]]]')
        assert painted.args[0].occluder[1][20, 20] == 255
        assert painted.ui["mimo_layers"][0]["painted"] == [[1, 1]]
