"""What nobody ever saw: continued from pieces of what was seen, in one light."""

import numpy as np
import pytest

from mimo_core.geometry.box import Box
from mimo_core.scene.background import Background
from mimo_core.scene.bystanders import find_bystanders
from mimo_core.scene.camera_motion import CameraPath
from mimo_core.scene.canvas import plan_canvases
from mimo_core.scene.continue_texture import continue_texture
from mimo_core.scene.expected_colors import continue_colors
from mimo_core.scene.fill_patches import fill_patches
from mimo_core.scene.fill_plate import fill_hole
from mimo_core.scene.frame_light import FrameLight
from mimo_core.scene.gradient_blend import blend_gradients
from mimo_core.scene.grain import Grain
from mimo_core.scene.offset_labels import OffsetLabels
from mimo_core.scene.patch_offsets import describe_pixels, find_offsets
from mimo_core.scene.patch_search import PatchSearch
from mimo_core.scene.pixel_samples import BackgroundSamples
from mimo_lab.synthetic import make_shot


def fill(picture, hole):
    return continue_texture(picture, hole, ~hole)


def make_curtain():
    """Folds of a curtain, darker towards the floor, and the hole of somebody who stands before it."""
    x, y = np.arange(160), np.arange(200)[:, None]
    folds = 30 * np.sin(x / 4.5) + 12 * np.sin(x / 11.0 + 1)
    curtain = np.repeat((150 + folds - 0.2 * y)[..., None], 3, 2) + (0, 5, 14)
    hole = np.zeros(curtain.shape[:2], bool)
    hole[50:170, 55:105] = True
    return curtain.astype(np.uint8), hole


class TestContinueTexture:
    def test_known_pixels_stay_as_they_are(self):
        curtain, hole = make_curtain()
        np.testing.assert_array_equal(fill(curtain, hole)[~hole], curtain[~hole])

    def test_folds_go_on_behind_somebody_as_sharp_as_beside(self):
        curtain, hole = make_curtain()
        filled = fill(np.where(hole[..., None], 0, curtain).astype(np.uint8), hole)
        inner = (slice(60, 160), slice(60, 100))
        assert np.abs(filled.astype(int) - curtain)[hole].mean() < 11
        steps = np.abs(np.diff(filled[inner].astype(int), axis=1)).mean()
        assert steps > 0.8 * np.abs(np.diff(curtain[inner].astype(int), axis=1)).mean()

    def test_an_object_beside_the_hole_is_not_copied_into_it(self):
        wall = np.random.default_rng(0).normal((170, 165, 150), 4, (140, 200, 3)).clip(0, 255).astype(np.uint8)
        wall[40:90, 20:50] = (200, 30, 20)
        hole = np.zeros(wall.shape[:2], bool)
        hole[30:120, 80:130] = True
        filled = fill(np.where(hole[..., None], 0, wall).astype(np.uint8), hole)[hole].astype(int)
        assert (filled[:, 0] - filled[:, 1] < 60).all()
        assert filled.std(0).mean() > 1.5  # the wall's grain is there

    @pytest.mark.parametrize("rows", [200, 201, 203, 207])
    def test_a_hole_goes_on_to_the_border_of_the_picture_in_the_same_colors(self, rows):
        curtain, _ = make_curtain()
        curtain = np.resize(curtain, (rows, *curtain.shape[1:]))
        hole = np.zeros(curtain.shape[:2], bool)
        hole[60:, 50:109] = True
        filled = fill(curtain, hole).astype(int)
        assert abs(filled[-1, 50:109].mean() - filled[-12:-8, 50:109].mean()) < 8

    def test_a_hole_beside_what_is_not_known_either_does_not_turn_dark_there(self):
        curtain, hole = make_curtain()
        known = ~hole
        known[40:180, 105:125] = False
        filled = continue_texture(curtain, hole, known)
        assert filled[60:160, 100:105].min() > curtain[60:160].min() - 15

    def test_a_lamp_that_ends_at_the_hole_fades_into_it(self):
        """It is no part of the wall that goes on there; cut off at the steps of an outline it would catch the eye."""
        wall = np.random.default_rng(0).normal((90, 85, 80), 2, (140, 200, 3)).clip(0, 255).astype(np.uint8)
        hole = np.zeros(wall.shape[:2], bool)
        hole[30:120, 80:130] = True
        wall[60:72, 66:84] = 245
        filled = fill(np.where(hole[..., None], 0, wall).astype(np.uint8), hole).astype(int)
        row = filled[64:68, 78:92, 0].mean(0)
        assert np.abs(np.diff(row)).max() < 85 and row[-1] < 105

    def test_the_same_picture_is_filled_the_same(self):
        curtain, hole = make_curtain()
        np.testing.assert_array_equal(fill(curtain, hole), fill(curtain, hole))

    def test_what_is_neither_seen_nor_wanted_is_not_looked_at(self):
        curtain, hole = make_curtain()
        known = ~hole
        known[:, :20] = False
        other = curtain.copy()
        other[:, :20] = (255, 0, 255)
        filled = [continue_texture(picture, hole, known)[hole] for picture in (curtain, other)]
        np.testing.assert_array_equal(*filled)

    def test_a_hole_without_surroundings_of_its_kind_is_filled_softly(self):
        picture = np.full((40, 40, 3), 90, np.uint8)
        hole = np.ones((40, 40), bool)
        hole[:2] = False
        assert (np.abs(fill(np.where(hole[..., None], 0, picture).astype(np.uint8), hole).astype(int) - 90) < 2).all()

    def test_sizes_that_no_power_of_two_divides_are_filled(self):
        picture = np.random.default_rng(0).integers(90, 110, (301, 203, 3)).astype(np.uint8)
        hole = np.zeros(picture.shape[:2], bool)
        hole[60:300, 50:201] = True
        filled = fill(picture, hole)
        np.testing.assert_array_equal(filled[~hole], picture[~hole])

    def test_it_can_be_cancelled_in_the_middle(self):
        curtain, hole = make_curtain()

        def cancel():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            continue_texture(curtain, hole, ~hole, cancel)


