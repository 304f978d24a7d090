"""Correcting layers by hand: strokes, what carries them to the frames between, and the plate afterwards."""

import json

import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks
from mimo_core.scene.propagate_shapes import propagate_shapes
from mimo_core.scene.refill_plate import refill_plate
from mimo_core.scene.review import review_scene
from mimo_core.scene.scene import Doubt, Scene, SceneReport
from mimo_core.scene.strokes import Placement, group_strokes, read_strokes


HEIGHT, WIDTH, FRAMES = 96, 128, 9
SIDE = 20  # of the moving square


@pytest.fixture(scope="module")
def wall():
    """A textured wall."""
    import cv2

    random = np.random.default_rng(1)
    coarse = random.integers(30, 220, (24, 32, 3)).astype(np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def square():
    """Where a textured square is in each frame: it moves 5 right and 2 down, and is one pixel larger every two."""
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for frame in range(FRAMES):
        side = SIDE + frame // 2
        masks[frame, 12 + 2 * frame : 12 + 2 * frame + side, 8 + 5 * frame : 8 + 5 * frame + side] = 255
    return masks


@pytest.fixture(scope="module")
def frames(wall, square):
    import cv2

    texture = np.random.default_rng(2).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    result = np.repeat(wall[None], FRAMES, 0)
    for frame, mask in zip(result, square, strict=True):
        side = int(np.sqrt((mask > 0).sum()))
        frame[mask > 0] = cv2.resize(texture, (side, side), interpolation=cv2.INTER_LINEAR).reshape(-1, 3)
    return result


def blind(frames, **layers):
    """A scene whose separator saw nobody: the plate is the source."""
    clip, nothing = Clip.from_array(frames), Masks.constant(0, len(frames), HEIGHT, WIDTH)
    return Scene(clip, clip, layers.get("person", nothing), layers.get("occluder", nothing))


def scribble(mask, frame, layer="person", mode="add"):
    """The stroke of a brush that fills a square mask line by line, with rounded corners."""
    ys, xs = np.nonzero(mask)
    x0, x1, y0, y1 = xs.min() + 4, xs.max() - 3, ys.min() + 4, ys.max() - 3
    points = [[int(x), int(y)] for y in range(y0, y1 + 1, 4) for x in (x0, x1)]
    return [layer, frame, mode, 4, [*points, [int(x0), int(y1)], [int(x1), int(y1)]]]


def overlap(a, b):
    a, b = a > 127, b > 127
    return (a & b).sum() / (a | b).sum()


def read(*strokes):
    return read_strokes(json.dumps(strokes), FRAMES)


class TestReadStrokes:
    def test_an_empty_text_and_an_empty_list_hold_none(self):
        assert read_strokes("", 3) == read_strokes(" [] ", 3) == ()

    def test_a_stroke_is_read_as_it_was_written(self):
        (stroke,) = read(["occluder", 4, "remove", 6.5, [[10, 20], [30.5, 20]]])
        assert (stroke.mask, stroke.frame, stroke.mode, stroke.radius) == ("occluder", 4, "remove", 6.5)
        np.testing.assert_array_equal(stroke.points, [[10, 20], [30.5, 20]])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[", "not JSON"),
            ("{}", "must be a list"),
            ('[["person", 0, "add", 3]]', "Stroke 0 must be"),
            ('[["plate", 0, "add", 3, [[1, 1]]]]', "one of person, occluder"),
            ('[["person", 0, "erase", 3, [[1, 1]]]]', "add or remove"),
            ('[["person", 9, "add", 3, [[1, 1]]]]', "frame 9 but the scene has 9 frames"),
            ('[["person", true, "add", 3, [[1, 1]]]]', "frame True"),
            ('[["person", 0, "add", 0, [[1, 1]]]]', "radius of stroke 0"),
            (f'[["person", 0, "add", 1{"0" * 400}, [[1, 1]]]]', "radius of stroke 0"),
            ('[["person", 0, "add", 3, []]]', "needs points"),
            ('[["person", 0, "add", 3, [[1, NaN]]]]', "needs points"),
            ('[["person", 0, "add", 3, [[1, 1, 1]]]]', "needs points"),
            ("[" * 9000, "not JSON"),
            (" " * 20_001, "limit is 20000"),
        ],
    )
    def test_anything_else_is_refused_with_what_is_wrong(self, text, message):
        with pytest.raises(InputError, match=message):
            read_strokes(text, FRAMES)


