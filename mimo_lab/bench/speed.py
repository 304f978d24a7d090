"""`mimo bench speed`: what a faster way to sample costs in quality, and saves in passes and FLOPs.

Every way draws the same shots from the same noise as the full schedule. The loss is measured on mimo-tiny, against the
truth and against the full schedule's pictures; FLOPs are those of the official size, counted on the meta device.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mimo_core.cli.terminal import print_lines
from mimo_core.denoise.autoencoder import LATENT_SCALE
from mimo_core.denoise.conditioning import FrameRange, prepare_clip_pictures
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.noise import draw_frame_noise
from mimo_core.denoise.options import find_default_checkpoint
from mimo_core.denoise.regions import ClipPlan, Context
from mimo_core.denoise.sampling import Conditions, make_scheduler, sample_latents
from mimo_core.denoise.speed import DeepPass, is_guided
from mimo_core.geometry.box import Box
from mimo_core.identity.encode import encode_identity
from mimo_core.motion.retarget import retarget_motion

from ..synthetic import Shot, make_character_picture, make_shot
from .measures import psnr
from .quality import CHARACTER_OFFSET, PICTURE_SIZE, make_true_scene
from .table import parse_seeds
from .tiny import TinyModel


SPEED_FRAMES = 8
FULL_CFG = 2.0  # above 1 both halves count


@dataclass(frozen=True)
class SamplingWay:
    """A way to sample: how many steps of which solver, where they are guided, and how often features are new."""

    sampler: str = "ddim"
    steps: int = 25
    interval: tuple[float, float] = (0.0, 1.0)
    every: int = 1
    depth: int = 0

    @property
    def name(self) -> str:
        words = [f"{self.sampler}, {self.steps} steps"]
        if self.interval != (0.0, 1.0):
            words.append("no guidance" if self.interval == (0.0, 0.0) else "guided {:g} to {:g}".format(*self.interval))
        if self.every > 1:
            words.append(f"deep features every {self.every} steps" + f", depth {self.depth}" * (self.depth > 0))
        return "; ".join(words)

    def list_passes(self) -> list[tuple[int, bool]]:
        """Halves of the guidance and whether deep features are used again, for each step."""
        timesteps = make_scheduler(self.sampler, self.steps).timesteps
        halves = [2 if is_guided(float(timestep), self.interval) else 1 for timestep in timesteps]
        kept, passes = 0, []
        for step, count in enumerate(halves):
            is_new = step % self.every == 0 or kept < count
            kept = max(kept, count)
            passes.append((count, not is_new))
        return passes


FULL = SamplingWay()
WAYS = (
    FULL,
    SamplingWay("ddim", 10),
    SamplingWay("ddim", 6),
    SamplingWay("dpm++", 10),
    SamplingWay("dpm++", 6),
    SamplingWay(interval=(0.2, 0.8)),
    SamplingWay(interval=(0.0, 0.0)),
    SamplingWay(every=2),
    SamplingWay(every=3),
    SamplingWay(every=3, depth=2),
    SamplingWay("dpm++", 10, interval=(0.2, 0.8)),
    SamplingWay("dpm++", 10, interval=(0.2, 0.8), every=2),
    SamplingWay("dpm++", 8, interval=(0.2, 0.8), every=2, depth=2),
)


@dataclass(frozen=True, eq=False)
class PreparedShot:
    """A shot that may be drawn in many ways."""

    seed: int
    truth: Shot
    conditions: Conditions


def add_speed_options(parser) -> None:
    parser.add_argument("--seeds", default="2000-2015", help="first and last seed, default 2000-2015")
    parser.add_argument("--size", type=int, default=128, help="pixels, default 128")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="a merged MIMO file; default: the built-in one")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="also write a contact sheet of the first shot")


def run_speed(arguments) -> int:
    """Print the table of all ways."""
    model = TinyModel.open(arguments.checkpoint or find_default_checkpoint())
    tally, pictures = defaultdict(list), []
    seeds = parse_seeds(arguments.seeds)
    for done, seed in enumerate(seeds, 1):
        shot = prepare_shot(model, seed, arguments.size)
        drawn = {way: draw_way(model, shot, way) for way in WAYS}
        for way, frames in drawn.items():
            tally[way].append(measure_way(shot.truth, frames, drawn[FULL]))
        pictures.append((shot.truth, drawn))
        print_lines(f"seed {seed} ({done}/{len(seeds)})")
        if arguments.sheet:
            write_speed_sheet(arguments.sheet, pictures[:4])
    print("\n".join(format_ways({way: np.nanmean(values, 0) for way, values in tally.items()})))
    return 0


@torch.no_grad()
def prepare_shot(model: TinyModel, seed: int, size: int) -> PreparedShot:
    """The shot of a seed with the character of seed + 500, as the networks read it."""
    character = seed + CHARACTER_OFFSET
    shot, truth = (make_shot(seed, size=size, frames=SPEED_FRAMES, character=who) for who in (None, character))
    identity = encode_identity(make_character_picture(character, size=PICTURE_SIZE).image)
    motion, scene = retarget_motion(shot.motion, identity), make_true_scene(shot)
    pictures = prepare_clip_pictures(identity, motion, scene, model.trained, FrameRange(size=size), official=None)
    pictures = replace(pictures, plan=ClipPlan((Context(0, 0, SPEED_FRAMES, Box(0, 0, size, size)),), size, size))
    reference, token = model.reference(identity)
    body_code, guider = pictures.cut_body_code(pictures.plan), model.networks.pose_guider
    conditions = Conditions(
        concat_latents=pictures.encode_concat(pictures.plan, model.autoencoder.encode) * LATENT_SCALE,
        token=token,
        reference=reference,
        pose=lambda rows: guider.encode_frames(body_code[rows]),
    )
    return PreparedShot(seed, truth, conditions)


def draw_way(model: TinyModel, shot: PreparedShot, way: SamplingWay) -> np.ndarray:
    """(F, S, S, 3) uint8 of a shot, drawn in a way."""
    side = shot.conditions.concat_latents.shape[-1]
    latents = sample_latents(
        model.networks.denoiser,
        draw_frame_noise(shot.seed, range(SPEED_FRAMES), side, side),
        shot.conditions,
        windows=[list(range(SPEED_FRAMES))],
        steps=way.steps,
        cfg=FULL_CFG,
        sampler=way.sampler,
        guidance_interval=way.interval,
        reuse_every=way.every,
        reuse_depth=way.depth,
    )
    return model.autoencoder.decode(latents / LATENT_SCALE)


def measure_way(truth: Shot, frames: np.ndarray, full: np.ndarray) -> tuple[float, float]:
    """PSNR of the visible person against the truth, and against the full schedule's pictures."""
    visible = truth.visible > 127
    shown = [frame for frame in range(len(frames)) if visible[frame].any()]
    against = [
        np.mean([psnr(frames[frame], wanted[frame], visible[frame]) for frame in shown])
        for wanted in (truth.frames, full)
    ]
    return tuple(float(value) for value in against)


