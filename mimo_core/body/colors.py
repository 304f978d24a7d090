"""The colours of body codes: one constant colour for each point of the body's surface."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body.person import Person
from ..errors import InputError
from .model import BodyModel
from .skeleton import JOINT


LEAST_BRIGHTNESS = 0.16  # of full brightness, in every channel: body codes treat luma up to 10 of 255 as background
LARGEST_TABLE = 64 << 20  # bytes; with 6890 rows of float64 it has 0.2 MB
LOWERED_ARMS = 0.9  # radians from the T pose


LEARNED_NAME = "official-colors.safetensors"  # in the folder for MIMO
LEARNED_FORM, LEARNED_VERSION = "mimo official colors, learned", 1


@dataclass(frozen=True, eq=False)
class LearnedColors:
    """The official colours as they were learned on the free body from a scene template."""

    table: Tensor  # (V, 3) 0 to 1, for the vertices of the free body
    seen: Tensor  # (V,) bool: the others were mirrored or continued
    name: str  # of the template
    frames: int  # from which it was learned

    @property
    def note(self) -> str:
        """What body codes in these colours should say about themselves."""
        return (
            f"official (learned): body code in the colors of template {self.name}, learned from {self.frames} frames, "
            f"{float(self.seen.float().mean()):.0%} of the surface seen."
        )


def point_colors(body: BodyModel) -> Tensor:
    """Our map: RGB (V, 3) in 0.16 to 1, smooth over the surface, left and right distinct, the same for all shapes.

    The average body stands with its arms lowered. Red grows from its right to its left, steepest in the middle so
    that the legs differ as clearly as the arms; green grows upwards; blue grows from back to front.
    """
    device = body.template.device
    pose = torch.zeros(1, 24, 3, device=device)
    pose[0, JOINT["left_shoulder"], 2] = -LOWERED_ARMS
    pose[0, JOINT["right_shoulder"], 2] = LOWERED_ARMS
    still = torch.zeros(1, 3, device=device)
    person = Person(torch.zeros(10, device=device), still, pose[:, 1:].flatten(1), still, body=body.name)
    points = body.pose(person).vertices[0]
    x, y, z = points.unbind(1)
    depth = z - z.median()
    channels = [torch.tanh(x / 0.3), 2 * (y - y.min()) / (y.max() - y.min()) - 1, torch.tanh(depth / 0.1)]
    channels = [channel / channel.abs().max() for channel in channels]
    return LEAST_BRIGHTNESS + (1 - LEAST_BRIGHTNESS) * (torch.stack(channels, 1) + 1) / 2


def read_official_colors(path: Path) -> Tensor:
    """The official colour table (sdc_info.npy): RGB (V, 3) in 0 to 1. Its pickle is read, never run.

    Raises InputError where the file is missing, too large or no table of colors.
    """
    from .files import read_npy

    if not path.is_file():
        raise InputError(f"There is no color table at {path}.")
    if path.stat().st_size > LARGEST_TABLE:
        raise InputError(f"{path.name} has {path.stat().st_size >> 20} MB, which is too much for a color table.")
    table = read_npy(path.read_bytes(), path.name)
    if table.dtype == object and table.size == 1:
        table = table.reshape(-1)[0]
    if isinstance(table, dict):
        if "smpl" not in table:
            raise InputError(f"{path.name} has no entry 'smpl'; found {sorted(map(str, table))[:8]}.")
        table = table["smpl"]
    if not isinstance(table, np.ndarray) or table.dtype.kind not in "uif":
        raise InputError(f"{path.name} holds no table of numbers.")
    return normalize_colors(torch.from_numpy(np.array(table)), path.name)


def save_learned_colors(path: Path, colors: LearnedColors) -> None:
    """Write them as safetensors: `colors` (V, 3) and `seen` (V,), uint8, with form, version and body in the header."""
    from safetensors.torch import save_file

    from ..output import whole_file
    from .model import free_body

    about = {
        "form": LEARNED_FORM,
        "version": LEARNED_VERSION,
        "body": _fingerprint_body(free_body()),
        "name": colors.name,
        "frames": colors.frames,
    }
    tensors = {"colors": (colors.table * 255).round().to(torch.uint8).contiguous(), "seen": colors.seen.to(torch.uint8)}
    with whole_file(path) as partial:
        save_file(tensors, str(partial), metadata={"mimo": json.dumps(about)})


def read_learned_colors(path: Path) -> LearnedColors:
    """What `save_learned_colors` wrote. Raises InputError for another file, version or body."""
    from safetensors import SafetensorError, safe_open

    from .model import free_body

    again = "Learn the colors again from a scene template"
    if path.stat().st_size > LARGEST_TABLE:
        raise InputError(f"{path.name} has {path.stat().st_size >> 20} MB, which is too much for a color table.")
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("mimo", "{}"))
            table, seen = (file.get_tensor(name) for name in ("colors", "seen"))
        form, version, body = (about.get(key) for key in ("form", "version", "body"))
        name, frames = str(about["name"]), int(about["frames"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path.name} holds no learned colors. {again}.") from error
    if (form, version) != (LEARNED_FORM, LEARNED_VERSION):
        raise InputError(
            f"{path.name} has the form {form!r}, version {version!r}; this one reads {LEARNED_FORM!r}, version "
            f"{LEARNED_VERSION}. {again}."
        )
    if body != _fingerprint_body(free_body()) or table.shape != (free_body().vertices, 3) or len(seen) != len(table):
        raise InputError(f"{path.name} was learned on another version of the free body. {again}.")
    return LearnedColors(normalize_colors(table, path.name), seen > 0, name, frames)


def _fingerprint_body(body: BodyModel) -> str:
    """A short name of a body's vertices and faces."""
    return f"{zlib.crc32(body.template.numpy().tobytes() + body.faces.numpy().tobytes()):08x}"


