"""Toes that the network puts beside the foot."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimo_core.media.clip import Masks
from mimo_core.pose.blazepose import ANKLES, HEELS, LANDMARK_COUNT, TOES
from mimo_core.pose.feet import TAKEN_CONFIDENCE, correct_toes
from mimo_core.pose.landmarks import Landmarks


FRAMES, SIZE, FPS = 9, 200, 24.0
LEFT_TOE, RIGHT_TOE = TOES
DOWN = torch.tensor([2.0, 12.0])  # from ankle to toe, in pixels


@pytest.fixture
def standing():
    """Somebody 180 pixels tall who stands still, with a mask that is a bar from head to toes, 40 pixels wide."""
    pixels = torch.zeros(FRAMES, LANDMARK_COUNT, 2)
    pixels[..., 0], pixels[..., 1] = 100.0, torch.linspace(10, 170, LANDMARK_COUNT)
    world = torch.zeros(FRAMES, LANDMARK_COUNT, 3)
    for side, x in enumerate((110.0, 90.0)):
        pixels[:, ANKLES[side]] = torch.tensor([x, 175.0])
        pixels[:, HEELS[side]] = torch.tensor([x, 182.0])
        pixels[:, TOES[side]] = pixels[:, ANKLES[side]] + DOWN
        world[:, TOES[side]] = torch.tensor([0.0, 0.05, -0.2])
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[5:192, 80:120] = 255
    landmarks = Landmarks(pixels, world, torch.full((FRAMES, LANDMARK_COUNT), 0.95), torch.ones(FRAMES))
    return landmarks, Masks.from_array(np.repeat(mask[None], FRAMES, 0))


def with_toe(landmarks, frames, shift):
    pixels, world = landmarks.pixels.clone(), landmarks.world.clone()
    pixels[frames, LEFT_TOE] += torch.tensor(shift)
    world[frames, LEFT_TOE] = torch.tensor([0.2, 0.0, 0.0])
    return replace(landmarks, pixels=pixels, world=world)


def test_a_toe_beside_the_mask_is_taken_from_the_frames_around(standing):
    landmarks, masks = standing
    found = correct_toes(with_toe(landmarks, [4, 5], (30.0, -12.0)), masks, FPS)
    torch.testing.assert_close(found.pixels, landmarks.pixels)
    torch.testing.assert_close(found.world, landmarks.world)
    assert found.confidence[4, LEFT_TOE] == TAKEN_CONFIDENCE
    assert found.confidence[3, LEFT_TOE] == found.confidence[4, RIGHT_TOE] == pytest.approx(0.95)


def test_it_goes_with_the_ankle_of_its_own_frame(standing):
    landmarks, masks = standing
    moved = with_toe(landmarks, [4], (30.0, 0.0))
    moved.pixels[4, ANKLES[0]] += torch.tensor([0.0, -20.0])
    found = correct_toes(moved, masks, FPS)
    torch.testing.assert_close(found.pixels[4, LEFT_TOE], moved.pixels[4, ANKLES[0]] + DOWN)


def test_without_a_frame_near_by_it_has_no_say(standing):
    landmarks, masks = standing
    found = correct_toes(with_toe(landmarks, list(range(FRAMES)), (30.0, 0.0)), masks, FPS)
    assert (found.confidence[:, LEFT_TOE] == 0).all()
    assert (found.confidence[:, RIGHT_TOE] > 0.9).all()


def test_frames_of_another_shot_do_not_tell_where_it_was(standing):
    landmarks, masks = standing
    changed = with_toe(landmarks, [4], (30.0, 0.0))
    changed.pixels[5:, TOES[0]] = changed.pixels[5:, ANKLES[0]] + torch.tensor([-9.0, 3.0])
    found = correct_toes(changed, masks, FPS, cuts={5})
    torch.testing.assert_close(found.pixels[4, LEFT_TOE], landmarks.pixels[4, LEFT_TOE])
    alone = correct_toes(changed, masks, FPS, cuts={4, 5})
    assert alone.confidence[4, LEFT_TOE] == 0


@pytest.mark.parametrize("shift", [(2.0, 0.0), (9.0, 3.0)])
def test_a_toe_close_to_the_mask_stays(standing, shift):
    landmarks, masks = standing
    changed = with_toe(landmarks, [4], shift)
    assert correct_toes(changed, masks, FPS) is changed


def test_a_foot_that_the_mask_does_not_show_is_not_judged(standing):
    """Somebody behind a box: mask and toe part because the foot is hidden."""
    landmarks, masks = standing
    hidden = np.stack(list(masks))
    hidden[:, 150:] = 0
    changed = with_toe(landmarks, [4], (30.0, 0.0))
    assert correct_toes(changed, Masks.from_array(hidden), FPS) is changed


def test_a_toe_outside_the_picture_is_not_judged(standing):
    landmarks, masks = standing
    changed = with_toe(landmarks, [4], (120.0, 0.0))
    assert correct_toes(changed, masks, FPS) is changed
