"""The options of `--decoder mimo`, and the decoder that they ask for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from inspect import signature
from pathlib import Path

from ..errors import InputError
from ..progress import Progress
from ..weights.files import ASSETS, WEIGHT_FILES, format_command, get_models_folder, locate_weights
from .config import NOISES, SAMPLERS


BUILT_IN_CHECKPOINT = ASSETS / "mimo-tiny.safetensors"
VAE, IMAGE_ENCODER = "sd-vae-ft-mse.safetensors", "sd-image-variations.bin"
PRECISION_NAMES = {"auto": None, "fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
UNHASHED_OPTIONS = ("out", "force", "sheet", "resume", "command", "rest")
SAMPLING = (
    *("steps", "cfg", "window", "overlap", "sampler", "seed", "noise", "behavior", "segment", "windows_at_once"),
    *("reuse_every", "reuse_depth"),
)


def add_options(parser) -> None:
    """Add them to a command of the command line."""
    add = parser.add_argument_group("the decoder mimo").add_argument
    add("--checkpoint", type=Path, metavar="FILE", help="a merged file, or the folder of the four official ones")
    add("--vae", type=Path, metavar="FILE", help="default: the checkpoint's own, else sd-vae-ft-mse as fetched")
    add("--image-encoder", type=Path, metavar="FILE", help="default: the checkpoint's own, else the fetched one")
    add("--square", type=int, default=0, metavar="PIXELS", help="side of what the network draws; 0 = as trained")
    add("--steps", type=int, default=0, help="0 = as trained")
    add("--cfg", type=float, default=0, help="strength of guidance; 0 = as trained, 1 = none")
    add(
        "--guidance-interval",
        nargs=2,
        type=float,
        default=(0.0, 1.0),
        metavar=("LOW", "HIGH"),
        help="guide only at these shares of the noise schedule; 0 0.8 leaves out the first fifth",
    )
    add("--reuse-every", type=int, default=1, metavar="N", help="make deep features at every n-th step only; 2 or 3")
    add("--reuse-depth", type=int, default=0, metavar="N", help="blocks that run at every step beside the last one")
    add("--sampler", choices=SAMPLERS, default="ddim")
    add("--seed", type=int, default=42)
    add("--noise", choices=NOISES, default="per_frame")
    add("--window", type=int, default=0, metavar="FRAMES", help="seen together; 0 = as trained")
    add("--overlap", type=int, metavar="FRAMES", help="shared by two windows; default: as trained")
    add(
        "--behavior",
        "--behaviour",
        choices=["fixed", "official"],
        default="fixed",
        help="official repeats the release, bugs and all",
    )
    add("--segment", type=int, default=3, metavar="WINDOWS", help="worked on, and kept by --resume, together")
    add("--windows-at-once", type=int, default=1, metavar="N", help="windows in one pass; fewer if memory runs out")
    add("--resume", action="store_true", help="keep finished segments beside the output, and go on from those there")
    add("--compile", action="store_true", help="torch.compile the blocks of the denoiser: slow start, faster passes")
    add("--precision", choices=PRECISION_NAMES, default="auto", help="auto: fp16 on a GPU, fp32 elsewhere")
    add(
        "--vae-precision",
        choices=["auto", "fp32", "bf16"],
        default="auto",
        help="auto: bf16 on a GPU that has it, fp32 elsewhere",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")


def build_decoder(options, files: Iterable[Path], *, progress: Progress):
    """The MimoDecoder that parsed options ask for. `files` are the job's other inputs, by which --resume knows it."""
    from .autoencoder import Autoencoder
    from .checkpoints import build_networks, open_checkpoint
    from .compilation import compile_blocks
    from .detail import build_detail_network
    from .image_encoder import build_image_encoder
    from .official_files import open_official_body, read_edge_masks
    from .pipeline import MimoDecoder, SamplingSettings

    chosen = {name: getattr(options, name) for name in SAMPLING}
    settings = SamplingSettings(size=options.square, guidance_interval=tuple(options.guidance_interval), **chosen)
    path, device = options.checkpoint or find_default_checkpoint(), _choose_device(options.device)
    checkpoint = open_checkpoint(path)
    vae = _read_part(checkpoint, "vae", options.vae, VAE)
    encoder = _read_part(checkpoint, "clip_vision", options.image_encoder, IMAGE_ENCODER)
    models, folders = str(get_models_folder()), [path if path.is_dir() else path.parent, get_models_folder() / "mimo"]
    networks = build_networks(checkpoint, dtype=_choose_dtype(options.precision, device), device=device)
    if options.compile:
        compile_blocks(networks.denoiser)
    return MimoDecoder(
        networks,
        Autoencoder.from_tensors(vae, device, _choose_vae_dtype(options.vae_precision, device)),
        build_image_encoder(encoder, device),
        settings,
        official=partial(
            open_official_body,
            folders,
            [get_models_folder() / "smpl"],
            models=models,
            learn=f"Learn them with {format_command('colors', 'TEMPLATE_DIR')}",
        ),
        edge_masks=partial(read_edge_masks, folders, models=models),
        cache=_open_cache(options, [*files, path, options.vae, options.image_encoder]) if options.resume else None,
        detail=build_detail_network(checkpoint, device),
        progress=progress,
    )


def find_default_checkpoint() -> Path:
    """The checkpoint that ships, else the folder where `fetch` puts the official ones."""
    return BUILT_IN_CHECKPOINT if BUILT_IN_CHECKPOINT.is_file() else get_models_folder() / "mimo"


def get_segments_folder(out: Path) -> Path:
    """Where --resume keeps the finished segments of an output."""
    return out.with_name(f"{out.name}.segments")


def _open_cache(options, files: Iterable[Path | None]):
    from .segment_cache import SegmentCache, hash_job

    said = {name: value for name, value in vars(options).items() if name not in UNHASHED_OPTIONS}
    return SegmentCache(get_segments_folder(options.out), hash_job(files, sorted(said.items())))


def _read_part(checkpoint, part: str, given: Path | None, name: str):
    """The tensors of a part: of the file that was given, else of the checkpoint, else of the file called `name`."""
    from .state_files import read_tensors

    if given is None and part in checkpoint.extras:
        return checkpoint.extras[part]
    path = given or locate_weights(next(entry for entry in WEIGHT_FILES if entry.name == name))
    if path is None:
        option = "--vae" if part == "vae" else "--image-encoder"
        raise InputError(
            f"The checkpoint brings no {part}, and {name} is not in {get_models_folder()}. Get it with "
            f"{format_command('fetch', 'mimo')}, or give a file by {option}."
        )
    return read_tensors(path)


def _choose_device(name: str):
    import torch

    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True) if hasattr(torch, "accelerator") else None
        return found or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device {name} cannot be used: {reason}. Choose auto or cpu.") from error


def _choose_dtype(precision: str, device):
    import torch

    if precision == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    return getattr(torch, PRECISION_NAMES[precision])


def _choose_vae_dtype(precision: str, device):
    import torch

    if precision == "auto":
        is_supported = getattr(torch.get_device_module(device), "is_bf16_supported", None)
        is_fast = is_supported is not None and is_supported()
        # NVIDIA's cards before Ampere only imitate it, and are slower with it. Not every module tells these apart.
        if is_fast and "including_emulation" in signature(is_supported).parameters:
            is_fast = is_supported(including_emulation=False)
        return torch.bfloat16 if is_fast else torch.float32
    return getattr(torch, PRECISION_NAMES[precision])
