"""The conditions of the denoiser: a character, a motion and a scene as the pictures and latents its networks read.

Everything that turns a user's input into network input goes through here, inside ComfyUI and outside:
`TrainingSettings.concat` names the pictures that are concatenated to the noise, `CONCAT_SOURCES` makes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.colors import LearnedColors, choose_colors, foreign_share
from ..body.model import BodyModel, free_body
from ..errors import InputError
from ..identity.identity import Identity
from ..identity.prepare import make_vae_input
from ..media.clip import Clip
from ..media.store import FrameStore
from ..motion.motion import Motion
from ..progress import Progress, scale_progress, silent, track_progress
from ..render.styles import render_motion
from ..scene.scene import Scene
from .autoencoder import LATENT_SCALE
from .checkpoints import TrainingSettings
from .concat_sources import CONCAT_SOURCES, check_frame_count
from .regions import ClipPlan, plan_clip
from .segments import BLACK, WHITE, cut_network_frames, select_frames


Encode = Callable[[NDArray], Tensor]  # pictures (n, H, W, 3) uint8 to unscaled latents (n, 4, H / 8, W / 8)
# The SMPL body and the official colors, or the free body and learned ones; InputError without them.
OfficialBody = Callable[[], tuple[BodyModel, Tensor | LearnedColors]]

ENCODED_AT_ONCE = 8  # pictures that go to the VAE together
EXACT_TOLERANCE, LEARNED_TOLERANCE = 0.08, 0.16  # between colours of the same point: video is lossy, learning inexact
FOREIGN_SHARE = 0.3  # share of a body code's pixels that may have a colour of no vertex
USUAL_SPREAD = 1.33  # of scaled latents: about 0.9 for Stable Diffusion 1.5's VAE, 1.25 mimo-tiny's, 1.4 SDXL's


@dataclass(frozen=True)
class FrameRange:
    """Which frames of a clip at which size. 0 is the size the weights were trained at, and the rest of the clip."""

    size: int = 0
    start: int = 0
    length: int = 0
    behavior: str = "fixed"


@dataclass(frozen=True, eq=False)
class ClipPictures:
    """A clip as the networks will see it, in frames of the scene's size that are made when they are read."""

    plan: ClipPlan
    size: int  # side of the network's square in pixels
    body_code: Clip
    concat_clips: tuple[Clip, ...]  # what is concatenated to the noise, by `TrainingSettings.concat`
    fills: tuple[int, ...]  # grey around the squares of each of them
    notes: tuple[str, ...] = ()  # in which colours the body code was drawn, where that is worth a sentence
    names: tuple[str, ...] = ()  # of the concat clips

    def cut_body_code(self, plan: ClipPlan, progress: Progress = silent) -> Tensor:
        """(F, size, size, 3) uint8 for the network frames of a part of the plan."""
        count = len(plan.network_frames)
        squares = torch.empty(count, self.size, self.size, 3, dtype=torch.uint8)
        for index, frame in enumerate(cut_network_frames(self.body_code, plan, self.size, fill=BLACK)):
            squares[index] = torch.from_numpy(frame.copy())
            progress(index + 1, count)
        return squares

    def keep_squares(
        self, plan: ClipPlan, names: Sequence[str], progress: Progress = silent
    ) -> dict[str, Sequence[NDArray]]:
        """Frames (size, size, 3) uint8 of the concat clips of these names, for a part of the plan, in temporary files.

        They are what `encode_concat` encodes, for whoever needs the pixels, too.
        """
        count, kept = len(plan.network_frames), {name: FrameStore() for name in names}
        for number, name in enumerate(names):
            place, report = self.names.index(name), scale_progress(progress, number, len(names))
            squares = cut_network_frames(self.concat_clips[place], plan, self.size, fill=self.fills[place])
            for square in track_progress(squares, count, report):
                kept[name].append(square)
        return kept

    def encode_concat(
        self,
        plan: ClipPlan,
        encode: Encode,
        progress: Progress = silent,
        *,
        kept: Mapping[str, Sequence[NDArray]] | None = None,
    ) -> Tensor:
        """What is concatenated to the noise, (F, 4 per clip, size / 8, size / 8), for a part of the plan.

        kept: what `keep_squares` gave for this part; these clips are not drawn again
        """
        count, made = len(plan.network_frames), []
        for number, (clip, fill) in enumerate(zip(self.concat_clips, self.fills, strict=True)):
            squares = kept[self.names[number]] if kept and self.names[number] in kept else None
            if squares is None:
                squares = cut_network_frames(clip, plan, self.size, fill=fill)
            report = scale_progress(progress, number, len(self.concat_clips))
            made.append(encode_squares(encode, track_progress(squares, count, report), self.size))
        return torch.cat(made, 1)


