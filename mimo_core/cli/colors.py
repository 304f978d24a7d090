"""`mimo colors`: the official colours of body codes, learned from a scene template."""

from __future__ import annotations

from pathlib import Path

from .terminal import declare_command, print_lines, start_bar


def add_colors(commands) -> None:
    summary = (
        "Learn the colors of official body codes from an official scene template, for official weights without SMPL."
    )
    command = declare_command(
        commands, "colors", run_colors, summary, "mimo colors assets/video_template/dance_basketball"
    )
    command.add_argument("template", type=Path, metavar="TEMPLATE_DIR", help="a folder with vid, sdc and bk.mp4")
    command.add_argument("--out", type=Path, metavar="FILE", help="default: official-colors.safetensors for MIMO")
    command.add_argument("--sheet", type=Path, metavar="PNG", help="also draw the body in these colors from four sides")
    command.add_argument("--force", action="store_true", help="replace what lies there")


def run_colors(options) -> None:
    import numpy as np

    from ..body.colors import LEARNED_NAME, save_learned_colors
    from ..body_code.learn import learn_colors
    from ..body_code.preview import draw_colors
    from ..media.picture import check_picture_name, write_picture
    from ..output import refuse_existing
    from ..scene.template import load_template
    from ..weights.files import get_models_folder

    if options.sheet:
        refuse_existing(check_picture_name(options.sheet), force=options.force)
    out = options.out or get_models_folder() / "mimo" / LEARNED_NAME
    if options.out is None:
        out.parent.mkdir(parents=True, exist_ok=True)
    refuse_existing(out, force=options.force)
    scene, body_code = load_template(options.template, progress=start_bar("open"))
    colors = learn_colors(scene.source, body_code, name=options.template.resolve().name, progress=start_bar("colors"))
    save_learned_colors(out, colors)
    if options.sheet:
        write_picture(options.sheet, np.concatenate(draw_colors(colors), 1))
    print_lines(colors.note, f"wrote {out}")
