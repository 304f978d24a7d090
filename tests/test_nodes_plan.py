"""The Compositor with a plan: the official edge masks through the node, exact on official samples; ours without."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


SAMPLES = Path(__file__).parent / "data" / "parity"
WIDTH, HEIGHT, MARGIN = 48, 40, 8


@pytest.fixture(scope="module")
def part(pack):
    """A module of the library by its dotted name."""
    return lambda name: importlib.import_module(f"{pack.__name__}.mimo_core.{name}")


@pytest.fixture(scope="module")
def samples():
    """Official edge masks by name, and the arrays of whole clips."""
    images = np.load(SAMPLES / "roi_images.npz", allow_pickle=False)
    names = json.loads((SAMPLES / "roi.json").read_text())["mask_names_in_order"]
    return dict(zip(names, images["masks_u8"], strict=True)), images


NAMES = json.loads((SAMPLES / "roi.json").read_text())["mask_names_in_order"]


@pytest.fixture
def mask_files(samples, tmp_path, pack):
    """The official masks where users put them."""
    import folder_paths

    (tmp_path / "mimo" / "masks").mkdir(parents=True)
    for name, mask in samples[0].items():
        Image.fromarray(mask).save(tmp_path / "mimo" / "masks" / f"alpha2_{name}.png")
    folder_paths.add_model_folder_path("mimo", str(tmp_path / "mimo"))
    yield
    folder_paths.folder_names_and_paths["mimo"][0].remove(str(tmp_path / "mimo"))


@pytest.fixture
def composed(node_classes, folders):
    """IMAGE of the node as uint8 (F, H, W, 3)."""

    def run(scene, squares, plan, behavior, mask=None):
        options = {"color_match": "none", "feather": 4, "shadow": 0.5, "behavior": behavior, "mask": mask}
        images = torch.from_numpy(squares).float() / 255
        made = node_classes["MIMO_Composite"].execute(scene=scene, images=images, plan=plan, **options).args[1]
        return (made * 255).round().to(torch.uint8).numpy()

    return run


def layers(part, source, plate, occluder=None):
    clip, masks = part("media.clip").Clip, part("media.clip").Masks
    nobody = masks.constant(0, len(source), *source.shape[1:3])
    front = nobody if occluder is None else masks.from_array(occluder)
    return part("scene.scene").Scene(clip.from_array(source), clip.from_array(plate), nobody, front)


@pytest.mark.parametrize("name", ["edit_occ", "edit_noocc_timecrop"])
def test_whole_clips_are_exactly_the_officials(part, samples, mask_files, composed, name):
    clip = {key.split(".", 1)[1]: samples[1][key] for key in samples[1].files if key.startswith(f"{name}.")}
    case = json.loads((SAMPLES / "roi.json").read_text())["driver_runs"][name]
    kept = part("scene.template_rules").time_crop(case["fps"], *case["time_crop"], len(clip["sdc"]))
    body_code, source, plate = (clip[layer][kept.start : kept.stop] for layer in ("sdc", "vid", "bk"))
    occluder = clip["occ"][kept.start : kept.stop, ..., 0] if "occ" in clip else None
    plan = part("denoise.regions").plan_clip(body_code, behavior="official")
    scene = layers(part, source, plate, occluder)
    np.testing.assert_array_equal(composed(scene, clip["net_video_u8"], plan, "official"), clip["result"])


def plan_of(part, name):
    """A region that touches the borders of the frame that a mask is named after."""
    regions, touched = part("denoise.regions"), name.split("_")
    region = regions.Box(
        0 if "left" in touched else MARGIN,
        0 if "up" in touched else MARGIN,
        WIDTH - (0 if "right" in touched else MARGIN),
        HEIGHT - (0 if "down" in touched else MARGIN),
    )
    return regions.ClipPlan((regions.Context(0, 0, 1, region),), WIDTH, HEIGHT, "official"), region


@pytest.mark.parametrize("name", NAMES)
def test_each_of_the_16_masks_is_taken_where_its_borders_are_touched(part, samples, mask_files, composed, name):
    import cv2

    plan, region = plan_of(part, name)
    black, white = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), np.full((1, 16, 16, 3), 255, np.uint8)
    made = composed(layers(part, black, black), white, plan, "official")[0, ..., 0]
    size = (region.width, region.height)
    wanted = cv2.resize(samples[0][name].astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[region.top : region.bottom, region.left : region.right] = 255 * wanted
    np.testing.assert_array_equal(made, expected)


def test_without_the_files_official_names_the_missing_one_and_fixed_makes_its_own(part, composed):
    plan, _ = plan_of(part, "left_up")
    black, white = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), np.full((1, 16, 16, 3), 255, np.uint8)
    with pytest.raises(ValueError, match=r"alpha2_up_down_left_right\.png is not in models/mimo/masks"):
        composed(layers(part, black, black), white, plan, "official")
    made = composed(layers(part, black, black), white, plan, "fixed")[0, ..., 0]
    assert made[0, 0] == 255 and made[-1, -1] == 0
    row = made[0, : WIDTH - MARGIN].astype(int)
    assert (np.diff(row) <= 0).all() and row[0] == 255 and row[-1] < 128


def test_a_mask_keeps_the_squares_to_the_character_and_the_rest_is_the_plate(part, composed):
    plan, region = plan_of(part, "inner")
    black, white = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), np.full((1, 16, 16, 3), 255, np.uint8)
    mask = torch.zeros(1, HEIGHT, WIDTH)
    middle = slice(HEIGHT // 2 - 4, HEIGHT // 2 + 4), slice(WIDTH // 2 - 4, WIDTH // 2 + 4)
    mask[(0, *middle)] = 1
    made = composed(layers(part, black, black), white, plan, "fixed", mask)[0, ..., 0]
    assert made[middle].min() > 250
    assert np.count_nonzero(made) < 2 * mask.sum() < region.width * region.height


@pytest.mark.parametrize(
    ("frames", "height", "message"),
    [
        (1, HEIGHT // 2, "The mask is .* but the scene is"),
        (2, HEIGHT, "There are 2 masks but the plan goes to frame 3"),
    ],
)
def test_a_mask_that_does_not_fit_the_plan_is_refused(part, composed, frames, height, message):
    regions = part("denoise.regions")
    context = regions.Context(0, 0, 3, regions.Box(0, 0, WIDTH, HEIGHT))
    plan = regions.ClipPlan((context,), WIDTH, HEIGHT)
    black, squares = np.zeros((3, HEIGHT, WIDTH, 3), np.uint8), np.zeros((3, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match=message):
        composed(layers(part, black, black), squares, plan, "fixed", torch.ones(frames, height, WIDTH))
