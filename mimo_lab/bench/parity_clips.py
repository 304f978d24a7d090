"""Indices, boxes and pictures of the official release around its networks: all compared exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mimo_core.denoise.paste import cut_network_input, name_edges, paste_back
from mimo_core.denoise.regions import (
    clean_mask,
    cut_region,
    expand_to_square,
    mask_body,
    measure_body_region,
    measure_clip_region,
    plan_clip,
    round_to_even,
)
from mimo_core.denoise.windows import plan_official_windows
from mimo_core.geometry.box import Box
from mimo_core.identity.prepare import (
    composite_on_white,
    crop_to_matte,
    make_clip_input,
    make_pose_input,
    make_vae_input,
    matte_box,
    pad_to_square,
    square_padding,
)
from mimo_core.scene.template_rules import (
    frame_camera,
    local_wrist,
    person_box,
    resample_indices,
    template_size,
    time_crop,
)


Comparison = tuple[str, float, float]  # case, error, tolerance


def windows(folder: Path) -> Iterator[Comparison]:
    for case in json.loads((folder / "context_windows.json").read_text())["cases"]:
        ours = plan_official_windows(
            case["num_frames"],
            size=case["context_size"],
            overlap=case["context_overlap"],
            stride=case["context_stride"],
            step=case["step"],
            closed_loop=case["closed_loop"],
        )
        loop = "loop" if case["closed_loop"] else "open"
        name = "/".join(str(case[key]) for key in ("num_frames", "context_size", "context_stride", "context_overlap"))
        yield f"windows.{name} step {case['step']} {loop}", _wrong(ours, case["windows"]), 0


def regions(folder: Path) -> Iterator[Comparison]:
    roi = json.loads((folder / "roi.json").read_text())
    yield from _count("roi.pad_img", roi["pad_img"], _padding_is_right)
    yield from _count("roi.crop_img_reference", roi["crop_img_reference"], _matte_box_is_right)
    yield from _count(
        "roi.bbox_div2",
        roi["bbox_div2"],
        lambda case: _x0x1y0y1(round_to_even(_region(case["in_x0x1y0y1"]))) == case["out"],
    )
    yield from _count("roi.bbox_pad", roi["bbox_pad"], _square_is_right)
    yield from _count("roi.sdc_mask_and_box", roi["sdc_mask_and_box"], _body_region_is_right)
    yield from _count("roi.sdc_gray_threshold", roi["sdc_gray_threshold"], _threshold_is_right)
    yield from _count("roi.fps_keep_indices", roi["fps_keep_indices"], _kept_frames_are_right)
    yield from _count("roi.edge_mask_choice", roi["edge_mask_choice"], _edge_is_right)
    clips = {}
    for case in roi["auto_context"]:
        if case["frames_rects"] == "same as overlay 4":
            case = case | {"frames_rects": clips[case["name"]]["frames_rects"]}
        clips[case["name"]] = case
        yield f"roi.auto_context.{case['name']}.{case['overlay']}", _wrong_plan(case), 0
    for case in roi["crop_human_whole_clip"]:
        region = measure_clip_region(_drawn(rects, *case["hw"]) for rects in clips[case["name"]]["frames_rects"])
        ours = [region.top, region.bottom, region.left, region.right]
        yield f"roi.crop_human_whole_clip.{case['name']}", _wrong(ours, case["result_y0y1x0x1"]), 0


def _padding_is_right(case: dict) -> bool:
    left, top, right, bottom = square_padding(*case["in_hw"])
    return [top, bottom, left, right] == case["top_bottom_left_right"]


def _matte_box_is_right(case: dict) -> bool:
    rectangle = case["alpha_nonzero_rect_y0y1x0x1"]
    if rectangle is None:
        return True  # an empty matte: refused here, and of no use there
    left, top, right, bottom = matte_box(_filled(rectangle, *case["hw"]))
    return [top, bottom, left, right] == case["result_y0y1x0x1"]


def _square_is_right(case: dict) -> bool:
    height, width = case["img_hw"]
    return _x0x1y0y1(expand_to_square(_region(case["in_x0x1y0y1"]), width, height)) == case["out"]


def _body_region_is_right(case: dict) -> bool:
    raw = mask_body(_drawn(case["rects"], *case["hw"]))
    clean = clean_mask(raw)
    return (
        int((raw > 0).sum()) == case["raw_count"]
        and int((clean > 0).sum()) == case["clean_count"]
        and _y0y1x0x1(measure_body_region(clean)) == case["box_y0y1x0x1_from_clean"]
        and _y0y1x0x1(measure_body_region(raw)) == case["box_y0y1x0x1_from_raw"]
    )


def _threshold_is_right(case: dict) -> bool:
    return bool(mask_body(np.array([[case["rgb"]]], np.uint8))[0, 0]) == case["foreground"]


def _kept_frames_are_right(case: dict) -> bool:
    return resample_indices(case["src_fps"], case["target_fps"], case["n_frames"]) == case["indices"]


def _edge_is_right(case: dict) -> bool:
    return name_edges(_region(case["box_x0x1y0y1"]), *case["img_wh"]) == case["name"]


def _wrong_plan(case: dict) -> int:
    frames = [_drawn(rects, *case["hw"]) for rects in case["frames_rects"]]
    plan = plan_clip(frames, behavior="official", overlap=case["overlay"])
    owner = {frame: context.region for context in plan.contexts for frame in range(context.start, context.stop)}
    return (
        _wrong([list(context.frames) for context in plan.contexts], case["contexts"])
        + _wrong([_x0x1y0y1(context.region) for context in plan.contexts], case["clip_boxes_x0x1y0y1"])
        + _wrong([_x0x1y0y1(owner[frame]) for frame in range(len(frames))], case["box_per_frame_x0x1y0y1"])
        + _wrong(
            [list(cut_region(frames[frame], region).shape[:2]) for frame, region in plan.network_frames],
            case["crop_hw_concat"],
        )
    )


def clean_mask_picture(folder: Path) -> Iterator[Comparison]:
    images = np.load(folder / "roi_images.npz", allow_pickle=False)
    yield "roi.clean_mask", _different(clean_mask(images["clean_mask_in"]), images["clean_mask_out"]), 0


def preparation(folder: Path) -> Iterator[Comparison]:
    prep = json.loads((folder / "roi.json").read_text())["prep"]
    images = np.load(folder / "roi_images.npz", allow_pickle=False)
    image, (height, width) = images["prep.image"], prep["target_hw"]
    yield (
        "prep.vae_like_m1_1",
        _different(make_vae_input(image, width, height).numpy(), images["prep.vae_like_m1_1"]),
        0,
    )
    yield "prep.pose_0_1", _different(make_pose_input(image, width, height).numpy(), images["prep.pose_0_1"]), 0
    sampled = make_clip_input(image)[..., ::8, ::8].numpy()
    yield "prep.clip_pixel_values_every8", _different(sampled, images["prep.clip_pixel_values_every8"]), 0


def driver_runs(folder: Path) -> Iterator[Comparison]:
    """Network inputs and final frames of whole clips with a pretended network output."""
    roi = json.loads((folder / "roi.json").read_text())
    images = np.load(folder / "roi_images.npz", allow_pickle=False)
    masks = dict(zip(roi["mask_names_in_order"], images["masks_u8"], strict=True))
    for name, case in roi["driver_runs"].items():
        clip = {key.split(".", 1)[1]: images[key] for key in images.files if key.startswith(f"{name}.")}
        reference, _ = crop_to_matte(composite_on_white(clip["ref_rgb"], clip["ref_alpha"]), clip["ref_alpha"])
        yield f"driver.{name}.net_ref_input", _different(pad_to_square(reference), clip["net_ref_input"]), 0
        if name.startswith("animate"):
            yield from _animate(name, clip)
        else:
            yield from _edit(name, case, clip, masks)


def _animate(name: str, clip: dict[str, NDArray]) -> Iterator[Comparison]:
    region = measure_clip_region(clip["sdc"])
    height, width = clip["sdc"].shape[1:3]
    white = np.full((width, height, 3), 255, np.uint8)  # the release confuses the two; all of it is white
    for key in (key for key in clip if key.startswith("net_pose_input_")):
        frame = int(key.rsplit("_", 1)[1])
        yield f"driver.{name}.{key}", _different(cut_network_input(clip["sdc"][frame], region, fill=0), clip[key]), 0
        background = clip[key.replace("pose", "bk")]
        yield (
            f"driver.{name}.net_bk_input_{frame}",
            _different(cut_network_input(white, region, fill=255), background),
            0,
        )


def _edit(name: str, case: dict, clip: dict[str, NDArray], masks: dict[str, NDArray]) -> Iterator[Comparison]:
    kept = time_crop(case["fps"], *case["time_crop"], len(clip["sdc"]), longest=case["max_frames"])
    body_code, source, background = (clip[layer][kept.start : kept.stop] for layer in ("sdc", "vid", "bk"))
    occluder = clip["occ"][kept.start : kept.stop, ..., 0] if "occ" in clip else None
    plan = plan_clip(body_code, behavior="official")
    yield f"driver.{name}.net_frames", abs(len(plan.network_frames) - case["net_frames"]), 0
    for layer, frames, fill in (("pose", body_code, 0), ("bk", background, 255)):
        squares = [cut_network_input(frames[frame], region, fill=fill) for frame, region in plan.network_frames]
        sizes = [list(square.shape[:2]) for square in squares]
        yield f"driver.{name}.net_{layer}_input_hw", _wrong(sizes, case[f"net_{layer}_input_hw"]), 0
        for index in case["stored_net_input_indices"]:
            key = f"net_{layer}_input_{index}"
            yield f"driver.{name}.{key}", _different(squares[index], clip[key]), 0
    result = list(
        paste_back(
            plan,
            clip["net_video_u8"],
            background,
            source=None if occluder is None else source,
            occluder=occluder,
            edge_masks=masks,
        )
    )
    yield f"driver.{name}.result", _different(np.stack(result), clip["result"]), 0


def decomposition(folder: Path) -> Iterator[Comparison]:
    """Camera and wrist in float64 against rounded samples; boxes and sizes exactly."""
    decomp = json.loads((folder / "decomp.json").read_text())
    for index, case in enumerate(decomp["camera"]):
        focal, translation = frame_camera(case["pred_cam"], case["box_center"], case["box_size"], *case["img_wh"])
        official = np.array([case["focal"], *case["cam_t"]])
        yield f"decomp.camera.{index} (relative)", _relative(np.array([focal, *translation]), official), 2e-6
    for case in decomp["wrist_fusion"]:
        orient, pose, hand = (np.array(case[key]) for key in ("global_orient", "body_pose", "hand_global"))
        wrist = local_wrist(orient, pose, hand, side=case["side"])
        yield f"decomp.wrist_fusion.{case['side']}", float(np.abs(wrist - np.array(case["wrist_local"])).max()), 2e-6
    yield from _count("decomp.mask_box", decomp["mask_box"], _person_box_is_right)
    yield from _count("decomp.resize_720", decomp["resize_720"], _size_is_right)


def _person_box_is_right(case: dict) -> bool:
    region = person_box(_filled(case["rect"], *case["hw"]))
    return [region.left, region.top, region.right, region.bottom] == case["xyxy"]


def _size_is_right(case: dict) -> bool:
    height, width = case["in_hw"]
    return list(template_size(width, height)) == case["out_hw"][::-1]


def _count(name: str, cases: list[dict], is_right) -> Iterator[Comparison]:
    yield f"{name} ({len(cases)} cases)", sum(not is_right(case) for case in cases), 0


def _drawn(rectangles: list, height: int, width: int) -> NDArray:
    """Rectangles [y0, y1, x0, x1, r, g, b], ends exclusive, on black."""
    frame = np.zeros((height, width, 3), np.uint8)
    for top, bottom, left, right, *color in rectangles or ():
        frame[top:bottom, left:right] = color
    return frame


def _filled(rectangle: list[int], height: int, width: int) -> NDArray:
    top, bottom, left, right = rectangle
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def _region(x0x1y0y1: list[int]) -> Box:
    left, right, top, bottom = x0x1y0y1
    return Box(left, top, right, bottom)


def _x0x1y0y1(region: Box) -> list[int]:
    return [region.left, region.right, region.top, region.bottom]


def _y0y1x0x1(region: Box) -> list[int]:
    return [region.top, region.bottom, region.left, region.right]


def _wrong(ours: list, official: list) -> int:
    return sum(a != b for a, b in zip(ours, official, strict=False)) + abs(len(ours) - len(official))


def _different(ours: NDArray, official: NDArray) -> float:
    return float((ours != official).sum()) if ours.shape == official.shape else float("inf")


def _relative(ours: NDArray, official: NDArray) -> float:
    return float(np.abs(ours - official).max() / np.abs(official).max())