class TestBlendGradients:
    def test_a_large_hole_is_solved_from_half_its_size_as_at_once(self, monkeypatch):
        from mimo_core.scene import gradient_blend

        random = np.random.default_rng(3)
        picture = (random.normal(0, 3, (90, 110, 3)) + np.linspace(40, 200, 110)[:, None]).astype(np.float32)
        hole = np.zeros((90, 110), bool)
        hole[15:75, 20:90] = True
        across, down = np.zeros_like(picture), np.zeros_like(picture)
        across[:, :-1], down[:-1] = np.diff(picture, axis=1), np.diff(picture, axis=0)
        start = np.where(hole[..., None], 100, picture).astype(np.float32)
        results = []
        for limit in (60_000, 2000):
            monkeypatch.setattr(gradient_blend, "DIRECT_PIXELS", limit)
            results.append(blend_gradients(start, hole, ~hole, across, down, reach=1000))
        np.testing.assert_allclose(results[0][hole], picture[hole], atol=2)
        assert np.abs(results[1] - results[0]).mean() < 2

    def blend_strip(self, left):
        """A hole that a piece of 240 fills, between 240 on the right and `left` on the left."""
        picture = np.full((40, 90, 3), 240, np.float32)
        picture[:, :20] = left
        hole = np.zeros((40, 90), bool)
        hole[5:35, 20:70] = True
        return blend_gradients(picture, hole, ~hole, 0 * picture, 0 * picture, reach=12.0)

    def test_a_thing_that_ends_at_the_rim_does_not_run_over_into_the_hole(self):
        np.testing.assert_allclose(self.blend_strip((140, 150, 20))[5:35, 20:70], 240, atol=1)

    def test_a_difference_of_light_is_evened_out(self):
        row = self.blend_strip(210)[20, 20:70, 0]
        assert row[0] < 216 and row[-1] > 235 and np.abs(np.diff(row)).max() < 4

    def test_cancel_stops_it_while_it_solves(self, monkeypatch):
        from mimo_core.scene import gradient_blend

        monkeypatch.setattr(gradient_blend, "DIRECT_PIXELS", 2000)
        picture, hole = (
            np.random.default_rng(4).normal(120, 30, (90, 110, 3)).astype(np.float32),
            np.zeros((90, 110), bool),
        )
        hole[15:75, 20:90] = True
        calls = []

        def cancel():
            calls.append(1)
            if len(calls) > 5:  # set up twice, then within the steps of the solver
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            blend_gradients(picture, hole, ~hole, 0 * picture, 0 * picture, reach=1000, ask=cancel)


