"""What a training run is asked to do, read from a YAML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from mimo_core.denoise.config import MimoConfig
from mimo_core.errors import InputError


TRAINING_STAGES = (
    "autoencoder",
    "image encoder",
    "images",
    "clips",
    "decoder",
    "drawing",
    "sharpening",
    "detail",
    "few steps",
    "lora",
)
MAY_CHANGE = ("steps", "seconds", "save_every", "show_every")  # settings that a stage may go on with
SMOKE_STEPS = 30  # steps of every stage, to see that all is well


@dataclass(frozen=True)
class StageSettings:
    """How long and how fast one stage learns. `batch` counts pictures, or clips of `frames` frames."""

    steps: int = 1000
    batch: int = 8
    frames: int = 4
    lr: float = 3e-4
    warmup: int = 100  # steps
    final: float = 0.05  # share of `lr` at the end of the cosine
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0  # norm of the gradient
    rank: int = 8  # of a LoRA
    dropped: float = 0.1  # share of the clips that are trained without the character
    levels: int = 0  # steps of the sampler that is trained for; 0 = any noise level alike
    seconds: float = 0.0  # how long the stage may take, at most `steps` steps; 0 = as long as they take
    save_every: int = 200
    show_every: int = 200

    def recorded(self) -> dict[str, int | float]:
        """What must stay the same when a stage goes on."""
        return {name: value for name, value in asdict(self).items() if name not in MAY_CHANGE}

    def schedule(self, step: int, share: float | None = None) -> float:
        """The share of `lr` at a step: a linear start, then a cosine over the steps, or over a share of the time."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1) if share is None else share
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


@dataclass(frozen=True)
class DataSettings:
    """Where samples come from: our synthetic shots (synthetic, or shards of them), or a folder of real clips."""

    kind: str = "synthetic"
    clips: int = 1200
    seed: int = 0
    size: int = 128  # pixels
    frames: int = 16
    folder: str = ""  # of shards or clips
    is_randomized: bool = False  # randomized shots; else the benchmark shots, with which the benches measure
    randomized_share: float = 0.0  # of the characters in shots that are else those of the benches
    workers: int = 0  # processes that make samples while the training runs; 0 = all samples first, in a folder


@dataclass(frozen=True)
class Run:
    """A whole training. Stages that are not listed are left out."""

    name: str
    seed: int = 0
    data: DataSettings = DataSettings()
    networks: MimoConfig = MimoConfig()
    layers: tuple[str, ...] = ("plate",)  # whose latents lie beside the noise
    stages: Mapping[str, StageSettings] = field(default_factory=dict)
    start: str = ""  # a MIMO checkpoint whose weights are trained further
    vae: str = ""  # files to encode with, where their stages are left out and `start` brings none
    image_encoder: str = ""
    perceptual: str = ""  # weights of MobileNetV2, with which pictures are also compared by their looks
    window: int = 16
    steps: int = 25  # of sampling
    cfg: float = 2.0
    licence: str = ""
    note: str = ""  # what the checkpoint's metadata should say beside the settings, such as a commit

    def smoke(self) -> Run:
        """The same with a few steps and clips."""
        stages = {
            name: replace(stage, steps=SMOKE_STEPS, warmup=5, save_every=SMOKE_STEPS, show_every=SMOKE_STEPS)
            for name, stage in self.stages.items()
        }
        return replace(self, stages=stages, data=replace(self.data, clips=min(self.data.clips, 8)))


def read_run(path: Path) -> Run:
    """The training that a YAML file describes."""
    import yaml

    try:
        described = yaml.safe_load(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no training configuration at {path}. configs/ holds some to start from.") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(described, dict):
        raise InputError(f"{path} must hold names and values, such as those in configs/mimo-tiny.yaml.")
    stages = described.pop("stages", None) or {}
    if unknown := sorted(set(stages) - set(TRAINING_STAGES)):
        raise InputError(f"{path} names unknown stages: {', '.join(unknown)}. Known are {', '.join(TRAINING_STAGES)}.")
    layers = tuple(described.pop("layers", ("plate",)))
    networks = described.pop("networks", None) or {}
    networks = _make_checked(MimoConfig, networks | {"in_channels": 4 * (1 + len(layers))}, f"{path}, networks")
    data = described.pop("data", None) or {}
    data = {"is_randomized" if name == "is_rich" else name: value for name, value in data.items()}  # until 0.1.0
    data = _make_checked(DataSettings, data, f"{path}, data")
    made = {
        name: _make_checked(StageSettings, stages[name] or {}, f"{path}, {name}")
        for name in TRAINING_STAGES
        if name in stages
    }
    rest = {"data": data, "networks": networks, "layers": layers, "stages": made}
    return _make_checked(Run, {"name": Path(path).stem} | described | rest, str(path))


def _make_checked(kind, values: Mapping, where: str):
    """A dataclass of values from YAML, of which each must be known and of the right kind."""
    known = {entry.name: entry for entry in fields(kind)}
    if unknown := sorted(set(values) - set(known)):
        raise InputError(f"{where}: there is no {', '.join(unknown)}. Known are {', '.join(known)}.")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, value in values.items():
        if "float" in str(known[name].type) and not isinstance(value, float):
            values[name] = _read_number(value, f"{where}, {name}")
        elif str(known[name].type) == "int" and not isinstance(value, int):
            raise InputError(f"{where}: {name} must be a whole number, got {value!r}.")
    return kind(**values)


def _read_number(value, where: str) -> float:
    """YAML takes 1e-3 for text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{where} must be a number, got {value!r}.") from None
