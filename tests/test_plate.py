"""What lies behind the person: camera, samples, painting, filling."""

import warnings

import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.geometry.box import Box
from mimo_core.media.clip import Clip
from mimo_core.media.cuts import CutFinder, find_cuts
from mimo_core.scene.appearance import AppearanceModel
from mimo_core.scene.background import Background
from mimo_core.scene.brief_pieces import remove_brief_pieces
from mimo_core.scene.camera_motion import CameraPath, CameraTracker, check_camera, find_shift
from mimo_core.scene.canvas import plan_canvases
from mimo_core.scene.coarse_background import BackgroundScan, CoarseBackground, measure_spans
from mimo_core.scene.color_histograms import bins_of
from mimo_core.scene.fields import extrapolate_field
from mimo_core.scene.fill_plate import fill_hole
from mimo_core.scene.fitted_body import BODY_PATCHES, FittedBody
from mimo_core.scene.frame_masks import FrameMasks
from mimo_core.scene.grain import Grain
from mimo_core.scene.inpaint import paint_unseen
from mimo_core.scene.pixel_samples import BackgroundSamples
from mimo_core.scene.void_samples import VoidSamples


HEIGHT, WIDTH = 96, 128


@pytest.fixture(scope="module")
def wall():
    """A textured wall, larger than a frame."""
    import cv2

    random = np.random.default_rng(1)
    coarse = random.integers(30, 220, (30, 40, 3)).astype(np.uint8)
    return cv2.resize(coarse, (240, 180), interpolation=cv2.INTER_CUBIC)


def view(wall, x, y):
    return np.ascontiguousarray(wall[y : y + HEIGHT, x : x + WIDTH])


def tracked(pictures):
    import cv2

    tracker = CameraTracker()
    for picture in pictures:
        tracker.add(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.zeros(picture.shape[:2], np.uint8))
    return tracker


class TestCameraPath:
    def test_a_still_camera_is_none(self, wall):
        path = tracked([view(wall, 20, 20)] * 4).path("auto")
        assert path.kind == "none"
        np.testing.assert_array_equal(path.reference_from_frame, np.tile(np.eye(3), (4, 1, 1)))

    def test_a_pan_is_found_to_a_tenth_of_a_pixel(self, wall):
        path = tracked([view(wall, 10 + 6 * k, 20 + 2 * k) for k in range(8)]).path("auto")
        assert path.kind == "pan"
        for frame in range(8):
            expected = np.array([[1, 0, 6 * frame], [0, 1, 2 * frame], [0, 0, 1]])
            np.testing.assert_allclose(path.reference_from_frame[frame], expected, atol=0.1)

    def test_a_fast_pan_is_followed_under_a_logo_that_stands_still(self):
        import cv2

        random = np.random.default_rng(3)
        wall = cv2.resize(random.integers(30, 220, (30, 160, 3)).astype(np.uint8), (960, 180))
        logo = cv2.resize(random.integers(0, 255, (12, 20, 3)).astype(np.uint8), (60, 36))
        pictures = [np.ascontiguousarray(wall[:, place : place + 240]) for place in (0, 5, 10, 110, 210, 310)]
        for picture in pictures:
            picture[:36, :60] = logo
        path = tracked(pictures).path("pan")
        assert path.lost == ()
        np.testing.assert_allclose(path.reference_from_frame[:, 0, 2], (0, 5, 10, 110, 210, 310), atol=2)

    def test_a_cut_begins_a_new_section(self, wall):
        other = np.random.default_rng(5).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        path = tracked([view(wall, 20, 20)] * 3 + [other] * 3).path("auto")
        assert path.lost == (3,)
        assert path.section.tolist() == [0, 0, 0, 1, 1, 1]

    def test_a_shift_is_found_at_any_distance_and_under_masks(self, wall):
        key, other = wall[:120, :160, 0].copy(), wall[40:160, 70:230, 0].copy()
        free, other_free = np.ones((2, 120, 160), bool)
        key[30:60, 50:80], free[30:60, 50:80] = 0, False
        other[10:40, 50:80], other_free[10:40, 50:80] = 255, False
        np.testing.assert_allclose(find_shift(key, free, other, other_free), (-70, -40), atol=1)
        assert find_shift(key, np.zeros_like(free), other, other_free) is None

    def test_scaling_moves_the_shift_with_the_size_of_the_frame(self):
        matrix = np.array([[[1, 0, 3.0], [0, 1, -2.0], [0, 0, 1]]])
        path = CameraPath("pan", matrix, np.zeros(1, int)).scaled(2)
        np.testing.assert_allclose(path.reference_from_frame[0], [[1, 0, 6], [0, 1, -4], [0, 0, 1]], atol=1e-9)

    def test_an_unknown_camera_is_refused_with_the_choices(self):
        with pytest.raises(InputError, match="auto, none, pan, homography"):
            check_camera("handheld")


