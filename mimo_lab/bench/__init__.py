"""Benches: `mimo bench KIND`. A kind is a module with `add_arguments(parser)` and `run(arguments) -> exit code`."""

import argparse
import importlib
import importlib.util


KINDS = {
    "quality": "Compare every stage with the exact truth of synthetic shots.",
    "parity": "Compare the networks with the official numbers in a folder of fixtures.",
    "denoise": "Measure the denoiser's speed and memory against a plain variant.",
    "tiny": "Compare what the shipped model draws with the exact truth of unseen synthetic shots.",
}


def run(arguments: list[str]) -> int:
    """Run one bench by its command line."""
    parser = argparse.ArgumentParser(
        prog="mimo bench",
        description="Measure quality, parity and speed.",
        epilog="example:\n  mimo bench quality --seeds 1000-1019 --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    for name, summary in KINDS.items():
        if importlib.util.find_spec(f"{__name__}.{name}"):
            module = importlib.import_module(f".{name}", __name__)
            kind = kinds.add_parser(name, help=summary, description=summary)
            module.add_arguments(kind)
            kind.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    return options.run(options)
