"""Files and folders that are either whole or not there."""

import errno
import os
import platform
import re
import secrets
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError


FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, *((39, 112) if os.name == "nt" else ()))  # and Windows' own
FORBIDDEN = (errno.EACCES, errno.EROFS, errno.EPERM)
NO_FILE = (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENAMETOOLONG)
HIDDEN_NAME = r"\.(.*)\.[0-9a-f]{8}-\d+-[0-9a-f]{8}(\.[^.]*)?"  # what `_reserve_name` gives
MOST_RACES = 20  # with other processes that write the same folder
UMASK = os.umask(0)  # can only be read by setting it
os.umask(UMASK)


@contextmanager
def whole_file(path) -> Iterator[Path]:
    """A temporary name in the folder of `path`, with its suffix. It takes the place of `path` when all went well;
    after an error, Ctrl-C or Cancel nothing is left, and what a killed process left is removed the next time.

    Raises InputError if the folder is missing, full or write-protected.
    """
    path = Path(path)
    partial = _reserve_name(path)
    try:
        with _explain_errors(path):
            yield partial
            _set_usual_mode(partial)
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path, *, of: set[str]) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place when all went well.

    What lies there is replaced if it holds nothing but files named in `of`. Raises InputError for a folder that holds
    anything else, and where the folder around it is missing, full or write-protected.
    """
    path = Path(path).absolute()
    partial = _reserve_name(path)
    try:
        with _explain_errors(path):
            partial.mkdir()
            yield partial
            for file in partial.iterdir():
                _set_usual_mode(file)
            _replace_folder(partial, path, of)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def make_temporary_folder(name: str) -> Path:
    """A new folder for temporary files, which the caller removes. What processes that are gone left under this name
    is removed first. Raises InputError where there is no room for it."""
    with explain_temporary_errors():
        root = Path(tempfile.gettempdir())
        stem = f"mimo-{name}.{_hash_machine()}"
        _remove_leftovers(root, rf"{re.escape(stem)}-(\d+)-[0-9a-f]{{8}}")
        folder = root / f"{stem}-{os.getpid()}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
    return folder


def _hash_machine() -> str:
    """The machine by its name: others may share the disk, and their processes cannot be asked."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _set_usual_mode(file: Path) -> None:
    """Let others read what safetensors writes for its owner alone, as far as the umask does."""
    if file.is_file():
        with suppress(OSError):  # of disks on which everything belongs to somebody else
            file.chmod(0o666 & ~UMASK)


def _replace_folder(partial: Path, path: Path, of: set[str]) -> None:
    """Move a folder to its place. The one that was there goes aside first, and comes back after an error or Ctrl-C."""
    aside = partial.with_name(partial.name + ".old")
    for races_left in reversed(range(MOST_RACES)):
        try:
            _put_aside(path, aside, of)
            partial.rename(path)
            return
        except BaseException as error:
            if aside.exists() and not path.exists():
                with suppress(OSError):
                    aside.rename(path)
            if getattr(error, "errno", None) not in (errno.ENOTEMPTY, errno.EEXIST) or not races_left:
                raise
        finally:
            if path.exists():
                shutil.rmtree(aside, ignore_errors=True)


def _put_aside(path: Path, aside: Path, of: set[str]) -> None:
    """Rename a folder that holds nothing but files named in `of`, if there is one and no other process was faster."""
    try:
        foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in of)
        if foreign:
            raise InputError(f"{path} holds other files ({', '.join(foreign[:3])}). Give the name of a new folder.")
        path.rename(aside)
    except (FileNotFoundError, NotADirectoryError):
        return


def _reserve_name(path: Path) -> Path:
    """A hidden name beside `path` that tells which process uses it. Those of processes that are gone are removed."""
    check_folder(path)
    machine = _hash_machine()
    # A long name with 20 characters more could be too long for the file system, which counts bytes.
    stem = path.stem.encode(errors="ignore")[:100].decode(errors="ignore")
    _remove_leftovers(
        path.parent, rf"\.{re.escape(stem)}\.{machine}-(\d+)-[0-9a-f]{{8}}{re.escape(path.suffix)}(\.old)?"
    )
    return path.with_name(f".{stem}.{machine}-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")


def _remove_leftovers(folder: Path, pattern: str) -> None:
    for entry in os.scandir(folder):
        found = re.fullmatch(pattern, entry.name)
        if not found or _is_running(int(found[1])):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # os.kill would end the process there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@contextmanager
def _explain_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about a full or protected folder into an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number, folder = find_system_error(error), _show_folder(path)
        if number in FULL:
            raise InputError(
                f"No room to write {path.name} in {folder}: {os.strerror(number)}. Free some space."
            ) from error
        if number in FORBIDDEN:
            raise InputError(f"{folder} cannot be written to: {os.strerror(number)}. Choose another folder.") from error
        if number in NO_FILE:
            raise InputError(f"Cannot write {folder / path.name}: {os.strerror(number)}. Give another name.") from error
        raise


@contextmanager
def explain_temporary_errors() -> Iterator[None]:
    """Turn what the system says where a temporary file cannot be made into an InputError."""
    try:
        yield
    except OSError as error:
        place = tempfile.tempdir or "the system's folder for them"
        raise InputError(
            f"No temporary file can be made in {place}: {error.strerror}. "
            "Free some space there, or set TMPDIR to a folder on another disk."
        ) from error


def find_system_error(error: BaseException) -> int | None:
    """The number of the system's error that an exception is, or of a full disk that it followed from."""
    number = _read_number(error)
    while number is None and (error := error.__cause__ or error.__context__) is not None:
        behind = _read_number(error)
        number = behind if behind in FULL else None
    return number


def _read_number(error: BaseException) -> int | None:
    """The number of an OSError, or that which safetensors gives in words."""
    stated = re.search(r"\(os error (\d+)\)", str(error))
    return error.errno if isinstance(error, OSError) else int(stated[1]) if stated else None


def _show_folder(path: Path) -> Path:
    """The folder of a path; one that has a hidden name while it is written, by the name that it will have."""
    hidden = re.fullmatch(HIDDEN_NAME, path.parent.name)
    return path.parent.with_name(hidden[1] + (hidden[2] or "")) if hidden else path.parent


def refuse_existing(path, *, force: bool) -> Path:
    """`path`. Raises InputError if something lies there and `force` is not given, or where no folder is to write in."""
    path = Path(path)
    if path.exists() and not force:
        raise InputError(f"{path} exists already. Give another name, or --force to replace it.")
    check_folder(path)
    return path


def check_folder(path: Path) -> None:
    """Raise InputError if the folder in which `path` is to be written is not there."""
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}. Make it first.")