class TestCanvas:
    def test_a_frame_comes_back_from_the_canvas_unchanged(self, wall):
        frame, box = view(wall, 0, 0), (10, 20, 90, 80)
        (canvas,) = plan_canvases(CameraPath.still(3), [box] * 3)
        projected = canvas.project(frame, 1, flags=1)
        np.testing.assert_array_equal(canvas.lookup(projected, 1, box, flags=1), frame[20:80, 10:90])

    @pytest.mark.parametrize("lean", [0.0, 2e-4])
    def test_a_part_of_the_canvas_holds_all_that_a_frame_reaches(self, wall, lean):
        matrices = np.tile(np.eye(3), (9, 1, 1))
        matrices[:, 0, 2], matrices[:, 2, 0] = 25.3 * np.arange(9), lean * np.arange(9)
        path = CameraPath("homography", matrices / matrices[:, 2:, 2:], np.zeros(9, int))
        (canvas,) = plan_canvases(path, [(20, 10, WIDTH, HEIGHT - 10)] * 9)
        for frame in range(9):
            part = canvas.find_part(frame, (0, 0, WIDTH, HEIGHT))
            whole = canvas.project(view(wall, 0, 0), frame, flags=1)
            laid = np.zeros_like(whole)
            part.cut(laid)[:] = canvas.project(view(wall, 0, 0), frame, flags=1, part=part)
            assert np.abs(laid.astype(int) - whole).max() <= 1
        assert canvas.find_part(0, (0, 0, WIDTH, HEIGHT)).area < 0.7 * np.prod(canvas.size)

    def test_a_frame_beyond_the_canvas_reaches_a_part_that_it_leaves_empty(self, wall):
        matrices = np.tile(np.eye(3), (2, 1, 1))
        matrices[1, 0, 2] = 5000
        (canvas,) = plan_canvases(CameraPath("pan", matrices, np.zeros(2, int)), [(0, 0, WIDTH, HEIGHT), None])
        part = canvas.find_part(1, (0, 0, WIDTH, HEIGHT))
        assert part.area and not canvas.project(view(wall, 0, 0) | 1, 1, flags=1, part=part).any()

    def test_lost_cameras_are_never_mixed(self):
        path = CameraPath("none", np.tile(np.eye(3), (4, 1, 1)), np.array([0, 0, 1, 1]), (2,))
        spans = [(canvas.first, canvas.last) for canvas in plan_canvases(path, [(0, 0, 9, 9)] * 4)]
        assert spans == [(0, 2), (2, 4)]

    def test_a_long_pan_is_cut_into_canvases_of_bounded_size(self):
        matrices = np.tile(np.eye(3), (40, 1, 1))
        matrices[:, 0, 2] = 700.0 * np.arange(40)
        path = CameraPath("pan", matrices, np.zeros(40, int))
        canvases = plan_canvases(path, [(0, 0, 1280, 720)] * 40)
        assert max(np.prod(canvas.size) for canvas in canvases) < 7_000_000
        assert [canvas.start for canvas in canvases[1:]] == [canvas.stop for canvas in canvases[:-1]]


