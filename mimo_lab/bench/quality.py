"""`mimo bench quality`: every stage against the exact truth of synthetic shots.

All values are means over frames, over all shots. Seeds 0 to 999 are for tuning, 1000 to 1019 for reporting.
"""

from __future__ import annotations

import time
from collections import defaultdict
from fractions import Fraction

import numpy as np

from mimo_core.cli.terminal import print_lines
from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks
from mimo_core.scene.scene import Scene

from ..synthetic import Shot, make_character_picture, make_shot
from .measures import dilate, iou, psnr, ssim
from .table import BenchRow, parse_seeds, report_rows


QUALITY_STAGES = ("separator", "pose", "proxy", "end")
CHARACTER_OFFSET = 500  # the clip of seed s drives the character of seed s + CHARACTER
PICTURE_SIZE = 512  # pixels of the character's picture
COMPARED_MARGIN = 4  # pixels around the person that count in the comparison of pictures
QUALITY_TARGETS = {
    "person IoU": 0.93,
    "moving occluder IoU": 0.80,
    "fixed occluder IoU": 0.70,
    "plate PSNR": 28.0,
    "plates without a ghost": 0.98,
    "PSNR": 16.0,
    "SSIM": 0.55,
    "silhouette IoU": 0.85,
    "PSNR above plate only": 2.0,
    "PSNR above mean colour": 2.0,
    "PSNR above source": 2.0,
}


