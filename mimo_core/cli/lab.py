"""Commands of the laboratory, `mimo_lab`, where it lies beside the library."""

from __future__ import annotations

import importlib
import importlib.util

from ..errors import InputError


LAB_COMMANDS = ("shots", "train", "bench")
REPOSITORY = "https://github.com/mimo-character/mimo-character"


def add_lab_commands(commands) -> None:
    """Add `shots`, `train` and `bench`. Without `mimo_lab`, as in ComfyUI's registry, they say how to get it."""
    if importlib.util.find_spec("mimo_lab") is None:
        for name in LAB_COMMANDS:
            _add_missing(commands, name)
        return
    for add in importlib.import_module("mimo_lab.commands").ADD_COMMANDS:
        add(commands)


def _add_missing(commands, name: str) -> None:
    command = commands.add_parser(name, help="Not installed: needs mimo_lab from the repository.", add_help=False)
    command.set_defaults(command=_refuse, name=name, takes_rest=True)


def _refuse(options) -> None:
    raise InputError(f"this package has no mimo_lab. Get it with: git clone {REPOSITORY}, and run it there.")
