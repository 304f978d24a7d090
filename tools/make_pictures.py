"""Make the pictures of the node help, the docs, the README and the templates, all from what ships.

    python tools/make_pictures.py [NAME ...]

Names are those of the functions below that are marked with @picture; without one all are made. Results are the proxy's;
of what the denoiser draws only the inputs are shown, but for the page of MIMO Decode.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from mimo_core.denoise.noise import draw_frame_noise
from mimo_core.denoise.options import add_options, build_decoder
from mimo_core.denoise.regions import plan_clip
from mimo_core.denoise.segments import BLACK, WHITE, cut_network_frames
from mimo_core.denoise.windows import plan_fixed_windows
from mimo_core.example import example_shots
from mimo_core.identity.framing import frame_character
from mimo_core.identity.preview import draw_identity
from mimo_core.media.clip import Clip
from mimo_core.media.picture import read_picture
from mimo_core.media.sheet import draw_contact_sheet
from mimo_core.motion import edit
from mimo_core.motion.cameras import following_camera
from mimo_core.motion.place import place_motion
from mimo_core.motion.retarget import retarget_motion
from mimo_core.pose.overlay import draw_overlay
from mimo_core.progress import silent
from mimo_core.render.styles import STYLES, render_motion
from mimo_core.replace import animate_character, replace_character, replace_people
from mimo_core.scene.picture import scene_from_picture
from mimo_core.stopwatch import Stopwatch


ROOT = Path(__file__).resolve().parents[1]
HELP, DOCS, TEMPLATES = ROOT / "web" / "docs" / "pictures", ROOT / "docs" / "pictures", ROOT / "workflows"
HEIGHT = 200  # of a strip
SIDE = 320  # of a template's picture
SHOWN = 22  # a frame in which the ball passes in front
COUPLE_SHOWN = 17  # a frame in which one of two people passes in front of the other
PICTURES: dict[str, Callable[[], None]] = {}


def picture(make: Callable[[], None]) -> Callable[[], None]:
    PICTURES[make.__name__] = make
    return make


@functools.cache
def shot() -> Clip:
    return Clip.from_file(example_shots()[0].video)


@functools.cache
def character() -> np.ndarray:
    return read_picture(example_shots()[0].character)


@functools.cache
def replaced():
    """The example's job, and its frames with the character's coverage."""
    job = replace_character(shot(), character())
    return job, list(job.drawn)


@functools.cache
def couple() -> Clip:
    return Clip.from_file(example_shots()[1].video)


@functools.cache
def couple_replaced() -> list[np.ndarray]:
    """The frames of the example of two people with two characters in their places."""
    characters = [read_picture(example_shots()[1].character), character()]
    return [frame for frame, _ in replace_people(couple(), characters).drawn]


@functools.cache
def animated():
    """The example's dance in the example's place."""
    example = example_shots()[0]
    motion = example.motion()
    thing = read_picture(example.foreground)
    scene = scene_from_picture(
        read_picture(example.scene), foreground=thing, width=384, height=512, length=motion.frames
    )
    job = animate_character(character(), motion, scene)
    return job, [frame for frame, _ in job.drawn]


@functools.cache
def drawn(style: str) -> tuple[np.ndarray, ...]:
    """Some frames of the example's dance in a style."""
    return styled(example_shots()[0].motion()[30:70:10], style)


def styled(motion, style: str) -> tuple[np.ndarray, ...]:
    return tuple(frame for frame, _ in render_motion(motion, style=style))


def grey(mask: np.ndarray) -> np.ndarray:
    return np.repeat(mask[..., None], 3, -1)