class TestSamples:
    def test_pixels_that_were_free_together_keep_the_same_frames(self):
        (canvas,) = plan_canvases(CameraPath.still(60), [(0, 0, 40, 30)] * 60)
        joint, apart = BackgroundSamples(canvas, is_joint=True), BackgroundSamples(canvas)
        random, everywhere = np.random.default_rng(2), np.ones((30, 40), bool)
        for frame in range(60):
            picture = np.full((30, 40, 3), random.integers(80, 160), np.uint8)
            joint.add(picture, everywhere, frame)
            apart.add(picture, everywhere, frame)
        assert apart.median().std() > 5  # the grain that frames of different light leave
        assert joint.median().std() == 0

    def test_what_was_seen_further_from_the_person_takes_the_place_of_what_lay_deeper_in_their_shadow(self):
        (canvas,) = plan_canvases(CameraPath.still(9), [(0, 0, 40, 30)] * 9)
        samples, everywhere = BackgroundSamples(canvas, is_joint=True), np.ones((30, 40), bool)
        for frame, rank in enumerate((0, 0, 1, 0, 3, 2, 3, 1, 0)):
            ranks = np.full((30, 40), rank, np.uint8)
            ranks[:, :20] = min(rank, 1)
            picture = np.where(ranks[..., None] * np.ones(3) > 1, 150, 90 + 20 * ranks[..., None]).astype(np.uint8)
            samples.add(picture, everywhere, frame, ranks)
        assert (samples.median()[:, 20:] == 150).all()
        assert (samples.median()[:, :20] == 110).all()


def measure_distance(free):
    import cv2

    return cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)


