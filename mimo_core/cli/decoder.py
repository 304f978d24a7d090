"""What the commands draw a character with, and the example that stands in for missing inputs."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .terminal import print_lines, start_bar


def make_decoder(options, driver: Path | None = None):
    """What draws: None for the proxy, or the denoiser with the options of the command.

    Raises InputError for options that the decoder does not have.
    """
    if options.decoder == "proxy":
        if options.resume:
            raise InputError("--resume is for --decoder mimo. The proxy is fast: leave it out.")
        return None
    from ..denoise.options import build_decoder

    files = []
    if driver is not None:
        scene = Path(options.scene or "none")
        characters = [options.character or find_example().character, *options.more_characters]
        files = [*characters, driver, *([scene] if scene.is_file() else [])]
    decoder = build_decoder(options, files, progress=start_bar("denoise", unit="pass"))
    if note := decoder.describe_colors():
        print_lines(note)
    return decoder


def find_example():
    from ..example import example_shots

    return example_shots()[0]
