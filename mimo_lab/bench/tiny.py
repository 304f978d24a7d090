"""`mimo bench tiny`: the denoiser's own pictures, before compositing, against the exact truth of synthetic shots.

Every shot puts a character whom no training has seen into an unseen motion and scene. The network gets the true motion
and the true layers, and of the character one picture, to which our own estimator fits the body.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mimo_core.cli.terminal import print_lines
from mimo_core.denoise.autoencoder import LATENT_SCALE, Autoencoder
from mimo_core.denoise.checkpoints import Networks, TrainingSettings, build_networks, open_checkpoint
from mimo_core.denoise.conditioning import (
    ClipPictures,
    FrameRange,
    encode_identity_views,
    encode_references,
    prepare_clip_pictures,
    require_token,
)
from mimo_core.denoise.detail import BODY_CODE, DETAIL_LAYERS, DetailNetwork, build_detail_network, restore_detail
from mimo_core.denoise.image_encoder import build_image_encoder, embed_picture
from mimo_core.denoise.noise import draw_frame_noise
from mimo_core.denoise.options import find_default_checkpoint
from mimo_core.denoise.reference import ReferenceKeys
from mimo_core.denoise.regions import ClipPlan, Context
from mimo_core.denoise.sampling import Conditions, sample_latents
from mimo_core.geometry.box import Box
from mimo_core.identity.encode import encode_identity
from mimo_core.motion.retarget import retarget_motion

from ..synthetic import Shot, make_character_picture, make_shot
from .measures import dilate, iou, psnr, ssim
from .quality import CHARACTER_OFFSET, PICTURE_SIZE, make_true_scene
from .table import BenchRow, parse_seeds, report_rows
from .tiny_measures import (
    RIVALS,
    find_most_alike,
    mark_difference,
    measure_part_colors,
    measure_sharpness,
    measure_warping_error,
)


TINY_FRAMES = 16
SCENE_MARGIN = 4  # pixels around the person that do not count as scene
TRAINING_CHARACTERS = range(4_100_012, 4_100_132)  # some of the characters that the built-in model was trained on
TINY_TARGETS = {
    "person PSNR": 18.5,
    "person SSIM": 0.70,
    "person PSNR above mean colour": 1.5,
    "person PSNR above proxy": 0.0,
    "silhouette IoU": 0.60,
    "silhouette IoU, poses shuffled": 0.45,
    "right character among 10": 31 / 32,
    "scene PSNR": 24.0,
    "scene PSNR below reconstruction": 2.0,
    "warping error against frames alone": 0.45,
    "sharpness against truth": 0.65,
}
UPPER_TARGETS = {
    "silhouette IoU, poses shuffled",
    "scene PSNR below reconstruction",
    "warping error against frames alone",
}


def add_tiny_options(parser) -> None:
    parser.add_argument("--seeds", default="2000-2031", help="first and last seed, default 2000-2031")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="a merged MIMO file; default: the built-in one")
    parser.add_argument("--steps", type=int, default=0, help="0 = as trained")
    parser.add_argument("--cfg", type=float, default=0, help="0 = as trained")
    parser.add_argument("--no-detail", action="store_true", help="what the autoencoder decodes, as it is")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="also write a contact sheet")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run_tiny(arguments) -> int:
    seeds = parse_seeds(arguments.seeds)
    model = TinyModel.open(arguments.checkpoint or find_default_checkpoint())
    model = model.with_sampling(steps=arguments.steps, cfg=arguments.cfg)
    model = replace(model, detail=None) if arguments.no_detail else model
    drawn = []
    for done, seed in enumerate(seeds, 1):
        start = time.monotonic()
        drawn.append(draw_shot(model, seed))
        print_lines(f"seed {seed}: {drawn[-1].summary()} ({time.monotonic() - start:.0f} s, {done}/{len(seeds)})")
    if arguments.sheet:
        from .tiny_sheet import write_tiny_sheet

        write_tiny_sheet(arguments.sheet, drawn)
    return report_rows(summarize_tiny(drawn), seeds, model.trained.size, as_json=arguments.json)


@dataclass(frozen=True, eq=False)
class TinyModel:
    """A MIMO with its autoencoder and image encoder, and how it is sampled."""

    networks: Networks
    autoencoder: Autoencoder
    encoder: torch.nn.Module
    detail: DetailNetwork | None = None

    @classmethod
    def open(cls, path: Path) -> TinyModel:
        checkpoint = open_checkpoint(path)
        return cls(
            build_networks(checkpoint, dtype=torch.float32),
            Autoencoder.from_tensors(checkpoint.extras["vae"]),
            build_image_encoder(checkpoint.extras["clip_vision"]),
            build_detail_network(checkpoint),
        )

    @property
    def trained(self) -> TrainingSettings:
        return self.networks.trained

    def with_sampling(self, *, steps: int, cfg: float) -> TinyModel:
        """The same model with other numbers, where they are not 0."""
        how = replace(self.trained, steps=steps or self.trained.steps, cfg=cfg or self.trained.cfg)
        return replace(self, networks=replace(self.networks, trained=how))

    @torch.no_grad()
    def reference(self, identity) -> tuple[ReferenceKeys, torch.Tensor]:
        """Keys of the character's picture, and its token."""
        identity = encode_identity_views(identity, embed=lambda view: embed_picture(self.encoder, view))
        token = require_token(identity, self.networks.denoiser.config.cross_attention_dim)
        latent = encode_references(identity, self.autoencoder.encode, size=self.trained.size) * LATENT_SCALE
        return self.networks.denoiser.project_reference(self.networks.reference_unet(latent[:1], token[:1])), token[:1]

    def frames(self, pictures: ClipPictures, reference, token, windows, *, seed: int) -> np.ndarray:
        """(F, S, S, 3) uint8 that the networks draw of a whole clip."""
        body_code, guider = pictures.cut_body_code(pictures.plan), self.networks.pose_guider
        side, how = pictures.size // 8, self.trained
        kept = {} if self.detail is None else pictures.keep_squares(pictures.plan, DETAIL_LAYERS)
        conditions = Conditions(
            concat_latents=pictures.encode_concat(pictures.plan, self.autoencoder.encode, kept=kept) * LATENT_SCALE,
            token=token,
            reference=reference,
            pose=lambda rows: guider.encode_frames(body_code[rows]),
        )
        latents = sample_latents(
            self.networks.denoiser,
            draw_frame_noise(seed, range(len(body_code)), side, side),
            conditions,
            windows=windows,
            steps=how.steps,
            cfg=how.cfg,
            windows_at_once=how.window // len(windows[0]),
        )
        decoded = self.autoencoder.decode(latents / LATENT_SCALE)
        if self.detail is None:
            return decoded
        kept[BODY_CODE] = body_code
        return (restore_detail(self.detail, torch.from_numpy(decoded) / 255, kept, 0) * 255).round().byte().numpy()


