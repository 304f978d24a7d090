"""Tensors out of weight files, without running any code from them, and what a file seems to be."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import InputError
from ..weights.files import format_command


PICKLED = (".pth", ".pt", ".ckpt", ".bin")
SAFE_TORCH_VERSION = (2, 6)  # before it, weights_only=True could be made to run code (CVE-2025-32434)
DAMAGE = (  # what torch.load raises for changed bytes, found by `mimo bench fuzz`
    pickle.UnpicklingError, zipfile.BadZipFile, ArithmeticError, AssertionError, AttributeError, EOFError, LookupError,
    OSError, RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors, .pth, .pt, .ckpt or .bin file by name, mapped from the disk where possible.

    A wrapping `state_dict` and the prefix `module.`, which training scripts leave, are taken off.
    Raises InputError if the file is absent, damaged, or holds more than weights.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in PICKLED:
        return _read_pickled(path)
    raise InputError(f"{path.name} is not a weight file. Known are .safetensors, {', '.join(PICKLED)}.")


def read_metadata(path: Path) -> dict[str, str]:
    """The text entries in the head of a .safetensors file. Raises InputError if it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise InputError(f"{path.name} is damaged or not a safetensors file: {error}. Fetch it again.") from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise InputError(f"{path.name} is damaged or not a safetensors file: {error}. Fetch it again.") from error


def _read_pickled(path: Path) -> dict[str, Tensor]:
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < SAFE_TORCH_VERSION:
        raise InputError(
            f"{path.name} is a pickled file, and torch {torch.__version__} cannot open those safely. Update torch to "
            f"2.6 or newer, or use a .safetensors file; on a machine with a newer torch "
            f"{format_command('convert')} makes one."
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path.name} is damaged, or holds more than weights, which is not opened: {reason}"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    return {str(name).removeprefix("module."): value for name, value in state.items() if isinstance(value, Tensor)}


def list_widths(state: Mapping[str, Tensor], pattern: str) -> list[int]:
    """Output channels of the layers whose names fit the pattern, in the order of the number in it."""
    found = {int(match[1]): len(tensor) for name, tensor in state.items() if (match := re.fullmatch(pattern, name))}
    return [found[number] for number in sorted(found)]


def describe_state(state: Mapping[str, Tensor]) -> str:
    """What kind of file holds these tensors, in words for an error message."""
    for description, is_it in SIGNATURES:
        if is_it(state):
            return description
    return f"an unknown file with {len(state)} tensors such as {', '.join(sorted(state)[:3])}"


def _match_names(*parts: str):
    return lambda state: any(part in name for name in state for part in parts)


def _match_unet(channels: int, *, output: bool):
    def is_it(state: Mapping[str, Tensor]) -> bool:
        first = state.get("conv_in.weight")
        known = first is not None and first.ndim == 4 and "mid_block.resnets.0.conv1.weight" in state
        return known and first.shape[1] == channels and ("conv_out.weight" in state) == output

    return is_it


# The first that fits wins: a whole checkpoint also contains a VAE, an SDXL UNet also looks like a UNet.
SIGNATURES = (
    ("a merged MIMO checkpoint", _match_names("denoising_unet.conv_in.")),
    ("a LoRA", _match_names("lora_down", "lora_up", "lora_A", "lora_B", "lora.down", "lora.up")),
    ("an SDXL checkpoint", _match_names("conditioner.embedders.", "diffusion_model.label_emb.")),
    ("an SDXL UNet", _match_names("add_embedding.linear_1")),
    ("a ControlNet", _match_names("control_model.", "controlnet_cond_embedding.", "input_hint_block.")),
    ("a whole Stable Diffusion checkpoint", _match_names("model.diffusion_model.input_blocks.")),
    ("a Flux model", _match_names("double_blocks.0.")),
    ("a VAE", lambda state: _match_names("encoder.conv_in.")(state) and _match_names("decoder.conv_in.")(state)),
    ("a CLIP vision model", _match_names("vision_model.embeddings.", "visual.class_embedding")),
    ("a text encoder", _match_names("text_model.embeddings.")),
    ("a motion module", lambda state: bool(state) and all("motion_modules." in name for name in state)),
    ("a MIMO denoising UNet", _match_unet(8, output=True)),
    ("a reference UNet", _match_unet(4, output=False)),
    ("a Stable Diffusion UNet in diffusers' names", _match_unet(4, output=True)),
    ("a pose guider", lambda state: {"conv_in.weight", "blocks.0.weight", "conv_out.weight"} <= set(state)),
)
