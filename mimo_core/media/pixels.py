"""Decoded frames as players show them: deinterlaced, upright, with square pixels, in 8 bit RGB."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from .container import check_size
from .tone_mapping import HDR_KINDS, ToneMapper


WIDEST_PIXEL = 5  # a pixel that is more than this many times as wide as high, or as high as wide, is a wrong mark
SLIGHT = 0.01  # pixels that differ from squares by less than this are left


class FrameConverter:
    """Turns frames of one video into RGB arrays (H, W, 3) uint8, as learned from its first frame."""

    def __init__(self, frame, pixel_aspect: Fraction | None):
        """`pixel_aspect` is the width of a pixel by its height. Raises InputError if the picture is too large."""
        self.notes: list[str] = []
        self._size = self._learn_size(frame, pixel_aspect)
        self._turn = self._learn_turn(frame)
        self._hdr = HDR_KINDS.get(int(getattr(frame, "color_trc", 0) or 0))
        self._mapper, self._mapped = None, None
        width, height = self._size[::-1] if self._turn[0] else self._size
        check_size(width, height)
        self.shape = (height, width, 3)
        parts = frame.format.components
        if self._hdr:
            self.notes.append(f"The video is HDR ({self._hdr}); its tones were mapped to BT.709.")
        if any(part.is_alpha for part in parts) and frame.to_ndarray(format="rgba")[..., 3].min() < 255:  # not of a GIF
            self.notes.append("The video has an alpha channel; it is ignored.")
        if max(part.bits for part in parts) > 8:
            self.notes.append("The video has more than 8 bits a channel; it is worked on in 8.")

    def __call__(self, frame) -> np.ndarray:
        if self._hdr:
            frame = self._map_tones(frame)
        width, height = self._size
        settings = {} if (frame.width, frame.height) == self._size else {"width": width, "height": height}
        picture = frame.to_ndarray(format="rgb24", src_colorspace=_name_colorspace(frame), **settings)
        is_transposed, is_mirrored, is_flipped = self._turn
        if is_transposed:
            picture = picture.swapaxes(0, 1)
        return np.ascontiguousarray(picture[:: -1 if is_flipped else 1, :: -1 if is_mirrored else 1])

    def _map_tones(self, frame):
        kind = (frame.width, frame.height, frame.format.name)
        if self._mapped != kind:
            self._mapper, self._mapped = ToneMapper(frame, self._hdr), kind
        return self._mapper(frame)

    def _learn_size(self, frame, pixel_aspect: Fraction | None) -> tuple[int, int]:
        """Width and height that make pixels square by enlarging one side; even sides stay even."""
        width, height = frame.width, frame.height
        aspect = float(pixel_aspect or 1)
        if not 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL or abs(aspect - 1) < SLIGHT:
            return width, height
        step = 1 if width % 2 or height % 2 else 2
        if aspect > 1:
            width = step * round(width * aspect / step)
        else:
            height = step * round(height / aspect / step)
        self.notes.append(f"The video's pixels are not square; it was scaled to {width}x{height}.")
        return width, height

    def _learn_turn(self, frame) -> tuple[bool, bool, bool]:
        """Whether to swap the axes, then mirror left and right, then top and bottom, by the display matrix.

        FFmpeg's matrix (a, b, u, c, d, v, x, y, w) takes (x, y), y down, to (a x + c y, b x + d y).
        """
        a, b, c, d = _read_display_matrix(frame)
        is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
        across, down = (c, b) if is_transposed else (a, d)
        turn = is_transposed, across < 0, down < 0
        if turn[0] ^ turn[1] ^ turn[2]:
            self.notes.append("The video is marked as mirrored; it is shown as players show it.")
        elif any(turn):
            degrees = 180 if not is_transposed else 270 if turn[2] else 90
            self.notes.append(f"The video is marked as turned by {degrees} degrees; it is shown upright.")
        return turn


def _read_display_matrix(frame) -> tuple[int, int, int, int]:
    """a, b, c and d of the display matrix, in any scale; (1, 0, 0, 1) without one."""
    try:
        found = [item for item in frame.side_data if getattr(item.type, "name", "") == "DISPLAYMATRIX"]
    except ValueError:  # PyAV refuses them all where one is of a kind that it does not know, as EXIF of a JPEG or TIFF
        quarters = round(getattr(frame, "rotation", 0) / 90) % 4
        return ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))[quarters]
    if not found:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(found[0]), np.int32)[:5].tolist()
    return a, b, c, d


def deinterlace(frames: Iterator[tuple[int, object]]) -> Iterator[tuple[int, object]]:
    """Numbered frames through FFmpeg's bwdif filter, one for one. Only what is marked as interlaced is changed."""
    graph, kind, numbers = None, None, deque()
    for number, frame in frames:
        size = (frame.width, frame.height, frame.format.name)
        if kind != size:
            if graph is not None:
                graph.push(None)
                yield from _pull_numbered(graph, numbers)
            graph, kind = _build_deinterlacer(frame), size
        numbers.append(number)
        graph.push(frame)
        yield from _pull_numbered(graph, numbers)
    if graph is not None:
        graph.push(None)
        yield from _pull_numbered(graph, numbers)


def _build_deinterlacer(frame):
    import av

    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    field, sink = graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    source.link_to(field)
    field.link_to(sink)
    graph.configure()
    return graph


def _pull_numbered(graph, numbers: deque) -> Iterator[tuple[int, object]]:
    import av

    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if numbers:
            yield numbers.popleft(), frame


def _name_colorspace(frame) -> str:
    """Players take unmarked video of 720 lines and more for BT.709, smaller for BT.601; so do we."""
    marked = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
    space = int(getattr(frame.colorspace, "value", frame.colorspace))
    return marked.get(space, "ITU709" if min(frame.width, frame.height) >= 720 else "ITU601")
