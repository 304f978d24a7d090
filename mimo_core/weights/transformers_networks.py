"""Networks of transformers from a folder on this machine: found by name, without a download."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


ELSEWHERE = re.compile(r"[/:\\]")  # is in names of repositories, files and sources, in no name of what is built in


def find_class(name: str, *, since: str):
    """A class of transformers. Raises InputError where the package, or the class in its version, is missing.

    `since` is the first version that works. Without torchvision an image processor is the one that needs none.
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
    if found is None or _read_version(transformers.__version__) < _read_version(since):
        raise InputError(
            f"{name} needs transformers {since} or newer, {transformers.__version__} is installed. "
            f'Run: {sys.executable} -m pip install --upgrade "transformers>={since}"'
        )
    return found


def _read_version(text: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def load_network(network_class, folder: Path, device: str):
    """The network of a folder on `device`, in float32, for inference.

    Raises InputError for files that are not its weights, and for settings by which something else would be loaded.
    """
    import torch

    key = _find_reference(folder)
    if key:
        raise _refuse_files(network_class, folder, f"{key} in config.json asks for what is not in the folder.")
    try:
        with torch.inference_mode(False):  # ComfyUI's mode would bind the tensors to it
            network, info = network_class.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
    except MemoryError:
        raise
    except Exception as error:  # of changed settings each version raises something else
        raise _refuse_files(network_class, folder, _first_line(error)) from error
    reason = _find_random(network, info["missing_keys"])
    if reason:
        raise _refuse_files(network_class, folder, reason)
    with torch.inference_mode(False):
        return network.to(device).float().eval()  # files in half precision too: pictures are float32


@contextmanager
def keep_on_device(network, device: str) -> Iterator[None]:
    """A network on `device` for as long as it works; in between it waits on the CPU, so that others find memory."""
    import torch

    with torch.inference_mode(False):
        network.to(device)
    try:
        yield
    finally:
        with torch.inference_mode(False):
            network.to("cpu")


def _find_reference(folder: Path) -> str:
    """The key of config.json by which transformers or timm would load programs or weights from elsewhere, or empty."""
    try:
        settings = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""  # transformers says what is wrong with it
    return next((key for key, value in _list_settings(settings) if _refers_elsewhere(key, value)), "")


def _list_settings(value) -> Iterator[tuple[str, object]]:
    """All keys and values of nested settings."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from _list_settings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_settings(inner)


def _refers_elsewhere(key: str, value) -> bool:
    if key in ("quantization_config", "use_pretrained_backbone"):
        return bool(value)
    if key in ("attn_implementation", "_attn_implementation", "architecture"):  # repositories of kernels and of timm
        return value is not None and not (isinstance(value, str) and not ELSEWHERE.search(value))
    if key == "model_args":  # of timm.create_model, which takes a checkpoint_path
        values = value.values() if isinstance(value, Mapping) else [value]
        return any(isinstance(each, str | Mapping) for each in values)
    return False


def _find_random(network, missing: Iterable[str]) -> str:
    """Why a network is not loaded, or empty: transformers goes on with random numbers in place of what is missing."""
    state, missing = network.state_dict(), set(missing)
    loaded = {value.data_ptr() for key, value in state.items() if key not in missing}
    random = {key for key in missing & set(state) if state[key].data_ptr() not in loaded}  # the others are shared
    parts = {name: {key for key in state if key.startswith(f"{name}.")} for name, _ in network.named_children()}
    absent = [name for name, keys in parts.items() if keys and keys <= random]
    if absent or len(random) > len(state) / 2:
        of = f", all of {', '.join(absent)}" if absent else ""
        return f"{len(random)} of {len(state)} tensors are missing{of}."
    return ""


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
    except Exception as error:  # of changed settings each version raises something else
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