@dataclass(frozen=True, eq=False)
class DrawnShot:
    """One shot as it should be, as the network drew it, and what it is compared with. Frames are uint8."""

    seed: int
    truth: Shot
    character: np.ndarray  # the picture on white
    driver: np.ndarray
    frames: np.ndarray
    alone: np.ndarray  # every frame sampled without the others
    proxy: np.ndarray
    nearest: np.ndarray  # the true shot with the training character that looks most like this one
    reconstructed: np.ndarray  # the truth through the autoencoder
    found: int  # which of the rivals, of whom 0 is right, is the most alike

    def summary(self) -> str:
        values = measure_drawn_shot(self)
        shown = ("person PSNR", "person PSNR above proxy", "silhouette IoU", "scene PSNR")
        return ", ".join(f"{name} {np.nanmean(values[name]):.2f}" for name in shown)


def draw_shot(model: TinyModel, seed: int) -> DrawnShot:
    """Let the model draw the shot of a seed, with the character of seed + 500."""
    size, character = model.trained.size, seed + CHARACTER_OFFSET
    shot = make_shot(seed, size=size, frames=TINY_FRAMES)
    truth = make_shot(seed, size=size, frames=TINY_FRAMES, character=character)
    identity = encode_identity(make_character_picture(character, size=PICTURE_SIZE).image)
    motion, scene = retarget_motion(shot.motion, identity), make_true_scene(shot)
    pictures = prepare_clip_pictures(identity, motion, scene, model.trained, FrameRange(size=size), official=None)
    whole = Context(0, 0, TINY_FRAMES, Box(0, 0, size, size))
    pictures = replace(pictures, plan=ClipPlan((whole,), size, size))
    reference, token = model.reference(identity)
    together, apart = [list(range(TINY_FRAMES))], [[frame] for frame in range(TINY_FRAMES)]
    frames, alone = (model.frames(pictures, reference, token, windows, seed=seed) for windows in (together, apart))
    rivals = [truth.frames] + [
        make_shot(seed, size=size, frames=TINY_FRAMES, character=character + other, samples=1).frames
        for other in range(1, RIVALS)
    ]
    return DrawnShot(
        seed=seed,
        truth=truth,
        character=identity.picture,
        driver=shot.frames,
        frames=frames,
        alone=alone,
        proxy=draw_proxy_frames(identity, motion, scene),
        nearest=make_shot(
            seed, size=size, frames=TINY_FRAMES, character=find_nearest_training_character(identity.picture)
        ).frames,
        reconstructed=model.autoencoder.decode(model.autoencoder.encode(truth.frames)),
        found=find_most_alike(
            measure_part_colors(frames, truth), [measure_part_colors(rival, truth) for rival in rivals]
        ),
    )


