"""The command line. Every command is one function; results go to files, reports to stderr, --json to stdout."""

from __future__ import annotations

import argparse
import signal
import sys

from ..denoise.options import get_segments_folder
from ..errors import InputError
from ..output import FULL, find_system_error
from .batch import add_batch
from .character import add_animate, add_replace
from .colors import add_colors
from .installation import add_convert, add_doctor, add_fetch
from .lab import add_lab_commands
from .stages import add_pose, add_render, add_separate
from .web import add_web
from .work import add_join


BAD_INPUT, INTERRUPTED = 2, 130
MAIN_COMMANDS = (
    add_replace, add_animate, add_batch, add_join, add_pose, add_separate, add_render, add_colors, add_fetch,
    add_convert, add_doctor, add_web, add_lab_commands,
)  # fmt: skip


def run_command(arguments: list[str]) -> int:
    """Run one command. Bad input is one line on stderr and exit code 2; Ctrl-C and SIGTERM leave no file."""
    signal.signal(signal.SIGTERM, _interrupt)
    options, rest = build_parser().parse_known_args(arguments)
    if rest and not getattr(options, "takes_rest", False):
        build_parser().error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    try:
        return options.command(options) or 0
    except InputError as error:
        print(f"mimo {options.name}: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        if find_system_error(error) not in FULL:
            raise
        print(f"mimo {options.name}: No room to write {error.filename or 'a file'}. Free some space.", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"mimo {options.name}: stopped; {_describe_remains(options)}", file=sys.stderr)
        return INTERRUPTED


def _describe_remains(options) -> str:
    if options.name == "batch":
        return "what is done stays: run the same command again to go on."
    if getattr(options, "resume", False) and get_segments_folder(options.out).is_dir():
        return f"finished segments are in {get_segments_folder(options.out)}: run the same command again to go on."
    return "nothing was written."


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line: the usage of `replace` alone is twenty lines."""

    def error(self, message: str):
        self.exit(BAD_INPUT, f"{self.prog}: {message}. {self.prog} --help lists what there is.\n")


def build_parser(kind: type[argparse.ArgumentParser] = _Parser) -> argparse.ArgumentParser:
    """All commands and their options; a parser of another `kind` answers wrong ones otherwise."""
    main = kind(prog="mimo", description="Controllable character video: MIMO.")
    commands = main.add_subparsers(required=True, metavar="COMMAND")
    for add in MAIN_COMMANDS:
        add(commands)
    return main