def add_quality_options(parser) -> None:
    parser.add_argument("--seeds", default="1000-1019", help="first and last seed, default 1000-1019")
    parser.add_argument("--size", type=int, default=256, help="pixels of the square shots, default 256")
    parser.add_argument("--frames", type=int, default=24, help="frames of a shot, at 12 a second, default 24")
    parser.add_argument(
        "--only", choices=QUALITY_STAGES, action="append", help="measure this stage; may be given twice"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run_quality(arguments) -> int:
    seeds = parse_seeds(arguments.seeds)
    stages = arguments.only or QUALITY_STAGES
    rows = {}
    if "pose" in stages:
        from .pose import measure_pose as pose_rows

        rows |= pose_rows(seeds)
    if set(stages) - {"pose"}:
        rows |= measure_quality(seeds, size=arguments.size, frames=arguments.frames, stages=stages)
    return report_rows(rows, seeds, arguments.size, as_json=arguments.json)


def measure_quality(seeds, *, size: int, frames: int, stages) -> dict[str, BenchRow]:
    """The rows of the separator, the proxy on true motion and true layers, and the whole job."""
    tally = defaultdict(list)
    for done, seed in enumerate(seeds, 1):
        start, before = time.monotonic(), {name: len(values) for name, values in tally.items()}
        shot = make_shot(seed, size=size, frames=frames)
        if {"proxy", "end"} & set(stages):
            wanted = make_shot(seed, size=size, frames=frames, character=seed + CHARACTER_OFFSET)
            picture = make_character_picture(seed + CHARACTER_OFFSET, size=PICTURE_SIZE).image
        scene = None
        if "proxy" in stages:
            _compare_pictures(tally, "proxy ", shot, wanted, *_draw_proxy_on_truth(shot, wanted, picture))
        if "end" in stages:
            scene, drawn, masks = _run_whole_job(shot, picture)
            _compare_pictures(tally, "end ", shot, wanted, scene, drawn, masks)
        if "separator" in stages:
            _compare_layers(tally, shot, scene or _separate_shot(shot))
        print_lines(f"seed {seed}, {shot.kind}, {shot.camera} camera, {shot.occluders} in front: "
            f"{_describe_latest(tally, before)} ({time.monotonic() - start:.0f} s, {done}/{len(seeds)})")  # fmt: skip
    return _summarize(tally)


def make_true_clip(shot: Shot) -> Clip:
    """A shot's frames as a clip."""
    return Clip.from_array(shot.frames, Fraction(shot.fps).limit_denominator(1000))


def make_true_scene(shot: Shot) -> Scene:
    """A shot's true layers."""
    source = make_true_clip(shot)
    plate = Clip.from_array(shot.plate, source.fps)
    return Scene(source, plate, Masks.from_array(shot.visible), Masks.from_array(shot.occluder))


def _separate_shot(shot: Shot) -> Scene:
    from mimo_core.pose.estimate import estimate_motion
    from mimo_core.scene.separate import separate_scene

    clip = make_true_clip(shot)
    found = estimate_motion(clip)
    return separate_scene(clip, motion=found.motion, coarse=found.masks)


def _draw_proxy_on_truth(shot: Shot, wanted: Shot, picture: np.ndarray):
    """The decoder alone: true motion and layers. Scene, frames and masks."""
    from mimo_core.replace import animate_character

    scene = make_true_scene(shot)
    job = animate_character(picture, shot.motion, scene, color_match="mean")
    frames, masks = (np.stack(layer) for layer in zip(*job.drawn, strict=True))
    return scene, frames, masks


def _run_whole_job(shot: Shot, picture: np.ndarray):
    """Scene, frames and masks of the main job. Where it finds nobody, it leaves the source as it is."""
    from mimo_core.replace import replace_character

    clip = make_true_clip(shot)
    try:
        job = replace_character(clip, picture)
    except InputError as error:
        print_lines(f"seed {shot.seed}: {error}")
        nothing = Masks.constant(0, len(clip), clip.height, clip.width)
        return Scene(clip, clip, nothing, nothing), shot.frames, np.zeros_like(shot.person)
    frames, masks = (np.stack(layer) for layer in zip(*job.drawn, strict=True))
    return job.scene, frames, masks


def _compare_layers(tally, shot: Shot, scene: Scene) -> None:
    """Person, occluder and plate of one shot against the truth."""
    from mimo_core.pose.blazepose import find_people

    layers = zip(scene.plate, scene.person, scene.occluder, strict=True)
    shown = mark_shown_elsewhere(shot)
    for frame, (plate, person, occluder) in enumerate(layers):
        body, visible = shot.person[frame] > 127, shot.visible[frame] > 127
        tally["person IoU"].append(iou(person > 127, visible))
        hidden = 1 - shot.visible[frame].sum() / max(shot.person[frame].sum(), 1)
        if hidden >= 0.01:
            rows = np.flatnonzero(body.any(1))
            near = dilate(body, 0.04 * (np.ptp(rows) + 1 if len(rows) else 0))
            overlap = iou((occluder > 127) & near, (shot.occluder[frame] > 127) & near)
            tally[f"{shot.occluders} occluder IoU"].append(overlap)
        tally["plate PSNR"].append(psnr(plate, shot.plate[frame], visible))
        tally["plate PSNR where seen"].append(psnr(plate, shot.plate[frame], visible & shown[frame]))
        tally["plates without a ghost"].append(not find_people(plate))
        tally["plates without a ghost, baseline"].append(not find_people(shot.plate[frame]))


def mark_shown_elsewhere(shot: Shot) -> np.ndarray:
    """Where some other frame shows what is behind the person: (F, H, W) bool. The camera only turns."""
    import cv2

    camera = shot.motion.camera
    width, height = camera.size
    lens = np.array([[camera.focal, 0, camera.center[0] - 0.5], [0, camera.focal, camera.center[1] - 0.5], [0, 0, 1]])
    turns = camera.extrinsics()[:, :3, :3].double().numpy()
    free = ((shot.person == 0) & (shot.occluder == 0)).astype(np.uint8)
    shown = np.zeros(free.shape, bool)
    for frame, turn in enumerate(turns):
        for other in np.flatnonzero(np.arange(len(turns)) != frame):
            matrix = lens @ turn @ turns[other].T @ np.linalg.inv(lens)
            shown[frame] |= cv2.warpPerspective(free[other], matrix, (width, height), flags=cv2.INTER_NEAREST) > 0
    return shown


def _compare_pictures(
    tally, stage: str, shot: Shot, wanted: Shot, scene: Scene, drawn: np.ndarray, masks: np.ndarray
) -> None:
    """Drawn frames and silhouettes of one shot against the shot rendered with the wanted character.

    The silhouette is what is seen of the decoder's mask: less what the scene has in front.
    """
    seen = wanted.visible > 127
    mean = wanted.frames[seen].mean(0) if seen.any() else np.zeros(3)
    share = wanted.visible[..., None] / 255
    filled = np.rint(wanted.plate * (1 - share) + mean * share).astype(np.uint8)
    rivals = {"plate only": scene.plate, "mean colour": filled, "source": shot.frames}
    for frame, (picture, truth) in enumerate(zip(drawn, wanted.frames, strict=True)):
        if not seen[frame].any():
            continue
        near = dilate(seen[frame], COMPARED_MARGIN)
        level = psnr(picture, truth, near)
        tally[f"{stage}PSNR"].append(level)
        tally[f"{stage}SSIM"].append(ssim(picture, truth, near))
        drawn_and_seen = (masks[frame] > 127) & (scene.occluder[frame] < 128)
        tally[f"{stage}silhouette IoU"].append(iou(drawn_and_seen, seen[frame]))
        for name, rival in rivals.items():
            other = psnr(rival[frame], truth, near)
            tally[f"{stage}PSNR above {name}"].append(level - other)
            tally[f"{stage}PSNR above {name}, baseline"].append(other)


def _summarize(tally) -> dict[str, BenchRow]:
    rows = {}
    for name, values in tally.items():
        if name.endswith(", baseline"):
            continue
        plain = name.removeprefix("end ").removeprefix("proxy ")
        target = None if name.startswith("proxy ") else QUALITY_TARGETS.get(plain)
        rows[name] = BenchRow(
            _mean(values), target, _mean(tally.get(f"{name}, baseline")), unit="dB" * ("PSNR" in name)
        )
    return rows


def _mean(values) -> float | None:
    return None if not values else float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def _describe_latest(tally, before: dict[str, int]) -> str:
    """The means of what the last shot added, in a few words."""
    added = {name: values[before.get(name, 0) :] for name, values in tally.items()}
    shown = [name for name, values in added.items() if values and " above " not in name and "baseline" not in name]
    return ", ".join(f"{name} {_mean(added[name]):.2f}" for name in shown)
