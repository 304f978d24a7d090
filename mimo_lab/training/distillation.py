"""Stage 3: fewer steps, by consistency: from two neighbouring noise levels the student must see the same picture.

Latent consistency models (Luo et al. 2023) on clips. As in RAIN (Shu et al. 2024) the frames of a clip may stand at
staggered noise levels, so that a stream can be drawn in which old frames are nearly done when new ones begin. The
teacher's guidance is learned into the student, which is then sampled with cfg 1.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from .denoiser import Batch, BatchConfig, DenoiserStage, Mimo, predict_batch_velocity
from .latents import Latents
from .loop import Step


TEACHER_LEVELS = 25  # noise levels of the teacher's own sampling
STAGGERED_SHARE = 0.5  # share of the clips whose frames stand at different levels
LEVEL_GROUPS = 4  # of neighbouring frames at one level


class FewStepsStage(DenoiserStage):
    """The networks as they are teach a copy of themselves, which is trained. `cfg` is the guidance that it learns."""

    def __init__(
        self, name: str, networks: Mimo, data: Latents, layers: tuple[str, ...], batching: BatchConfig, *, cfg: float
    ):
        super().__init__(name, networks, data, layers, batching, motion=True)
        self.teacher, self.cfg = copy.deepcopy(networks).eval().requires_grad_(False), cfg
        networks.reference_unet.requires_grad_(False)
        networks.pose_guider.requires_grad_(False)

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, float]]:
        batch = self.batch(step)
        self.teacher.to(step.device)
        level = self._levels(batch, step)
        now, before = timestep_of_level(level), timestep_of_level(level - 1)
        noise = step.normal(*batch.frames.shape)
        signal = self._signal(now)
        noisy = signal.sqrt() * batch.frames + (1 - signal).sqrt() * noise
        with torch.no_grad():
            x0, eps = self._parts(noisy, self._guided(noisy, now, batch), now)
            earlier = self._signal(before)
            easier = earlier.sqrt() * x0 + (1 - earlier).sqrt() * eps
            target = self._clean(easier, before, batch)
        found = self._clean(noisy, now, batch)
        return huber_loss(found, target, delta=0.1), {"x0": (found.detach() - batch.frames).square().mean()}

    def _levels(self, batch: Batch, step: Step) -> Tensor:
        """1 to LEVELS for every frame (N F,): the same for a clip, or rising from its first frames to its last."""
        each = len(batch.frames) // batch.clips
        first = 1 + step.integers(TEACHER_LEVELS, batch.clips)
        rise = torch.arange(each) * LEVEL_GROUPS // each * (TEACHER_LEVELS // LEVEL_GROUPS)
        staggered = step.uniform(batch.clips).cpu() < STAGGERED_SHARE
        levels = first[:, None] + torch.where(staggered[:, None], rise, torch.zeros_like(rise))
        return ((levels - 1) % TEACHER_LEVELS + 1).flatten().to(step.device)

    def _signal(self, timesteps: Tensor) -> Tensor:
        signal = self.signal.to(timesteps.device)[timesteps.clamp_min(0)]
        return torch.where(timesteps < 0, torch.ones_like(signal), signal)[:, None, None, None]

    def _parts(self, noisy: Tensor, velocity: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """The clean latents and the noise that v says are in noisy ones."""
        signal = self._signal(timesteps)
        share, rest = signal.sqrt(), (1 - signal).sqrt()
        return share * noisy - rest * velocity, rest * noisy + share * velocity

    def _guided(self, noisy: Tensor, timesteps: Tensor, batch: Batch) -> Tensor:
        conditioned = predict_batch_velocity(self.teacher, noisy, timesteps, batch, conditioned=batch.clips).float()
        if self.cfg <= 1:
            return conditioned
        unconditioned = predict_batch_velocity(self.teacher, noisy, timesteps, batch, conditioned=0).float()
        return unconditioned + self.cfg * (conditioned - unconditioned)

    def _clean(self, noisy: Tensor, timesteps: Tensor, batch: Batch) -> Tensor:
        """What the student takes for the clean latents; latents without noise are returned as they are."""
        velocity = predict_batch_velocity(
            self.network, noisy, timesteps.clamp_min(0), batch, conditioned=batch.clips
        ).float()
        x0 = self._parts(noisy, velocity, timesteps)[0]
        return torch.where((timesteps < 0)[:, None, None, None], noisy, x0)


def timestep_of_level(level: Tensor) -> Tensor:
    """The trailing timestep of a level: 999 for the last, -1, no noise at all, for level 0."""
    return (level * 1000 / TEACHER_LEVELS).round().long() - 1
