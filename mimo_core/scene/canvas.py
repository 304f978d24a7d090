"""Still picture planes onto which the frames of a clip are warped by the camera's path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.box import Box
from .camera_motion import CameraPath


LARGEST_CANVAS = 6_000_000  # pixels; PIXEL_SAMPLES * 3 bytes each
HELPER_FRAMES = 96  # frames before and after a shot segment that help to fill it when the camera moves


@dataclass(frozen=True, eq=False)
class BackgroundCanvas:
    """A still picture plane that the holes of some frames are mapped onto.

    Convention: `canvas_from_frame[t]` maps homogeneous pixel indices, as in `CameraPath`.
    """

    start: int  # first frame whose holes are filled from here
    stop: int
    first: int  # first frame that may contribute
    last: int
    size: tuple[int, int]  # (width, height)
    canvas_from_frame: dict[int, np.ndarray]
    is_shift: bool  # whole-pixel shifts only: no resampling needed

    def project(
        self, picture: np.ndarray, frame: int, *, flags: int, border: int = 0, part: Box | None = None
    ) -> np.ndarray:
        """A frame or mask brought onto the canvas, or onto a `part` of it; `border` where it does not reach."""
        if part is None:
            return self._warp(picture, self.canvas_from_frame[frame], self.size, flags, border)
        part_from_canvas = np.array([[1, 0, -part.left], [0, 1, -part.top], [0, 0, 1]], np.float64)
        matrix = part_from_canvas @ self.canvas_from_frame[frame]
        return self._warp(picture, matrix, (part.width, part.height), flags, border)

    def find_part(self, frame: int, box) -> Box:
        """The part of the canvas that `box` (x0, y0, x1, y1) of a frame reaches, with what is not reached around it.

        On the canvas of a pan that is a fraction of it. It is never empty.
        """
        width, height = self.size
        x0, y0, x1, y1 = box
        corners = np.array([[x0 - 1, y0 - 1, 1], [x1, y0 - 1, 1], [x1, y1, 1], [x0 - 1, y1, 1]], np.float64)
        corners = corners @ self.canvas_from_frame[frame].T
        if not (corners[:, 2] > 0).all():  # it crosses the horizon
            return Box(0, 0, width, height)
        corners = corners[:, :2] / corners[:, 2:]
        last = np.array(self.size) - 1
        left, top = (np.floor(corners.min(0)) - 1).clip(0, last).astype(int).tolist()
        right, bottom = (np.ceil(corners.max(0)) + 1).clip(0, last).astype(int).tolist()
        return Box(left, top, right + 1, bottom + 1)

    def lookup(self, picture: np.ndarray, frame: int, box, *, flags: int, border: int = 0) -> np.ndarray:
        """The part of a canvas picture that lies in `box` (x0, y0, x1, y1) of a frame."""
        x0, y0, x1, y1 = box
        box_from_frame = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], np.float64)
        matrix = box_from_frame @ np.linalg.inv(self.canvas_from_frame[frame])
        return self._warp(picture, matrix, (x1 - x0, y1 - y0), flags, border)

    def _warp(self, picture, matrix, size, flags: int, border: int) -> np.ndarray:
        import cv2

        if self.is_shift:
            return _crop(picture, -int(matrix[0, 2]), -int(matrix[1, 2]), size, border)
        border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (border,) * 4}
        return cv2.warpPerspective(picture, matrix, size, flags=flags, **border)


def _crop(picture: np.ndarray, x0: int, y0: int, size, border: int) -> np.ndarray:
    """The window of `size` at (x0, y0), `border` outside the picture."""
    width, height = size
    out = np.full((height, width, *picture.shape[2:]), border, picture.dtype)
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + width, picture.shape[1]), min(y0 + height, picture.shape[0])
    if right > left and bottom > top:
        out[top - y0 : bottom - y0, left - x0 : right - x0] = picture[top:bottom, left:right]
    return out


def plan_canvases(path: CameraPath, boxes: list) -> list[BackgroundCanvas]:
    """Canvases which together hold the boxes (x0, y0, x1, y1, or None) of all frames.

    A clip is cut into segments where the camera is lost, and where one canvas would grow too large.
    """
    canvases = []
    for section in range(int(path.section.max()) + 1):
        frames = np.flatnonzero(path.section == section)
        start, stop = int(frames[0]), int(frames[-1]) + 1
        while start < stop:
            end = _segment_end(path, boxes, start, stop)
            canvases.append(make_canvas(path, boxes, start, end, int(frames[0]), stop))
            start = end
    return canvases


def _segment_end(path: CameraPath, boxes, start: int, stop: int) -> int:
    """The longest run of frames from `start` whose boxes fit on one canvas."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for frame in range(start, stop):
        if boxes[frame] is None:
            continue
        corners = _box_corners(path.frame_from_frame(start, frame), boxes[frame])
        low, high = np.minimum(low, corners.min(0)), np.maximum(high, corners.max(0))
        if frame > start and np.prod(high - low + 1) > LARGEST_CANVAS:
            return frame
    return stop


def make_canvas(path: CameraPath, boxes, start: int, stop: int, first: int, last: int) -> BackgroundCanvas:
    """One canvas for the boxes of frames `start` to `stop`, with samples from frames `first` to `last`."""
    if path.kind != "none":
        first, last = max(first, start - HELPER_FRAMES), min(last, stop + HELPER_FRAMES)
    middle = (start + stop) // 2  # where sizes on the canvas are those of the frame
    corners = [
        _box_corners(path.frame_from_frame(middle, frame), boxes[frame])
        for frame in range(start, stop)
        if boxes[frame] is not None
    ]
    corners = np.concatenate(corners) if corners else np.zeros((1, 2))
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    canvas_from_middle = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64)
    matrices = {frame: canvas_from_middle @ path.frame_from_frame(middle, frame) for frame in range(first, last)}
    size = (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
    return BackgroundCanvas(start, stop, first, last, size, matrices, is_shift=path.kind == "none")


def _box_corners(matrix: np.ndarray, box) -> np.ndarray:
    x0, y0, x1, y1 = box
    corners = np.array([[x0, y0, 1], [x1 - 1, y0, 1], [x1 - 1, y1 - 1, 1], [x0, y1 - 1, 1]], np.float64) @ matrix.T
    return corners[:, :2] / corners[:, 2:]
