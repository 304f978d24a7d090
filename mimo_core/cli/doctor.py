"""What this machine has and lacks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from pathlib import Path


PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "tokenizers",
    "huggingface-hub",
    "safetensors",
    "numpy",
    "scipy",
    "Pillow",
    "av",
    "ai-edge-litert",
    "smplx",
    "comfyui-frontend-package",
)
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")


def describe_machine() -> str:
    """A page for a person: versions, devices, OpenCV, weights and back ends."""
    parts = [
        ("Versions", list_versions()),
        ("Devices", list_devices()),
        ("OpenCV", list_opencv()),
        ("Weights", list_weights()),
    ]
    parts.append(("Back ends", list_back_ends()))
    return "\n\n".join(f"{title}\n" + "\n".join(f"  {line}" for line in lines) for title, lines in parts)


def list_versions() -> list[str]:
    from .. import __version__

    lines = [f"{'mimo':<26}{__version__}", f"{'Python':<26}{platform.python_version()} ({sys.executable})"]
    return lines + [f"{name:<26}{find_version(name) or 'missing'}" for name in PACKAGES]


def find_version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def list_devices() -> list[str]:
    import torch

    lines = [f"CPU, {torch.get_num_threads()} threads for torch"]
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        lines.append(f"GPU {index}: {found.name}, {found.total_memory / 2**30:.0f} GiB")
    if torch.backends.mps.is_available():
        lines.append("Apple GPU (mps)")
    return lines


def list_opencv() -> list[str]:
    """Every distribution that installs a `cv2`: they overwrite each other."""
    found = [f"{name} {version}" for name in OPENCV if (version := find_version(name))]
    if not found:
        return [f"missing. Install it: {sys.executable} -m pip install opencv-python"]
    try:
        import cv2
    except ImportError as error:
        return [*found, f"does not import: {error}. {opencv_remedy()}"]
    lines = [*found, f"imports as {cv2.__version__}"]
    if len(found) > 1:
        lines.append(f"{len(found)} distributions share one folder; keep one of them if cv2 misbehaves.")
    return lines


def opencv_remedy() -> str:
    """What to do when cv2 misses a system library such as libGL."""
    pip = f"{sys.executable} -m pip"
    return f"On a machine without a screen: {pip} uninstall -y opencv-python; {pip} install opencv-python-headless"


def list_weights() -> list[str]:
    """Every weight file: whether it is there, its folder, source and licence, and what works without it."""
    from ..weights.files import WEIGHT_FILES, get_models_folder, locate_weights

    lines = [f"in the package and in {get_models_folder()}"]
    for entry in WEIGHT_FILES:
        folder = "in the package" if entry.ships else entry.path.rpartition("/")[0] or entry.path
        lines.append(f"{'found' if locate_weights(entry) else 'missing':<9}{entry.name:<28}{folder}")
        lines.append(f"         {entry.source}, licence: {entry.licence}")
        if not locate_weights(entry):
            lines.append(f"         without it works: {entry.without}")
    return lines


def list_back_ends() -> list[str]:
    has = {
        name: importlib.util.find_spec(name) is not None
        for name in ("ai_edge_litert", "smplx", "diffusers", "transformers")
    }
    networks = Path(__file__).parents[1] / "assets" / "blazepose"
    mimo = has["diffusers"] and has["transformers"]
    pose = has["ai_edge_litert"] and (networks / "pose_landmark_full.tflite").is_file()
    return [
        f"pose: BlazePose on LiteRT {'usable' if pose else 'not usable, install ai-edge-litert'}; "
        + ("ViTPose usable" if pose and _is_there("vitpose") else "ViTPose after `mimo fetch vitpose`"),
        "body: the free body usable; "
        + ("SMPL, SMPL-H and SMPL-X files usable" if has["smplx"] else "SMPL files need the package smplx"),
        "scene: classical plate and occluder usable; "
        + "; ".join(
            f"{name} usable" if has["transformers"] and _is_there(group) else f"{name} after `mimo fetch {group}`"
            for name, group in (("EdgeTAM", "edgetam"), ("SAM 2", "sam2"), ("Depth Anything", "depth"))
        ),
        f"decoder: proxy usable, mimo {'usable' if mimo else 'not usable, install diffusers and transformers'}",
    ]


def _is_there(group: str) -> bool:
    from ..weights.files import list_group, locate_weights

    return all(locate_weights(entry) for entry in list_group(group))
