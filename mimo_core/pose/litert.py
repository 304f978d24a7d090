"""Networks in .tflite files, run by LiteRT on the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ..errors import InputError


def load_network(file: Path, threads: int):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise InputError(
            "Pose estimation needs the package ai-edge-litert, which is not installed. "
            f"Run: {sys.executable} -m pip install ai-edge-litert"
        ) from error
    interpreter = Interpreter(model_content=file.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def run_network(interpreter, image: np.ndarray) -> list[np.ndarray]:
    """The outputs for one image (H, W, 3), without their batch axis."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"])[0] for output in interpreter.get_output_details()]
