"""Fast ways of the separator's filters agree with the plain ones."""

import cv2
import numpy as np
import pytest

from mimo_core.scene.canvas import BackgroundCanvas
from mimo_core.scene.filters import LARGEST_DISC, dilate_mask, erode_mask
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
