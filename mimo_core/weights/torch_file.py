"""Files that `torch.save` wrote, opened without running anything of them, and refused in our own words."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from pathlib import Path

import torch

from ..errors import InputError


SAFE_TORCH_VERSION = (2, 6)  # before it, weights_only=True could be made to run code (CVE-2025-32434)
DAMAGE = (  # what torch.load raises for changed bytes, found by `mimo bench fuzz`
    pickle.UnpicklingError, zipfile.BadZipFile, ArithmeticError, AssertionError, AttributeError, EOFError, LookupError,
    OSError, RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip
HEAD = 64  # bytes that tell what a file is
LFS_HEAD = b"version https://git-lfs"


def is_torch_safe() -> bool:
    """Whether this torch opens files without running what is in them."""
    return tuple(int(part) for part in torch.__version__.split(".")[:2]) >= SAFE_TORCH_VERSION


def read_torch_file(path: Path, *, content: str):
    """What `torch.save` wrote, mapped from the disk where possible, if it holds nothing but tensors and numbers.

    `content` is what the file should hold, for messages. Raises InputError for anything else, and for what is damaged,
    cut off, a web page or a pointer of Git LFS. torch's own words are left out: they advise to switch safety off.
    """
    is_archive = _check_head(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except DAMAGE as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if isinstance(error, EOFError) or "unexpected EOF" in str(error):
            raise InputError(f"{path.name} is cut off: its end is missing. Copy or save it again.") from error
        held = f" It asks for {asked.group(1)}, which was not run." if asked else ""
        raise InputError(f"{path.name} is damaged, or holds more than {content}, which is not opened.{held}") from error


def _check_head(path: Path) -> bool:
    """Whether this is a zip archive. Refuse what torch would answer with advice that does not help."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not any(head):
        raise InputError(f"{path.name} is empty or holds only zeros: it is cut off. Copy or save it again.")
    try:
        is_archive = zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        is_archive = False
    if head[:4] == b"PK\x03\x04" and not is_archive:
        raise InputError(f"{path.name} is cut off: its end is missing. Copy or save it again.")
    if head.lstrip()[:1] == b"<":
        raise InputError(f"{path.name} is a web page, not a torch file. Download the file itself.")
    if head.startswith(LFS_HEAD):
        raise InputError(f"{path.name} is a pointer of Git LFS, not the file. Download the file itself.")
    return is_archive
