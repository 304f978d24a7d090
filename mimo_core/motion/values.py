"""Numbers out of the dictionaries that files of other programs hold, checked as they are taken."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..geometry.camera import Camera


RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "framerate", "frame_rate")  # spellings in use
FASTEST_RATE = 1000.0  # frames a second


def read_values(values: Mapping, key: str, name: str) -> Tensor:
    """The numbers under `key` as float32. Raises InputError naming `name` if they are missing or no numbers."""
    if key not in values:
        raise InputError(f"{name} has no {key!r}; it holds {', '.join(sorted(map(str, values))[:12])}.")
    return as_numbers(values[key], key, name)


def as_numbers(value, key: str, name: str) -> Tensor:
    """An array, a tensor of any type or a list as finite float32 numbers. Raises InputError."""
    try:
        array = to_array(value) if isinstance(value, Tensor) else np.asarray(value)
    except ValueError as error:
        raise InputError(f"{key} in {name} holds rows of different lengths.") from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"{key} in {name} must hold numbers, got {array.dtype}.")
    tensor = torch.from_numpy(np.array(array, np.float32))
    if not torch.isfinite(tensor).all():
        raise InputError(f"{key} in {name} holds NaN or infinity. Run the estimator or the export again.")
    return tensor


def to_array(tensor: Tensor) -> np.ndarray:
    """A tensor as an array; floats of any type, which numpy may not have, as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def check_shape(value: Tensor, shape: tuple[int, ...], key: str, name: str) -> None:
    """Raise InputError unless a value has this shape."""
    if tuple(value.shape) != shape:
        raise InputError(f"{key} in {name} is {tuple(value.shape)}, expected {shape}.")


def read_rate(values: Mapping, name: str, *, default: float | None = None) -> float:
    """Frames a second under any usual name, in any case: a number, also as text, in a list, or in every frame.

    Raises InputError where there is none and no default, or where it makes no sense.
    """
    spelling = find_rate_name(values)
    if spelling is not None:
        rate = _parse_rate(values[spelling])
        if not 0 < rate <= FASTEST_RATE:
            raise InputError(f"{spelling} in {name} must be one number above 0 and up to {FASTEST_RATE:g}.")
        return rate
    if default is None:
        raise InputError(f"{name} has no frame rate ({', '.join(RATES)}).")
    return default


def find_rate_name(values: Mapping) -> str | None:
    """The key of a frame rate: a usual name in any case, with or without underscores."""
    plain = {str(spelling).replace("_", "").lower(): spelling for spelling in values}
    return next((plain[known] for rate in RATES if (known := rate.replace("_", "")) in plain), None)


def _parse_rate(value) -> float:
    """The one number that a value holds, 0 where it does not."""
    found = np.unique(np.asarray(value))
    try:
        return float(found[0]) if len(found) == 1 and found.dtype.kind in "fiuUS" else 0.0
    except ValueError:
        return 0.0


def mean_betas(values: Mapping, key: str, name: str) -> Tensor:
    """Ten shape values (10,), the mean of those of all frames; zeros where there are none. Raises InputError."""
    if key not in values or values[key] is None:
        return torch.zeros(10)
    betas = as_numbers(values[key], key, name)
    if betas.ndim == 0 or not betas.numel():
        return torch.zeros(10)
    mean = betas.reshape(-1, betas.shape[-1]).mean(0)[:10]
    return torch.nn.functional.pad(mean, (0, 10 - len(mean)))


def lens_from_intrinsics(intrinsics, name: str) -> Camera:
    """A camera by its matrix (3, 3) or (F, 3, 3) in pixels; the picture is twice as large as where its middle lies.

    Raises InputError where that gives no camera.
    """
    matrix = as_numbers(intrinsics, "K_fullimg", name).reshape(-1, 3, 3)[0]
    focal, center = float(matrix[0, 0]), (float(matrix[0, 2]), float(matrix[1, 2]))
    size = (round(2 * center[0]), round(2 * center[1]))
    if not focal > 0 or not all(16 <= side <= 16384 for side in size):
        raise InputError(f"K_fullimg in {name} gives no camera: focal {focal:g}, picture {size[0]}x{size[1]}.")
    return Camera(focal, center, size)
