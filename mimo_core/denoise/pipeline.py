"""From a character, a motion and a scene to finished frames, without ComfyUI: the denoiser as a decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..body.colors import LearnedColors
from ..errors import InputError
from ..identity.identity import Identity
from ..media.clip import Masks
from ..motion.motion import Motion
from ..motion.retarget import retarget_motion
from ..progress import Progress, scale_progress, silent
from ..scene.scene import Scene
from ..stopwatch import Stopwatch
from .autoencoder import LATENT_SCALE, PICTURES_AT_ONCE, Autoencoder
from .checkpoints import Networks
from .concat_sources import mark_proxy
from .conditioning import (
    ClipPictures,
    FrameRange,
    OfficialBody,
    encode_identity_views,
    encode_references,
    prepare_clip_pictures,
    require_token,
)
from .detail import BODY_CODE, DETAIL_LAYERS, DetailNetwork, restore_detail
from .image_encoder import embed_picture
from .noise import draw_frame_noise, draw_official_noise
from .paste import mark_drawn_areas, paste_back
from .reference import ReferenceFeatures, ReferenceKeys
from .regions import ClipPlan
from .sampling import Conditions, sample_latents
from .segment_cache import SegmentCache
from .segments import join_plans, select_paste_layers, split_plan


@dataclass(frozen=True)
class SamplingSettings:
    """How to sample. 0 is what the weights were trained with."""

    size: int = 0  # side of the network's square in pixels
    steps: int = 0
    cfg: float = 0.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)  # of the schedule, from clean to noise: guided only there
    reuse_every: int = 1  # steps between which deep features are used again; 1 makes them at each
    reuse_depth: int = 0  # blocks that run at every step beside the last one
    window: int = 0  # frames
    overlap: int | None = None  # frames that neighbouring windows share; None is as trained
    sampler: str = "ddim"
    seed: int = 42
    noise: str = "per_frame"
    behavior: str = "fixed"
    segment: int = 3  # windows that are worked on, and kept for a later run, together
    windows_at_once: int = 1


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """A job before sampling: what the networks read, and the segments that are worked one after the other."""

    identity: Identity
    motion: Motion
    pictures: ClipPictures
    segments: list[ClipPlan]


@dataclass(eq=False)
class MimoDecoder:
    """Draws a character by the MIMO denoiser. Memory holds one segment, whatever the length of the clip."""

    networks: Networks
    autoencoder: Autoencoder
    image_encoder: nn.Module
    settings: SamplingSettings = SamplingSettings()
    official: OfficialBody | None = None  # the body and colours of official weights
    edge_masks: Callable[[], dict[str, NDArray]] | None = None  # those of the official release
    cache: SegmentCache | None = None
    detail: DetailNetwork | None = None  # what puts right the decoded pictures, if the checkpoint brings it
    progress: Progress = silent  # passes of the denoiser in all segments

    def draw(
        self, identity: Identity, motion: Motion, scene: Scene, *, color_match: str = "none", watch: Stopwatch
    ) -> Iterator[tuple[NDArray, NDArray]]:
        """Finished frames (H, W, 3) uint8 in the scene, each with the area (H, W) uint8 that was drawn.

        Segments are sampled when their first frame is read. The networks see the scene, so colours are not matched.
        """
        settings = self.settings
        with watch.stage("character"):
            clip = self._prepare(identity, motion, scene)
            reference, token = self._reference(clip.identity, clip.pictures.size)
        identity, motion, plan = clip.identity, clip.motion, join_plans(clip.segments)
        squares = watch.iterate("denoise", self._squares(clip.pictures, clip.segments, reference, token))
        masks = self.edge_masks() if settings.behavior == "official" and self.edge_masks is not None else None
        near = None
        if settings.behavior == "fixed" and "proxy" in self.networks.trained.concat:
            with watch.stage("character"):
                near = mark_proxy(identity, motion, scene)
        layers = select_paste_layers(scene, plan.frames)
        frames = paste_back(plan, squares, **layers, edge_masks=masks, within=near)
        return zip(frames, mark_drawn_areas(plan, edge_masks=masks, within=near), strict=True)

    def for_person(self, number: int) -> MimoDecoder:
        """The decoder for one of several people: its finished segments are kept apart."""
        return self if self.cache is None else replace(self, cache=self.cache.for_part(f"person-{number}"))

    def mark_character(self, identity: Identity, motion: Motion, scene: Scene, masks: Iterable[NDArray]) -> Masks:
        """Where the character is within the areas (H, W) uint8 that `draw` gave: in the outline of the proxy."""
        near = mark_proxy(identity, motion, scene)
        return Masks.from_frames(np.minimum(mask, outline) for mask, outline in zip(masks, near, strict=True))

    def describe_colors(self) -> str | None:
        """A sentence on the colours of the body code, where they were learned."""
        if self.networks.trained.colors == "free" or self.official is None:
            return None
        try:
            _, table = self.official()
        except InputError:  # said when a motion is drawn; body code of a template needs no files
            return None
        return table.note if isinstance(table, LearnedColors) else None

    def count_segments(self, identity: Identity, motion: Motion, scene: Scene) -> int:
        """How many segments a job has."""
        return len(self._prepare(identity, motion, scene).segments)

    def draw_segments(self, identity: Identity, motion: Motion, scene: Scene, numbers: Iterable[int]) -> None:
        """Sample some segments of a job into the cache, unless they are there. `draw` finds them afterwards."""
        clip = self._prepare(identity, motion, scene)
        reference, token = self._reference(clip.identity, clip.pictures.size)
        numbers = list(numbers)
        for done, number in enumerate(numbers):
            progress = scale_progress(self.progress, done, len(numbers))
            self._find_latents(clip.pictures, number, clip.segments[number], reference, token, progress)

    def _prepare(self, identity: Identity, motion: Motion, scene: Scene) -> PreparedClip:
        settings = self.settings
        if settings.behavior == "fixed":
            motion = retarget_motion(motion, identity)
        identity = encode_identity_views(identity, embed=lambda view: embed_picture(self.image_encoder, view))
        part = FrameRange(size=settings.size, behavior=settings.behavior)
        pictures = prepare_clip_pictures(identity, motion, scene, self.networks.trained, part, official=self.official)
        segments = split_plan(pictures.plan, window=self.window, overlap=self.overlap, windows_each=settings.segment)
        return PreparedClip(identity, motion, pictures, segments)

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
        behavior, where = self.settings.behavior, denoiser.conv_in.weight
        tokens = require_token(identity, denoiser.config.cross_attention_dim).to(where)
        latents = (
            encode_references(identity, self.autoencoder.encode, size=size, behavior=behavior).to(where) * LATENT_SCALE
        )
        views = [reference_unet(view[None], token[None]) for view, token in zip(latents, tokens, strict=False)]
        features = ReferenceFeatures.join(views)
        return denoiser.project_reference(features.round_through() if behavior == "official" else features), tokens[:1]

    def _sampled(
        self,
        pictures: ClipPictures,
        part: ClipPlan,
        reference,
        token,
        progress: Progress,
        kept: Mapping[str, Sequence[NDArray]] | None = None,
    ) -> Tensor:
        """Latents (F, 4, h, w) of a part of the plan."""
        settings, trained, side = self.settings, self.networks.trained, pictures.size // 8
        frames = [frame for frame, _ in part.network_frames]
        body_code = kept[BODY_CODE] if kept else pictures.cut_body_code(part)
        guider = self.networks.pose_guider
        where = guider.conv_in.weight
        conditions = Conditions(
            concat_latents=pictures.encode_concat(part, self.autoencoder.encode, kept=kept) * LATENT_SCALE,
            token=token,
            reference=reference,
            pose=lambda rows: guider.encode_frames(body_code[rows].to(where.device), dtype=where.dtype),
        )
        if settings.noise == "official":
            noise = draw_official_noise(len(frames), side, side, seed=settings.seed)
        else:
            noise = draw_frame_noise(settings.seed, frames, side, side)
        return sample_latents(
            self.networks.denoiser,
            noise,
            conditions,
            windows=part.windows(size=self.window, overlap=self.overlap),
            steps=settings.steps or trained.steps,
            cfg=settings.cfg or trained.cfg,
            sampler=settings.sampler,
            guidance_interval=settings.guidance_interval,
            reuse_every=settings.reuse_every,
            reuse_depth=settings.reuse_depth,
            behavior=settings.behavior,
            seed=settings.seed,
            frames=frames,
            windows_at_once=settings.windows_at_once,
            progress=progress,
        )

    def _find_latents(
        self, pictures: ClipPictures, number: int, part: ClipPlan, reference, token, progress, kept=None
    ) -> Tensor:
        """The latents of a segment: those in the cache, else sampled, and put there."""
        latents = self.cache.load(number, part) if self.cache is not None else None
        if latents is None:
            latents = self._sampled(pictures, part, reference, token, progress, kept)
            if self.cache is not None:
                self.cache.save(number, part, latents)
        return latents

    def _squares(self, pictures: ClipPictures, parts, reference, token) -> Iterator[NDArray]:
        """Network frames (S, S, 3) uint8 of all parts, in the order of their plans."""
        for number, part in enumerate(parts):
            progress = scale_progress(self.progress, number, len(parts))
            kept = {} if self.detail is None else self._keep_layers(pictures, part)
            latents = self._find_latents(pictures, number, part, reference, token, progress, kept)
            for first in range(0, len(latents), PICTURES_AT_ONCE):
                decoded = self.autoencoder.decode(latents[first : first + PICTURES_AT_ONCE] / LATENT_SCALE)
                yield from decoded if self.detail is None else self._restored(decoded, kept, first)

    def _keep_layers(self, pictures: ClipPictures, part: ClipPlan) -> dict[str, Sequence[NDArray]]:
        """The pixels that detail is put back from."""
        return pictures.keep_squares(part, DETAIL_LAYERS) | {BODY_CODE: pictures.cut_body_code(part)}

    def _restored(self, decoded: NDArray, kept: Mapping[str, Sequence[NDArray]], first: int) -> NDArray:
        """Decoded frames (n, S, S, 3) uint8 put right by the layers that they were drawn from."""
        pictures = restore_detail(self.detail, torch.from_numpy(decoded) / 255, kept, first)
        return (pictures * 255).round().to(torch.uint8).numpy()