class TestShape:
    def test_a_dab_is_a_disc_of_its_radius(self):
        (shape,) = group_strokes(read(["person", 0, "add", 10, [[40.5, 30.5]]]))
        inside = shape.inside((0, 0, 80, 60))
        y, x = np.mgrid[:60, :80]
        np.testing.assert_allclose(inside, 10 - np.hypot(x - 40, y - 30), atol=1e-4)

    def test_strokes_that_touch_are_one_shape(self):
        strokes = read(["person", 0, "add", 5, [[20, 20]]], ["person", 0, "add", 5, [[60, 20], [28, 20]]])
        assert [len(shape.strokes) for shape in group_strokes(strokes)] == [2]

    def test_strokes_apart_or_of_another_kind_are_shapes_of_their_own(self):
        strokes = read(
            ["person", 0, "add", 5, [[20, 20]]],
            ["person", 0, "remove", 5, [[22, 20]]],
            ["person", 0, "add", 5, [[24, 20]]],
            ["occluder", 0, "add", 5, [[20, 20]]],
            ["person", 1, "add", 5, [[20, 20]]],
        )
        assert len(group_strokes(strokes)) == 5

    def test_a_place_turns_grows_and_moves_a_shape(self):
        (shape,) = group_strokes(read(["person", 0, "add", 2, [[10, 10], [14, 10]]]))
        moved = Placement(np.array([50.0, 50.0]), np.pi / 2, np.log(2)).apply(shape, np.array([10.0, 10.0]))
        np.testing.assert_allclose(moved.strokes[0].points, [[50, 50], [50, 58]], atol=1e-9)
        assert moved.strokes[0].radius == pytest.approx(4)

    def test_an_area_larger_than_any_picture_is_refused_before_it_is_drawn(self):
        strokes = read_strokes('[["person", 0, "add", 4, [[-60000, -60000], [60000, 60000]]]]', 2)
        with pytest.raises(InputError, match="120010x120010 pixels.*Clear them"):
            group_strokes(strokes)


class TestCarry:
    def test_a_stroke_painted_twice_follows_the_thing_between(self, frames, square):
        strokes = read(scribble(square[0], 0), scribble(square[8], 8))
        mask = review_scene(blind(frames), strokes).scene.person
        assert min(overlap(mask[frame], square[frame]) for frame in range(FRAMES)) > 0.85

    def test_the_pixels_decide_how_it_moves_in_between(self, wall, square):
        """The square stands still for half the time: a straight line between the painted frames would miss it."""
        order = [0, 0, 0, 0, 0, 1, 2, 3, 4]
        texture = np.random.default_rng(2).integers(0, 255, (4 * SIDE, 4 * SIDE, 3)).astype(np.uint8)
        frames = np.repeat(wall[None], FRAMES, 0)
        masks = square[order]
        for frame, mask in zip(frames, masks, strict=True):
            side = int(np.sqrt((mask > 0).sum()))
            frame[mask > 0] = texture[:side, :side].reshape(-1, 3)
        found = review_scene(blind(frames), read(scribble(masks[0], 0), scribble(masks[8], 8))).scene.person
        assert overlap(found[4], masks[4]) > 0.7
        assert overlap(found[4], square[2]) < 0.5

    def test_where_nothing_can_be_followed_the_shape_moves_in_a_straight_line(self):
        flat = np.full((FRAMES, HEIGHT, WIDTH, 3), 90, np.uint8)
        strokes = read(["person", 0, "add", 6, [[20.5, 20.5]]], ["person", 8, "add", 6, [[44.5, 36.5]]])
        mask = review_scene(blind(flat), strokes).scene.person[4] > 127
        np.testing.assert_allclose(np.argwhere(mask).mean(0), [28, 32], atol=0.6)
        assert mask.sum() == pytest.approx(np.pi * 36, rel=0.12)

    def test_a_turned_line_is_turned_in_between(self):
        flat = np.full((3, HEIGHT, WIDTH, 3), 90, np.uint8)
        strokes = read_strokes(
            json.dumps([["person", 0, "add", 4, [[30, 48], [70, 48]]], ["person", 2, "add", 4, [[50, 28], [50, 68]]]]),
            3,
        )
        _, (span,) = propagate_shapes(strokes, Clip.from_array(flat))
        box, inside = span.blend(1)
        y, x = np.nonzero(inside > 0)
        assert abs(np.corrcoef(x, y)[0, 1]) > 0.8
        assert (inside > 0).sum() > 0.8 * (40 * 8 + np.pi * 16)

    def test_shapes_far_apart_are_not_one(self, frames):
        strokes = read(["person", 0, "add", 5, [[10, 10]]], ["person", 8, "add", 5, [[110, 80]]])
        found = review_scene(blind(frames), strokes)
        assert found.propagated == ()
        assert not found.scene.person[4].any()

    def test_a_frame_painted_for_something_else_does_not_break_the_chain(self, frames, square):
        other = ["person", 4, "add", 3, [[110, 10]]]
        strokes = read(scribble(square[0], 0), other, scribble(square[8], 8))
        found = review_scene(blind(frames), strokes)
        assert found.propagated == (1, 2, 3, 5, 6, 7)
        assert overlap(found.scene.person[6], square[6]) > 0.8

    def test_frames_outside_the_painted_ones_stay_as_they_are(self, frames, square):
        found = review_scene(blind(frames), read(scribble(square[2], 2), scribble(square[5], 5)))
        assert (found.painted, found.propagated) == ((2, 5), (3, 4))
        assert not any(found.scene.person[frame].any() for frame in (0, 1, 6, 7, 8))


