"""The kernels of elementwise.cu on a CPU, by the C++ compiler of the machine: the same source, slowly."""

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path

import torch

from mimo_core.denoise import cuda_launch, kernels


HEADER = Path(__file__).with_name("cuda_on_cpu.h")
FLAGS = ("-std=c++20", "-O1", "-w", "-fPIC", "-shared", "-pthread", "-include", str(HEADER))
SOURCE = Path(kernels.__file__).with_name("elementwise.cu")
ENTRY = 'extern "C" void run_{0}(void** p, int x, int y, int block) {{ run({0}, p, x, y, block); }}\n'
PLAIN = ("sum_channels", "finish_groups", "scale_and_shift", "gate_with_gelu", "add_sequences")  # of any channels


@cache
def find_compiler() -> str | None:
    """A C++ compiler that takes the header, which needs C++20; None if there is none."""
    for name in filter(None, map(shutil.which, ("g++", "clang++"))):
        command = [name, *FLAGS, "-fsyntax-only", "-x", "c++", "-"]
        if subprocess.run(command, input=b"", capture_output=True).returncode == 0:
            return name
    return None


def launch_on_cpu(folder: Path):
    """A stand-in for `launch` that compiles into `folder`."""

    @cache
    def load(value: int, channels: int):
        code, library = (folder / f"{value}_{channels}.{ending}" for ending in ("cpp", "so"))
        names = ("normalize_layer",) if channels else PLAIN
        code.write_text(f'#include "{SOURCE}"\n' + "".join(map(ENTRY.format, names)))
        defines = [f"-DVALUE={value}", *([f"-DCHANNELS={channels}"] if channels else [])]
        subprocess.run([find_compiler(), *FLAGS, *defines, str(code), "-o", str(library)], check=True)
        return ctypes.CDLL(str(library))

    def launch(name, like, grid, block, shared, arguments, *, channels=0):
        assert shared <= 4 << 16
        values = [cuda_launch.as_argument(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        library = load(cuda_launch.VALUES[like.dtype], channels)
        getattr(library, f"run_{name}")(pointers, *grid, block)

    return launch


def is_candidate_on_cpu(like: torch.Tensor) -> bool:
    """`kernel_choice.is_candidate` for the stand-in, which has no halves: an instruction of the card converts them."""
    return like.dtype in (torch.float32, torch.bfloat16) and kernels.fits(like)
