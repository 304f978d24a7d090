"""Draw the pack's icon: a body in body-code colours between a plate and what passes in front.

python tools/make_icon.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mimo_core.example import example_shots
from mimo_core.render.styles import render_motion


SIDE, FINE = 400, 3  # the registry takes squares of at most 400 pixels
FRAME, HEIGHT = 40, 0.86  # of the example's dance, and of the icon
BACK, CARD, BALL = (38, 42, 54), (74, 127, 165), (214, 84, 66)


def main():
    side = SIDE * FINE
    icon = Image.new("RGB", (side, side), BACK)
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle([round(side * k) for k in (0.1, 0.16, 0.74, 0.8)], side * 0.05, fill=CARD)
    body, mask = next(render_motion(example_shots()[0].motion()[FRAME : FRAME + 1], size=(3 * 384, 3 * 512)))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    scale = HEIGHT * side / (box[3] - box[1])
    size = (round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale))
    figure, alpha = (Image.fromarray(layer).crop(box).resize(size, Image.Resampling.LANCZOS) for layer in (body, mask))
    icon.paste(figure, ((side - size[0]) // 2, (side - size[1]) // 2), alpha)
    draw.ellipse([round(side * k) for k in (0.56, 0.58, 0.88, 0.9)], fill=BALL)
    path = Path(__file__).resolve().parents[1] / "web" / "icon.png"
    icon.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(path, optimize=True)
    print(f"{path.name} {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