class TestBackgroundSamples:
    def test_the_median_ignores_what_passes_once(self):
        (canvas,) = plan_canvases(CameraPath.still(9), [(0, 0, 20, 10)] * 9)
        samples = BackgroundSamples(canvas)
        for frame in range(9):
            picture = np.full((10, 20, 3), 200 if frame == 4 else 90, np.uint8)
            samples.add(picture, np.ones((10, 20), bool), frame)
        assert (samples.median() == 90).all()

    def test_pixels_that_were_never_free_are_not_counted(self):
        (canvas,) = plan_canvases(CameraPath.still(2), [(0, 0, 20, 10)] * 2)
        samples = BackgroundSamples(canvas)
        free = np.zeros((10, 20), bool)
        free[:, :5] = True
        samples.add(np.full((10, 20, 3), 50, np.uint8), free, 0)
        np.testing.assert_array_equal(samples.count > 0, free)


class TestPaintUnseen:
    def test_known_pixels_stay_as_they_are(self, wall):
        hole = np.zeros(wall.shape[:2], bool)
        hole[60:100, 90:120] = True
        np.testing.assert_array_equal(paint_unseen(wall, hole)[~hole], wall[~hole])

    def test_stripes_are_continued_through_the_hole(self):
        stripes = np.repeat(np.tile(np.repeat([40, 200], 8), 10)[:, None], 120, 1).astype(np.uint8)
        stripes = np.repeat(stripes[..., None], 3, -1)
        hole = np.zeros(stripes.shape[:2], bool)
        hole[50:110, 50:75] = True
        error = np.abs(paint_unseen(stripes, hole).astype(int) - stripes)[hole]
        assert error.mean() < 20


class TestContinued:
    def test_a_constant_is_continued_everywhere(self):
        weight = np.zeros((20, 30))
        weight[3, 4] = 1
        np.testing.assert_allclose(extrapolate_field(np.full((20, 30, 2), 7.0), weight), 7.0, atol=1e-4)


class TestFill:
    @pytest.fixture()
    def background(self, wall):
        (canvas,) = plan_canvases(CameraPath.still(4), [(0, 0, WIDTH, HEIGHT)] * 4)
        seen = np.full((HEIGHT, WIDTH), 255, np.uint8)
        return Background(canvas, view(wall, 0, 0), seen, Grain())

    @pytest.fixture()
    def hole(self):
        hole = np.zeros((HEIGHT, WIDTH), bool)
        hole[30:70, 50:75] = True
        return hole

    def test_outside_the_hole_nothing_changes(self, wall, background, hole):
        source = view(wall, 0, 0)
        source[hole] = 0
        source[10:20, 10:20] = 255
        patch = fill_hole(source, hole, background, 0, front=np.zeros(hole.shape, np.uint8))
        x0, y0, x1, y1 = patch.box
        part = hole[y0:y1, x0:x1]
        np.testing.assert_array_equal(patch.pixels[~part], source[y0:y1, x0:x1][~part])

    def test_the_hole_shows_what_lies_behind_in_the_light_of_the_frame(self, wall, background, hole):
        truth = (view(wall, 0, 0) * 0.9).astype(np.uint8)
        source = truth.copy()
        source[34:66, 54:71] = 0
        patch = fill_hole(source, hole, background, 0, front=np.zeros(hole.shape, np.uint8))
        x0, y0, x1, y1 = patch.box
        assert np.abs(patch.pixels.astype(int) - truth[y0:y1, x0:x1]).mean() < 4
        assert patch.unseen == 0

    @pytest.mark.filterwarnings("error")
    def test_a_hole_as_large_as_the_picture_has_no_rim(self, wall, background):
        everywhere, nothing = np.ones((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), np.uint8)
        patch = fill_hole(np.zeros((HEIGHT, WIDTH, 3), np.uint8), everywhere, background, 0, front=nothing, feather=0.4)
        np.testing.assert_array_equal(patch.pixels, view(wall, 0, 0))

    def test_what_is_in_front_stays(self, wall, background, hole):
        source = view(wall, 0, 0)
        front = np.zeros(hole.shape, np.uint8)
        front[40:50, 55:65] = 255
        source[40:50, 55:65] = (255, 0, 0)
        patch = fill_hole(source, hole, background, 0, front=front)
        x0, y0, _, _ = patch.box
        assert (patch.pixels[40 - y0 : 50 - y0, 55 - x0 : 65 - x0] == (255, 0, 0)).all()


