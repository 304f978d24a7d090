"""Pictures of the user's as places: thrown from the middle camera onto floor and backdrop."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.media.picture import PICTURE_SUFFIXES, read_picture

from .backgrounds import Rays, ShotBackground


LONGEST_PICTURE = 1024  # pixels that a picture is kept with
PICTURE_MARGIN = 1.35  # how much more than one frame the picture covers, for cameras that turn


@dataclass(frozen=True, eq=False, kw_only=True)
class PhotographBackground(ShotBackground):
    """Floor and backdrop that show a picture as a projector in the middle camera would throw it.

    So depth and flow are exact, though the picture's own ground may lie elsewhere than the floor. Beyond its edges it
    goes on mirrored.
    """

    picture: np.ndarray  # (h, w, 3) float32 in 0..1
    projector: Camera  # of one frame, at the picture's size

    def view(self, rays: Rays) -> np.ndarray:
        """What the rays see, (H, W, 3) float32."""
        import cv2

        matrix = self.projector.camera_from_world[0].numpy()
        x, y, z = (
            matrix[row, 0] * rays.x + matrix[row, 1] * rays.y + matrix[row, 2] * rays.z + matrix[row, 3]
            for row in range(3)
        )
        z = np.maximum(z, 1e-3)
        columns = x / z * self.projector.focal + self.projector.center[0] - 0.5
        rows = y / z * self.projector.focal + self.projector.center[1] - 0.5
        seen = cv2.remap(
            self.picture, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        return self.paint_boxes(seen, rays)


def project_photograph(background: ShotBackground, path: Path, camera: Camera) -> PhotographBackground:
    """The place with a picture thrown on it, cut to the camera's shape."""
    import cv2

    width, height = camera.size
    scale = max(width * PICTURE_MARGIN, height * PICTURE_MARGIN, 32)
    picture = _read_small(Path(path))
    factor = PICTURE_MARGIN * max(width / picture.shape[1], height / picture.shape[0])
    if factor < 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    zoom = max(width, height) * PICTURE_MARGIN / scale * max(1.0, factor)
    h, w = picture.shape[:2]
    middle = len(camera.camera_from_world) // 2
    projector = Camera(camera.focal / zoom, (w / 2, h / 2), (w, h), camera.camera_from_world[middle : middle + 1])
    picture = np.clip(picture.astype(np.float32) / 255, 0.02, 0.98)
    return PhotographBackground(**vars(background), picture=picture, projector=projector)


def list_picture_files(folder: Path) -> tuple[Path, ...]:
    """All pictures under a folder, in order."""
    found = tuple(sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES))
    if not found:
        raise InputError(f"There are no pictures under {folder}.")
    return found


@functools.lru_cache(maxsize=64)
def _read_small(path: Path) -> np.ndarray:
    """(h, w, 3) uint8, at most LONGEST pixels long."""
    import cv2

    picture = read_picture(path)[..., :3]
    scale = LONGEST_PICTURE / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return picture
