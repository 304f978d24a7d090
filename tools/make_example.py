"""Make the examples that ship in mimo_core/assets/example, all of it from the synthetic generator.

python tools/make_example.py [dance] ["two people"]
"""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from mimo_core.example import example_shots
from mimo_core.motion.files import save_motion
from mimo_lab.synthetic import make_character_picture, make_people_shot, make_shot


STAGE, DRIVER, CHARACTER, DANCE, BUSH = 2019, 3001, 3022, 2012, 5013  # seeds, chosen by eye
COUPLE, SECOND_CHARACTER = 8, 21
SIZE, WIDE_SIZE, FPS = (384, 512), (512, 384), 24
NEARER = 1.35


def main(names: list[str]):
    for example, make in zip(example_shots(), (make_dance, make_two_people), strict=True):
        if not names or example.name in names:
            make(example)
    for path in sorted(example.video.parent.iterdir()):
        print(f"{path.name:20} {path.stat().st_size / 1e3:8.0f} kB")


def make_two_people(example):
    made = make_people_shot(COUPLE, size=WIDE_SIZE, frames=60, fps=FPS, samples=3)
    encode(example.video, made.frames)
    save_motion(example.motion_file, made.motion)
    picture = make_character_picture(SECOND_CHARACTER, size=512, samples=4).image
    Image.fromarray(picture).save(example.character, optimize=True)


def make_dance(example):
    example.video.parent.mkdir(parents=True, exist_ok=True)
    made = make_shot(STAGE, size=SIZE, frames=48, fps=FPS, character=DRIVER, occluders="moving", place="room",
                performance="dance", samples=4)  # fmt: skip
    encode(example.video, made.frames)
    Image.fromarray(make_character_picture(CHARACTER, size=640, samples=4).image).save(example.character, optimize=True)
    dance = make_shot(
        DANCE, size=SIZE, frames=72, fps=FPS, camera="fixed", performance="dance", place="park", samples=1
    )
    save_motion(example.motion_file, dance.motion)
    Image.fromarray(dance.background[0]).save(example.scene, quality=88, optimize=True)
    cut_out(make_shot(BUSH, size=SIZE, frames=1, camera="fixed", occluders="fixed", place="park")).save(
        example.foreground, optimize=True
    )


def cut_out(made) -> Image.Image:
    """What stands in front in the first frame of a shot, in RGBA, and nearer than it was."""
    alpha = made.occluder[0][..., None]
    picture = Image.fromarray(np.concatenate([made.plate[0] * (alpha > 0), alpha], -1), "RGBA")
    width, height = (round(side / NEARER) for side in SIZE)
    left, top = (SIZE[0] - width) // 2, SIZE[1] - height
    return picture.resize(SIZE, Image.Resampling.LANCZOS, (left, top, left + width, top + height))


def encode(path: Path, frames: np.ndarray):
    """H.264, smaller than mimo_core.media.video_writer makes it: this file lies in the repository."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options={"crf": "20", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709"
            )
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