def prepare_clip_pictures(
    identity: Identity,
    motion: Motion | Clip,
    scene: Scene,
    trained: TrainingSettings,
    part: FrameRange,
    *,
    official: OfficialBody,
    progress: Progress = silent,
) -> ClipPictures:
    """Draw the body code, plan the squares the network works on, and choose what is concatenated to the noise.

    `motion` is drawn in the colours that the weights were trained on; a Clip is body code that was drawn already.
    Raises InputError if the size, the lengths or the colors do not fit, or official files are missing.
    """
    size = part.size or trained.size
    if size % 8 or size < 64:
        raise InputError(
            f"The size is {size}, but must be a multiple of 8 from 64 up. {trained.size} suits these weights."
        )
    body_code, notes = _draw_body_code(motion, scene, trained.colors, official, progress)
    plan = select_frames(plan_clip(body_code, behavior=part.behavior), part.start, part.length)
    sources = [CONCAT_SOURCES[name] for name in trained.concat]
    clips = tuple(source.make(identity, motion, scene, len(body_code)) for source in sources)
    fills = tuple(source.fill for source in sources)
    return ClipPictures(plan, size, body_code, clips, fills, notes, names=tuple(trained.concat))


def encode_start(pictures: ClipPictures, start: Clip, encode: Encode, progress: Progress = silent) -> Tensor:
    """Unscaled latents of frames of the scene's size to begin from, for the whole plan."""
    check_frame_count("The start images", len(start), len(pictures.body_code))
    squares = cut_network_frames(start, pictures.plan, pictures.size, fill=WHITE)
    return encode_squares(encode, track_progress(squares, len(pictures.plan.network_frames), progress), pictures.size)


def list_views(identity: Identity) -> list[NDArray]:
    """The pictures of a character that the reference UNet reads: the front and, if there is one, the back."""
    return [identity.picture] + ([identity.back[0]] if identity.back is not None else [])


def encode_references(identity: Identity, encode: Encode, *, size: int, behavior: str = "fixed") -> Tensor:
    """Unscaled latents (V, 4, size / 8, size / 8) of the character's views. The official release knows one view."""
    views = list_views(identity)[: 1 if behavior == "official" else None]
    if identity.latent is not None and identity.latent.shape[-1] == size // 8:
        return identity.latent[: len(views)]
    # Lanczos to the network's size, then back from -1..1 to the bytes that the VAE takes.
    squares = [(make_vae_input(view, size, size)[0].permute(1, 2, 0).numpy() + 1) / 2 for view in views]
    return encode_squares(encode, (np.rint(square * 255).astype(np.uint8) for square in squares), size)


def require_token(identity: Identity, width: int) -> Tensor:
    """The character's tokens (V, 1, D), if they have the width that the denoiser reads.

    Raises InputError without tokens, or if their width is another.
    """
    if identity.token is None:
        raise InputError("The identity has no token. Connect CLIP vision (of Load MIMO) to Identity Encoder.")
    if identity.token.shape[-1] != width:
        raise InputError(
            f"The CLIP vision model gives embeddings of width {identity.token.shape[-1]}, this MIMO reads {width}. Use "
            "the image encoder it was trained with: CLIP ViT-L/14 of sd-image-variations for the official weights."
        )
    return identity.token