@functools.cache
def count_pass_flops(halves: int, is_reused: bool, depth: int, frames: int = 24, side: int = 98) -> int:
    """FLOPs of a pass of the official size, 24 frames of 784 px."""
    from torch.utils.flop_counter import FlopCounterMode

    from .traffic import make_pass

    chunks = (1, 0)[-halves:]
    deep, run = DeepPass(depth, None), make_pass(MimoConfig(), frames, side)
    if is_reused:
        run(chunks, deep=deep)
        deep = DeepPass(depth, deep.made)
    with FlopCounterMode(display=False) as counter:
        run(chunks, deep=deep)
    return counter.get_total_flops()


def count_flops(way: SamplingWay) -> int:
    """FLOPs of a window's whole schedule at the official size."""
    return sum(count_pass_flops(halves, is_reused, way.depth) for halves, is_reused in way.list_passes())


def write_speed_sheet(path: Path, pictures: list[tuple[Shot, dict[SamplingWay, np.ndarray]]]) -> None:
    """The middle frame of a few shots: the truth, then every way, one row a shot."""
    from PIL import Image

    rows = []
    for truth, drawn in pictures:
        middle = len(truth.frames) // 2
        rows.append(np.concatenate([truth.frames[middle], *(frames[middle] for frames in drawn.values())], 1))
    Image.fromarray(np.concatenate(rows)).save(path)


def format_ways(measured: dict[SamplingWay, np.ndarray]) -> list[str]:
    """The table: person's PSNR, its loss, likeness to the full run, passes of one half, and FLOPs against the full."""
    full, lines = count_flops(FULL), []
    lines.append("| sampling | person PSNR | loss | against the full run | half passes | FLOPs | fewer by |")
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for way, (level, likeness) in measured.items():
        flops, passes = count_flops(way), sum(halves for halves, _ in way.list_passes())
        lines.append(
            f"| {way.name} | {level:.2f} dB | {measured[FULL][0] - level:+.2f} dB | {likeness:.1f} dB | {passes} | "
            f"{flops / 1e12:.0f} T | {full / flops:.1f}x |"
        )
    return lines
