"""Outlines drawn by hand in some frames of real clips: who is replaced, and what is in front of them.

Lines were placed by eye, the edge within a few pixels of them by GrabCut on the single frame at twice its size (court
and drawings: within 1.5 pixels, at four times its size), and every frame was looked at and mended. No mask of the
separator was used.

A file holds polygons in pixels of the clip, by the sha256 of the clip's file and the number of the frame:

    {"clips": {"<sha256>": {"size": [width, height], "frames": {"12": {"person": [[[x, y], ...], ...],
        "occluder": [...], "held": [...], "hole": [...]}}}}}

`person` is what is seen of the person, with hair and clothes, less the polygons of `hole`; `occluder` what is in front
of the body and hides some of it; `held` what is in their hands, which may go with either and counts for neither.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class Outlines:
    """The truth of one frame, all (h, w) bool."""

    person: np.ndarray
    occluder: np.ndarray
    held: np.ndarray


def read_outlines(file: Path, clip: Path) -> tuple[tuple[int, int], dict[int, dict]]:
    """The size (w, h) and the polygons by frame of a clip; none where the file does not know the clip."""
    known = json.loads(file.read_text(encoding="utf-8"))["clips"].get(hash_file(clip))
    if known is None:
        return (0, 0), {}
    return tuple(known["size"]), {int(frame): polygons for frame, polygons in known["frames"].items()}


def hash_file(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def draw_outlines(polygons: dict, size: tuple[int, int], width: int, height: int) -> Outlines:
    """Polygons of a picture of `size` (w, h) as masks of `width` x `height`."""
    scale = np.array([width / size[0], height / size[1]])

    def fill(name: str) -> np.ndarray:
        import cv2

        mask = np.zeros((height, width), np.uint8)
        for polygon in polygons.get(name, []):
            cv2.fillPoly(mask, [np.rint(np.array(polygon) * scale).astype(np.int32)], 1)
        return mask > 0

    held, occluder = fill("held"), fill("occluder")
    return Outlines(fill("person") & ~fill("hole") & ~occluder & ~held, occluder & ~held, held)