def flat(image: np.ndarray, ground: int = 200) -> np.ndarray:
    """RGBA on grey."""
    alpha = image[..., 3:] / 255
    return (image[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)


def strip(name: str, *pictures: np.ndarray, folder: Path = HELP, height: int = HEIGHT) -> None:
    write(folder / f"{name}.jpg", draw_contact_sheet([pictures], height))


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(image).save(path, quality=82, optimize=True)
    print(f"{path.relative_to(ROOT)} {path.stat().st_size / 1e3:.0f} kB")


@picture
def start():
    example = example_shots()[0]
    pictures = (shot()[SHOWN], character()[..., :3], drawn("body code")[1], read_picture(example.scene))
    strip("MIMO_Example", *pictures, flat(read_picture(example.foreground)))


@picture
def motion():
    job, _ = replaced()
    strip("MIMO_EstimatePose", *(draw_overlay(shot()[k], job.motion, k) for k in (4, SHOWN, 40)))
    strip("MIMO_LoadMotion", *drawn("body code"))
    strip("MIMO_SaveMotion", *drawn("normal"))
    strip("MIMO_RenderMotion", *(drawn(style)[2] for style in STYLES))


@picture
def edits():
    """Every pair: a motion before and after."""
    job, _ = replaced()
    dance = example_shots()[0].motion()[30:70:10]
    strip("MIMO_EditMotion", *drawn("body code")[:2], *styled(edit.mirror_motion(dance), "body code")[:2])
    broad = torch.tensor([3.0, 3.0] + 8 * [0.0])
    strip("MIMO_RetargetMotion", *drawn("normal")[2:], *styled(retarget_motion(dance, broad), "normal")[2:])
    placed = place_motion(dance, turn=60)
    near = replace(placed, camera=following_camera(placed.person, placed.camera, placed.fps))
    strip("MIMO_PlaceMotion", *drawn("body code")[2:], *styled(near, "body code")[2:])
    layers, dark = job.scene, shot()[SHOWN] // 4
    cut = [np.where(mask[SHOWN][..., None] > 127, shot()[SHOWN], dark) for mask in (layers.person, layers.occluder)]
    strip("MIMO_ReviewLayers", layers.plate[SHOWN], *cut)


@picture
def scene():
    job, _ = replaced()
    layers = job.scene
    masks = (grey(layers.person[SHOWN]), grey(layers.occluder[SHOWN]))
    strip("MIMO_SeparateScene", shot()[SHOWN], layers.plate[SHOWN], *masks)
    example, (_, frames) = example_shots()[0], animated()
    pictures = (read_picture(example.scene), flat(read_picture(example.foreground)), frames[60])
    strip("MIMO_SceneFromPicture", *pictures)
    code = next(render_motion(job.motion[SHOWN : SHOWN + 1], size=(shot().width, shot().height)))[0]
    occluder = np.where(layers.occluder[SHOWN][..., None] > 127, shot()[SHOWN], 0)
    for node in ("MIMO_LoadTemplate", "MIMO_SaveTemplate"):
        strip(node, shot()[SHOWN], code, layers.plate[SHOWN], occluder)


@picture
def identity():
    job, frames = replaced()
    made = job.identity
    strip("MIMO_EncodeIdentity", character()[..., :3], draw_identity(made))
    strip("MIMO_DecodeProxy", character()[..., :3], *(frames[k][0] for k in (4, 30, 40)))
    strip("MIMO_Composite", job.scene.plate[SHOWN], frames[SHOWN][0], grey(frames[SHOWN][1]))


@functools.cache
def framed(white: bool = False):
    """The example's character framed as the driver of the example's clip, in the plate or on white."""
    job, _ = replaced()
    size = (shot().width, shot().height)
    plate = job.scene.plate[0]
    return frame_character(job.identity, job.motion, size=size, background=np.full_like(plate, 255) if white else plate)


@picture
def framing():
    made = framed()
    strip("MIMO_FrameCharacter", shot()[0], character()[..., :3], made.picture, grey(made.mask))


@picture
def denoiser():
    job, _ = replaced()
    code = Clip.from_frames(frame for frame, _ in render_motion(job.motion, size=(shot().width, shot().height)))
    plan = plan_clip(code)
    squares = [
        next(cut_network_frames(clip, plan, 256, fill=fill)) for clip, fill in ((code, BLACK), (job.scene.plate, WHITE))
    ]
    strip("MIMO_Conditioning", *squares, job.identity.picture)
    strip("MIMO_LoadModel", job.identity.picture, squares[0])
    strip("MIMO_ContextWindows", windows_chart(32, 16, 4), height=120)
    noise = draw_frame_noise(42, range(4), 32, 32)[:, :3].numpy().transpose(0, 2, 3, 1)
    noise = np.kron((noise * 48 + 128).clip(0, 255).astype(np.uint8), np.ones((1, 8, 8, 1), np.uint8))
    strip("MIMO_Noise", *noise, height=120)
    strip("MIMO_Sampler", *squares, job.identity.picture, noise[0])


@picture
def decoding():
    """A frame as the autoencoder decodes it, the same with detail, and the plate that the network sees beside it."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    decoder = build_decoder(parser.parse_args(["--device", "cpu"]), [], progress=silent)
    job, _ = animated()
    identity, motion = job.identity, job.motion[:4]
    plate = read_picture(example_shots()[0].scene)
    scene = scene_from_picture(plate, width=384, height=512, length=4)
    pictures = [
        next(iter(drawer.draw(identity, motion, scene, watch=Stopwatch())))[0]
        for drawer in (replace(decoder, detail=None), decoder)
    ]
    strip("MIMO_Decode", *(picture[100:420] for picture in (*pictures, scene.plate[0])))


def windows_chart(frames: int, window: int, overlap: int) -> np.ndarray:
    """Frames from left to right, a row for each window that sees them."""
    windows = plan_fixed_windows(frames, size=window, overlap=overlap)
    chart = np.full((len(windows) * 40 + 20, frames * 20 + 20, 3), 245, np.uint8)
    for row, members in enumerate(windows):
        for frame in members:
            chart[row * 40 + 12 : row * 40 + 46, frame * 20 + 12 : frame * 20 + 28] = (74, 127, 165)
    return chart


@picture
def people():
    strip(
        "MIMO_ChoosePeople",
        *(layer[at] for at in (COUPLE_SHOWN, 46) for layer in (couple(), couple_replaced())),
        height=170,
    )


@picture
def templates():
    job, frames = replaced()
    example = example_shots()[0]
    thing = read_picture(example.foreground)
    place_motion = np.where(thing[..., 3:] > 127, thing[..., :3], read_picture(example.scene))
    thumbnail("1_replace_a_character", shot()[SHOWN], frames[SHOWN][0])
    thumbnail("2_animate_from_a_motion", character()[..., :3], drawn("body code")[1])
    thumbnail("3_new_scene", drawn("body code")[2], place_motion)
    thumbnail("4_controlnet_and_lora_needs_files", drawn("openpose")[2], drawn("normal")[2])
    thumbnail("5_long_clip", shot()[8], shot()[24], shot()[40])
    thumbnail("6_official_weights_needs_files", drawn("body code")[2], job.scene.plate[SHOWN])
    thumbnail("7_motion_files_and_control_videos", shot()[SHOWN], drawn("depth")[1])
    thumbnail("8_wan_animate_needs_files", drawn("openpose")[1], grey(job.scene.person[SHOWN]))
    thumbnail("two_people", *(layer[COUPLE_SHOWN] for layer in (couple(), couple_replaced())))
    thumbnail("9_edit_and_place_a_motion", drawn("body code")[3], drawn("body code")[3][:, ::-1])
    grown = cv2.dilate(job.scene.person[SHOWN], np.ones((25, 25), np.uint8))
    hole = np.where(grown[..., None] > 127, np.uint8(200), shot()[SHOWN])
    thumbnail("wan_animate_2_needs_files", framed().picture, frames[SHOWN][0])
    thumbnail("scail_2_needs_files", shot()[SHOWN], framed(white=True).picture)
    thumbnail("core_perception_needs_files", grey(job.scene.person[SHOWN]), grey(job.scene.occluder[SHOWN]))
    thumbnail("two_parts", shot()[8], shot()[40])
    thumbnail("void_plate_needs_files", hole, job.scene.plate[SHOWN])
    thumbnail("animate_a_picture.app", character()[..., :3], animated()[1][SHOWN])
    thumbnail("replace_a_character.app", character()[..., :3], frames[SHOWN][0])


def thumbnail(name: str, *pictures: np.ndarray) -> None:
    """Pictures side by side, cut to a square."""
    width = SIDE // len(pictures)
    parts = [cover(image, width, SIDE) for image in pictures]
    write(TEMPLATES / f"{name}.jpg", cover(np.hstack(parts), SIDE, SIDE))


def cover(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The middle of a picture, scaled to fill the size."""
    scale = max(width / image.shape[1], height / image.shape[0])
    size = (max(round(image.shape[1] * scale), width), max(round(image.shape[0] * scale), height))
    scaled = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return scaled[top : top + height, left : left + width]


@picture
def bridges():
    job, _ = replaced()
    some = (10, SHOWN, 40)
    size = (shot().width, shot().height)

    def rendered(style):
        return [next(render_motion(job.motion[k : k + 1], style=style, size=size))[0] for k in some]

    blue = [np.where(job.scene.person[k][..., None] > 127, (0, 0, 255), 255).astype(np.uint8) for k in some]
    rows = [[shot()[k] for k in some], rendered("scail"), blue]
    write(DOCS / "scail.jpg", draw_contact_sheet([sum(rows, [])], 180))
    rows = [rendered("openpose"), rendered("depth"), [grey(job.scene.person[k]) for k in some]]
    write(DOCS / "animatediff.jpg", draw_contact_sheet([sum(rows, [])], 180))
    rows = [rendered("openpose"), [job.scene.plate[k] for k in some], [grey(job.scene.person[k]) for k in some]]
    write(DOCS / "wan_animate.jpg", draw_contact_sheet([sum(rows, [])], 180))


def titles(width: int, *words: str) -> np.ndarray:
    """A line of words (28, N width, 3), each over the middle of its column."""
    line = Image.new("RGB", (width * len(words), 28), "white")
    pen, font = ImageDraw.Draw(line), ImageFont.load_default(16)
    for column, word in enumerate(words):
        pen.text(((column + 0.5) * width, 14), word, fill="black", font=font, anchor="mm")
    return np.asarray(line)


@picture
def readme():
    """The README's moving picture: clip, character's picture and result, twelve frames a second."""
    job, frames = replaced()
    _, dances = animated()
    height, width, steps = 320, 240, range(0, len(shot()), 2)
    face = cover(character()[..., :3], width, height)
    title = titles(width, "driving clip", "character", "result", "another scene")
    pages = [
        np.vstack([
            title,
            np.hstack([
                cover(shot()[k], width, height), face,
                cover(frames[k][0], width, height), cover(dances[k + 24], width, height),
            ]),
        ])
        for k in steps
    ]  # fmt: skip
    first, *rest = map(Image.fromarray, pages)
    path = ROOT / "docs" / "replace.webp"
    first.save(path, save_all=True, append_images=rest, duration=83, loop=0, quality=60, method=6)
    print(f"{path.relative_to(ROOT)} {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