class TestFrameLight:
    def test_frames_of_different_exposure_leave_no_grain_in_the_background(self):
        random = np.random.default_rng(1)
        (canvas,) = plan_canvases(CameraPath.still(24), [(0, 0, 96, 64)] * 24)
        wall = np.full((64, 96, 3), 120.0)
        leveled, raw = BackgroundSamples(canvas), BackgroundSamples(canvas)
        light = FrameLight(canvas.size)
        for frame in range(24):
            picture = (wall + random.uniform(-18, 18)).astype(np.uint8)
            free = np.ones((64, 96), bool)
            free[:, 3 * frame : 3 * frame + 20] = False  # somebody who walks by
            raw.add(picture, free, frame)
            leveled.add(light.level(picture, free, measure_distance(free)), free, frame)
        assert raw.median().std() > 2.5  # the fault
        assert leveled.median().std() < 1

    def test_the_soft_shadow_around_somebody_is_lifted(self):
        x, y = np.meshgrid(np.arange(160), np.arange(80))
        floor = np.full((80, 160, 3), 160.0)
        (canvas,) = plan_canvases(CameraPath.still(9), [(0, 0, 160, 80)] * 9)
        raw, samples, light = BackgroundSamples(canvas), BackgroundSamples(canvas), FrameLight(canvas.size)
        for frame in range(9):
            center = 50 if frame < 8 else 110  # they stand long, and go away for one frame
            away = np.hypot(x - center, y - 40)
            picture = (floor * (1 - 0.25 * np.exp(-np.maximum(away - 12, 0) / 12))[..., None]).astype(np.uint8)
            free = away > 14
            raw.add(picture, free, frame)
            samples.add(light.level(picture, free, measure_distance(free)), free, frame)
        ring = (np.hypot(x - 50, y - 40) > 15) & (np.hypot(x - 50, y - 40) < 20)
        lifted = light.apply(samples.median(), samples.count > 0)[ring].mean()
        assert lifted > raw.median()[ring].mean() + 3

    def light_wall(self, frame, free):
        """A wall on which a colored lamp is on in odd frames, stronger to the left, and a person in white before it."""
        wall = np.tile(np.linspace(60, 90, 160), (80, 1))[..., None] + (0, 5, 20)
        wall = wall + (frame % 2) * np.linspace(1, 0.3, 160)[:, None] * (40, 60, 110)
        return np.where(free[..., None], wall, 240).clip(0, 255).astype(np.uint8)

    def hide_person(self, frame):
        free = np.ones((80, 160), bool)
        free[20:, 8 * frame : 8 * frame + 40] = False
        return free

    def test_lamps_that_go_on_and_off_leave_no_stripes_where_somebody_walked(self):
        (canvas,) = plan_canvases(CameraPath.still(12), [(0, 0, 160, 80)] * 12)
        samples, light = BackgroundSamples(canvas), FrameLight(canvas.size)
        for frame in range(12):
            free = self.hide_person(frame)
            picture = self.light_wall(frame, free)
            samples.add(light.level(picture, free, measure_distance(free)), free, frame)
        steps = np.abs(np.diff(light.apply(samples.median(), samples.count > 0).astype(int), axis=1))
        assert steps.max() <= 8

    def test_a_hole_is_filled_in_the_light_of_a_lamp_that_is_on(self):
        (canvas,) = plan_canvases(CameraPath.still(2), [(0, 0, 160, 80)] * 2)
        everywhere = np.ones((80, 160), bool)
        dark, lit = (self.light_wall(frame, everywhere) for frame in (0, 1))
        background = Background(canvas, dark, np.full((80, 160), 255, np.uint8), Grain())
        hole = ~self.hide_person(6)
        patch = fill_hole(self.light_wall(1, ~hole), hole, background, 1, front=np.zeros((80, 160), np.uint8))
        off = np.abs(patch.pixels.astype(int) - Box(*patch.box).cut(lit))
        assert off.mean() < 6 and np.percentile(off, 99) < 20

    def test_what_is_learned_of_a_part_of_a_canvas_is_as_of_the_whole(self):
        random, part = np.random.default_rng(2), Box(40, 12, 150, 70)
        (canvas,) = plan_canvases(CameraPath.still(16), [(0, 0, 203, 91)] * 16)
        lights, pools = (
            [make() for _ in range(2)] for make in (lambda: FrameLight(canvas.size), lambda: BackgroundSamples(canvas))
        )
        for frame in range(16):
            picture = random.integers(90, 110 + 6 * frame, (91, 203, 3)).astype(np.uint8)
            free = np.zeros((91, 203), bool)
            part.cut(free)[1:-1, 1:-1] = random.random((part.height - 2, part.width - 2)) < 0.8
            away, rank = measure_distance(free), random.integers(0, 2, free.shape).astype(np.uint8)
            whole = lights[0].level(picture, free, away)
            some = lights[1].level(*map(part.cut, (picture, free, away)), part)
            assert np.abs(part.cut(whole).astype(int) - some)[part.cut(free)].max() <= 1  # sums in another order
            pools[0].add(picture, free, frame, rank)
            pools[1].add(*map(part.cut, (picture, free)), frame, part.cut(rank), part)
        np.testing.assert_allclose(lights[0].distance, lights[1].distance)
        np.testing.assert_array_equal(pools[0].samples, pools[1].samples)
        np.testing.assert_array_equal(pools[0].count, pools[1].count)

    def test_an_object_that_moves_tints_nothing(self):
        (canvas,) = plan_canvases(CameraPath.still(2), [(0, 0, 80, 60)] * 2)
        light, free = FrameLight(canvas.size), np.ones((60, 80), bool)
        wall = np.full((60, 80, 3), 130, np.uint8)
        light.level(wall, free, measure_distance(free))
        seen = wall.copy()
        seen[20:40, 20:40] = (210, 60, 40)
        leveled = light.level(seen, free, measure_distance(free)).astype(int)
        assert np.abs(leveled[45:] - 130).max() <= 4


def test_a_background_is_continued_where_it_is_wanted_and_was_not_seen():
    curtain, hole = make_curtain()
    (canvas,) = plan_canvases(CameraPath.still(3), [(0, 0, 160, 200)] * 3)
    samples = BackgroundSamples(canvas)
    for frame in range(3):
        samples.add(curtain, ~hole, frame)
    background = Background.from_samples(canvas, samples, np.ones_like(hole), Grain())
    assert not background.is_diffuse
    assert np.abs(background.picture.astype(int) - curtain)[hole].mean() < 11


def make_jumble(seed=4):
    """Things that do not repeat, and the hole of somebody who stands before them."""
    import cv2

    picture = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 900, (160, 200, 3)), (0, 0), 6)
    picture = np.where(picture > 0, 190, 60).astype(np.uint8)
    hole = np.zeros(picture.shape[:2], bool)
    hole[30:150, 70:130] = True
    return picture, hole


