"""`mimo bench colors`: the colours that are learned from scene templates, against hidden ones that are known.

A template is made of a synthetic shot of somebody dressed. Its body code is drawn as the release draws it, in a hidden
smooth map of colours, on a body that the free body's shape values cannot reach, whose motion trembles and is off.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from mimo_core.body.colors import LearnedColors
from mimo_core.body.model import BodyModel, free_body
from mimo_core.body.person import Person
from mimo_core.body_code.learn import learn_colors
from mimo_core.cli.terminal import print_lines
from mimo_core.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.render.styles import render_motion
from mimo_core.scene.scene import Scene
from mimo_core.scene.template import load_template, save_template

from ..synthetic import make_shot
from .table import BenchRow, parse_seeds, report_rows


MAPS = ("position", "turned position", "waves")
DARKEST, BRIGHTEST = 0.12, 1.0  # of full brightness
SHAPE_ERROR = 0.012  # metres, root mean square, by which the other body differs from every shape of the free body
TREMBLE, DRIFT = 0.015, 0.045  # radians by which joints are off: from frame to frame, and slowly
COLOR_TARGETS = {
    "mean difference, seen": 8.0,
    "95th percentile, seen": 16.0,
    "body code, same motion": 27.0,
}
UPPER_TARGETS = {"mean difference, seen", "95th percentile, seen", "mean difference, unseen"}


@dataclass(frozen=True, eq=False)
class HiddenTemplate:
    """What a template hides: the true colours (V, 3) in 0 to 1, the body that wears them, and its motion."""

    colors: Tensor
    body: BodyModel
    motion: Motion


def add_colors_options(parser) -> None:
    parser.add_argument("--seeds", default="0-5", help="first and last seed, default 0-5")
    parser.add_argument("--size", type=int, default=384, help="pixels of the square templates, default 384")
    parser.add_argument("--frames", type=int, default=100, help="of a template, default 100")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run_colors(arguments) -> int:
    seeds, tally = parse_seeds(arguments.seeds), defaultdict(list)
    for seed in seeds:
        with TemporaryDirectory() as folder:
            template = Path(folder, "template")
            hidden = make_template(template, seed, size=arguments.size, frames=arguments.frames)
            scene, body_code = load_template(template)
            learned = learn_colors(scene.source, body_code, name=f"seed {seed}")
        values = measure_colors(learned, hidden)
        for name, value in values.items():
            tally[name].append(value)
        print_lines(f"seed {seed} ({MAPS[seed % len(MAPS)]}): " + ", ".join(f"{k} {v:.2f}" for k, v in values.items()))
    rows = {
        name: BenchRow(
            float(np.mean(values)), COLOR_TARGETS.get(name), at_most=name in UPPER_TARGETS, unit="dB" * ("code" in name)
        )
        for name, values in tally.items()
    }
    return report_rows(rows, seeds, arguments.size, as_json=arguments.json)


def make_template(folder: Path, seed: int, *, size: int, frames: int, performance: str | None = None) -> HiddenTemplate:
    """Write the template of a seed and return what it hides."""
    shot = make_shot(seed, size=size, frames=frames, fps=30, occluders="none", performance=performance, samples=1)
    rng = np.random.default_rng(seed)
    body = _deform_body(free_body(), rng)
    motion = shot.motion.with_person(_disturb_pose(shot.motion.person, rng))
    colors = make_hidden_colors(MAPS[seed % len(MAPS)], rng)
    source, plate = Clip.from_array(shot.frames, 30), Clip.from_array(shot.plate, 30)
    nobody = Masks.constant(0, frames, size, size)
    scene = Scene(source, plate, nobody, nobody)
    hidden = HiddenTemplate(colors, body, motion)
    save_template(folder, scene, Clip.from_frames(draw_body_code(hidden, colors), 30))
    return hidden


def make_hidden_colors(kind: str, rng: np.random.Generator) -> Tensor:
    """A smooth map of colours (V, 3) over the free body at rest."""
    place = free_body().template.numpy().astype(np.float64)
    share = (place - place.min(0)) / (place.max(0) - place.min(0))
    if kind == "turned position":
        share = np.stack([share[:, 1], share[:, 2], 1 - share[:, 0]], 1)
    if kind == "waves":
        waves = rng.normal(0, 2.2, (3, 4, 3))  # radians a metre
        phase, height = rng.uniform(0, 2 * np.pi, (3, 1, 4)), rng.uniform(0.3, 1, (3, 1, 4))
        share = (height * np.sin(place @ waves.transpose(0, 2, 1) + phase)).sum(-1).T
        share = (share - share.min(0)) / (share.max(0) - share.min(0))
    return torch.from_numpy(DARKEST + (BRIGHTEST - DARKEST) * share).float()


def draw_body_code(hidden: HiddenTemplate, colors: Tensor):
    """Frames (H, W, 3) uint8 of the hidden body in colours (V, 3): flat, back faces culled, 4 samples a pixel."""
    learned = LearnedColors(colors, torch.ones(len(colors), dtype=torch.bool), "hidden", hidden.motion.frames)
    return (frame for frame, _ in render_motion(hidden.motion, body=hidden.body, colors=learned))


def measure_colors(learned: LearnedColors, hidden: HiddenTemplate) -> dict[str, float]:
    """Levels between the learned and the true colours, and decibels between body codes drawn in them."""
    difference = (learned.table - hidden.colors).abs().mean(1) * 255
    seen = learned.seen
    turned = replace(hidden, motion=_turn_round(hidden.motion))
    return {
        "mean difference, seen": float(difference[seen].mean()),
        "95th percentile, seen": float(difference[seen].quantile(0.95)),
        "mean difference, unseen": float(difference[~seen].mean()) if (~seen).any() else 0.0,
        "share seen": float(seen.float().mean()),
        "body code, same motion": _compare_codes(hidden, learned.table),
        "body code, seen from behind": _compare_codes(turned, learned.table),
    }


def _compare_codes(hidden: HiddenTemplate, table: Tensor) -> float:
    """PSNR inside the body of body codes in learned and in true colours."""
    errors = []
    for true, drawn in zip(draw_body_code(hidden, hidden.colors), draw_body_code(hidden, table), strict=True):
        inside = true.max(-1) > 0
        errors.append(np.square(true[inside].astype(np.float64) - drawn[inside]).mean() if inside.any() else np.nan)
    return float(10 * np.log10(255**2 / max(np.nanmean(errors), 1e-6)))


def _turn_round(motion: Motion) -> Motion:
    """Every tenth frame of a motion whose person stands with the other side to the camera."""
    motion = motion[slice(None, None, 10)]
    person, half = motion.person, torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    turned = axis_angle_from_matrix(half @ matrix_from_axis_angle(person.global_orient))
    return motion.with_person(replace(person, global_orient=turned))


def _deform_body(body: BodyModel, rng: np.random.Generator) -> BodyModel:
    """A body that differs smoothly, both sides alike, from every shape of the free body."""
    place = body.template.numpy().astype(np.float64)
    folded = np.abs(place) * [1, 0, 0] + place * [0, 1, 1]
    waves, phase = rng.normal(0, 6, (3, 6, 3)), rng.uniform(0, 2 * np.pi, (3, 1, 6))
    shift = np.sin(folded @ waves.transpose(0, 2, 1) + phase).sum(-1).T
    shift[:, 0] *= np.clip(place[:, 0] / 0.05, -1, 1)  # nothing moves across the plane of symmetry
    shift *= SHAPE_ERROR / np.sqrt(np.square(shift).sum(1).mean())
    return replace(body, template=body.template + torch.from_numpy(shift).float())


def _disturb_pose(person: Person, rng: np.random.Generator) -> Person:
    """The pose as an estimator that looks at every frame alone gives it."""
    import cv2

    count = person.frames
    slow = cv2.resize(rng.normal(0, DRIFT, (count // 12 + 3, 69)), (69, count), interpolation=cv2.INTER_CUBIC)
    return replace(
        person, body_pose=person.body_pose + torch.from_numpy(slow + rng.normal(0, TREMBLE, (count, 69))).float()
    )
