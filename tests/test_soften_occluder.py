"""Blurred rims of what passes in front of the person."""

import numpy as np

from mimo_core.scene.soften_occluder import soften_occluder


def blurred_ball(person_color=(200, 30, 40), ball_color=(60, 200, 90)):
    """A ball blurred by its motion before a person; its true alpha, and one that is cut hard."""
    import cv2

    ball = np.zeros((120, 160), np.float32)
    cv2.circle(ball, (80, 60), 22, 1.0, -1)
    true = cv2.blur(ball, (9, 1))
    person = np.full(ball.shape, 255, np.uint8)
    source = true[..., None] * ball_color + (1 - true[..., None]) * np.array(person_color)
    hard = ((true > 0.5) * 255).astype(np.uint8)
    person = np.where(hard > 0, 0, person).astype(np.uint8)
    return true, hard, person, (source + 0.5).astype(np.uint8)


def test_a_blurred_ball_before_the_person_is_as_soft_as_its_blur():
    true, hard, person, source = blurred_ball()
    found = soften_occluder(hard, person, source, body_height=420)
    before, after = (np.abs(alpha / 255 - true).sum() for alpha in (hard, found))
    assert after < 0.15 * before


def test_colors_that_do_not_tell_them_apart_change_nothing():
    _, hard, person, source = blurred_ball(person_color=(60, 190, 90))
    np.testing.assert_array_equal(soften_occluder(hard, person, source, body_height=420), hard)


def test_the_rim_beside_the_person_stays_as_it_was():
    _, hard, person, source = blurred_ball()
    person[:, 80:] = 0  # on the right there is only the scene behind the ball
    found = soften_occluder(hard, person, source, body_height=420)
    np.testing.assert_array_equal(found[:, 100:], hard[:, 100:])


def test_a_ball_of_a_pattern_that_no_mixture_gives_stays_whole():
    _, hard, person, source = blurred_ball()
    source[hard > 0] = np.random.default_rng(0).integers(0, 255, (np.count_nonzero(hard), 3))
    found = soften_occluder(hard, person, source, body_height=420)
    assert (found[hard > 0] > 200).mean() > 0.75


def test_nothing_in_front_is_nothing():
    _, hard, person, source = blurred_ball()
    np.testing.assert_array_equal(soften_occluder(hard * 0, person, source, body_height=420), hard * 0)
