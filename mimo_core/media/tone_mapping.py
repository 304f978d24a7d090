"""HDR video (HLG and PQ, BT.2020) as BT.709 pictures, by a table that FFmpeg's `lut3d` filter applies.

The wheels of PyAV have no `zscale`, without which FFmpeg's `tonemap` filter has no linear light to work on.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..output import explain_temporary_errors


HDR_KINDS = {16: "PQ", 18: "HLG"}  # AVCOL_TRC_SMPTE2084 and AVCOL_TRC_ARIB_STD_B67
POINTS = 33  # of the table along each axis
WHITE = 203.0  # cd/m2 of a diffuse white, ITU-R BT.2408
PEAK = 1000.0  # cd/m2 of the display that HLG is made for, ITU-R BT.2100
KNEE = 0.7  # of white: brighter light is compressed
DISPLAY_GAMMA = 2.4  # of the display, ITU-R BT.1886
BT709_FROM_BT2020 = np.array(  # linear light, ITU-R BT.2087
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)


def map_tones(signal: np.ndarray, kind: str) -> np.ndarray:
    """HLG or PQ signal (..., 3) in 0..1 with BT.2020 primaries as BT.709 signal (..., 3) in 0..1.

    Convention: a PQ signal of 0.58 and an HLG signal of 0.75 are diffuse white, 203 cd/m2, and come out at 0.94.
    """
    light = {"HLG": _light_of_hlg, "PQ": _light_of_pq}[kind](signal) / WHITE
    light = np.maximum(light @ BT709_FROM_BT2020.T, 0)
    brightest = np.maximum(light.max(-1, keepdims=True), 1e-6)
    shoulder = KNEE + (1 - KNEE) * (1 - np.exp(-(brightest - KNEE) / (1 - KNEE)))
    light = light * np.where(brightest <= KNEE, 1, shoulder / brightest)
    return np.clip(light, 0, 1) ** (1 / DISPLAY_GAMMA)


def _light_of_hlg(signal: np.ndarray) -> np.ndarray:
    """cd/m2 on a display of 1000, ITU-R BT.2100-2 table 5."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return PEAK * scene * luminance[..., None] ** 0.2


def _light_of_pq(signal: np.ndarray) -> np.ndarray:
    """cd/m2, ITU-R BT.2100-2 table 4."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


@lru_cache(maxsize=2)
def _table(kind: str) -> str:
    """The table in the form of a .cube file: red changes fastest."""
    axis = np.linspace(0, 1, POINTS)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    values = map_tones(np.stack([red, green, blue], -1).reshape(-1, 3), kind)
    return f"LUT_3D_SIZE {POINTS}\n" + "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in values) + "\n"


class ToneMapper:
    """Brings HDR frames of one size and format to RGB, 8 bit."""

    def __init__(self, frame, kind: str):
        import av

        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        matrix = graph.add("scale", "in_color_matrix=bt2020:flags=bicubic")
        deep = graph.add("format", "gbrp12le")
        with explain_temporary_errors():
            temporary = tempfile.TemporaryDirectory(prefix="mimo-")
        with temporary as folder:
            file = Path(folder, "table.cube")
            with explain_temporary_errors():
                file.write_text(_table(kind), "ascii")
            table = graph.add("lut3d", file=str(file), interp="tetrahedral")
            sink = graph.add("buffersink")
            for before, after in zip((source, matrix, deep, table), (matrix, deep, table, sink), strict=True):
                before.link_to(after)
            graph.configure()
        self._graph = graph

    def __call__(self, frame):
        """The frame with BT.709 pictures in it."""
        self._graph.push(frame)
        return self._graph.pull()
