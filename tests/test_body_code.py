"""The official colours, learned from scene templates made here, whose hidden colours are known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mimo_core.body.colors import LEARNED_NAME, LearnedColors, choose_colors, read_learned_colors, save_learned_colors
from mimo_core.body.model import free_body
from mimo_core.body.skeleton import JOINT
from mimo_core.body_code.align import AlignedBody
from mimo_core.body_code.extend import extend_colors
from mimo_core.body_code.learn import check_result, find_body_frames, learn_colors
from mimo_core.body_code.surface import SeenColors
from mimo_core.denoise.official_files import open_learned_body, open_official_body
from mimo_core.errors import InputError
from mimo_core.media.clip import Clip
from mimo_core.render.styles import render_motion
from mimo_core.scene.template import load_template
from mimo_lab.bench.colors import COLOR_TARGETS, make_hidden_colors, make_template, measure_colors


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates") / "dance"
    return folder, make_template(folder, 1, size=192, frames=10, performance="turn")


@pytest.fixture(scope="module")
def learned(template):
    scene, body_code = load_template(template[0])
    return learn_colors(scene.source, body_code, name="dance")


class TestLearning:
    def test_hidden_colors_are_found_on_another_body(self, template, learned):
        measured = measure_colors(learned, template[1])
        assert measured["mean difference, seen"] <= COLOR_TARGETS["mean difference, seen"]
        assert measured["95th percentile, seen"] <= COLOR_TARGETS["95th percentile, seen"]
        assert measured["body code, same motion"] >= COLOR_TARGETS["body code, same motion"]
        assert measured["share seen"] > 0.2

    def test_they_are_not_those_of_our_own_map(self, template, learned):
        ours = choose_colors(free_body())
        assert (learned.table - template[1].colors).abs().mean() < 0.3 * (ours - template[1].colors).abs().mean()

    def test_the_note_names_the_template_and_what_was_seen(self, learned):
        assert "official (learned)" in learned.note and "template dance" in learned.note
        assert f"{float(learned.seen.float().mean()):.0%}" in learned.note

    def test_a_video_of_another_length_is_refused(self, template):
        scene, body_code = load_template(template[0])
        with pytest.raises(InputError, match="belong together"):
            learn_colors(scene.source, body_code.select(range(9)), name="dance")

    def test_where_nobody_is_recognized_the_frames_are_counted(self, template):
        _, body_code = load_template(template[0])
        wall = Clip.from_array(np.full((10, 192, 192, 3), 90, np.uint8), 30)
        with pytest.raises(InputError, match="recognised in 0 of the 10 frames"):
            learn_colors(wall, body_code, name="dance")


def figure(color, left=20, width=30, size=128):
    """A frame with a box that is 80 pixels tall, as a picture of one body."""
    frame = np.zeros((size, size, 3), np.uint8)
    frame[20:100, left : left + width] = color
    frame[20:60, left : left + width, 0] = 200
    return frame


class TestWhatIsNoBodyCode:
    def test_a_picture_without_black_ground(self):
        noise = np.random.default_rng(0).integers(60, 255, (12, 128, 128, 3)).astype(np.uint8)
        with pytest.raises(InputError, match=r"no body code: 100% of its pixels are not black"):
            find_body_frames(Clip.from_array(noise))

    def test_a_mask(self):
        frames = np.stack([np.where(figure((9, 90, 90)) > 0, 255, 0).astype(np.uint8)] * 12)
        with pytest.raises(InputError, match="one color all over"):
            find_body_frames(Clip.from_array(frames.max(-1, keepdims=True).repeat(3, -1)))

    def test_two_bodies(self):
        pair = np.maximum(figure((10, 90, 60)), figure((10, 60, 150), left=80))
        frames = np.stack([figure((10, 90, 60))] * 3 + [pair] * 9)
        with pytest.raises(InputError, match="two bodies in 9 of 12 frames, the first time in frame 3"):
            find_body_frames(Clip.from_array(frames))

    def test_too_few_frames_with_a_body(self):
        frames = np.stack([figure((10, 90, 60))] * 3 + [np.zeros((128, 128, 3), np.uint8)] * 9)
        with pytest.raises(InputError, match="too little of a body: 3 of 12 frames"):
            find_body_frames(Clip.from_array(frames))

    def test_colors_that_change_all_the_time(self):
        count = free_body().vertices
        colors = torch.rand(20, count, 3, generator=torch.Generator().manual_seed(0)) * 255
        seen = SeenColors(colors, torch.ones(20, count))
        table = extend_colors(*seen.average(), free_body())
        with pytest.raises(InputError, match=r"no body code: only \d+% of what it shows of a point has one color"):
            check_result(AlignedBody(None, None, seen, overlap=0.9), table, 1.0)

    def test_too_little_of_the_surface(self):
        count = free_body().vertices
        seen = SeenColors(torch.full((20, count, 3), 90.0), torch.ones(20, count))
        with pytest.raises(InputError, match="too little of a body: 8% of its surface"):
            check_result(AlignedBody(None, None, seen, overlap=0.9), seen.colors[0], 0.08)

    def test_a_body_that_could_not_be_followed(self):
        count = free_body().vertices
        seen = SeenColors(torch.full((20, count, 3), 90.0), torch.ones(20, count))
        with pytest.raises(InputError, match="the fitted one covers 41% of it"):
            check_result(AlignedBody(None, None, seen, overlap=0.41), seen.colors[0], 0.5)


STEADY = torch.zeros(free_body().vertices)  # colours that do not deviate from frame to frame


class TestContinuation:
    def test_a_hand_that_is_never_seen_is_continued_from_the_wrist(self):
        body, true = free_body(), make_hidden_colors("position", np.random.default_rng(0)) * 255
        hands = torch.isin(body.parts, torch.tensor([JOINT["left_hand"], JOINT["right_hand"]]))
        evidence = torch.where(hands, 0.0, 20.0)
        learned = extend_colors(torch.where(hands[:, None], 0.0, true), STEADY, evidence, body)
        assert (learned - true)[hands].abs().mean() < 8

    def test_a_side_that_is_never_seen_is_the_mirror_image_of_the_other(self):
        """Colours that both sides share, with waves that no plane explains."""
        body = free_body()
        place = body.template
        level = 128 + 60 * torch.sin(9 * place[:, 1:2]) + 200 * place[:, :1].abs()
        true = torch.cat([level, 255 - level, 0.5 * level], 1).clamp(30, 250)
        half_seen = (place[:, 0] > -0.05) | (place[:, 1] > 0.1)
        learned = extend_colors(true, STEADY, half_seen.float() * 20, body)
        assert (learned - true)[~half_seen].abs().mean() < 8

    def test_no_color_is_so_dark_that_it_passes_for_ground(self):
        body = free_body()
        dark = extend_colors(torch.zeros(body.vertices, 3), STEADY, torch.full((body.vertices,), 9.0), body)
        assert dark.max(1).values.min() >= 24


@pytest.fixture
def colors():
    table = make_hidden_colors("waves", np.random.default_rng(3))
    return LearnedColors(table, torch.arange(len(table)) % 2 == 0, "dance", 64)


class TestFile:
    def test_what_is_written_is_read(self, tmp_path, colors):
        save_learned_colors(tmp_path / LEARNED_NAME, colors)
        read = read_learned_colors(tmp_path / LEARNED_NAME)
        assert (read.table - colors.table).abs().max() <= 0.5 / 255 + 1e-6
        assert torch.equal(read.seen, colors.seen) and (read.name, read.frames) == ("dance", 64)
        assert (tmp_path / LEARNED_NAME).stat().st_size < 40_000

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("version", 2, "version 2; this one reads"),
            ("form", "ours", "the form 'ours'"),
            ("body", "00000000", "another version of the free body"),
        ],
    )
    def test_another_version_form_or_body_is_refused(self, tmp_path, colors, key, value, message):
        path = tmp_path / LEARNED_NAME
        save_learned_colors(path, colors)
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["mimo"])
        save_file(load_file(path), path, metadata={"mimo": json.dumps(about | {key: value})})
        with pytest.raises(InputError, match=message):
            read_learned_colors(path)

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 4000, b"\x08\0\0\0\0\0\0\0{}      "])
    def test_what_is_no_such_file_is_refused(self, tmp_path, content):
        (tmp_path / LEARNED_NAME).write_bytes(content)
        with pytest.raises(InputError, match="holds no learned colors"):
            read_learned_colors(tmp_path / LEARNED_NAME)


class TestUse:
    def test_learned_colors_stand_in_where_the_smpl_file_is_missing(self, tmp_path, colors):
        (tmp_path / "smpl").mkdir()
        save_learned_colors(tmp_path / LEARNED_NAME, colors)
        body, found = open_official_body([tmp_path], [tmp_path / "smpl"])
        assert body.name == "free" and found.name == "dance"
        assert open_learned_body([tmp_path])[1].name == "dance"

    def test_without_any_the_error_says_how_to_learn_them(self, tmp_path):
        with pytest.raises(InputError, match=r"Run X from an official scene template, .* sdc_info\.npy to models/mimo"):
            open_official_body([tmp_path], [tmp_path], learn="Run X")

    def test_they_are_drawn_on_the_free_body(self, template, colors):
        motion = template[1].motion[:1]
        (frame, mask), *_ = render_motion(motion, colors=colors)
        drawn = frame[mask == 255].reshape(-1, 3).astype(float)
        nearest = torch.cdist(torch.from_numpy(drawn).float(), colors.table * 255).amin(1)
        assert nearest.median() < 6

    def test_another_body_is_refused(self, colors):
        with pytest.raises(InputError, match="belong to the free body, but the body is 'smpl'"):
            choose_colors(replace(free_body(), name="smpl"), colors)