def encode_identity_views(identity: Identity, *, encode: Encode | None = None, embed=None) -> Identity:
    """The identity with the latents of its views (V, 4, h, w) at its own size, and their tokens (V, 1, D).

    `embed` gives the projected embedding (1, D), not normalised, of a whole padded square, as in the official release.
    """
    views = list_views(identity)
    latent = token = None
    if encode is not None and len({len(view) for view in views}) == 1:
        latent = encode_squares(encode, views, identity.side)
    if embed is not None:
        token = torch.stack([embed(view) for view in views]).float()
    return replace(identity, latent=latent, token=token)


def encode_squares(encode: Encode, squares: Iterable[NDArray], size: int) -> Tensor:
    """Latents (F, 4, size / 8, size / 8) of uint8 squares, a few at a time, if they are those of the right VAE.

    Raises InputError if the latents have another shape, as those of other VAEs have.
    """
    squares, latents = iter(squares), []
    while pictures := list(islice(squares, ENCODED_AT_ONCE)):
        latents.append(encode(np.stack(pictures)))
        if latents[-1].shape[1:] != (4, size // 8, size // 8):
            raise InputError(
                f"This VAE gives latents of {tuple(latents[-1].shape[1:])} for {size}x{size} pixels, MIMO needs "
                f"{(4, size // 8, size // 8)}. Use a VAE of Stable Diffusion 1.5, such as sd-vae-ft-mse."
            )
    latents = torch.cat(latents)
    _warn_about_spread(latents)
    return latents


def _draw_body_code(
    motion: Motion | Clip, scene: Scene, colors: str, official: OfficialBody, progress: Progress
) -> tuple[Clip, tuple[str, ...]]:
    """Body-code frames of the scene's size, and notes. Official colours stop here if their files are missing."""
    if isinstance(motion, Clip):
        if (motion.width, motion.height) != (scene.width, scene.height):
            raise InputError(
                f"The body code is {motion.width}x{motion.height}, the scene {scene.width}x{scene.height}. "
                "Give the scene to Render Body Code, too."
            )
        _check_colors(motion, colors, official)
        return motion, ()
    if not motion.frames:
        raise InputError("The motion has no frames. Give a motion of at least one frame.")
    if not scene.is_still:
        check_frame_count("The scene", scene.frames, motion.frames)
    body, table = (None, None) if colors == "free" else official()
    drawn = render_motion(motion, body=body, size=(scene.width, scene.height), colors=table, progress=progress)
    notes = (table.note,) if isinstance(table, LearnedColors) else ()
    return Clip.from_frames((frame for frame, _ in drawn), motion.fps), notes


def _check_colors(body_code: Clip, colors: str, official: OfficialBody) -> None:
    """Refuse body code whose colours are not those of the weights; without the table of those nobody can tell."""
    try:
        body, table = (free_body(), None) if colors == "free" else official()
        tolerance = LEARNED_TOLERANCE if isinstance(table, LearnedColors) else EXACT_TOLERANCE
        table = choose_colors(body, table)
    except InputError:
        return
    step = max(len(body_code) // 4, 1)
    share = foreign_share([body_code[frame] for frame in range(0, len(body_code), step)], table, tolerance=tolerance)
    if share > FOREIGN_SHARE:
        raise InputError(
            f"{share:.0%} of the body code's pixels have colors that the weights do not know (map: {colors}). "
            "Connect the motion itself, or draw it by Render Body Code in those colors."
        )


def _warn_about_spread(latents: Tensor) -> None:
    """An SDXL VAE has latents of the right shape and the wrong scale."""
    spread = float(latents.detach().std()) * LATENT_SCALE if latents.numel() > 1 else 0.0
    if spread > USUAL_SPREAD:
        logging.getLogger("mimo").warning(
            "The VAE's latents spread by %.2f after scaling, where Stable Diffusion 1.5's stay near 1: this looks like "
            "the VAE of another model (SDXL's has the same shapes). Colours will be wrong. Use sd-vae-ft-mse.",
            spread,
        )