class TestSurroundingsThatDoNotRepeat:
    def compare_rim(self, picture, hole):
        looks = describe_pixels(picture, ~hole)
        labels = OffsetLabels(hole, ~hole, find_offsets(looks, hole, ~hole))
        average = picture.astype(np.float32)
        labels.choose(looks, average, average)
        return labels.compare_rim(looks)

    def test_pieces_meet_the_rim_of_folds_better_than_that_of_a_jumble(self):
        curtain, jumble = make_curtain(), make_jumble()
        assert self.compare_rim(*curtain) < 0.3 < 0.4 < self.compare_rim(*jumble)

    def test_where_a_scene_is_layers_pieces_come_from_beside_rather_than_from_above(self):
        hole = np.zeros((100, 120), bool)
        hole[50:90, 50:80] = True
        plain, places = np.zeros((100, 120, 5), np.float32), []
        for level_cost in (0.0, 5.0):
            labels = OffsetLabels(hole, ~hole, np.array([(0, 35), (-45, 0)]))
            labels.choose(plain, plain, plain, level_cost=level_cost)
            places.append(labels.find_sources()[0])
        assert (places[0][:, 0] < 50).all() and (places[1] == np.argwhere(hole) + (0, 35)).all()

    def test_a_jumble_goes_on_as_sharp_as_around_the_hole(self):
        picture, hole = make_jumble()
        filled = fill(np.where(hole[..., None], 0, picture).astype(np.uint8), hole).astype(int)
        deep = filled[60:120, 85:115]
        around = picture[60:120, 5:65].astype(int)
        assert np.abs(np.diff(deep, axis=1)).mean() > 0.6 * np.abs(np.diff(around, axis=1)).mean()

    def test_rough_ground_that_is_alike_everywhere_stays_rough(self):
        random = np.random.default_rng(0)
        ground = random.normal(110, 40, (120, 160, 1)).repeat(3, 2).clip(0, 255).astype(np.uint8)
        hole = np.zeros(ground.shape[:2], bool)
        hole[30:100, 60:100] = True
        assert fill(ground, hole)[45:85, 70:90].std() > 0.5 * ground[~hole].std()

    def test_colors_go_on_across_rather_than_down(self):
        picture = np.zeros((100, 100, 3), np.uint8)
        picture[:50], picture[50:] = 200, 40
        hole = np.zeros((100, 100), bool)
        hole[20:80, 40:60] = True
        colors = continue_colors(np.where(hole[..., None], 0, picture), hole, ~hole)
        assert colors[30:40, 48:52].min() > 170 and colors[60:70, 48:52].max() < 70


