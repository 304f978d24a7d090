"""What a visitor may hand in: files of the upload folder, of known kinds, within limits that the page states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..media.clip import Clip
from ..media.picture import PICTURE_SUFFIXES
from ..progress import Progress, silent


VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")
MOTION_SUFFIXES = (".npz", ".safetensors", ".bvh", ".glb")  # no pickles from strangers
SUFFIXES = {"picture": tuple(PICTURE_SUFFIXES), "video": VIDEO_SUFFIXES, "motion": MOTION_SUFFIXES}
COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Limits:
    """How much one job may be. What is more is cut or scaled down, with a note."""

    seconds: float = 10.0  # of a clip or a motion
    side: int = 640  # pixels of the longer side
    megabytes: int = 100  # of a file; larger ones are refused by the server
    longest_seconds: float = 600.0  # of a clip that is cut: longer ones are not opened


USUAL_LIMITS = Limits()


def check_upload(path: str | Path | None, kind: str, folder: Path) -> Path | None:
    """A file that somebody uploaded, or None. `kind` is one of SUFFIXES.

    Raises InputError for a path that leads out of the upload folder, by dots or by links, and for another kind.
    """
    if path is None or path == "":
        return None
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise InputError(f"The {kind} did not arrive. Upload it again.") from None
    if not real.is_relative_to(folder.resolve()) or not real.is_file():
        raise InputError(f"The {kind} is not one that was uploaded here. Upload it again.")
    if real.suffix.lower() not in SUFFIXES[kind]:
        raise InputError(f"{real.name} is not a {kind}. Give a file of {', '.join(sorted(SUFFIXES[kind]))}.")
    return real


def parse_page_color(text: str | None) -> tuple[int, int, int]:
    """Red, green and blue of #rrggbb, or of rgba(r, g, b, a) as browsers give it. Raises InputError."""
    text = (text or "#ffffff").strip()
    numbers = re.fullmatch(r"rgba?\(([\d.]+),\s*([\d.]+),\s*([\d.]+)(?:,\s*[\d.]+)?\)", text)
    if numbers:
        return tuple(min(255, round(float(value))) for value in numbers.groups())
    if not COLOR.fullmatch(text):
        raise InputError(f"{text[:40]!r} is not a color. Give one such as #204060.")
    return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))


def open_limited_clip(path: Path, limits: Limits, progress: Progress = silent) -> tuple[Clip, tuple[str, ...]]:
    """A clip, cut and scaled down to the limits, and notes about that. Raises InputError for what is no video."""
    _refuse_long(path, limits)
    clip = Clip.from_file(path, progress=progress)
    notes = list(clip.notes)
    most = max(1, int(limits.seconds * clip.fps))
    frames = len(clip)
    if frames > most:
        notes.append(f"The clip was cut from {float(frames / clip.fps):.1f} to {limits.seconds:g} seconds.")
    width, height = fit_limits(clip.width, clip.height, limits)
    if (width, height) != (clip.width, clip.height):
        notes.append(f"The clip was scaled down from {clip.width}x{clip.height} to {width}x{height} pixels.")
        scaled = _scale_frames(clip.read(0, most), (width, height))
        return Clip.from_frames(scaled, clip.fps, clip.sound), tuple(notes)
    return clip if frames <= most else clip.select(range(most)), tuple(notes)


def fit_limits(width: int, height: int, limits: Limits) -> tuple[int, int]:
    """Width and height within the limits, even where they are scaled."""
    scale = limits.side / max(width, height)
    if scale >= 1:
        return width, height
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _scale_frames(frames: Iterator[np.ndarray], size: tuple[int, int]) -> Iterator[np.ndarray]:
    import cv2

    for frame in frames:
        yield cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _refuse_long(path: Path, limits: Limits) -> None:
    """Opening a clip decodes all of it, so hours of it are not opened."""
    import av

    try:
        with av.open(str(path)) as container:
            seconds = (container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError):  # Clip.from_file says what is wrong
        return
    if seconds > limits.longest_seconds:
        raise InputError(
            f"The clip has {seconds / 60:.0f} minutes; at most {limits.longest_seconds / 60:.0f} are opened. Cut it."
        )