class TestReview:
    def test_without_strokes_the_scene_is_handed_on(self, frames):
        scene = blind(frames)
        assert review_scene(scene, ()).scene is scene

    def test_a_later_stroke_lies_on_top(self, frames):
        add, remove = ["person", 1, "add", 6, [[40, 40]]], ["person", 1, "remove", 6, [[40, 40]]]
        assert review_scene(blind(frames), read(add, remove)).scene.person[1].max() < 128
        assert review_scene(blind(frames), read(remove, add)).scene.person[1].max() == 255

    def test_strokes_may_leave_the_picture(self, frames):
        found = review_scene(blind(frames), read(["occluder", 0, "add", 30, [[-5, -5], [140, 100]]]))
        assert found.scene.occluder[0][0, 0] == found.scene.occluder[0][-1, -1] == 255

    def test_the_report_says_what_was_painted_and_keeps_its_doubts(self, frames, square):
        from dataclasses import replace

        scene = replace(blind(frames), report=SceneReport(doubts=(Doubt(3, "it moves"),)))
        report = review_scene(scene, read(scribble(square[0], 0), scribble(square[3], 3))).scene.report
        assert "Strokes on 2 frames were carried to 2 between them." in report.text()
        assert report.doubts == scene.report.doubts

    def test_cancel_leaves_the_loop(self, frames, square):
        def cancel(done, total, preview=None):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            review_scene(blind(frames), read(scribble(square[0], 0), scribble(square[3], 3)), progress=cancel)