def draw_proxy_frames(identity, motion, scene) -> np.ndarray:
    """The proxy in the scene, behind what passes in front: what a user gets without any network."""
    from mimo_core.compositing.composite import composite
    from mimo_core.proxy.proxy import Proxy

    images, masks = zip(*Proxy.from_identity(identity).render(motion, size=(scene.width, scene.height)), strict=True)
    return np.stack(list(composite(scene, images, masks)))


_characters: dict[int, np.ndarray] = {}


def find_nearest_training_character(picture: np.ndarray) -> int:
    """The training character whose picture is the most alike, by its colors at 32 x 32 pixels."""
    import cv2

    from mimo_core.identity.prepare import composite_on_white, crop_to_matte, pad_to_square

    def small(square: np.ndarray) -> np.ndarray:
        return cv2.resize(square, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)

    for seed in TRAINING_CHARACTERS:
        if seed not in _characters:
            known = make_character_picture(seed, size=128)
            _characters[seed] = small(
                pad_to_square(crop_to_matte(composite_on_white(known.image, known.mask), known.mask)[0])
            )
    wanted = small(picture)
    return min(_characters, key=lambda seed: float(((_characters[seed] - wanted) ** 2).mean()))


def measure_drawn_shot(drawn: DrawnShot) -> dict[str, list[float]]:
    """The measures that are means over frames."""
    truth, values = drawn.truth, defaultdict(list)
    visible = truth.visible > 127
    mean = truth.frames[visible].mean(0) if visible.any() else np.zeros(3)
    share = truth.visible[..., None] / 255
    filled = np.rint(truth.plate * (1 - share) + mean * share).astype(np.uint8)
    rivals = {"mean colour": filled, "proxy": drawn.proxy, "nearest training character": drawn.nearest}
    for frame in range(TINY_FRAMES):
        shown, picture, wanted = visible[frame], drawn.frames[frame], truth.frames[frame]
        scene = ~dilate(truth.person[frame] > 127, SCENE_MARGIN)
        level, kept = psnr(picture, wanted, scene), psnr(drawn.reconstructed[frame], wanted, scene)
        values["scene PSNR"].append(level)
        values["scene PSNR, baseline"].append(kept)
        values["scene PSNR below reconstruction"].append(kept - level)
        if not shown.any():
            continue
        values["person PSNR"].append(psnr(picture, wanted, shown))
        values["person PSNR, baseline"].append(psnr(drawn.reconstructed[frame], wanted, shown))
        values["person SSIM"].append(ssim(picture, wanted, shown))
        values["person SSIM, baseline"].append(ssim(drawn.proxy[frame], wanted, shown))
        for name, rival in rivals.items():
            other = psnr(rival[frame], wanted, shown)
            values[f"person PSNR above {name}"].append(values["person PSNR"][-1] - other)
            values[f"person PSNR above {name}, baseline"].append(other)
        values["silhouette IoU"].append(iou(mark_difference(picture, truth.plate[frame]), shown))
        passed = mark_difference(drawn.reconstructed[frame], truth.plate[frame])
        values["silhouette IoU, baseline"].append(iou(passed, shown))
    return values


def summarize_tiny(drawn: list[DrawnShot]) -> dict[str, BenchRow]:
    """All measures over all shots."""
    tally = defaultdict(list)
    for number, one in enumerate(drawn):
        for name, values in measure_drawn_shot(one).items():
            tally[name] += values
        other = drawn[(number + 1) % len(drawn)].truth.visible > 127
        pairs = zip(one.frames, one.truth.plate, other, strict=True)
        tally["silhouette IoU, poses shuffled"] += [
            iou(mark_difference(frame, plate), shown) for frame, plate, shown in pairs
        ]
        tally["right character among 10"].append(float(one.found == 0))
        tally["right character among 10, baseline"].append(1 / RIVALS)
        tally["sharpness against truth"].append(
            measure_sharpness(one.frames, one.truth) / measure_sharpness(one.truth.frames, one.truth)
        )
        error, alone, true = (
            measure_warping_error(frames, one.truth) for frames in (one.frames, one.alone, one.truth.frames)
        )
        tally["warping error against frames alone"].append(error / alone)
        tally["warping error against frames alone, baseline"].append(true / alone)
    return {name: _summarize_measure(name, tally) for name in tally if not name.endswith(", baseline")}


def _summarize_measure(name: str, tally) -> BenchRow:
    baseline = tally.get(f"{name}, baseline")
    return BenchRow(
        float(np.nanmean(tally[name])),
        TINY_TARGETS.get(name),
        None if baseline is None else float(np.nanmean(baseline)),
        at_most=name in UPPER_TARGETS,
        unit="dB" * ("PSNR" in name),
    )
