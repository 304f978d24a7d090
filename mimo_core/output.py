"""Files that are either whole or not there."""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


@contextmanager
def whole_file(path) -> Iterator[Path]:
    """A temporary name in the folder of `path`, with its suffix. It takes the place of `path` when all went well;
    after an error, Ctrl-C or Cancel nothing is left."""
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}. Make it first.")
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise InputError(
                f"No room to write {path.name} in {path.parent}: {error.strerror}. Free some space."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS):
            raise InputError(f"{path.parent} cannot be written to: {error.strerror}. Choose another folder.") from error
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path, *, of: set[str]) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place when all went well.

    What lies there is replaced if it holds nothing but files named in `of`; a folder with anything else is refused.
    """
    path = Path(path)
    if not path.resolve().parent.is_dir():
        raise InputError(f"There is no folder {path.parent}. Make it first.")
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.resolve().parent))
    try:
        yield partial
        if path.is_dir():
            _remove_folder(path, of)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_folder(path: Path, of: set[str]) -> None:
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in of)
    if foreign:
        raise InputError(f"{path} holds other files ({', '.join(foreign[:3])}). Give the name of a new folder.")
    shutil.rmtree(path)


def refuse_existing(path, *, force: bool) -> Path:
    """`path`, unless something lies there and `force` is not given."""
    path = Path(path)
    if path.exists() and not force:
        raise InputError(f"{path} exists already. Give another name, or --force to replace it.")
    return path
