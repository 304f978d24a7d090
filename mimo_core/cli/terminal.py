"""What the commands share: how one is declared, progress, and reports."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..progress import Progress
from ..scene.back_end_choices import DEPTH_CHOICES, MASK_CHOICES
from ..scene.held_things import HELD_THINGS


MOTION_HELP = (
    "a motion file (.npz, .safetensors, .bvh, .glb, .gltf, .vrma, .pt, .pkl) or a motion that ships, such as walk"
)
LARGEST_NAMES = 1 << 20  # bytes of a map of names


def declare_command(commands, name: str, run_it, summary: str, example: str) -> argparse.ArgumentParser:
    """Declare a command whose help ends with an example."""
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        name, help=summary, description=summary, epilog=f"example:\n  {example}", formatter_class=raw
    )
    command.set_defaults(command=run_it, name=name)
    return command


def add_output(command, help_text: str, *, required: bool = True) -> None:
    command.add_argument("--out", required=required, type=Path, metavar="FILE", help=help_text)
    command.add_argument("--force", action="store_true", help="replace what lies there")


def add_motion_options(command) -> None:
    """What may have to be said about a motion file of another program."""
    about = command.add_argument_group("motion files of other programs")
    about.add_argument("--up", choices=["auto", "y", "z", "x"], default="auto", help="the axis that points up")
    about.add_argument("--names", type=Path, metavar="JSON", help='a map such as {"left_hip": "Thigh_L"}')
    about.add_argument(
        "--animation", default="", metavar="NAME", help="of several in a glTF file; default: the longest"
    )


def open_motion_file(name, options):
    """The motion that a command names, with the options of `add_motion_options`. Raises InputError."""
    from ..errors import InputError
    from ..motion.bones import parse_names
    from ..motion.files import open_motion

    names = {}
    if options.names:
        if not options.names.is_file() or options.names.stat().st_size > LARGEST_NAMES:
            raise InputError(f"There is no map of names {options.names}, or it is too large.")
        names = parse_names(options.names.read_text("utf-8-sig", "replace"))
    return open_motion(name, up=options.up, names=names, animation=options.animation)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of WxH. Raises ArgumentTypeError for what is no size, or is out of range."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 768x768") from None
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise argparse.ArgumentTypeError(f"{text} lies outside 16x16 to 8192x8192")
    return width, height


def add_person_options(command, verb: str) -> None:
    """Who of several people: by number, or by a point."""
    command.add_argument(
        "--person",
        type=parse_person,
        default=0,
        metavar="N",
        help=f"{verb}, 0 = who is seen longest and largest; several as 0,2; all for everybody",
    )
    command.add_argument(
        "--estimator",
        default="auto",
        help='auto, blazepose, "blazepose both" (the mean of two networks, after `mimo fetch blazepose`), or vitpose '
        "(after `mimo fetch vitpose`)",
    )
    command.add_argument("--at", type=parse_point, metavar="FRAME,X,Y", help="a point on them instead, in pixels")


def parse_person(text: str) -> int | list[int] | None:
    """The number of "2", the numbers of "0,2", None of "all". Raises ArgumentTypeError for anything else."""
    if text == "all":
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number such as 0, numbers such as 0,2, or all") from None
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"{text!r} names somebody twice")
    return numbers if len(numbers) > 1 else numbers[0]


def add_held_option(command) -> None:
    """What happens to what the person holds."""
    command.add_argument(
        "--held-things",
        choices=HELD_THINGS,
        default=HELD_THINGS[0],
        help="what the person holds, wears or carries stays in front or goes away with them, default %(default)s",
    )


def add_back_end_options(command) -> None:
    """Which networks find the layers of the scene."""
    command.add_argument(
        "--masks",
        choices=MASK_CHOICES,
        default=MASK_CHOICES[0],
        help="who finds the person's outline: the separator itself (classical), or a network after `mimo fetch NAME`; "
        "auto takes a network whose files are there",
    )
    command.add_argument(
        "--depth",
        choices=DEPTH_CHOICES,
        default=DEPTH_CHOICES[0],
        help="who decides what is in front: the same, with a network after `mimo fetch depth`",
    )


def find_named_back_ends(options, *, scene=None):
    """The networks of `add_back_end_options`; none for a `scene` that is given. InputError for missing weights."""
    from ..scene.back_ends import BackEnds, find_back_ends

    return find_back_ends(options.masks, options.depth) if scene is None else BackEnds()


def parse_point(text: str) -> tuple[int, float, float]:
    """Frame and pixel of FRAME,X,Y. Raises ArgumentTypeError for what is none."""
    try:
        frame, x, y = text.split(",")
        return int(frame), float(x), float(y)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame and a pixel such as 12,320,180") from None


def start_bar(name: str, unit: str = "frame") -> Progress:
    """A progress bar with the time left, on stderr."""
    from tqdm import tqdm

    shown = tqdm(desc=f"{name:<9}", unit=unit, unit_scale=unit == "B", mininterval=0.5, file=sys.stderr, disable=None)

    def progress(done: int, total: int, preview=None) -> None:
        shown.total = total
        shown.update(done - shown.n)
        if done >= total:
            shown.close()

    return progress


def print_lines(*lines: str) -> None:
    """Report on stderr, which leaves stdout to results."""
    for line in lines:
        print(line, file=sys.stderr)