class TestGrain:
    def test_noise_is_given_back_as_strong_as_it_was(self):
        random, grain = np.random.default_rng(0), Grain()
        background = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
        for _ in range(4):
            noisy = background + random.normal(0, 5, (HEIGHT, WIDTH, 1))
            grain.measure(noisy, background, np.ones((HEIGHT, WIDTH), bool))
        noise = grain.sample_noise(background, 3, (0, 0, WIDTH, HEIGHT))
        # The calm quarter of the blocks is measured, which lies a little below the true 5.
        assert 4 < noise.std() < 5.5

    def test_black_ground_below_noise_has_none(self):
        background, grain = np.full((120, 240, 3), (190, 120, 90), np.uint8), Grain()
        noisy = (background + np.random.default_rng(0).normal(0, 3, background.shape)).astype(np.uint8)
        background[40:] = noisy[40:] = 0
        grain.measure(noisy, background, np.ones(background.shape[:2], bool))
        noise = grain.sample_noise(background, 3, (0, 0, 240, 120))
        assert not noise[40:].any() and noise[:40].any()

    def test_a_clean_source_gets_no_noise(self):
        background = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
        assert not Grain().sample_noise(background, 0, (0, 0, WIDTH, HEIGHT)).any()


class TestCuts:
    def test_a_hard_cut_is_found_and_a_fast_pan_or_a_change_of_light_is_none(self, wall):
        finder = CutFinder()
        pan = [view(wall, 12 * step, 0) for step in range(4)]
        assert not any(finder.add(picture) for picture in pan)
        assert not finder.add((pan[-1] * 0.8).astype(np.uint8))
        assert finder.add(np.full_like(pan[0], (20, 60, 200)))
        assert finder.cuts == [5]

    def test_a_shaken_zoom_that_changes_most_pixels_and_colors_is_none(self):
        import cv2

        blocks = np.random.default_rng(1).integers(0, 256, (18, 24, 3)).astype(np.uint8)
        wall, finder = cv2.resize(blocks, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST), CutFinder()
        turns = [cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 0, zoom) for zoom in (1.0, 0.9)]
        near, far = (cv2.warpAffine(wall, turn, (WIDTH, HEIGHT)) for turn in turns)
        assert not finder.add(near) and not finder.add(far // 2 + np.uint8([90, 0, 40]))

    def test_a_cut_below_letters_that_stay_is_one(self, wall):
        import cv2

        finder = CutFinder()
        other = np.random.default_rng(1).integers(0, 90, (HEIGHT // 8, WIDTH // 8, 3)).astype(np.uint8)
        for number, picture in enumerate((view(wall, 0, 0), cv2.resize(other, (WIDTH, HEIGHT)))):
            cv2.putText(picture, "LIVE 24", (8, 40), 0, 1.2, (255, 255, 255), 3)
            assert finder.add(picture) == (number == 1)

    @pytest.mark.parametrize("seed", [7, 17, 27, 40])
    def test_a_cut_is_one_where_three_corners_go_on_together(self, seed):
        """A square in the same place of two shots that show nothing else in common."""
        import cv2

        random, finder = np.random.default_rng(seed), CutFinder()
        for number in range(2):
            picture = np.full((90, 160, 3), 60, np.uint8)
            picture[:, 60:] = 30 if number == 0 else 220
            picture[41:49, 21 + 4 * number : 29 + 4 * number] = 230, 200, 40
            low, high = (0, 90) if number == 0 else (160, 255)
            blocks = random.integers(low, high, (5, 5, 3)).astype(np.uint8)
            picture[5:85, 70:155] = cv2.resize(blocks, (85, 80), interpolation=cv2.INTER_NEAREST)
            assert finder.add(picture) == (number == 1)

    def test_a_picture_of_one_color_has_no_edges_to_compare(self):
        one_color, other = np.full((18, 32, 3), 250, np.uint8), np.random.default_rng(0).integers(0, 200, (18, 32, 3))
        share = np.clip((np.arange(40) - 9) / 16, 0, 1)[:, None, None, None]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert find_cuts(Clip.from_array((one_color * (1 - share) + other * share).astype(np.uint8), 24)) == set()

    def test_a_camera_that_stands_still_has_a_section_for_each_side_of_a_cut(self):
        path = CameraPath.still(5, [3])
        assert path.section.tolist() == [0, 0, 0, 1, 1] and path.lost == (3,)


class TestMostlyUnseen:
    def sampled(self, hidden):
        canvas = plan_canvases(CameraPath.still(2), [(0, 0, WIDTH, HEIGHT)] * 2)[0]
        samples = BackgroundSamples(canvas)
        picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        for frame in range(2):
            samples.add(picture, ~hidden, frame)
        return Background.from_samples(canvas, samples, np.ones_like(hidden), Grain())

    def test_it_is_filled_softly_without_copies_of_the_texture(self):
        hidden = np.ones((HEIGHT, WIDTH), bool)
        hidden[:, :4] = False
        background = self.sampled(hidden)
        assert background.is_diffuse and background.picture[:, 20:].std() < 25

    def test_behind_somebody_who_stays_in_their_place_the_scene_around_them_is_continued(self):
        """Nothing of what is wanted was seen in any frame, but all around it."""
        (canvas,) = plan_canvases(CameraPath.still(2), [(0, 0, WIDTH, HEIGHT)] * 2)
        samples, hidden = BackgroundSamples(canvas), np.zeros((HEIGHT, WIDTH), bool)
        hidden[20:60, 30:70] = True
        rows = np.where(np.arange(HEIGHT) < 40, 200, 60)[:, None, None]
        for frame in range(2):
            samples.add(np.full((HEIGHT, WIDTH, 3), rows, np.uint8), ~hidden, frame)
        background = Background.from_samples(canvas, samples, hidden, Grain())
        inner = background.picture[20:60, 45:55, 0]
        assert not background.is_diffuse and inner[:16].min() > 180 and inner[-16:].max() < 80

    def test_where_more_was_seen_the_texture_is_continued(self):
        hidden = np.zeros((HEIGHT, WIDTH), bool)
        hidden[20:40, 20:40] = True
        background = self.sampled(hidden)
        assert not background.is_diffuse and background.picture[20:40, 20:40].std() > 25


def test_a_misaligned_background_does_not_become_grain():
    ramp = np.tile(np.linspace(60, 180, WIDTH), (HEIGHT, 1))
    stripes = ramp + 30 * np.sin(np.arange(HEIGHT) / 3)[:, None]
    background = np.repeat(stripes[..., None], 3, -1).astype(np.uint8)
    picture = np.roll(background, 2, 0)
    grain = Grain()
    grain.measure(picture, background, np.ones(background.shape[:2], bool))
    assert grain.sample_noise(background, 0, (0, 0, WIDTH, HEIGHT)).std() < 4


class TestCoarseBackground:
    @pytest.mark.parametrize("leaves", [False, True])
    def test_what_is_seen_while_the_body_is_elsewhere_is_no_part_of_it(self, leaves):
        """A body that stands in one place, with a limb that is away in 4 of 10 frames or stays."""
        (canvas,) = plan_canvases(CameraPath.still(10), [(0, 0, 100, 60)] * 10)
        scan = BackgroundScan(canvas, body_height=40.0)
        random = np.random.default_rng(0)
        for frame in range(10):
            silhouette = np.zeros((60, 100), bool)
            silhouette[10:50, 20:40] = True
            silhouette[30:50, 40:60] = not leaves or frame < 6
            patch, centers = np.zeros((60, 100), np.int32), np.full((BODY_PATCHES, 2), 30.0)
            picture = random.integers(0, 255, (60, 100, 3)).astype(np.uint8)
            scan.add(picture, silhouette, FittedBody(silhouette, patch, centers), frame)
        lingers = scan.estimate().body_lingers
        assert lingers[12:28, 22:38].all() and lingers[32:48, 46:58].all() != leaves

    @pytest.mark.parametrize("leaves", [False, True])
    def test_who_else_stands_there_in_most_frames_is_no_scene_if_any_frame_shows_the_place_without_them(self, leaves):
        (canvas,) = plan_canvases(CameraPath.still(10), [(0, 0, 100, 60)] * 10)
        scan, nobody = BackgroundScan(canvas, body_height=40.0), np.zeros((60, 100), bool)
        for frame in range(10):
            others, picture = nobody.copy(), np.full((60, 100, 3), 170, np.uint8)
            others[10:50, 20:40] = not leaves or frame < 7
            picture[others] = (0, 200, 180)
            scan.add(picture, nobody, None, frame, others)
        found = scan.estimate()
        np.testing.assert_array_equal(found.picture[30, 30], (170, 170, 170) if leaves else (0, 200, 180))
        assert found.known.all()

    @pytest.mark.parametrize("fenced", [False, True])
    def test_the_clothes_of_somebody_who_bends_their_knees_are_no_texture_of_the_scene(self, fenced):
        """A shirt over trousers, whose hem goes down for a third of the frames, and the same behind a fence."""
        count = 30
        (canvas,) = plan_canvases(CameraPath.still(count), [(0, 0, 100, 80)] * count)
        scan, random = BackgroundScan(canvas, body_height=60.0), np.random.default_rng(0)
        silhouette, patch = np.zeros((80, 100), bool), np.zeros((80, 100), np.int32)
        silhouette[10:70, 35:65] = True
        for frame in range(count):
            hem = 30 + round(9 * max(0.0, np.sin(frame * 0.9)) + random.normal(0, 1.5))
            picture = np.full((80, 100, 3), 170, np.uint8)
            picture[10:hem, 35:65], picture[hem:70, 35:65] = (200, 20, 60), (20, 20, 25)
            if fenced:
                picture[:] = np.where(np.arange(80) % 4 < 2, 60, 220)[:, None, None]
            centers = np.full((BODY_PATCHES, 2), (50.0, hem))
            scan.add(picture, silhouette, FittedBody(silhouette, patch, centers), frame)
        still = scan.estimate().still[15:65, 38:62]
        assert still.all() if fenced else not still.any()

    @pytest.mark.parametrize("sways", [False, True])
    def test_a_body_that_steps_aside_for_a_moment_is_no_texture_of_the_scene(self, sways):
        """Striped clothes that are elsewhere in three of thirty frames; or a body that sways behind a striped thing."""
        count = 30
        (canvas,) = plan_canvases(CameraPath.still(count), [(0, 0, 120, 80)] * count)
        scan, stripes = BackgroundScan(canvas, body_height=60.0), np.where(np.arange(80) % 4 < 2, 60, 220)
        for frame in range(count):
            shift = round(6 * np.sin(frame * 0.7)) if sways else 15 * (frame % 10 == 9)
            silhouette, patch = np.zeros((80, 120), bool), np.zeros((80, 120), np.int32)
            silhouette[10:70, 45 + shift : 75 + shift] = True
            picture = np.full((80, 120, 3), 170, np.uint8)
            striped = slice(30, 90) if sways else slice(45 + shift, 75 + shift)
            picture[10:70, striped] = stripes[10:70, None, None]
            centers = np.full((BODY_PATCHES, 2), (60.0 + shift, 40.0))
            scan.add(picture, silhouette, FittedBody(silhouette, patch, centers), frame)
        found = scan.estimate()
        still, sure = found.still[15:65, 53:67], found.surely_still[15:65, 53:67]
        assert still.all() and sure.all() if sways else not still.any()

    def test_what_surely_holds_still_is_no_part_of_a_person_of_its_color(self):
        picture, view = np.full((40, 40, 3), 200, np.uint8), (slice(10, 30), slice(10, 30))
        picture[view] = (180, 120, 60)
        person = np.zeros((40, 40), bool)
        person[view] = True
        model, everywhere = AppearanceModel(), np.ones((40, 40), bool)
        model.person.add(bins_of(picture)[person], np.zeros(person.sum(), int))
        model.scene.add(bins_of(picture)[~person])
        for sure in (~everywhere, person):
            scenery = CoarseBackground(picture, everywhere, person, sure, everywhere)
            found = model.find_person_in_background(scenery, 100.0)
            assert found[13:27, 13:27].all() != sure.any() and not found[:8].any()


def test_the_shortest_span_of_most_places_leaves_out_excursions_and_who_is_not_there():
    places = np.zeros((20, 3, 2), np.float32)
    places[[3, 9], 0] = 50  # two of twenty frames
    places[:, 1, 0] = np.arange(20)
    places[:15, 2], places[15:, 2, 1] = np.nan, [0, 1, 2, 3, 40]
    spans = measure_spans(places, 0.8)
    assert np.array_equal(spans, [[0, 0], [15, 0], [0, 3]])


class TestPainting:
    def test_it_asks_between_all_steps_of_the_search(self, wall):
        asked, hole = [], np.zeros((HEIGHT, WIDTH), bool)
        hole[30:60, 40:80] = True
        picture = np.where(hole[..., None], 0, view(wall, 20, 20)).astype(np.uint8)
        painted = paint_unseen(picture, hole, ask=lambda: asked.append(None))
        np.testing.assert_array_equal(painted, paint_unseen(picture, hole))
        assert len(asked) > 500

    def test_who_is_asked_may_stop_it(self, wall):
        class Pressed(Exception):
            pass

        def stop():
            raise Pressed

        scan = BackgroundScan(plan_canvases(CameraPath.still(3), [(0, 0, WIDTH, HEIGHT)] * 3)[0], 40.0)
        busy = np.zeros((HEIGHT, WIDTH), bool)
        busy[30:60, 40:80] = True
        for frame in range(3):
            scan.add(view(wall, 20, 20), busy, None, frame)
        with pytest.raises(Pressed):
            scan.estimate().paint(stop)


class TestVoidSamples:
    """A stabilized clip: its frames are black beside the picture, by the path of the camera."""

    def collect(self, paint):
        (canvas,) = plan_canvases(CameraPath.still(6), [(0, 0, WIDTH, HEIGHT)] * 6)
        samples, voids = BackgroundSamples(canvas), VoidSamples((HEIGHT, WIDTH))
        for frame in range(6):
            picture, free = paint(frame)
            rank, black = np.ones((HEIGHT, WIDTH), np.uint8), voids.find(picture)
            if black is not None:
                voids.black |= free & (black > 0)
                rank[black > 0] = 0
            samples.add(picture, free, frame, rank)
        voids.remove_from(samples)
        return samples

    def test_black_that_other_frames_show_to_be_no_picture_is_no_background(self, wall):
        def paint(frame):
            picture, free = view(wall, 0, 0), np.ones((HEIGHT, WIDTH), bool)
            if frame < 3:
                free[:, :40] = False  # the person
            else:
                picture[:30] = 0
            return picture, free

        samples = self.collect(paint)
        assert (samples.count[:30, 42:] > 0).all() and (samples.count[:30, :36] == 0).all()
        np.testing.assert_array_equal(samples.median()[:28, 46:], view(wall, 0, 0)[:28, 46:])

    def test_a_dark_corner_of_a_room_stays_what_it_is(self, wall):
        def paint(frame):
            picture, free = view(wall, 0, 0), np.ones((HEIGHT, WIDTH), bool)
            picture[:30] = frame % 2
            free[:, 20 * frame : 20 * frame + 20] = False
            return picture, free

        samples = self.collect(paint)
        assert (samples.count > 0).all() and samples.median()[:28].max() <= 2


class TestBriefPieces:
    """A body 200 pixels tall, and pieces that a frame shows in front of it."""

    def make(self, *pieces, left=0):
        person, moving = np.zeros((220, 100), np.uint8), np.zeros((220, 100), np.uint8)
        person[10:210, 30:70] = 255
        for y, x, side in pieces:
            moving[y : y + side, x - left : x - left + side] = 255
        person[moving > 0] = 0
        return FrameMasks(Box(left, 0, left + 100, 220), person, moving, np.zeros_like(moving))

    def test_a_speck_of_one_frame_is_the_person(self):
        cleaned = remove_brief_pieces(self.make((190, 40, 6)), [self.make(), self.make((20, 40, 6))], 200.0)
        assert not cleaned.moving.any() and (cleaned.person[190:196, 40:46] == 255).all()

    def test_a_ball_that_flies_by_and_a_large_thing_stay(self):
        for masks, beside in (
            (self.make((100, 40, 6)), self.make((70, 55, 6), left=20)),
            (self.make((100, 40, 20)), self.make()),
        ):
            assert remove_brief_pieces(masks, [beside], 200.0) is masks

    def test_a_clip_of_one_frame_keeps_what_it_shows(self):
        masks = self.make((190, 40, 6))
        assert remove_brief_pieces(masks, [], 200.0) is masks
