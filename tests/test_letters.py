"""Letters drawn over the picture lie in front of the person; what the person wears does not."""

import numpy as np
import pytest

from mimo_core.media.clip import Clip, Masks
from mimo_core.progress import Ticker, silent
from mimo_core.scene.first_guess import make_first_guess
from mimo_core.scene.letters import Letters, find_pale_gaps
from mimo_core.scene.lines_of_letters import find_line_letters
from mimo_core.scene.separate import separate_scene


LETTER, PRINT = np.s_[60:84, 60:66], np.s_[40:52, 0:6]
NO_TICK = Ticker(silent, 1)  # progress that nobody looks at


def dancer(*, leaves):
    """A person who steps from the right onto a letter, or stands there, with a print on the shirt; and their mask."""
    frames, masks = [], []
    for frame in range(20):
        x = 50 if frame >= 10 or not leaves else 100
        picture, mask = np.full((120, 160, 3), (90, 140, 90), np.uint8), np.zeros((120, 160), np.uint8)
        mask[10:110, x - 10 : x + 30] = 255
        picture[mask > 0] = (120, 90, 80)
        picture[PRINT[0], x : x + 6] = (250, 250, 250)
        picture[LETTER] = (230, 10, 150)
        frames.append(picture)
        masks.append(mask)
    return Clip.from_frames(frames, 24), Masks.from_array(np.stack(masks))


@pytest.mark.parametrize("leaves", [True, False])
def test_a_letter_keeps_its_color_where_the_person_comes_and_a_print_moves_with_them(leaves):
    clip, masks = dancer(leaves=leaves)
    working = make_first_guess(clip, None, masks, mask_source="estimator", camera="none", tick=NO_TICK)
    found = Letters(working, NO_TICK).read(15, clip[15]) > 0
    assert found[LETTER].mean() == (1.0 if leaves else 0.0)
    assert not found[:55].any() and found.sum() < 250


def test_a_print_on_somebody_who_was_overlooked_at_first_is_no_letter():
    clip, masks = dancer(leaves=False)
    masks = Masks.from_array(np.stack([mask * (frame >= 10) for frame, mask in enumerate(masks)]))
    working = make_first_guess(clip, None, masks, mask_source="estimator", camera="none", tick=NO_TICK)
    assert not Letters(working, NO_TICK).read(15, clip[15]).any()


def test_a_line_of_letters_that_the_person_stands_behind_from_its_first_frame_is_known_by_its_ink():
    clip, masks = dancer(leaves=True)
    frames = list(clip)
    for frame, picture in enumerate(frames):
        if frame >= 12:  # the line changes while the person stands there
            picture[LETTER] = (120, 90, 80)
            for x in (8, 56, 130):
                picture[60:84, x : x + 6] = (230, 10, 150)
    clip = Clip.from_frames(frames, 24)
    working = make_first_guess(clip, None, masks, mask_source="estimator", camera="none", tick=NO_TICK)
    found = Letters(working, NO_TICK).read(17, clip[17]) > 0
    assert found[60:84, 56:62].all()
    assert not found[:55].any() and not found[60:84, 64:78].any()


def test_a_color_that_is_everywhere_in_the_scene_is_no_ink():
    clip, masks = dancer(leaves=True)
    frames = list(clip)
    for picture in frames:  # vivid stripes all over the wall, as leaves would be
        wall = (picture == (90, 140, 90)).all(-1)
        stripes = (np.arange(160)[None] % 8 < 3) & wall
        picture[stripes] = (230, 10, 150)
        picture[30:34, 55:58] = (230, 10, 150)  # and a badge on the person, or there on the wall
    clip = Clip.from_frames(frames, 24)
    working = make_first_guess(clip, None, masks, mask_source="estimator", camera="none", tick=NO_TICK)
    found = Letters(working, NO_TICK).read(5, clip[5]) > 0
    assert not found[:, :40].any()


def test_a_line_that_comes_after_the_person_has_left_does_not_lie_behind_them():
    ground, ink, late = (90, 140, 90), (230, 10, 150), np.s_[60:84, 56:62]
    frames, masks = [], []
    for frame in range(20):
        x = 50 if frame < 10 else 100
        picture, mask = np.full((120, 160, 3), ground, np.uint8), np.zeros((120, 160), np.uint8)
        mask[10:110, x - 10 : x + 30] = 255
        picture[mask > 0] = (120, 90, 80)
        for place in (np.s_[60:84, 104:110], late) if frame >= 10 else (np.s_[60:84, 104:110],):
            picture[place] = ink
        frames.append(picture)
        masks.append(mask)
    scene = separate_scene(Clip.from_frames(frames, 24), coarse=Masks.from_array(np.stack(masks)), camera="none")
    np.testing.assert_allclose(scene.plate[5][late].reshape(-1, 3).mean(0), ground, atol=6)
    assert (scene.plate[15][late] == ink).all()


