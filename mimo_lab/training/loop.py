"""The training loop: one for all stages, on one CPU or many GPUs, resumed exactly after a kill.

What a step sees depends on (seed, stage, step, process) alone, so a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from mimo_core.errors import InputError
from mimo_core.output import whole_file
from mimo_core.progress import Progress, silent

from .settings import StageSettings


LOGGED_TOGETHER = 20  # steps whose losses are read at once, so that a GPU need not wait for the log
STATE_FILE = "state.pt"  # weights, their average, the optimizer, the step and the settings


class TrainingStage(Protocol):
    """What a stage trains, and on what."""

    name: str
    network: nn.Module  # holds what is trained; parameters that do not require gradients stay as they are

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """The loss of one step on this process, and scalars for the log."""

    def pictures(self) -> Tensor | None:
        """A grid (3, H, W) in 0..1 that shows how far the training has come."""


@dataclass(frozen=True)
class Step:
    """One step of one process, with the randomness that belongs to it."""

    number: int
    generator: torch.Generator  # on the CPU: what is chosen is the same on every device
    device: torch.device
    drawn_on_device: torch.Generator | None = None  # noise on a GPU: carrying it there would keep the GPU waiting

    def normal(self, *shape: int) -> Tensor:
        if self.drawn_on_device is not None:
            return torch.randn(shape, generator=self.drawn_on_device, device=self.device)
        return torch.randn(shape, generator=self.generator).to(self.device)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator).to(self.device)

    def integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self.generator)


@dataclass(frozen=True)
class Report:
    """Where a stage stands when the loop returns."""

    step: int
    losses: tuple[float, ...]  # of the steps of this call
    is_finished: bool


def fit_stage(
    stage: TrainingStage,
    settings: StageSettings,
    folder: Path,
    *,
    accelerator,
    seed: int = 0,
    recorded: Mapping[str, object] | None = None,
    until: float = math.inf,
    log: Callable[[int, Mapping[str, float]], None] = lambda step, scalars: None,
    show: Callable[[int, Tensor], None] = lambda step, picture: None,
    progress: Progress = silent,
) -> Report:
    """Train to `settings.steps`, or until `time.monotonic()` passes `until`; continue what lies in `folder`.

    With `settings.seconds` it ends after so many instead, and the learning rate falls by the clock.
    Afterwards `stage.network` holds the averaged weights (EMA). The state in `folder` is written every
    `settings.save_every` steps and at the end, whole or not at all. A state of other settings is refused with an
    InputError; `recorded` says what counts as a setting beside the stage's own.
    """
    from diffusers.training_utils import EMAModel

    recorded = settings.recorded() | {"seed": seed} | dict(recorded or {})
    network = stage.network.to(accelerator.device)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    on_gpu = accelerator.device.type == "cuda"
    optimizer = torch.optim.AdamW(
        trained, settings.lr, betas=(0.9, 0.99), weight_decay=settings.weight_decay, fused=on_gpu or None
    )
    average = EMAModel(trained, decay=settings.ema, foreach=on_gpu)
    first, before = _load_state(folder / STATE_FILE, recorded, network, optimizer, average)
    optimizer = accelerator.prepare(optimizer)
    clock, losses = _Clock(settings, before), _Losses(log)
    reached = first
    for number in range(first, settings.steps):
        if time.monotonic() > until or clock.is_over():
            break
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * clock.schedule(number)
        loss, scalars = _take_step(stage, number, trained, optimizer, accelerator, seed=seed, clip=settings.clip)
        average.step(trained)
        losses.note(number, {"loss": loss, "lr": optimizer.param_groups[0]["lr"], **scalars})
        reached = number + 1
        if reached % settings.save_every == 0 and reached < settings.steps and accelerator.is_main_process:
            _save_state(folder / STATE_FILE, reached, clock.seconds(), recorded, network, optimizer, average)
        if reached % settings.show_every == 0 and accelerator.is_main_process:
            losses.read()
            _show_average(stage, reached, trained, average, show)
        progress(*clock.progress(reached))
    losses.read()
    if accelerator.is_main_process and reached > first:
        _save_state(folder / STATE_FILE, reached, clock.seconds(), recorded, network, optimizer, average)
    average.copy_to(trained)
    return Report(reached, tuple(losses.values), reached >= settings.steps or clock.is_over())


class _Clock:
    """How far a stage is: by its steps, or by the seconds that it has been given, those of earlier calls counted."""

    def __init__(self, settings: StageSettings, before: float):
        self._settings, self._start = settings, time.monotonic() - before

    def seconds(self) -> float:
        return time.monotonic() - self._start

    def is_over(self) -> bool:
        return 0 < self._settings.seconds <= self.seconds()

    def schedule(self, step: int) -> float:
        """The share of the learning rate at a step."""
        seconds = self._settings.seconds
        return self._settings.schedule(step, self.seconds() / seconds if seconds else None)

    def progress(self, step: int) -> tuple[int, int]:
        seconds = self._settings.seconds
        return (min(int(self.seconds()), int(seconds)), int(seconds)) if seconds else (step, self._settings.steps)


class _Losses:
    """The losses and scalars of the steps, read from the device some at a time."""

    def __init__(self, log: Callable[[int, Mapping[str, float]], None]):
        self._log, self._noted, self.values = log, [], []

    def note(self, step: int, scalars: Mapping[str, float | Tensor]) -> None:
        self._noted.append((step, scalars))
        if len(self._noted) >= LOGGED_TOGETHER:
            self.read()

    def read(self) -> None:
        for step, scalars in self._noted:
            numbers = {name: float(value) for name, value in scalars.items()}
            self.values.append(numbers["loss"])
            self._log(step, numbers)
        self._noted.clear()


def _show_average(stage, done: int, trained: list[nn.Parameter], average, show) -> None:
    """Show the pictures of a stage drawn with the averaged weights."""
    average.store(trained)
    average.copy_to(trained)
    try:
        picture = stage.pictures()
    finally:
        average.restore(trained)
    if picture is not None:
        show(done, picture)


def _take_step(stage, number, trained, optimizer, accelerator, *, seed, clip) -> tuple[Tensor, Mapping[str, Tensor]]:
    mixed, device = _mix_seed(seed, stage.name, number, accelerator.process_index), accelerator.device
    noise = torch.Generator(device).manual_seed(mixed) if device.type == "cuda" else None
    step = Step(number, torch.Generator().manual_seed(mixed), device, noise)
    with accelerator.autocast():
        loss, scalars = stage.loss(step)
    accelerator.backward(loss)
    _average_gradients(trained, accelerator)
    accelerator.clip_grad_norm_(trained, clip)
    optimizer.step()
    optimizer.zero_grad()
    return accelerator.reduce(loss.detach(), reduction="mean"), scalars


def _average_gradients(trained: list[nn.Parameter], accelerator) -> None:
    """Mean gradients over the processes. The networks of a stage have several entrances, which DDP would not follow."""
    if accelerator.num_processes == 1:
        return
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad = accelerator.reduce(parameter.grad, reduction="mean")


def _mix_seed(seed: int, name: str, number: int, process: int) -> int:
    """One seed of 63 bits for a step; neighbours share nothing."""
    import hashlib

    digest = hashlib.sha256(f"{seed} {name} {number} {process}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _check_recorded(folder: Path, before: Mapping[str, object], now: Mapping[str, object]) -> None:
    """Refuse to go on with other settings than a state was trained with."""
    changed = [name for name in before.keys() & now.keys() if before[name] != now[name]]
    if changed:
        listed = ", ".join(f"{name} {before[name]}, not {now[name]}" for name in sorted(changed))
        raise InputError(
            f"The stage in {folder} was trained with {listed}. Give those settings again, or name a new folder."
        )


def _list_trained(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]


def _save_state(
    path: Path, step: int, seconds: float, recorded: Mapping[str, object], network, optimizer, average
) -> None:
    trained = _list_trained(network)
    averaged = zip(trained, average.shadow_params, strict=True)
    state = {
        "step": step,
        "seconds": seconds,
        "settings": dict(recorded),
        "weights": {name: weight.detach() for name, weight in trained},
        "average": {name: weight for (name, _), weight in averaged},
        "optimizer": optimizer.state_dict(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial, partial.open("wb") as file:  # given a name, torch hides why
        torch.save(state, file)


def _load_state(path: Path, recorded: Mapping[str, object], network, optimizer, average) -> tuple[int, float]:
    """Load what lies at `path`; the number of the step to go on with, and the seconds that were spent."""
    if not path.is_file():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    before = state["settings"] if "settings" in state else state.get("told", {})  # "told" until 0.1.0
    _check_recorded(path.parent, before, recorded)
    with torch.no_grad():
        for (name, weight), averaged in zip(_list_trained(network), average.shadow_params, strict=True):
            weight.copy_(state["weights"][name])
            averaged.copy_(state["average"][name])
    average.optimization_step = state["step"]
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state.get("seconds", 0.0)
