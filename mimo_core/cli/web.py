"""`mimo web`: a page in the browser for people who want neither nodes nor commands."""

from __future__ import annotations

from .terminal import declare_command, print_lines


def add_web(commands) -> None:
    summary = "Serve a page: a picture of a character, a clip or a motion, a scene, and the result to look at."
    command = declare_command(commands, "web", run_web, summary, "mimo web --port 7860")
    command.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in; default %(default)s")
    command.add_argument("--port", type=int, default=7860, help="default %(default)s")
    command.add_argument(
        "--seconds", type=float, default=10, help="of a clip, longer ones are cut; default %(default)s"
    )
    command.add_argument("--side", type=int, default=640, help="most pixels of the longer side; default %(default)s")
    command.add_argument("--decoder", choices=["proxy", "mimo"], default="proxy", help="what draws the character")


def run_web(options) -> None:
    from ..demo.page import make_demo, serve_page
    from ..demo.uploads import Limits

    limits = Limits(seconds=options.seconds, side=options.side)
    demo = make_demo(limits, _find_decoder(options.decoder))
    print_lines(f"MIMO at http://{options.host}:{options.port}; Ctrl-C ends it.")
    serve_page(demo, host=options.host, port=options.port)


def _find_decoder(name: str):
    """A function that gives the decoder: None for the proxy, or the denoiser, loaded once."""
    if name == "proxy":
        return lambda: None
    import argparse
    import functools

    from ..denoise.options import add_options, build_decoder
    from ..progress import silent

    parser = argparse.ArgumentParser()
    add_options(parser)
    return functools.cache(lambda: build_decoder(parser.parse_args([]), [], progress=silent))
