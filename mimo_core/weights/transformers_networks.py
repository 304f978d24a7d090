"""Networks of transformers from a folder on this machine: found by name, without a download."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from .files import find_entry, format_command, locate_network


def find_class(name: str, *, since: str):
    """A class of transformers. Raises InputError where the package, or the class in its version, is missing.

    `since` is the first version that has it. Without torchvision an image processor is the one that needs none.
    """
    try:
        import transformers
    except ImportError as error:
        raise InputError(
            f"{name} needs the package transformers, which is not installed. "
            f'Run: {sys.executable} -m pip install "transformers>={since}"'
        ) from error
    if name.endswith("Processor") and importlib.util.find_spec("torchvision") is None:
        name = f"{name}Pil" if hasattr(transformers, f"{name}Pil") else name
    found = getattr(transformers, name, None)
    if found is None:
        raise InputError(
            f"{name} needs transformers {since} or newer, {transformers.__version__} is installed. "
            f'Run: {sys.executable} -m pip install --upgrade "transformers>={since}"'
        )
    return found


def find_folder(path: str, mimo_folders: Iterable[Path], *, what: str, instead: str) -> Path:
    """Where the network of an entry of the weights' table lies. Raises InputError where it does not.

    `what` it is for begins the message, and what to choose `instead` ends it.
    """
    entry = find_entry(path)
    folder = locate_network(entry, mimo_folders)
    if folder is None:
        raise InputError(
            f"{what} needs {entry.name} ({entry.size}) in models/{entry.path}. Get it with "
            f"{format_command('fetch', entry.group)}, or choose {instead}."
        )
    return folder


def load_network(network_class, folder: Path, device: str):
    """The network of a folder on `device`, for inference. Raises InputError for files that are not its weights."""
    from safetensors import SafetensorError

    try:
        network, info = network_class.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise _refuse_files(network_class, folder, _first_line(error)) from error
    count, missing = len(network.state_dict()), len(info["missing_keys"])
    if missing > count / 2:  # transformers would go on with random numbers
        raise _refuse_files(network_class, folder, f"{missing} of {count} tensors are missing.")
    return network.to(device).eval()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _refuse_files(network_class, folder: Path, reason: str) -> InputError:
    return InputError(
        f"{folder} does not hold the files of {network_class.__name__}: {reason} Fetch them again, or remove the "
        "folder."
    )


def load_processor(processor_class, folder: Path):
    """What prepares pictures for the network of a folder. Raises InputError for files that are not its settings."""
    try:
        return processor_class.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{folder} does not hold the settings of {processor_class.__name__} (preprocessor_config.json). Fetch them "
            "again, or remove the folder."
        ) from error


def read_model_type(folder: Path) -> str:
    """What network a folder's config.json says it holds; empty where there is no such file or word."""
    try:
        return str(json.loads((folder / "config.json").read_text("utf-8")).get("model_type", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def choose_device() -> str:
    """Where networks of transformers run: on the accelerator that torch knows (2.6 or newer), else on the CPU."""
    import torch

    accelerator = getattr(torch, "accelerator", None)
    return str(accelerator.current_accelerator()) if accelerator and accelerator.is_available() else "cpu"
