"""Fast ways of the separator's filters agree with the plain ones."""

import cv2
import numpy as np
import pytest

from mimo_core.scene import filters
from mimo_core.scene.canvas import BackgroundCanvas
from mimo_core.scene.fields import extrapolate_field
from mimo_core.scene.filters import LARGEST_DISC, dilate_mask, erode_mask, take_pixels
from mimo_core.scene.fitted_body import BODY_PATCHES, BodyStore, FittedBody
from mimo_core.scene.pixel_samples import PIXEL_SAMPLES, BackgroundSamples


def scatter(share: float, seed: int, shape=(70, 90)) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("pixels", [0.4, 1, 2.76, 6.9, 11.5, LARGEST_DISC - 0.1, LARGEST_DISC, 34.5])
def test_a_mask_dilated_by_a_disc_holds_what_lies_so_near(share, pixels):
    mask = scatter(share, 3)
    mask[40, 50] = True
    near = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= pixels
    assert np.array_equal(dilate_mask(mask, pixels), near)
    assert np.array_equal(erode_mask(~mask, pixels), ~near)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1)])
def test_a_mask_smaller_than_the_disc_is_dilated(shape):
    mask = np.zeros(shape, bool)
    mask[0, 0] = True
    assert dilate_mask(mask, 6.5).sum() == min(7, mask.size)


def test_the_middle_color_of_a_pixel_is_that_of_its_samples_in_order():
    canvas = BackgroundCanvas(0, 30, 0, 30, (20, 15), {}, is_shift=True)
    samples, random = BackgroundSamples(canvas), np.random.default_rng(5)
    for frame in range(30):
        samples.add(random.integers(0, 256, (15, 20, 3), np.uint8), scatter(0.3, frame, (15, 20)), frame)
    middle = samples.median()
    kept = np.minimum(samples.count, PIXEL_SAMPLES)
    assert set(np.unique(kept)) >= {3, 8, PIXEL_SAMPLES}
    for row, column in np.ndindex(15, 20):
        known = np.sort(samples.samples[: kept[row, column], row, column].astype(int), axis=0)
        wanted = (known[(len(known) - 1) // 2] + known[len(known) // 2] + 1) // 2 if len(known) else np.zeros(3)
        assert middle[row, column].tolist() == wanted.tolist()


def test_samples_of_a_higher_rank_take_the_place_of_those_of_a_lower_one():
    samples = BackgroundSamples(BackgroundCanvas(0, 9, 0, 9, (3, 1), {}, is_shift=True))
    ranks = [[1, 0, 2], [1, 0, 1], [2, 0, 1], [0, 0, 2]]
    for frame, rank in enumerate(ranks):
        picture = np.full((1, 3, 3), 10 * (frame + 1), np.uint8)
        samples.add(picture, np.array([[True, frame != 1, True]]), frame, np.array([rank], np.uint8))
    assert samples.count.tolist() == [[1, 3, 2]]
    assert samples.median()[0, :, 0].tolist() == [30, 30, 25]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 9), (33, 47)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_field_is_continued_channel_by_channel_at_any_size(shape, channels):
    field, weight = np.random.default_rng(2).normal(size=(*shape, channels)).astype(np.float32), scatter(0.5, 1, shape)
    for smooth in (0, 2):
        together = extrapolate_field(field, weight, smooth=smooth)
        alone = [
            extrapolate_field(field[..., number : number + 1], weight, smooth=smooth) for number in range(channels)
        ]
        np.testing.assert_allclose(together, np.concatenate(alone, 2), atol=1e-5)


def test_pixels_at_places_are_those_of_the_picture_whatever_its_layout():
    picture = np.random.default_rng(3).integers(0, 256, (9, 14, 3)).astype(np.uint8)
    places = np.array([0, 5, 26, 26])
    for view in (picture[:, ::2], picture[::2], picture[..., ::-1], picture[:, :7].astype(np.float32)):
        np.testing.assert_array_equal(take_pixels(view, places), view.reshape(-1, 3)[places])
    assert take_pixels(picture, places[:0]).shape == (0, 3)


def test_stored_bodies_are_those_that_were_drawn():
    random = np.random.default_rng(1)
    patch = random.integers(0, 3 * BODY_PATCHES, (30, 40)).astype(np.int32)
    centers = np.where(random.random((3 * BODY_PATCHES, 1)) < 0.3, np.nan, random.normal(size=(3 * BODY_PATCHES, 2)))
    bodies = [None, FittedBody(scatter(0.4, 2, (30, 40)), patch, centers.astype(np.float32)), None]
    store = BodyStore()
    for body in bodies:
        store.append(body)
    before, found, after = store.read(0, 3)
    assert before is after is None
    for layer in ("silhouette", "patch", "centers"):
        drawn, read = getattr(bodies[1], layer), getattr(found, layer)
        assert np.array_equal(drawn, read, equal_nan=layer == "centers")
        assert drawn.dtype == read.dtype


def test_a_wide_average_at_a_small_size_is_that_of_all_pixels(monkeypatch):
    picture = np.random.default_rng(5).normal(np.linspace(20, 230, 250)[:, None], 30, (180, 250, 3)).astype(np.float32)
    counted = np.ones((180, 250), bool)
    counted[40:120, 90:160] = False
    small = filters.average_colors(picture, counted, 60.0)
    monkeypatch.setattr(filters, "WIDE_SIGMA", 1000.0)
    whole = filters.average_colors(picture, counted, 60.0)
    assert whole.std() > 20 and np.abs(small - whole).max() < 3


@pytest.mark.parametrize(("across", "along"), [(18, 11), (20, 7), (60, 24)])
def test_a_wide_blur_is_that_of_all_pixels_in_both_directions(across, along):
    """As at the soles of a character who is 600 pixels tall."""
    soles = np.zeros((333, 505), np.float32)
    soles[160:171, 150:210], soles[140:151, 280:330] = 1, 0.7
    expected = cv2.GaussianBlur(soles, (0, 0), sigmaX=across, sigmaY=along)
    assert abs(filters.blur_widely(soles, across, along) - expected).max() < 0.008 * expected.max()
