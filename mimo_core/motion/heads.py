"""Whether a file says of itself, in its first bytes, that it holds a motion. Nothing else of it is read."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from .glb import MAGIC, name_animation


LONGEST_HEAD = 1 << 20  # bytes; a motion of ours has 2 kB, an exported character with 500 nodes about 100 kB
LONGEST_TEXT = 64 << 20  # bytes of a .gltf, which may hold its keys as text
GLTF_SUFFIXES = (".glb", ".gltf", ".vrma")
REMEMBERED = 4096  # files


def has_motion_head(path: Path) -> bool:
    """Whether a .safetensors holds a motion of ours, or a .glb an animation of nodes. True for every other suffix.

    At most `LONGEST_HEAD` bytes are read, once for each version of a file. A file that cannot be read holds nothing.
    """
    try:
        status = path.stat()
        if path.suffix.lower() not in (".safetensors", ".glb"):
            return True
        return _read_head(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return False


@lru_cache(REMEMBERED)
def _read_head(path: Path, changed: int, size: int) -> bool:
    described = _read_json(path, size)
    if path.suffix.lower() == ".safetensors":
        metadata = described.get("__metadata__")
        return isinstance(metadata, dict) and "motion" in metadata
    return bool(described.get("animations")) and bool(described.get("nodes"))


def list_animations(path: Path) -> tuple[str, ...]:
    """The names of the animations in a glTF file, in its order; none for other files and for what cannot be read."""
    try:
        if path.suffix.lower() not in GLTF_SUFFIXES:
            return ()
        entries = _read_json(path, path.stat().st_size).get("animations")
    except OSError:
        return ()
    return tuple(map(name_animation, entries, range(len(entries)))) if isinstance(entries, list) else ()


def _read_json(path: Path, size: int) -> dict:
    """What a .safetensors, .glb or .gltf says of itself; nothing where it is longer than such files are, or damaged."""
    with path.open("rb") as file:
        if path.suffix.lower() == ".gltf":
            length = size
        elif path.suffix.lower() == ".safetensors":
            length = int.from_bytes(file.read(8), "little")
        else:
            start = file.read(20)  # magic, version, size; then length and kind of the JSON
            length = int.from_bytes(start[12:16], "little") if start[:4] == MAGIC else 0
        longest = LONGEST_TEXT if path.suffix.lower() == ".gltf" else LONGEST_HEAD
        if not 0 < length <= min(size, longest):
            return {}
        try:
            described = json.loads(file.read(length))
        except (ValueError, RecursionError):
            return {}
    return described if isinstance(described, dict) else {}
