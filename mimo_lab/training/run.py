"""`mimo train`: the stages of a run, one after the other, each continued where it was left."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from mimo_core.denoise.autoencoder import LATENT_SCALE, Autoencoder
from mimo_core.denoise.checkpoints import open_checkpoint
from mimo_core.denoise.concat_sources import CONCAT_SOURCES
from mimo_core.denoise.detail import DETAIL_LAYERS, DetailNetwork, build_detail_network
from mimo_core.denoise.image_encoder import build_image_encoder
from mimo_core.denoise.state_files import read_tensors
from mimo_core.errors import InputError
from mimo_core.progress import Progress

from .autoencoder import AutoencoderStage, PooledAutoencoderStage, make_autoencoder
from .denoiser import BatchConfig, DenoiserStage, Mimo
from .detail import DETAIL_LOOKS, DetailStage, DrawnClips, draw_shards
from .distillation import FewStepsStage
from .drawing import SHARPER_LOOKS, DrawingNetworks, DrawingStage, SharpeningStage
from .export import clip_vision_tensors, describe_run, export_checkpoint, load_networks, vae_tensors
from .image_encoder import ImageEncoderStage, make_image_encoder
from .latents import Encoders, Latents, encode_shards, hash_weights
from .loop import STATE_FILE, Report, fit_stage
from .lora import add_lora, save_lora
from .perceptual import PerceptualDistance
from .picture_loss import PictureLoss
from .pool import SamplePool
from .samples import Sample, Shards, write_sample_shards
from .settings import Run, StageSettings
from .stream import SampleStream


FEW_STEPS = 4  # steps of sampling after distillation
SAMPLES_APART = 4  # samples of a stream that are looked at and never trained on
FIRST_SAMPLES = 2  # samples of each process that a stream begins with


@dataclass
class Training:
    """A run in a folder: its samples, the state of every stage, logs, and the checkpoint that comes out."""

    run: Run
    folder: Path
    accelerator: object
    samples: Path | None = None  # the folder of samples, by default inside `folder`
    until: float = math.inf  # of time.monotonic()
    progress_of: Callable[[str], Progress] = field(default=lambda stage: lambda done, total, preview=None: None)

    def __post_init__(self):
        self.samples = self.samples or self.folder / "samples"
        self._pool: SamplePool | None = None
        self._pool_key = ""  # of the encoders of the pool's latents

    def run_all(self) -> bool:
        """Everything that is not done yet. False if the time ran out first."""
        if self.run.data.workers:
            self.stream_samples()
        else:
            self.make_samples()
        try:
            return all(getattr(self, name.replace(" ", "_"))().is_finished for name in self.run.stages)
        finally:
            if self._pool is not None:
                self._pool.stream.close()

    def stream_samples(self) -> None:
        """Start the processes that make samples beside the training, and wait for the first ones."""
        data = self.run.data
        workers = min(data.workers, max((os.cpu_count() or 1) - 1, 1))
        apart = SAMPLES_APART if self.accelerator.is_main_process else 0
        stream = SampleStream(self._choose_maker(), workers, apart=apart, part=self._worker_part())
        first = min(FIRST_SAMPLES * workers, data.clips)
        self._pool = SamplePool(stream, data.clips, self.accelerator.device, first=first, apart=apart)

    def make_samples(self) -> None:
        """Draw or decompose the clips, shared out among the processes."""
        data = self.run.data
        names = ("kind", "seed", "size", "frames", "folder", "is_randomized", "randomized_share")
        recorded = {name: getattr(data, name) for name in names}
        write_sample_shards(
            self.samples,
            self._choose_maker(),
            data.clips,
            recorded=recorded,
            part=self._worker_part(),
            progress=self.progress_of("samples"),
        )
        self.accelerator.wait_for_everyone()

    def _choose_maker(self) -> Callable[[int], Sample]:
        """What makes a numbered sample of the run's data."""
        from .real_samples import make_real_sample
        from .shard_samples import make_shard_sample
        from .synthetic_samples import make_synthetic_sample

        data = self.run.data
        if data.kind == "synthetic":
            return partial(
                make_synthetic_sample,
                seed=data.seed,
                size=data.size,
                frames=data.frames,
                is_randomized=data.is_randomized,
                randomized_share=data.randomized_share,
            )
        if data.kind == "shards":
            return partial(make_shard_sample, folder=Path(data.folder), size=data.size, frames=data.frames)
        if data.kind == "folder":
            return partial(
                make_real_sample, folder=Path(data.folder), seed=data.seed, size=data.size, frames=data.frames
            )
        raise InputError(f"There is no data of the kind {data.kind!r}. Choose synthetic, shards or folder.")

    def autoencoder(self) -> Report:
        settings = self.run.stages["autoencoder"]
        return self._fit(self._autoencoder_stage(self._make_autoencoder(), settings), settings)

    def image_encoder(self) -> Report:
        settings = self.run.stages["image encoder"]
        if self._pool is not None:
            raise InputError(
                "The image encoder learns from samples in a folder. Set workers to 0, or leave the stage out and start "
                "from a checkpoint that brings an image encoder."
            )
        width = self.run.networks.cross_attention_dim
        return self._fit(ImageEncoderStage(Shards(self.samples), width=width, batch=settings.batch), settings)

    def images(self) -> Report:
        stage = self._denoiser_stage("images", self._make_networks(), motion=False)
        return self._fit_and_save(stage, self.run.stages["images"], self.export)

    def clips(self) -> Report:
        stage = self._denoiser_stage("clips", self._load_after("images"), motion=True)
        return self._fit_and_save(stage, self.run.stages["clips"], self.export)

    def decoder(self) -> Report:
        """The autoencoder's decoder alone, longer, while the latents stay what the denoiser has learned."""
        settings = self.run.stages["decoder"]
        network = self._load_autoencoder()
        stage = self._autoencoder_stage(network, settings, frozen=True)
        return self._fit_and_save(stage, settings, lambda name: self.export("clips"))

    def drawing(self) -> Report:
        """Denoiser and decoder together, by the pictures that the sampler draws with them."""
        networks = DrawingNetworks(self._load_after("images", "clips"), self._load_autoencoder())
        return self._fit_drawing("drawing", networks, DrawingStage)

    def sharpening(self) -> Report:
        """The decoder alone, on what the networks draw; their weights stay."""
        mimo, autoencoder = self._load_networks("drawing") if "drawing" in self.run.stages else (None, None)
        networks = DrawingNetworks(mimo or self._load_after("images", "clips"), autoencoder or self._load_autoencoder())
        return self._fit_drawing("sharpening", networks, SharpeningStage, looks=SHARPER_LOOKS)

    def detail(self) -> Report:
        """The network behind the decoder, on clips that the others draw first, as they are sampled without guidance."""
        run, settings = self.run, self.run.stages["detail"]
        if self._pool is not None:
            raise InputError("The stage detail learns from clips in a folder. Set workers under data to 0.")
        if not set(DETAIL_LAYERS) <= set(run.layers):
            raise InputError(
                f"The stage detail needs the layers {' and '.join(DETAIL_LAYERS)}. List them under layers."
            )
        networks = DrawingNetworks(self._load_after("images", "clips"), self._load_autoencoder())
        networks = networks.to(self.accelerator.device).eval()
        batching, loss = BatchConfig(clips=1, in_order=True), self._make_picture_loss(looks=DETAIL_LOOKS)
        drawing = DrawingStage(
            "drawing", networks, self._latents(), run.layers, batching, picture_loss=loss, steps=run.steps
        )
        with self.accelerator.autocast():
            draw_shards(
                self.samples,
                drawing,
                self.accelerator.device,
                key=hash_weights(networks),
                part=self._worker_part(),
                progress=self.progress_of("drawn clips"),
            )
        self.accelerator.wait_for_everyone()
        stage = DetailStage(
            DrawnClips(self.samples), self._make_detail_network(), batch=settings.batch, picture_loss=loss
        )
        return self._fit_and_save(stage, settings, self.export)

    def _make_detail_network(self) -> DetailNetwork:
        """That of the checkpoint to start from, or a new one."""
        brought = build_detail_network(open_checkpoint(Path(self.run.start))) if self.run.start else None
        return brought or DetailNetwork()

    def _fit_drawing(self, name: str, networks: DrawingNetworks, kind: type[DrawingStage], **how) -> Report:
        if self._pool is None:
            raise InputError(f"The stage {name} learns from samples that are streamed. Set workers under data.")
        settings = self.run.stages[name]
        batching = BatchConfig(clips=settings.batch, frames=settings.frames, in_order=True)
        loss = self._make_picture_loss(**how)
        stage = kind(
            name, networks, self._latents(), self.run.layers, batching, picture_loss=loss, steps=self.run.steps
        )
        return self._fit_and_save(stage, settings, self.export)

    def few_steps(self) -> Report:
        settings, networks = self.run.stages["few steps"], self._load_after("images", "clips")
        batching = BatchConfig(clips=settings.batch, frames=settings.frames, in_order=True)
        stage = FewStepsStage("few steps", networks, self._latents(), self.run.layers, batching, cfg=self.run.cfg)
        return self._fit_and_save(stage, settings, self.export)

    def lora(self) -> Report:
        settings, networks = self.run.stages["lora"], self._load_after("images", "clips")
        networks.requires_grad_(False)
        add_lora(networks.denoising_unet, rank=settings.rank)
        stage = self._denoiser_stage("lora", networks, motion=True)
        out = self.folder / f"{self.run.name}-lora.safetensors"
        return self._fit_and_save(
            stage,
            settings,
            lambda name: save_lora(networks.denoising_unet, out, source=describe_run(self.run, self._describe_start())),
        )

    def export(self, name: str) -> Path:
        """Write the checkpoint of the networks as a stage left them."""
        networks, autoencoder = self._load_networks(name)
        few = name == "few steps"
        run = replace(self.run, name=f"{self.run.name}-few-steps", steps=FEW_STEPS, cfg=1.0) if few else self.run
        out = self.folder / f"{run.name}.safetensors"
        extras = dict(self._start_extras())
        if {"autoencoder", "decoder", "drawing", "sharpening"} & set(self.run.stages):
            extras["vae"] = vae_tensors(autoencoder or self._load_autoencoder())
        if "image encoder" in self.run.stages:
            extras["clip_vision"] = clip_vision_tensors(self._load_image_encoder())
        if name == "detail":
            network = self._make_detail_network()
            self._load(name, network)
            extras["detail"] = network.state_dict()
        export_checkpoint(run, networks, out, extras=extras, before=self._describe_start())
        return out

    def _load_networks(self, name: str) -> tuple[Mimo, nn.Module | None]:
        """The networks as a stage left them, with the autoencoder if it learned in that stage too."""
        if name == "detail":
            return self._load_after("images", "clips"), None
        if name not in ("drawing", "sharpening"):
            networks = self._make_networks()
            self._load(name, networks)
            return networks, None
        both = DrawingNetworks(self._load_after("images", "clips"), self._load_autoencoder())
        if name == "sharpening" and "drawing" in self.run.stages:
            self._load("drawing", both)
        self._load(name, both)
        return both.mimo, both.autoencoder

    def _autoencoder_stage(self, network: nn.Module, settings: StageSettings, *, frozen: bool = False):
        how = {"batch": settings.batch, "frozen": frozen, "picture_loss": self._make_picture_loss()}
        if self._pool is not None:
            return PooledAutoencoderStage(self._pool, network, **how)
        return AutoencoderStage(Shards(self.samples), network, **how)

    def _make_picture_loss(self, *, looks: float = 1.0) -> PictureLoss:
        perceptual = PerceptualDistance.read(Path(self.run.perceptual)) if self.run.perceptual else None
        return PictureLoss(perceptual, looks=looks).to(self.accelerator.device)

    def _denoiser_stage(self, name: str, networks: Mimo, *, motion: bool) -> DenoiserStage:
        settings = self.run.stages[name]
        batching = BatchConfig(
            clips=settings.batch,
            frames=settings.frames,
            in_order=motion,
            dropped=settings.dropped,
            levels=settings.levels,
        )
        return DenoiserStage(name, networks, self._latents(), self.run.layers, batching, motion=motion)

    def _fit_and_save(self, stage, settings: StageSettings, save: Callable[[str], object]) -> Report:
        report = self._fit(stage, settings)
        if self.accelerator.is_main_process:
            save(stage.name)
        return report

    def _load_after(self, *names: str) -> Mimo:
        """The networks as the last of some stages left them, as far as the run has them."""
        networks = self._make_networks()
        for name in [name for name in names if name in self.run.stages][-1:]:
            self._load(name, networks)
        return networks

    def _latents(self) -> Latents | SamplePool:
        encoders, layers = self._encoders(), tuple(name for name in CONCAT_SOURCES if name in self.run.layers)
        if self._pool is not None:
            if self._pool_key != encoders.key:
                with self.accelerator.autocast():
                    self._pool.encode(encoders, layers)
                self._pool_key = encoders.key
            return self._pool
        encode_shards(
            self.samples,
            encoders,
            layers=layers,
            part=self._worker_part(),
            progress=self.progress_of("latents"),
        )
        self.accelerator.wait_for_everyone()
        return Latents(self.samples, encoders.key)

    def _encoders(self) -> Encoders:
        """The stages' own, else those of the run's files, else those that the checkpoint to start from brings."""
        device = self.accelerator.device
        if {"autoencoder", "decoder"} & set(self.run.stages):
            autoencoder = Autoencoder(self._load_autoencoder().to(device), LATENT_SCALE)
        else:
            autoencoder = Autoencoder.from_tensors(self._read_part("vae", self.run.vae), device)
        if "image encoder" in self.run.stages:
            return Encoders(autoencoder, self._load_image_encoder().to(device))
        return Encoders(
            autoencoder, build_image_encoder(self._read_part("clip_vision", self.run.image_encoder), device)
        )

    def _read_part(self, part: str, file: str) -> Mapping[str, torch.Tensor]:
        if file:
            return read_tensors(Path(file))
        extras = self._start_extras()
        if part not in extras:
            raise InputError(
                f"There is no {part} to encode with. Name a file in the configuration (vae, image_encoder), or list "
                "the stages autoencoder and image encoder."
            )
        return extras[part]

    def _start_extras(self) -> Mapping[str, Mapping[str, torch.Tensor]]:
        """What the checkpoint to start from holds beside its networks, but for what reads layers that are no more."""
        extras = open_checkpoint(Path(self.run.start)).extras if self.run.start else {}
        fits = set(DETAIL_LAYERS) <= set(self.run.layers)
        return {name: state for name, state in extras.items() if name != "detail" or fits}

    def _describe_start(self) -> str:
        """How the checkpoint to start from came to be."""
        return open_checkpoint(Path(self.run.start)).trained.source if self.run.start else ""

    def _make_networks(self) -> Mimo:
        torch.manual_seed(self.run.seed)
        return load_networks(Path(self.run.start), self.run) if self.run.start else Mimo(self.run.networks)

    def _make_autoencoder(self) -> nn.Module:
        """The tiny autoencoder that the checkpoint to start from brings, or a new one."""
        from diffusers import AutoencoderTiny

        brought = self._start_extras().get("vae")
        if brought is None:
            return make_autoencoder()
        network = Autoencoder.from_tensors(brought).network
        if not isinstance(network, AutoencoderTiny):
            raise InputError(
                f"{self.run.start} brings a {type(network).__name__}, and the stages autoencoder and decoder train an "
                "AutoencoderTiny. Leave these stages out."
            )
        return network.to(memory_format=torch.channels_last)

    def _load_autoencoder(self) -> nn.Module:
        network = self._make_autoencoder()
        if "autoencoder" in self.run.stages:
            self._load("autoencoder", network)
        if (self._stage_folder("decoder") / STATE_FILE).is_file():
            self._load("decoder", network)
        return network.eval().requires_grad_(False)

    def _load_image_encoder(self) -> nn.Module:
        network = make_image_encoder(self.run.networks.cross_attention_dim)
        self._load("image encoder", network)
        return network.eval().requires_grad_(False)

    def _load(self, name: str, network: nn.Module) -> None:
        """The averaged weights that a stage left. Motion modules are missing after the stage of single images."""
        path = self._stage_folder(name) / STATE_FILE
        if not path.is_file():
            raise InputError(f"{path} is missing: the stage {name!r} comes first. Run it, or name it in the stages.")
        average = torch.load(path, map_location="cpu", weights_only=True)["average"]
        network.load_state_dict(average, strict=False)

    def _stage_folder(self, name: str) -> Path:
        return self.folder / name.replace(" ", "-")

    def _worker_part(self) -> tuple[int, int]:
        return self.accelerator.process_index, self.accelerator.num_processes

    def _list_dependencies(self, stage) -> dict[str, str]:
        """What a stage depends on beside its own settings."""
        depends = {"start": Path(self.run.start).name}
        if not isinstance(stage, AutoencoderStage):
            depends |= {"networks": str(self.run.networks)}
        if isinstance(stage, DenoiserStage):
            depends |= {"layers": ", ".join(self.run.layers)}
        if isinstance(stage, FewStepsStage):
            depends |= {"cfg": str(self.run.cfg)}
        return depends

    def _fit(self, stage, settings: StageSettings) -> Report:
        with _open_log(self._stage_folder(stage.name), is_on=self.accelerator.is_main_process) as (log, show):
            return fit_stage(
                stage,
                settings,
                self._stage_folder(stage.name),
                accelerator=self.accelerator,
                seed=self.run.seed,
                recorded=self._list_dependencies(stage),
                until=self.until,
                log=log,
                show=show,
                progress=self.progress_of(stage.name),
            )


@contextmanager
def _open_log(folder: Path, *, is_on: bool) -> Iterator[tuple[Callable, Callable]]:
    """Functions that write scalars and pictures for TensorBoard."""
    if not is_on:
        yield lambda step, scalars: None, lambda step, picture: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder / "log")

    def log(step: int, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, step)

    try:
        yield log, lambda step, picture: writer.add_image("samples", picture, step)
    finally:
        writer.close()


def train_run(
    run: Run,
    folder: Path,
    *,
    samples: Path | None = None,
    minutes: float = 0,
    precision: str = "no",
    on_cpu: bool = False,
    progress_of=None,
) -> bool:
    """Train a run in a folder, or go on with it. True when all stages are done, False when the minutes were over."""
    try:
        from accelerate import Accelerator
    except ImportError:
        raise InputError("Training needs accelerate and TensorBoard: pip install '.[train]'") from None
    until = time.monotonic() + 60 * minutes if minutes else math.inf
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision)
    training = Training(run, folder, accelerator, samples, until, *([progress_of] if progress_of else []))
    done = training.run_all()
    accelerator.end_training()  # leaves the group: a process that ends inside it can be aborted by gloo's threads
    return done
