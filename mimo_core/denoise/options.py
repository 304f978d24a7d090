"""The options of `--decoder mimo`, and the decoder that they ask for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from ..errors import InputError
from ..progress import Progress
from ..weights.files import ASSETS, FILES, command, locate, models_folder
from .config import NOISES, SAMPLERS


BUILT_IN = ASSETS / "mimo-tiny.safetensors"
VAE, IMAGE_ENCODER = "sd-vae-ft-mse.safetensors", "sd-image-variations.bin"
PRECISIONS = {"auto": None, "fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
NOT_OF_THE_JOB = ("out", "force", "sheet", "resume", "command", "rest")
SAMPLING = ("steps", "cfg", "window", "overlap", "sampler", "seed", "noise", "behaviour", "segment", "windows_at_once")


def add_options(parser) -> None:
    """Add them to a command of the command line."""
    add = parser.add_argument_group("the decoder mimo").add_argument
    add("--checkpoint", type=Path, metavar="FILE", help="a merged file, or the folder of the four official ones")
    add("--vae", type=Path, metavar="FILE", help="default: the checkpoint's own, else sd-vae-ft-mse as fetched")
    add("--image-encoder", type=Path, metavar="FILE", help="default: the checkpoint's own, else the fetched one")
    add("--square", type=int, default=0, metavar="PIXELS", help="side of what the network draws; 0 = as trained")
    add("--steps", type=int, default=0, help="0 = as trained")
    add("--cfg", type=float, default=0, help="strength of guidance; 0 = as trained, 1 = none")
    add("--sampler", choices=SAMPLERS, default="ddim")
    add("--seed", type=int, default=42)
    add("--noise", choices=NOISES, default="per_frame")
    add("--window", type=int, default=0, metavar="FRAMES", help="seen together; 0 = as trained")
    add("--overlap", type=int, metavar="FRAMES", help="shared by two windows; default: as trained")
    add(
        "--behaviour", choices=["fixed", "official"], default="fixed", help="official repeats the release, bugs and all"
    )
    add("--segment", type=int, default=3, metavar="WINDOWS", help="worked on, and kept by --resume, together")
    add("--windows-at-once", type=int, default=1, metavar="N", help="windows in one pass; fewer if memory runs out")
    add("--resume", action="store_true", help="keep finished segments beside the output, and go on from those there")
    add("--precision", choices=PRECISIONS, default="auto", help="auto: fp16 on a GPU, fp32 elsewhere")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")


def decoder_of(options, files: Iterable[Path], *, progress: Progress):
    """The MimoDecoder that parsed options ask for. `files` are the job's other inputs, by which --resume knows it."""
    from .autoencoder import Autoencoder
    from .checkpoints import build, open_checkpoint
    from .image_encoder import image_encoder
    from .official_files import edge_masks, official_body_code
    from .pipeline import MimoDecoder, Settings

    settings = Settings(size=options.square, **{name: getattr(options, name) for name in SAMPLING})
    path, device = options.checkpoint or default_checkpoint(), _device(options.device)
    checkpoint = open_checkpoint(path)
    vae = _tensors(checkpoint, "vae", options.vae, VAE)
    encoder = _tensors(checkpoint, "clip_vision", options.image_encoder, IMAGE_ENCODER)
    models, folders = str(models_folder()), [path if path.is_dir() else path.parent, models_folder() / "mimo"]
    return MimoDecoder(
        build(checkpoint, dtype=_dtype(options.precision, device), device=device),
        Autoencoder.from_tensors(vae, device),
        image_encoder(encoder, device),
        settings,
        official=partial(official_body_code, folders, [models_folder() / "smpl"], models=models),
        edge_masks=partial(edge_masks, folders, models=models),
        kept=_kept(options, [*files, path, options.vae, options.image_encoder]) if options.resume else None,
        progress=progress,
    )


def default_checkpoint() -> Path:
    """The checkpoint that ships, else the folder where `fetch` puts the official ones."""
    return BUILT_IN if BUILT_IN.is_file() else models_folder() / "mimo"


def segments_folder(out: Path) -> Path:
    """Where --resume keeps the finished segments of an output."""
    return out.with_name(f"{out.name}.segments")


def _kept(options, files: Iterable[Path | None]):
    from .kept import KeptSegments, job_key

    said = {name: value for name, value in vars(options).items() if name not in NOT_OF_THE_JOB}
    return KeptSegments(segments_folder(options.out), job_key(files, sorted(said.items())))


def _tensors(checkpoint, part: str, given: Path | None, name: str):
    """The tensors of a part: of the file that was given, else of the checkpoint, else of the file called `name`."""
    from .state_files import read_tensors

    if given is None and part in checkpoint.extras:
        return checkpoint.extras[part]
    path = given or locate(next(entry for entry in FILES if entry.name == name))
    if path is None:
        option = "--vae" if part == "vae" else "--image-encoder"
        raise InputError(
            f"The checkpoint brings no {part}, and {name} is not in {models_folder()}. Get it with "
            f"{command('fetch', 'mimo')}, or give a file by {option}."
        )
    return read_tensors(path)


def _device(name: str):
    import torch

    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True) if hasattr(torch, "accelerator") else None
        return found or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device {name} cannot be used: {reason}. Choose auto or cpu.") from error


def _dtype(precision: str, device):
    import torch

    if precision == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    return getattr(torch, PRECISIONS[precision])
