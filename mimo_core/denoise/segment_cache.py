"""Finished segments on disk, so that a stopped job goes on where it was."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .. import __version__
from ..output import whole_file
from ..weights.fetch import hash_file
from .regions import ClipPlan


METADATA_KEY = "mimo_segment"  # the entry in the head of a segment's file


class SegmentCache:
    """The latents of the finished segments of one job, in a folder of its own.

    A segment counts only if it was made of the same inputs: the key of the job and the plan of the segment must agree.
    """

    def __init__(self, folder: Path, key: str):
        self.folder, self.key = folder, key

    def for_part(self, name: str) -> SegmentCache:
        """The cache of a part of the job, such as one of several people, in a folder below; `remove` drops it too."""
        return SegmentCache(self.folder / name, f"{self.key} {name}")

    def load(self, number: int, part: ClipPlan) -> Tensor | None:
        """The latents of a segment, or None if it is missing, damaged, or of another job."""
        path = self._path(number)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                found = (file.metadata() or {}).get(METADATA_KEY)
                return file.get_tensor("latents") if found == self._key_of(part) else None
        except SafetensorError:
            return None

    def has(self, number: int) -> bool:
        """Whether there is a file of a segment; `load` tells whether it counts."""
        return self._path(number).is_file()

    def save(self, number: int, part: ClipPlan, latents: Tensor) -> None:
        """Keep a segment; its file is whole or not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self._path(number)) as partial:
            save_file({"latents": latents.contiguous()}, partial, metadata={METADATA_KEY: self._key_of(part)})

    def remove(self) -> None:
        """Drop all segments, once the job is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"segment-{number:05d}.safetensors"

    def _key_of(self, part: ClipPlan) -> str:
        return hashlib.sha256(f"{self.key} {part}".encode()).hexdigest()


def hash_job(files: Iterable[Path | None], settings: object) -> str:
    """What a job is made of, as one number: the contents of its files, its settings, and the programs that run it."""
    parts = [__version__, torch.__version__, repr(settings)]
    for path in files:
        inside = [] if path is None else sorted(path.rglob("*")) if path.is_dir() else [path]
        parts.append(" ".join(hash_file(file) for file in inside if file.is_file()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
