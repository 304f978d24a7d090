"""What a result was made of, noted beside it, so that a job that is done is not done again."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..output import whole_file


CHUNK = 1 << 22  # bytes


def hash_inputs(files: Iterable[Path], settings: Mapping[str, object]) -> str:
    """One number for the contents of input files, the settings and the version. Missing files count as missing."""
    parts = [__version__, json.dumps(dict(settings), sort_keys=True, default=str)]
    for path in files:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        parts += [_hash_known(file) for file in inside if not file.is_dir()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _hash_known(path: Path) -> str:
    try:
        state = os.stat(path)
    except OSError:
        return "missing"
    return _hash_file(str(path), state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=4096)  # many jobs share a character
def _hash_file(path: str, size: int, changed: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class ResultRecord:
    """The note beside a result `out`."""

    out: Path

    @property
    def path(self) -> Path:
        return self.out.with_name(f"{self.out.name}.job.json")

    @property
    def exists(self) -> bool:
        return self.path.is_file()

    def is_done(self, key: str) -> bool:
        """Whether the result is there and was made of what `key` stands for.

        A result appears whole, so one that is newer than the start of its job is done, even if whoever started the
        job is gone.
        """
        noted = self._read()
        if noted.get("key") != key or not self.out.is_file():
            return False
        return bool(noted.get("is_done")) or _changed(self.out) != noted.get("before")

    def begin(self, key: str, about: Mapping[str, object]) -> None:
        """Note that a job begins."""
        self._write({"key": key, "is_done": False, "before": _changed(self.out), "version": __version__, **about})

    def finish(self) -> None:
        """Note that its result is there."""
        self._write(self._read() | {"is_done": True})

    def _read(self) -> dict:
        try:
            noted = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _write(self, noted: dict) -> None:
        with whole_file(self.path) as partial:
            partial.write_text(json.dumps(noted, indent=1, default=str), "utf-8")


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
