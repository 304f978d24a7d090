"""What is carried beside the person: it moves with them, wherever the first guess of their mask leaves it out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.media.clip import Clip, Masks
from mimo_core.progress import Ticker, silent
from mimo_core.scene import carried_colors
from mimo_core.scene.carried_colors import TOLD_SHARE, CarriedColors, CarriedView, complete_by_color, view_carried
from mimo_core.scene.carried_shapes import CarriedShapes, find_shape
from mimo_core.scene.carried_things import COLORED, MOVES, CarriedThings
from mimo_core.scene.color_histograms import HISTOGRAM_BINS, bins_of
from mimo_core.scene.first_guess import make_first_guess
from mimo_core.scene.frame_masks import keep_together
from mimo_core.scene.separate import separate_scene
from mimo_lab.synthetic import make_shot


SIZE, FRAMES, FPS = 128, 12, 12
BLUE = (30, 60, 230)


@pytest.fixture(scope="module")
def shot():
    return make_shot(1012, size=SIZE, frames=FRAMES, samples=1)  # walks, before a camera that stands still


@pytest.fixture(scope="module")
def wrists(shot):
    camera = shot.motion.camera.resize(SIZE, SIZE)
    return camera.project(free_body().pose(shot.motion.person).joints).numpy()[:, 20]


def paint(frames, centers, half_sides):
    """The frames with a checkered blue box around each center (F, 2), and its masks."""
    y, x = np.mgrid[:SIZE, :SIZE]
    painted, masks = frames.copy(), np.zeros(frames.shape[:3], bool)
    for frame, (across, down) in enumerate(centers):
        masks[frame] = (abs(x - across) < half_sides[0]) & (abs(y - down) < half_sides[1])
        checks = ((x - int(across)) // 3 + (y - int(down)) // 3) % 2
        painted[frame][masks[frame]] = np.array(BLUE)
        painted[frame][masks[frame] & (checks == 0)] = np.array(BLUE) // 2
    return painted, masks


def find(shot, frames, coarse):
    """What is carried in each frame, (F, h, w) uint8."""
    clip, masks = Clip.from_array(frames, FPS), Masks.from_array(coarse)
    given = {"mask_source": "estimator", "camera": "none", "tick": Ticker(silent, 1)}
    working = make_first_guess(clip, shot.motion, masks, **given)
    return working, np.stack([working.find_carried(frame) for frame in range(FRAMES)])


def test_a_bag_that_the_first_guess_has_in_some_frames_only_is_found_in_the_others(shot, wrists):
    frames, bag = paint(shot.frames, wrists + (-8, 15), (10, 10))
    coarse = shot.visible.copy()
    coarse[bag] = np.where(np.arange(FRAMES) % 3 == 0, 255, 0).repeat(bag.sum((1, 2)))
    working, found = find(shot, frames, coarse)
    beside = bag & (coarse < 128)
    assert (found > 0)[beside].mean() > 0.8
    assert (found > 0)[~bag & (coarse < 10)].mean() < 0.01
    hidden = np.stack([working.find_hidden(frame) for frame in range(FRAMES)])
    assert hidden[bag].mean() > 0.9  # so the background shows no bag


def test_who_carries_nothing_is_left_as_they_are(shot):
    working, found = find(shot, shot.frames, shot.visible)
    assert working.carried is None and not found.any()


def test_where_nobody_is_nothing_is_said_to_be_carried(shot):
    unseen = replace(shot.motion.person, visible=torch.zeros(FRAMES, dtype=torch.bool))
    motion, nobody = replace(shot.motion, people=(unseen,)), Masks.from_array(np.zeros_like(shot.visible))
    assert separate_scene(Clip.from_array(shot.frames, FPS), motion=motion, coarse=nobody).report.notes == ()


def test_a_thing_that_stands_in_the_scene_beside_the_person_is_not_carried(shot, wrists):
    frames, thing = paint(shot.frames, np.broadcast_to(wrists.mean(0) + (-8, 15), wrists.shape), (10, 10))
    coarse = shot.visible.copy()
    coarse[thing] = 0
    assert not (find(shot, frames, coarse)[1] > 0)[thing].any()


def test_where_much_else_moves_nothing_is_said_to_be_carried(shot, wrists):
    frames, bag = paint(shot.frames, wrists + (-8, 15), (10, 10))
    coarse = shot.visible.copy()
    coarse[bag] = 0
    passing = np.stack([np.linspace(8, SIZE - 8, FRAMES)[::-1], np.full(FRAMES, 12.0)], 1)
    frames, passers = paint(frames, passing, (8, 10))
    coarse[passers] = 0
    assert find(shot, frames, coarse)[0].carried is None


def separate(shot, frames, coarse, held_things):
    clip, masks = Clip.from_array(frames, FPS), Masks.from_array(coarse)
    return separate_scene(clip, motion=shot.motion, coarse=masks, camera="none", held_things=held_things)


@pytest.fixture(scope="module")
def bag_beside(shot, wrists):
    """Frames with a bag that the first guess never has, that guess, and where the bag is."""
    frames, bag = paint(shot.frames, wrists + (-6, 12), (8, 8))
    coarse = shot.visible.copy()
    coarse[bag] = 0
    return frames, coarse, bag & (shot.person == 0)


def test_a_bag_that_is_seen_in_all_frames_stays_whole_in_front(shot, bag_beside):
    frames, coarse, bag = bag_beside
    scene = separate(shot, frames, coarse, "keep")
    assert (np.stack(list(scene.occluder)) > 127)[bag].mean() > 0.8
    assert (np.stack(list(scene.person)) > 127)[bag].mean() < 0.1
    plate = np.stack(list(scene.plate)).astype(int)
    assert (abs(plate - frames).max(-1) < 24)[bag].mean() > 0.9  # nothing of it is painted over
    assert any("stays in front" in note for note in scene.report.notes)


def test_the_same_bag_goes_away_whole_where_that_is_chosen(shot, bag_beside):
    frames, coarse, bag = bag_beside
    scene = separate(shot, frames, coarse, "remove")
    assert (np.stack(list(scene.person)) > 127)[bag].mean() > 0.8
    assert not (np.stack(list(scene.occluder)) > 127)[bag].any()
    assert not scene.report.notes


def test_a_bag_that_comes_and_goes_is_removed_with_a_note_although_it_was_to_be_kept(shot, bag_beside):
    frames, coarse, bag = bag_beside
    coarse = coarse.copy()
    coarse[1::2][bag[1::2]] = 255
    scene = separate(shot, frames, coarse, "keep")
    assert (np.stack(list(scene.person)) > 127)[bag].mean() > 0.8
    assert any("is removed with them" in note for note in scene.report.notes)


def complete(shot, frames, coarse, bag):
    """A clip in which the bag is found in the first half only, completed by its colors."""
    working, _ = find(shot, frames, coarse)
    carried = CarriedThings([working.body_height] * FRAMES)
    for frame, box in enumerate(working.boxes):
        carried.append(box, box.cut(bag[frame]).astype(np.uint8) * MOVES if frame < FRAMES // 2 else None)
    return replace(working, carried=complete_by_color(replace(working, carried=carried)))


def read_colored(working):
    """What is known by its color in the second half of such a clip."""
    return np.stack([working.find_carried(frame) for frame in range(FRAMES // 2, FRAMES)]) == COLORED


def test_a_bag_that_hangs_still_is_known_by_its_colors(shot, bag_beside):
    frames, coarse, bag = bag_beside
    found, there = read_colored(complete(shot, frames, coarse, bag)), bag[FRAMES // 2 :]
    assert found[there].mean() > 0.6 and found[~there].mean() < 0.01


def test_colors_that_the_scene_has_too_tell_nothing_of_a_bag(shot, bag_beside):
    frames, coarse, bag = bag_beside
    wall = paint(frames, np.zeros((FRAMES, 2)), (SIZE, SIZE))[0]
    frames = np.where((bag | (shot.person > 0))[..., None], frames, wall)
    assert not read_colored(complete(shot, frames, coarse, bag)).any()


@pytest.mark.parametrize("share", [TOLD_SHARE, 1.0], ids=["kept", "refused"])
def test_colors_are_learned_from_all_that_was_found_and_nothing_else(shot, bag_beside, monkeypatch, share):
    """While the thing is completed, without another look at the clip."""
    monkeypatch.setattr(carried_colors, "TOLD_SHARE", share)
    working, again = complete(shot, *bag_beside), CarriedColors()
    for view in filter(None, view_carried(working, lambda: None)):
        again.add(view)
    learned, every = working.carried.colors, np.arange(HISTOGRAM_BINS)
    assert learned.taught == again.taught > 0 and (read_colored(working).any() == (share < 1))
    for name in ("thing", "person", "scene"):
        assert np.array_equal(*(getattr(colors, name).log_density(every) for colors in (learned, again)))


def test_ground_beside_a_bag_that_the_first_guess_took_along_is_none_of_the_bag():
    """A dark body and a blue bag with a bright side before stones, of which some were once at its rim."""
    stones = np.random.default_rng(0).integers(110, 170, (100, 140, 1)).repeat(3, 2).astype(np.uint8)
    body, bag, guess, ground = np.zeros((4, 100, 140), bool)
    body[5:95, 20:50], bag[40:80, 60:90], ground[40:80, 90:110] = True, True, True
    guess[body | bag | ground] = True
    guess[72:80, 60:90] = False
    picture = np.where(body[..., None], 30, np.where(bag[..., None], BLUE, stones)).astype(np.uint8)
    picture[40:80, 60:68] = (130, 140, 165)
    carried = bag.copy()
    carried[40:80, 90:93] = True

    def view(mask):
        return CarriedView(
            picture, bins_of(picture), guess * np.uint8(255) * mask, carried * np.uint8(MOVES), body, 100.0
        )

    colors = CarriedColors()
    for mask in np.arange(2, dtype=np.uint8):
        colors.add(view(mask))
    told, shape = find_shape(view(np.uint8(1)), colors)
    assert np.array_equal(told, bag & ~guess)
    assert shape[bag].mean() > 0.95 and shape[ground].mean() < 0.15


class TestWholeShare:
    @staticmethod
    def count(areas):
        shapes = CarriedShapes()
        for area in areas:
            shapes.count(area, max(area, 0.5))
        return shapes.whole_share

    def test_a_thing_that_turns_is_whole_and_one_in_changing_pieces_is_not(self):
        assert self.count([0.5, 0.7, 1.0, 0.8, 0.5, 0.3, 0.5]) == 1
        # In frames beside a jump one of both is wrong, and nothing tells which.
        assert self.count([0.4, 1.2, 0.4, 0.4, 1.2, 0.4, 0.4, 0.4]) == 2 / 8

    def test_nothing_is_never_whole(self):
        assert self.count([]) == self.count([0.0]) == 0


class TestPieces:
    def test_what_only_has_the_colors_of_a_thing_that_is_seen_elsewhere_is_not_it(self):
        thing, beside = np.zeros((2, 9, 20), bool)
        thing[2:6, 2:6] = thing[2:8, 12:14] = True  # a bag, and a post of the same brown
        assert np.array_equal(keep_together(thing, beside), thing)
        beside[3, 5:8] = True
        assert np.array_equal(keep_together(thing, beside)[:, :8], thing[:, :8])
        assert not keep_together(thing, beside)[:, 8:].any()
