"""Kernels of `elementwise.cu` compiled by the NVRTC that comes with torch, and launched on NVIDIA's cards.

They need no toolkit and no compiler on the machine.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor


VALUES = {torch.float16: 16, torch.bfloat16: 17, torch.float32: 32}  # as elementwise.cu names them


class LaunchError(RuntimeError):
    """A kernel that cannot be compiled or started. Nothing was computed, so torch's operators can do it."""


def launch(
    name: str,
    like: Tensor,
    grid: tuple[int, int],
    block: int,
    shared: int,
    arguments: Sequence[Tensor | int | float | None],
    *,
    channels: int = 0,
) -> None:
    """Run a kernel for values of the type of `like`, on its device.

    A tensor that is read and written is given twice, None is a tensor that is not there. `shared` is in bytes;
    `channels` is for kernels that must know their number when they are compiled. Raises LaunchError or OSError.
    """
    device = like.device
    function = _load_function(name, device, VALUES[like.dtype], channels)
    values = [as_argument(argument) for argument in arguments]
    pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
    stream = ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream)
    with torch.cuda.device(device):
        _check(
            _find_libraries(device)[0].cuLaunchKernel(function, *grid, 1, block, 1, 1, shared, stream, pointers, None),
            name,
        )


def as_argument(argument: Tensor | int | float | None):
    """A kernel's argument as ctypes has it."""
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if argument is None:
        return ctypes.c_void_p()
    return ctypes.c_float(argument) if isinstance(argument, float) else ctypes.c_int(argument)


@cache
def _load_function(name: str, device: torch.device, value: int, channels: int) -> ctypes.c_void_p:
    """A kernel of elementwise.cu, compiled for a device. Raises LaunchError or OSError where that cannot be done."""
    with torch.cuda.device(device):
        torch.cuda.current_stream()  # a context must be there
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        driver, binary = _find_libraries(device)[0], _compile(value, channels, device)
        _check(driver.cuModuleLoadData(ctypes.byref(module), binary), name)
        _check(driver.cuModuleGetFunction(ctypes.byref(function), module, name.encode()), name)
    return function


@cache
def _compile(value: int, channels: int, device: torch.device) -> bytes:
    """elementwise.cu as machine code, for a type of values and a number of channels."""
    compiler, program = _find_libraries(device)[1], ctypes.c_void_p()
    major, minor = torch.cuda.get_device_capability(device)
    options = [f"--gpu-architecture=sm_{major}{minor}", f"-DVALUE={value}"]
    if channels:
        options.append(f"-DCHANNELS={channels}")
    encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    source = Path(__file__).with_name("elementwise.cu").read_bytes()
    _check(compiler.nvrtcCreateProgram(ctypes.byref(program), source, b"elementwise.cu", 0, None, None), "source")
    try:
        _check(compiler.nvrtcCompileProgram(program, len(options), encoded), "compilation")
        size = ctypes.c_size_t()
        _check(compiler.nvrtcGetCUBINSize(program, ctypes.byref(size)), "size")
        binary = ctypes.create_string_buffer(size.value)
        _check(compiler.nvrtcGetCUBIN(program, binary), "code")
    finally:
        compiler.nvrtcDestroyProgram(ctypes.byref(program))
    return binary.raw


@cache
def _find_libraries(device: torch.device) -> tuple:
    """CUDA's driver and NVRTC, as torch loads them. Raises ImportError, AttributeError or OSError without them."""
    from torch.cuda import _utils

    driver = _utils._get_cuda_library()
    try:
        return driver, _utils._get_nvrtc_library()
    except OSError:
        torch.special.bessel_j1(torch.ones(1, device=device))  # for which torch loads the one beside it
        return driver, _utils._get_nvrtc_library()


def _check(status: int, what: str) -> None:
    if status:
        raise LaunchError(f"CUDA error {status}: {what}.")