def test_a_pale_gap_within_a_letter_is_the_letters_and_the_scene_seen_through_it_is_not():
    drawn, picture = np.zeros((60, 90), bool), np.full((60, 90, 3), (250, 220, 0), np.uint8)
    drawn[10:50, 10:40] = drawn[10:50, 50:80] = True
    drawn[20:26, 20:30] = drawn[20:26, 60:70] = drawn[40, 80:] = False
    picture[drawn] = (230, 10, 150)
    picture[20:26, 20:30] = (238, 226, 240)
    gaps = find_pale_gaps(drawn, picture, 80)
    assert gaps[20:26, 20:30].all() and gaps.sum() == 60
    assert not find_pale_gaps(drawn, picture, 50).any()


def test_the_white_border_of_a_line_of_letters_is_whole_and_no_wider_over_white_shoes():
    clip, masks = dancer(leaves=True)
    step, ink, tint = 4, (230, 10, 150), (240, 150, 215)
    frames = [picture.repeat(step, 0).repeat(step, 1) for picture in clip]
    masks = Masks.from_array(np.stack([mask.repeat(step, 0).repeat(step, 1) for mask in masks]))
    border = np.zeros(frames[0].shape[:2], bool)
    for frame in range(13, 20):  # the line changes while the person stands there
        picture = frames[frame]
        picture[240:336, 240:264] = (120, 90, 80)
        picture[300:340, 200:310] = (255, 255, 255)  # white shoes
        for x in (32, 224, 520):
            for reach, color in (4, (255, 255, 255)), (1, tint), (0, ink):
                picture[240 - reach : 336 + reach, x - reach : x + 8 + reach] = color
            border[236:340, x - 4 : x + 12] = True
    clip = Clip.from_frames(frames, 24)
    working = make_first_guess(clip, None, masks, mask_source="estimator", camera="none", tick=NO_TICK)
    found = Letters(working, NO_TICK).read(17, clip[17]) > 0
    assert found[border].mean() > 0.97  # without its corners
    assert found[~border].mean() < 0.001


def write_subtitle(picture, *, ink=(250, 250, 250), border=(0, 0, 0)):
    """Letters with a border across the width of a picture, in place; where they and their borders are, (h, w) bool."""
    letters, edges = np.zeros(picture.shape[:2], bool), np.zeros(picture.shape[:2], bool)
    for x in range(8, 150, 12):
        for part in (np.s_[70:86, x : x + 3], np.s_[70:73, x : x + 8], np.s_[77:80, x : x + 7]):
            letters[part] = True
            edges[part[0].start - 2 : part[0].stop + 2, part[1].start - 2 : part[1].stop + 2] = True
    picture[edges], picture[letters] = border, ink
    return letters, edges


@pytest.mark.parametrize("ink", [(250, 250, 250), (250, 220, 20)])
def test_a_subtitle_before_somebody_who_stays_is_whole_with_its_border(ink):
    clip, masks = dancer(leaves=False)
    frames = list(clip)
    for picture in frames:
        letters, edges = write_subtitle(picture, ink=ink)
    clip = Clip.from_frames(frames, 24)
    working = make_first_guess(clip, None, masks, mask_source="estimator", camera="none", tick=NO_TICK)
    found = Letters(working, NO_TICK).read(15, clip[15]) > 0
    assert found[letters].all() and found[edges].mean() > 0.9  # without its corners
    assert found[:64].sum() == 0 and found[92:].sum() == 0


def test_behind_a_subtitle_that_stays_no_letters_are_painted():
    clip, masks = dancer(leaves=False)
    frames = list(clip)
    for picture in frames:
        letters, _ = write_subtitle(picture)
    scene = separate_scene(Clip.from_frames(frames, 24), coarse=masks, camera="none")
    assert (scene.occluder[10][letters & (masks[10] > 0)] == 255).all()
    assert (scene.plate[10][letters] > 240).all()
    beside = (masks[10] > 0) & ~(scene.occluder[10] > 0)
    np.testing.assert_allclose(scene.plate[10][beside].mean(0), (90, 140, 90), atol=8)
    assert scene.plate[10][beside].max() < 200


class TestLines:
    PERSON = np.zeros((120, 160), bool)
    PERSON[:, 60:100] = True

    def test_strokes_over_the_person_alone_are_a_print(self):
        letters, _ = write_subtitle(np.zeros((120, 160, 3), np.uint8))
        assert find_line_letters(letters, self.PERSON)[letters].all()
        assert not find_line_letters(letters & self.PERSON, self.PERSON).any()

    def test_stripes_of_shirt_and_wall_are_no_line(self):
        y, x = np.mgrid[:120, :160]
        bars = (x % 12 < 3) & (y % 24 < 16)  # rows of bars above each other
        assert not find_line_letters(bars, self.PERSON).any()
        assert not find_line_letters(np.broadcast_to(y % 12 < 3, bars.shape), self.PERSON).any()

    def test_a_broad_patch_of_the_color_is_no_letter(self):
        letters, _ = write_subtitle(np.zeros((120, 160, 3), np.uint8))
        shoe = np.zeros_like(letters)
        shoe[88:110, 62:90] = True
        assert not (find_line_letters(letters | shoe, self.PERSON) & shoe).any()
