"""The choice `estimator`: which networks find and follow people."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from ..weights.files import require_network
from ..weights.transformers_networks import choose_device
from .blazepose import BlazePose, load_both


BOTH, VITPOSE = "blazepose both", "vitpose"
ESTIMATORS = ("auto", "blazepose", BOTH, VITPOSE)  # auto is what ships
HEAVY = "mimo/pose_landmark_heavy.tflite"
VITPOSE_FOLDERS = ("mimo/vitpose", "mimo/person_detector")


def find_estimator(name: str, folders: Iterable[Path] = (), *, device: str = "") -> BlazePose | None:
    """The networks of one of ESTIMATORS; None for the ones that ship. Weights are looked for in `folders` first.

    `device` is where networks of torch run, by default the accelerator if there is one. Raises InputError for another
    name, and for weights that are not there.
    """
    if name not in ESTIMATORS:
        raise InputError(f"There is no estimator {name!r}. Choose one of: {', '.join(ESTIMATORS)}.")
    folders, asked = list(folders), {"what": f"The estimator {name}", "instead": "blazepose"}
    if name == BOTH:
        return load_both(require_network(HEAVY, folders, **asked))
    if name == VITPOSE:
        from .vitpose import load_vitpose

        places = [require_network(path, folders, **asked) for path in VITPOSE_FOLDERS]
        return load_vitpose(*places, device or choose_device())
    return None
