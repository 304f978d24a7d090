"""Tensors out of weight files, without running any code from them, and what a file seems to be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import InputError
from ..weights.files import format_command
from ..weights.torch_file import is_torch_safe, read_torch_file


PICKLED = (".pth", ".pt", ".ckpt", ".bin")
INDEX_SUFFIX = ".index.json"  # of the list of files that one large file was cut into
LARGEST_INDEX = 1 << 24  # bytes; of a model with 3 000 tensors it has 0.3 MB
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "ema")  # what trainers put the weights under
PREFIXES = ("module.", "model.")  # of all names, by DistributedDataParallel and trainers
COMPILED = "_orig_mod."  # within names, by torch.compile


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors, .pth, .pt, .ckpt or .bin file by name, mapped from the disk where possible.

    An .index.json stands for the files that it lists, which lie beside it. A wrapping `state_dict` and what training
    scripts and torch.compile put before names are taken off. Raises InputError if a file is absent, damaged, or holds
    more than weights.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.name.endswith(INDEX_SUFFIX):
        files = list_shards(path)
        return {name: tensor for file in files for name, tensor in read_tensors(file).items()}
    if path.suffix == ".safetensors":
        return _strip_names(_read_safetensors(path))
    if path.suffix in PICKLED:
        return _strip_names(_read_pickled(path))
    raise InputError(f"{path.name} is not a weight file. Known are .safetensors, {', '.join(PICKLED)}.")


def list_shards(index: Path) -> list[Path]:
    """The files that an .index.json lists, each once. Raises InputError if it is damaged or names files elsewhere."""
    try:
        if index.stat().st_size > LARGEST_INDEX:
            raise InputError(f"{index.name} has {index.stat().st_size >> 20} MB, which is no list of weight files.")
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        files = [index.with_name(name) for name in names]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{index.name} is damaged or no list of weight files: {error}. Fetch it again.") from error
    if absent := [file.name for file in files if not file.is_file() or file.name.endswith(INDEX_SUFFIX)]:
        raise InputError(f"{index.name} lists {', '.join(absent[:3])}, not found in {index.parent}. Fetch them, too.")
    return files


def _strip_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by the names that the networks have."""
    state = {name.replace(COMPILED, "").removeprefix("module."): tensor for name, tensor in state.items()}
    is_whole = any(name.startswith("model.diffusion_model.") for name in state)  # not ours: see SIGNATURES
    for prefix in PREFIXES:
        if state and not is_whole and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


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
    if not is_torch_safe():
        raise InputError(
            f"{path.name} is a pickled file, and torch {torch.__version__} cannot open those safely. Update torch to "
            f"2.6 or newer, or use a .safetensors file; on a machine with a newer torch "
            f"{format_command('convert')} makes one."
        )
    state = read_torch_file(path, content="weights")
    for _ in WRAPPERS:  # not for ever: a file can say that it holds itself
        inner = [state[key] for key in WRAPPERS if isinstance(state.get(key), dict)] if isinstance(state, dict) else []
        state = inner[0] if inner else state
    state = state if isinstance(state, dict) else {}
    return {str(name): value for name, value in state.items() if isinstance(value, Tensor)}


def list_widths(state: Mapping[str, Tensor], pattern: str) -> list[int]:
    """Output channels of the layers whose names fit the pattern, in the order of the number in it."""
    found = {
        int(match[1]): len(tensor)
        for name, tensor in state.items()
        if tensor.ndim and (match := re.fullmatch(pattern, name))
    }
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
