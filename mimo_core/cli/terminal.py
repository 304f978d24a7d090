"""What the commands share: how one is declared, progress, and reports."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..progress import Progress


MOTION_HELP = "a motion file (.npz, .safetensors, .bvh, .glb, .pt, .pkl) or a motion that ships, such as walk"


def declare_command(commands, name: str, run_it, summary: str, example: str) -> argparse.ArgumentParser:
    """Declare a command whose help ends with an example."""
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        name, help=summary, description=summary, epilog=f"example:\n  {example}", formatter_class=raw
    )
    command.set_defaults(command=run_it, name=name)
    return command


def add_output(command, help_text: str) -> None:
    command.add_argument("--out", required=True, type=Path, metavar="FILE", help=help_text)
    command.add_argument("--force", action="store_true", help="replace what lies there")


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of WxH. Raises ArgumentTypeError for what is no size, or is out of range."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 768x768") from None
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise argparse.ArgumentTypeError(f"{text} lies outside 16x16 to 8192x8192")
    return width, height


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