class TestFillPatches:
    def make_street(self):
        """A house with windows above a plain street, and somebody who stands before both."""
        street = np.full((150, 220, 3), 128.0)
        street[:80] = 150
        for row in range(8, 72, 16):
            for column in range(6, 216, 16):
                street[row : row + 9, column : column + 7] = 60
        street += np.random.default_rng(6).normal(0, 2, street.shape)
        hole = np.zeros(street.shape[:2], bool)
        hole[20:140, 85:135] = True
        return street.clip(0, 255).astype(np.uint8), hole

    def test_windows_go_on_above_and_the_street_below(self):
        street, hole = self.make_street()
        filled = fill_patches(np.where(hole[..., None], 0, street).astype(np.uint8), hole, ~hole).astype(int)
        windows = filled[24:72, 90:130].mean(2)
        assert 0.15 < (windows < 90).mean() < 0.5
        assert np.abs(filled[90:135, 90:130] - 128).mean() < 12
        np.testing.assert_array_equal(filled[~hole], street[~hole])

    def test_a_wall_in_uneven_light_has_no_steps_behind_somebody(self):
        x = np.linspace(70, 190, 220)
        wall = np.repeat(np.tile(x, (150, 1))[..., None], 3, 2)
        wall += np.random.default_rng(2).normal(0, 1, wall.shape)
        hole = self.make_street()[1]
        filled = fill_patches(np.where(hole[..., None], 0, wall).clip(0, 255).astype(np.uint8), hole, ~hole)
        assert np.abs(filled.astype(int) - wall)[hole].mean() < 5

    def test_spots_that_may_lie_anywhere_cost_less_than_a_wrong_copy_of_them(self):
        """A copy that has nothing to do with the truth is off by twice the variance of what it copies."""
        import cv2

        errors, hole = [], np.zeros((120, 150), bool)
        hole[20:100, 45:105] = True
        for seed in range(3):
            spots = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (120, 150)), (0, 0), 3)
            wall = np.repeat((128 + 15 * spots / spots.std())[..., None], 3, 2).astype(np.uint8)
            filled = fill_patches(np.where(hole[..., None], 0, wall).astype(np.uint8), hole, ~hole).astype(float)
            assert filled[30:90, 55:95].std() > 0.45 * wall.std()
            errors.append(np.square(filled - wall)[30:90, 55:95].mean() / wall.var())
        assert np.mean(errors) < 1.5

    def test_what_is_neither_seen_nor_wanted_is_not_looked_at(self):
        street, hole = self.make_street()
        known = ~hole
        known[:, :25] = False
        other = street.copy()
        other[:, :25] = (255, 0, 255)
        filled = [fill_patches(picture, hole, known)[hole] for picture in (street, other)]
        np.testing.assert_array_equal(*filled)

    def test_a_large_hole_is_filled_as_sharply_as_a_small_one(self, monkeypatch):
        from mimo_core.scene import fill_patches as module

        street, hole = self.make_street()
        monkeypatch.setattr(module, "LARGEST_HOLE", 2000)
        filled = fill_patches(np.where(hole[..., None], 0, street).astype(np.uint8), hole, ~hole).astype(int)
        assert 0.15 < (filled[24:72, 90:130].mean(2) < 90).mean() < 0.5

    def test_what_is_known_only_in_strips_is_not_searched_for_a_large_hole(self, monkeypatch):
        """A picture of which next to nothing was seen would be searched for minutes, without a patch to find."""
        from mimo_core.scene import fill_patches as module

        asked = []
        known = np.zeros((160, 160), bool)
        known[:, :9] = True
        monkeypatch.setattr(module, "LARGEST_HOLE", 2000)
        picture = np.full((160, 160, 3), 90, np.uint8)
        filled = fill_patches(picture, ~known, known, lambda: asked.append(1))
        assert len(asked) < 20  # one vote asks 49 times
        assert np.abs(filled.astype(int) - 90).max() <= 1

    def test_patches_that_are_compared_some_at_a_time_cost_the_same(self, monkeypatch):
        street, hole = self.make_street()
        searches = [PatchSearch(hole, None, seed=0, known=~hole, most_lift=15.0, level_cost=4.0) for _ in range(2)]
        monkeypatch.setattr("mimo_core.scene.patch_search.COMPARED_PATCHES", 100)
        searches[0].look_at(street.astype(np.float32))
        searches[1].compare(street.astype(np.float32))
        np.testing.assert_array_equal(searches[0].cost, searches[1].cost)

    def test_it_can_be_cancelled_in_the_middle(self):
        street, hole = self.make_street()

        def cancel():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fill_patches(street, hole, ~hole, cancel)


@pytest.fixture(scope="module")
def shot():
    return make_shot(11, size=256, frames=1, occluders="none", camera="fixed")


class TestBystanders:
    def test_somebody_in_the_background_is_found_and_an_empty_room_has_nobody(self, shot):
        everywhere, body = np.ones((256, 256), bool), shot.person[0] > 127
        found = find_bystanders(shot.frames[0], everywhere)
        assert found[body].mean() > 0.9 and found[~body].mean() < 0.2
        assert not find_bystanders(shot.plate[0], everywhere).any()

    def test_somebody_beside_the_hole_is_not_continued_into_it(self, shot):
        body = shot.person[0] > 127
        plain = np.where(body[..., None], shot.frames[0], 128).astype(np.uint8)
        columns = np.flatnonzero(body.any(0))
        hidden = np.zeros(body.shape, bool)
        hidden[40:, columns[-1] - 8 : columns[-1] + 60] = True
        canvas = plan_canvases(CameraPath.still(1), [(0, 0, 256, 256)])[0]
        samples = BackgroundSamples(canvas)
        samples.add(plain, ~hidden, 0)
        background = Background.from_samples(canvas, samples, np.ones_like(hidden), Grain())
        away = np.abs(background.picture[hidden].astype(int) - 128).max(1)
        assert (away > 12).mean() < 0.02
