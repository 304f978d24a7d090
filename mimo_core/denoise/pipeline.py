"""From a character, a motion and a scene to finished frames, without ComfyUI: the denoiser as a decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..identity.identity import Identity
from ..motion.motion import Motion
from ..motion.retarget import retarget_motion
from ..progress import Progress, scale_progress, silent
from ..scene.scene import Scene
from ..stopwatch import Stopwatch
from .autoencoder import AT_ONCE, SCALE, Autoencoder
from .checkpoints import Networks
from .conditioning import ClipPictures, OfficialBody, Part, clip_pictures, reference_latents, token_of, with_networks
from .image_encoder import token_of as embedding_of
from .kept import KeptSegments
from .layers import proxy_coverage
from .noise import frame_noise, official_noise
from .paste import drawn_areas, paste_back
from .reference import ReferenceFeatures, ReferenceKeys
from .regions import ClipPlan
from .sampling import Conditions, sample
from .segments import joined, layers_behind_and_before, split


@dataclass(frozen=True)
class Settings:
    """How to sample. 0 is what the weights were trained with."""

    size: int = 0  # side of the network's square in pixels
    steps: int = 0
    cfg: float = 0.0
    window: int = 0  # frames
    overlap: int | None = None  # frames that neighbouring windows share; None is as trained
    sampler: str = "ddim"
    seed: int = 42
    noise: str = "per_frame"
    behaviour: str = "fixed"
    segment: int = 3  # windows that are worked on, and kept for a later run, together
    windows_at_once: int = 1


@dataclass(eq=False)
class MimoDecoder:
    """Draws a character by the MIMO denoiser. Memory holds one segment, whatever the length of the clip."""

    networks: Networks
    autoencoder: Autoencoder
    image_encoder: nn.Module
    settings: Settings = Settings()
    official: OfficialBody | None = None  # the body and colours of official weights
    edge_masks: Callable[[], dict[str, NDArray]] | None = None  # those of the official release
    kept: KeptSegments | None = None
    progress: Progress = silent  # passes of the denoiser in all segments

    def draw(
        self, identity: Identity, motion: Motion, scene: Scene, *, color_match: str = "none", watch: Stopwatch
    ) -> Iterator[tuple[NDArray, NDArray]]:
        """Finished frames (H, W, 3) uint8 in the scene, each with the area (H, W) uint8 that was drawn.

        Segments are sampled when their first frame is read. The networks see the scene, so colours are not matched.
        """
        how = self.settings
        if how.behaviour == "fixed":
            motion = retarget_motion(motion, identity)
        with watch.stage("character"):
            identity = with_networks(identity, embed=lambda view: embedding_of(self.image_encoder, view))
            part = Part(size=how.size, behaviour=how.behaviour)
            pictures = clip_pictures(identity, motion, scene, self.networks.trained, part, official=self.official)
            reference, token = self._reference(identity, pictures.size)
        parts = split(pictures.plan, window=self.window, overlap=self.overlap, windows_each=how.segment)
        plan = joined(parts)
        squares = watch.iterate("denoise", self._squares(pictures, parts, reference, token))
        masks = self.edge_masks() if how.behaviour == "official" and self.edge_masks is not None else None
        near = None
        if how.behaviour == "fixed" and "proxy" in self.networks.trained.layers:
            with watch.stage("character"):
                near = proxy_coverage(identity, motion, scene)
        layers = layers_behind_and_before(scene, plan.frames)
        frames = paste_back(plan, squares, **layers, edge_masks=masks, within=near)
        return zip(frames, drawn_areas(plan, edge_masks=masks, within=near), strict=True)

    @property
    def window(self) -> int:
        return self.settings.window or self.networks.trained.window

    @property
    def overlap(self) -> int:
        given = self.settings.overlap
        return min(self.networks.trained.overlap, self.window - 1) if given is None else given

    @torch.no_grad()
    def _reference(self, identity: Identity, size: int) -> tuple[ReferenceKeys, Tensor]:
        """Keys and values of the character's pictures for the whole job, and its token (1, 1, D)."""
        denoiser, reference_unet = self.networks.denoiser, self.networks.reference_unet
        behaviour, where = self.settings.behaviour, denoiser.conv_in.weight
        tokens = token_of(identity, denoiser.config.cross_attention_dim).to(where)
        latents = reference_latents(identity, self.autoencoder.encode, size=size, behaviour=behaviour).to(where) * SCALE
        views = [reference_unet(view[None], token[None]) for view, token in zip(latents, tokens, strict=False)]
        features = ReferenceFeatures.joined(views)
        return denoiser.project(features.rounded() if behaviour == "official" else features), tokens[:1]

    def _sampled(self, pictures: ClipPictures, part: ClipPlan, reference, token, progress: Progress) -> Tensor:
        """Latents (F, 4, h, w) of a part of the plan."""
        how, trained, side = self.settings, self.networks.trained, pictures.size // 8
        frames = [frame for frame, _ in part.network_frames]
        body_code, guider = pictures.body_code_squares(part), self.networks.pose_guider
        where = guider.conv_in.weight
        conditions = Conditions(
            layers=pictures.latents(part, self.autoencoder.encode) * SCALE,
            token=token,
            reference=reference,
            pose=lambda rows: guider.of_uint8(body_code[rows].to(where.device), dtype=where.dtype),
        )
        if how.noise == "official":
            noise = official_noise(len(frames), side, side, seed=how.seed)
        else:
            noise = frame_noise(how.seed, frames, side, side)
        return sample(
            self.networks.denoiser,
            noise,
            conditions,
            windows=part.windows(size=self.window, overlap=self.overlap),
            steps=how.steps or trained.steps,
            cfg=how.cfg or trained.cfg,
            sampler=how.sampler,
            behaviour=how.behaviour,
            seed=how.seed,
            frames=frames,
            windows_at_once=how.windows_at_once,
            progress=progress,
        )

    def _squares(self, pictures: ClipPictures, parts, reference, token) -> Iterator[NDArray]:
        """Network frames (S, S, 3) uint8 of all parts, in the order of their plans."""
        for number, part in enumerate(parts):
            latents = self.kept.load(number, part) if self.kept is not None else None
            if latents is None:
                latents = self._sampled(
                    pictures, part, reference, token, scale_progress(self.progress, number, len(parts))
                )
                if self.kept is not None:
                    self.kept.save(number, part, latents)
            for few in latents.split(AT_ONCE):
                yield from self.autoencoder.decode(few / SCALE)
