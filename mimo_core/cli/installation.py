"""`mimo fetch`, `mimo convert` and `mimo doctor`: weights, and whether all is in place."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .terminal import add_output, declare_command, print_lines, start_bar


def add_fetch(commands) -> None:
    summary = (
        "Download weight files and compare their hashes. Says first what, from where, how large and which licence."
    )
    command = declare_command(commands, "fetch", run_fetch, summary, "mimo fetch mimo")
    command.add_argument(
        "group",
        metavar="NAME",
        help="which files: mimo, smpl, blazepose, vitpose, edgetam, sam2, depth; `mimo doctor` lists them",
    )
    command.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="a file or folder of NAME that you have already"
    )


def add_convert(commands) -> None:
    summary = "Merge the four official checkpoints into one half-precision safetensors file."
    command = declare_command(
        commands, "convert", run_convert, summary, "mimo convert models/mimo --out mimo.safetensors"
    )
    command.add_argument("folder", type=Path, metavar="DIR", help="the folder with the official .pth files")
    add_output(command, "the file to write (.safetensors)")


def add_doctor(commands) -> None:
    declare_command(
        commands, "doctor", run_doctor, "Print versions, devices, weights and usable back ends.", "mimo doctor"
    )


def run_fetch(options) -> None:
    """Download or install a group of weight files. Raises InputError for a name that is not in the table."""
    from ..weights import fetch as downloads
    from ..weights.files import WEIGHT_FILES, get_models_folder, list_group

    entries = list_group(options.group)
    if not entries:
        names = sorted({entry.group for entry in WEIGHT_FILES if entry.group})
        raise InputError(f"There is nothing called {options.group}. Choose one of {', '.join(names)}.")
    if options.source:
        entries = [entry for entry in entries if entry.name == options.source.name]
        if not entries:
            names = ", ".join(entry.name for entry in list_group(options.group))
            raise InputError(f"{options.source.name} is no file of {options.group}. Its files are: {names}.")
        print_lines(f"wrote {downloads.install_weights(entries[0], options.source, get_models_folder()).path}")
        return
    for entry in entries:
        print_lines(f"{entry.name}: {entry.size or 'size unknown'}, {entry.source}, licence: {entry.licence}")
        if entry.repository or entry.archive:
            for part in entry.list_parts():
                fetched = downloads.fetch_weights(part, get_models_folder(), progress=start_bar(part.name, unit="B"))
                compared = "" if fetched.verified else " (not compared)"
                print_lines(f"wrote {fetched.path}, sha256 {fetched.sha256}{compared}")
        else:
            print_lines(f"  get it by hand and put it at {get_models_folder() / entry.path}")


def run_convert(options) -> None:
    from ..denoise.checkpoints import merge_checkpoint as merge
    from ..output import refuse_existing

    refuse_existing(options.out, force=options.force)
    merge(options.folder, options.out, progress=start_bar("convert", unit="file"))
    print_lines(f"wrote {options.out}")


def run_doctor(options) -> None:
    from .doctor import describe_machine

    print(describe_machine())