def normalize_colors(table: Tensor, name: str = "The color table") -> Tensor:
    """Colours (V, 3 or 4), uint8 or float in 0 to 1 or 0 to 255, as RGB (V, 3) in 0 to 1. Alpha is dropped.

    Raises InputError for another shape, NaN, and values outside of 0 to 255.
    """
    if table.dim() != 2 or table.shape[1] not in (3, 4):
        raise InputError(f"{name} must be (vertices, 3 or 4), got {tuple(table.shape)}.")
    colors = table[:, :3].float()
    if not torch.isfinite(colors).all() or colors.min() < 0 or colors.max() > 255:
        raise InputError(f"{name} must hold values from 0 to 255, or from 0 to 1.")
    is_bytes = not table.is_floating_point() or colors.max() > 1
    return colors / 255 if is_bytes else colors


def foreign_share(frames, table: Tensor, *, tolerance: float = 0.08) -> float:
    """Share of the body pixels of frames (H, W, 3) uint8 whose colour no vertex of a table (V, 3) has.

    Pixels at the body's edge blend with the black ground and do not count; the tolerance is for lossy video.
    """
    pictures = torch.stack([torch.as_tensor(frame) for frame in frames]).permute(0, 3, 1, 2).float() / 255
    inside = -torch.nn.functional.max_pool2d(-pictures.amax(1, keepdim=True), 5, 1, 2)[:, 0] > LEAST_BRIGHTNESS / 2
    pixels = pictures.permute(0, 2, 3, 1)[inside]
    if not len(pixels):
        return 0.0
    pixels = pixels[:: max(len(pixels) // 2000, 1)]
    return float((torch.cdist(pixels, table.to(pixels)).amin(1) > tolerance).float().mean())


def choose_colors(body: BodyModel, official: Tensor | LearnedColors | None = None) -> Tensor:
    """The body's colours (V, 3): the official table on SMPL's topology, or as learned on the free body, else our map.

    Raises InputError where the table does not fit the body's vertices.
    """
    if official is None:
        return point_colors(body)
    if isinstance(official, LearnedColors):
        if body.name != "free":
            raise InputError(f"The learned colors belong to the free body, but the body is '{body.name}'.")
        return official.table.to(body.template)
    if body.name not in ("smpl", "smplh"):
        raise InputError(
            f"The color table belongs to SMPL's vertices, but the body is '{body.name}', whose vertices differ. "
            "Load an SMPL or SMPL-H file as the body, or leave the colors on auto."
        )
    if len(official) != body.vertices:
        raise InputError(f"The color table has {len(official)} rows, but the body has {body.vertices} vertices.")
    return normalize_colors(official).to(body.template)
