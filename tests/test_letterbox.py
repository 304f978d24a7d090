"""Films with black bars above and below, or at the sides."""

import numpy as np
import pytest
import torch

from mimo_core.compositing.composite import composite
from mimo_core.geometry.box import Box
from mimo_core.media.clip import Clip, Masks
from mimo_core.media.letterbox import crop_layer, find_picture, pad_masks
from mimo_core.pose.estimate import estimate_motion
from mimo_core.scene.separate import separate_scene
from mimo_lab.synthetic import make_shot


FRAMES, HEIGHT, WIDTH = 8, 72, 96
TOP, BOTTOM = 12, 7
PICTURE = Box(0, TOP, WIDTH, TOP + HEIGHT)


def frame_picture(frames, top=TOP, bottom=BOTTOM, side=0):
    """Frames (F, h, w, 3) with bars whose levels are not all 0, as after compression."""
    bars = np.random.default_rng(1).integers(0, 5, (len(frames), frames.shape[1] + top + bottom, 1, 1))
    framed = np.broadcast_to(bars, (*bars.shape[:2], frames.shape[2] + 2 * side, 3)).astype(np.uint8)
    framed[:, top : top + frames.shape[1], side : side + frames.shape[2]] = frames
    return framed


def film():
    """A red person who walks over a textured ground, and their masks."""
    ground = np.random.default_rng(0).integers(60, 190, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    people = np.stack([(np.abs(x - 24 - 6 * frame) < 6) & (y > 14) for frame in range(FRAMES)])
    return np.where(people[..., None], np.uint8([200, 30, 40]), ground), people.astype(np.uint8) * 255


class TestFinding:
    def test_bars_of_any_height_are_cut_off(self):
        assert find_picture(Clip.from_array(frame_picture(film()[0]))) == PICTURE

    def test_bars_at_the_sides_are_cut_off(self):
        clip = Clip.from_array(frame_picture(film()[0], 0, 0, side=20))
        assert find_picture(clip) == Box(20, 0, 20 + WIDTH, HEIGHT)

    def test_a_row_that_is_half_bar_belongs_to_the_bar(self):
        framed = frame_picture(film()[0])
        framed[:, TOP] //= 3
        assert find_picture(Clip.from_array(framed)) == Box(0, TOP + 1, WIDTH, TOP + HEIGHT)

    def test_a_clip_without_bars_has_none(self):
        assert find_picture(Clip.from_array(film()[0])) is None

    def test_a_night_without_a_straight_edge_is_no_bar(self):
        frames, _ = film()
        shade = np.clip((np.arange(HEIGHT) - 20) / 30, 0, 1)[None, :, None, None]
        assert find_picture(Clip.from_array((frames * shade).astype(np.uint8))) is None

    def test_a_black_wall_behind_somebody_is_no_bar(self):
        frames, people = film()
        assert find_picture(Clip.from_array(np.where(people[..., None] > 0, frames, np.uint8(3)))) is None

    def test_what_shows_something_in_one_frame_is_no_bar(self):
        framed = frame_picture(film()[0])
        framed[3, :TOP] = framed[3, TOP : 2 * TOP]
        assert find_picture(Clip.from_array(framed)) == Box(0, 0, WIDTH, TOP + HEIGHT)

    def test_a_black_clip_has_none(self):
        assert find_picture(Clip.from_array(np.zeros((3, 40, 40, 3), np.uint8))) is None


def test_layers_are_cut_and_padded_frame_by_frame():
    framed = frame_picture(film()[0])
    clip = crop_layer(Clip.from_array(framed), PICTURE)
    assert (clip.height, clip.width) == (HEIGHT, WIDTH)
    assert np.array_equal(np.stack(list(clip)), framed[:, TOP:-BOTTOM])
    padded = pad_masks(Masks.constant(7, FRAMES, HEIGHT, WIDTH), PICTURE, HEIGHT + TOP + BOTTOM, WIDTH, 9)[2]
    assert (padded[TOP:-BOTTOM] == 7).all() and (padded[:TOP] == 9).all() and (padded[-BOTTOM:] == 9).all()


@pytest.fixture(scope="module")
def scenes():
    frames, people = film()
    whole = separate_scene(Clip.from_array(frames), coarse=Masks.from_array(people))
    framed, guess = frame_picture(frames), frame_picture(people[..., None].repeat(3, -1))[..., 0]
    return whole, separate_scene(Clip.from_array(framed), coarse=Masks.from_array(guess)), framed


class TestSeparation:
    def test_the_picture_is_taken_apart_as_if_there_were_no_bars(self, scenes):
        whole, scene, _ = scenes
        for name in ("plate", "person", "occluder"):
            for wanted, found in zip(getattr(whole, name), getattr(scene, name), strict=True):
                assert np.array_equal(PICTURE.cut(found), wanted)

    def test_the_bars_stay_and_are_nobody(self, scenes):
        _, scene, framed = scenes
        for frame in range(FRAMES):
            for rows in (slice(TOP), slice(TOP + HEIGHT, None)):
                assert np.array_equal(scene.plate[frame][rows], framed[frame][rows])
                assert not scene.person[frame][rows].any()
        assert "black bars" in scene.report.text()

    def test_progress_has_one_total_while_bars_are_looked_for_and_after(self, scenes):
        _, _, framed = scenes
        totals, guess = set(), Masks.constant(0, FRAMES, *framed.shape[1:3])
        separate_scene(
            Clip.from_array(framed), coarse=guess, progress=lambda done, total, preview=None: totals.add(total)
        )
        assert len(totals) == 1

    def test_masks_that_are_given_do_not_reach_into_the_bars(self, scenes):
        _, _, framed = scenes
        everywhere = Masks.constant(255, 1, *framed.shape[1:3])
        scene = separate_scene(Clip.from_array(framed), person=everywhere)
        assert not scene.person[0][:TOP].any() and scene.person[0][TOP:-BOTTOM].all()

    def test_nothing_is_drawn_on_bars(self, scenes):
        _, scene, framed = scenes
        drawn = composite(scene, [np.full_like(frame, 255) for frame in framed], color_match="none")
        for found, source in zip(drawn, framed, strict=True):
            assert np.array_equal(found[:TOP], source[:TOP]) and np.array_equal(found[-BOTTOM:], source[-BOTTOM:])
            assert (PICTURE.cut(found) == 255).all()


def test_a_person_is_estimated_as_if_there_were_no_bars():
    shot = make_shot(3, size=192, frames=5)
    whole = estimate_motion(Clip.from_array(shot.frames, 12), fingers=False)
    found = estimate_motion(Clip.from_array(frame_picture(shot.frames, 30, 18), 12), fingers=False)
    assert whole.is_found and torch.equal(whole.motion.person.transl, found.motion.person.transl)
    assert torch.equal(found.landmarks.pixels[..., 1], whole.landmarks.pixels[..., 1] + 30)
    pelvis = [each.motion.camera.project(each.motion.person.transl[:, None])[..., 1] for each in (whole, found)]
    assert torch.allclose(pelvis[1], pelvis[0] + 30, atol=1e-3)
    assert found.motion.camera.size == (192, 240)
    assert np.array_equal(found.masks[2][30:222], whole.masks[2]) and not found.masks[2][:30].any()
    assert np.allclose(found.people[0].box(2), whole.people[0].box(2) + (0, 30, 0, 30), atol=1e-3)