class TestPlate:
    def test_a_person_who_was_overlooked_is_filled_from_the_other_frames(self, frames, square, wall):
        strokes = read(scribble(square[0], 0), scribble(square[4], 4), scribble(square[8], 8))
        plate = review_scene(blind(frames), strokes).scene.plate
        for frame in range(FRAMES):
            error = np.abs(plate[frame].astype(int) - wall).mean(-1)[square[frame] > 0]
            assert np.median(error) < 2

    def test_the_shadow_at_their_feet_goes_with_them(self, frames, square, wall):
        shaded = frames.copy()
        for frame in range(FRAMES):
            bottom, left = 12 + 2 * frame + SIDE + frame // 2, 8 + 5 * frame
            below = shaded[frame, bottom : bottom + 3, left + 2 : left + 18]
            below[:] = (below * 0.55).astype(np.uint8)
        strokes = read(scribble(square[0], 0), scribble(square[4], 4), scribble(square[8], 8))
        plate = review_scene(blind(shaded), strokes).scene.plate
        shadow = (square[4] == 0) & (shaded[4] != wall).any(-1)
        assert shadow.sum() > 40
        assert np.abs(plate[4].astype(int) - wall).mean(-1)[shadow].mean() < 6

    def test_frames_of_different_exposure_leave_no_grain(self):
        random = np.random.default_rng(5)
        light, wall = random.uniform(100, 140, (24, 1, 1, 1)), random.normal(0, 12, (HEIGHT, WIDTH, 1))
        true = np.repeat((light + wall).clip(0, 255).astype(np.uint8), 3, 3)
        frames, masks = true.copy(), np.zeros((24, HEIGHT, WIDTH), np.uint8)
        for frame in range(24):
            masks[frame, 30 : 30 + SIDE, 4 * frame : 4 * frame + SIDE] = 255
        frames[masks > 0] = (200, 40, 40)
        plate = refill_plate(blind(frames), Masks.from_array(masks), Masks.constant(0, 24, HEIGHT, WIDTH), range(24))
        assert (plate[12].astype(float) - true[12])[masks[12] > 0].std() < 1

    def test_it_stays_as_it_is_away_from_the_strokes(self, frames, square):
        found = review_scene(blind(frames), read(scribble(square[2], 2))).scene.plate
        np.testing.assert_array_equal(found[5], frames[5])
        np.testing.assert_array_equal(found[2][60:], frames[2][60:])

    def test_where_the_person_was_seen_wrongly_the_source_comes_back(self, frames, square, wall):
        clip = Clip.from_array(frames)
        wrong = np.zeros_like(square)
        wrong[4, 60:90, 80:110] = 255
        painted = frames.copy()
        painted[4, 59:91, 79:111] = 7  # what the separator made up there
        scene = Scene(clip, Clip.from_array(painted), Masks.from_array(wrong), Masks.constant(0, *square.shape))
        plate = review_scene(scene, read(["person", 4, "remove", 60, [[95, 75]]])).scene.plate
        np.testing.assert_array_equal(plate[4], frames[4])

    def test_what_no_frame_shows_is_painted_from_around(self, wall):
        still = np.repeat(wall[None], 3, 0)
        still[:, 40:60, 50:70] = (255, 0, 255)
        strokes = read_strokes(json.dumps([["person", k, "add", 17, [[60, 50]]] for k in range(3)]), 3)
        plate = review_scene(blind(still), strokes).scene.plate[1]
        assert np.abs(plate[40:60, 50:70].astype(int) - (255, 0, 255)).sum(-1).min() > 60

    def test_what_is_now_known_to_pass_in_front_stays_in_the_plate(self, frames, square, wall):
        """The person covers the square's place; the square is an occluder that was overlooked."""
        person = np.zeros_like(square)
        person[:, 8:60, 4:100] = 255
        plate = np.repeat(wall[None], FRAMES, 0)
        scene = Scene(
            Clip.from_array(frames), Clip.from_array(plate), Masks.from_array(person), Masks.constant(0, *square.shape)
        )
        mended = review_scene(scene, read(scribble(square[4], 4, layer="occluder"))).scene
        inner = np.zeros(square.shape[1:], bool)
        inner[24:36, 32:44] = True
        np.testing.assert_array_equal(mended.plate[4][inner], frames[4][inner])
        assert np.abs(mended.plate[4].astype(int) - wall)[~(square[4] > 0)].mean() < 2

    def test_a_moving_camera_is_followed(self, wall):
        import cv2

        big = cv2.resize(wall, (260, 200), interpolation=cv2.INTER_CUBIC)
        views = np.stack([big[40 : 40 + HEIGHT, 6 * k : 6 * k + WIDTH] for k in range(FRAMES)])
        frames, masks = views.copy(), np.zeros(views.shape[:3], np.uint8)
        for k in range(FRAMES):
            masks[k, 30:54, 40:60] = 255  # the person walks beside the camera
        frames[masks > 0] = (200, 30, 30)
        strokes = read(*(scribble(masks[k], k) for k in (0, 4, 8)))
        plate = review_scene(blind(frames), strokes).scene.plate
        error = [np.abs(plate[k].astype(int) - views[k]).mean(-1)[masks[k] > 0].mean() for k in (2, 4, 6)]
        assert max(error) < 12

    def test_a_picture_that_stands_for_any_length_can_be_painted_on(self, wall):
        clip = Clip.still(wall, 1)
        nothing = Masks.constant(0, 1, HEIGHT, WIDTH)
        scene = Scene(clip, clip, nothing, nothing, is_still=True)
        mended = review_scene(scene, read_strokes('[["occluder", 0, "add", 9, [[30, 30]]]]', 1)).scene
        assert mended.is_still
        assert mended.occluder[0][30, 30] == 255
