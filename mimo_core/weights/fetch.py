"""Downloads, only when asked for: resumed, verified, under a temporary name until complete."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InputError
from ..progress import Progress, silent
from .files import WeightFile


CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
LOCAL = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Fetched:
    """A complete file and its hash; `verified` if that hash was known before."""

    path: Path
    sha256: str
    verified: bool


def fetch(entry: WeightFile, folder: Path, *, url: str = "", progress: Progress = silent) -> Fetched:
    """Download the file of a table entry into `folder`, unless it lies there. `progress` counts bytes.

    What an interrupted download left is resumed if the server still has the same file. Nothing is executed or opened.
    """
    target = Path(folder) / entry.path
    if target.is_file():
        return _verified(target, entry.sha256, keep=True)
    url = url or entry.url
    if not url:
        raise InputError(
            f"{entry.name} cannot be downloaded by a program. Get it at {entry.source}; put it at {target}."
        )
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    _receive(url, part, hosts=entry.hosts, resumable_without_etag=bool(entry.sha256), progress=progress)
    return _finished(part, target, entry.sha256)


def install(entry: WeightFile, source: Path, folder: Path) -> Fetched:
    """Copy a file that was downloaded by other means to its place, and verify it."""
    if not source.is_file():
        raise InputError(f"There is no file {source}.")
    target = Path(folder) / entry.path
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, part)
    return _finished(part, target, entry.sha256)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _receive(url: str, part: Path, *, hosts: Iterable[str], resumable_without_etag: bool, progress: Progress) -> None:
    """Bring `part` to the server's length, or raise and leave what has come for the next time."""
    etag_file = part.with_name(part.name + ".etag")
    etag = etag_file.read_text() if etag_file.is_file() else ""
    offset = part.stat().st_size if part.is_file() and (etag or resumable_without_etag) else 0
    try:
        with _open(url, offset, etag, hosts) as response:
            resumed = response.status == http.client.PARTIAL_CONTENT
            offset = offset if resumed else 0
            total = offset + int(response.headers.get("Content-Length") or 0)
            _check_space(part, total - offset)
            etag_file.write_text(response.headers.get("ETag") or "")
            with part.open("ab" if resumed else "wb") as file:
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    progress(file.tell(), total)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and _length_in(error) == offset:
            return  # everything had come before
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
        raise InputError(
            f"{url} answered {error.code} {error.reason}. Try again later, or get the file by hand."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"The connection to {urlsplit(url).netloc} failed: {error}. Run it again to resume."
        ) from error
    if part.stat().st_size < total:
        raise InputError(f"The connection ended after {part.stat().st_size} of {total} bytes. Run it again to resume.")


def _open(url: str, offset: int, etag: str, hosts: Iterable[str]):
    _check_address(url, [*hosts, urlsplit(url).netloc])
    headers = {"Accept-Encoding": "identity", "User-Agent": "mimo"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if etag:
            headers["If-Range"] = etag
    opener = urllib.request.build_opener(_SameHosts([*hosts, urlsplit(url).netloc]))
    return opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)


class _SameHosts(urllib.request.HTTPRedirectHandler):
    """Follows redirects to known hosts only."""

    def __init__(self, hosts: list[str]):
        self.hosts = hosts

    def redirect_request(self, request, response, code, message, headers, url):
        _check_address(url, self.hosts)
        return super().redirect_request(request, response, code, message, headers, url)


def _check_address(url: str, hosts: Iterable[str]) -> None:
    """https on a known host or a subdomain of it; http is for this machine alone."""
    address = urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOCAL):
        raise InputError(f"{url} is not an https address, so nothing was downloaded.")
    if not any(address.netloc == host or address.netloc.endswith("." + host) for host in hosts):
        raise InputError(
            f"The download would lead to another host, {address.netloc}, so nothing was downloaded. "
            "Get the file by hand and give it with --from."
        )


def _length_in(error: urllib.error.HTTPError) -> int:
    """The whole length that a server states when it refuses a range: "bytes */1234"."""
    found = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range") or "")
    return int(found[1]) if found else -1


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise InputError(
            f"{part.parent} has {free / 1e9:.1f} GB free but {needed / 1e9:.1f} GB are to come. "
            "Make room, or name another folder in MIMO_MODELS."
        )


def _finished(part: Path, target: Path, sha256: str) -> Fetched:
    fetched = _verified(part, sha256, keep=False)
    os.replace(part, target)
    part.with_name(part.name + ".etag").unlink(missing_ok=True)
    return Fetched(target, fetched.sha256, fetched.verified)


def _verified(path: Path, sha256: str, *, keep: bool) -> Fetched:
    """The file with its hash. One with the wrong hash is an error, and removed if it was just downloaded."""
    actual = sha256_of(path)
    if sha256 and actual != sha256:
        if not keep:
            path.unlink()
        raise InputError(
            f"{path.name.removesuffix('.part')} has SHA-256 {actual}, expected {sha256}: damaged or another file. "
            + (f"Remove {path} and fetch it again." if keep else "It was not kept; fetch it again.")
        )
    return Fetched(path, actual, bool(sha256))
