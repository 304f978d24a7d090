"""One sheet a clip: eight frames from the source to the result, and crops of it at full size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mimo_core.body.model import free_body
from mimo_core.media.sheet import draw_contact_sheet, sample_frames
from mimo_core.output import whole_file
from mimo_core.pose.overlay import draw_overlay

from .real_job import RealResult


SHEET_FRAMES = 8
ROW_HEIGHT = 240
CROP_SIDE = 120  # pixels of a crop, at full size
CROP_JOINTS = {"left hand": 22, "right hand": 23, "left foot": 10, "right foot": 11, "face": 15}
COLORS = ((255, 80, 80), (80, 200, 255), (255, 220, 80), (140, 255, 120), (230, 130, 255), (255, 160, 60))
PERSON, OCCLUDER = (80, 255, 80), (255, 60, 60)  # tints of the masks


def write_sheet(file: Path, result: RealResult) -> None:
    """Write the sheet of a job: source, people, fit, masks, plate, result; then hands, feet and face."""
    from PIL import Image

    numbers = sample_frames(SHEET_FRAMES, len(result.clip))
    rows: list[list[np.ndarray]] = [[] for _ in range(6)]
    for frame in numbers:
        source, plate = result.clip[frame], result.scene.plate[frame]
        drawn = (
            label_frame(source, frame),
            draw_people(source, result.found.people, frame),
            draw_overlay(source, result.found.motion, frame),
            tint_masks(source, result.scene.person[frame], result.scene.occluder[frame]),
            plate,
            result.frames[frame],
        )
        for row, picture in zip(rows, drawn, strict=True):
            row.append(picture)
    sheet = [draw_contact_sheet(rows, ROW_HEIGHT), draw_contact_sheet(cut_crops(result, numbers), CROP_SIDE)]
    width = max(part.shape[1] for part in sheet)
    parts = [np.pad(part, ((0, 8), (0, width - part.shape[1]), (0, 0)), constant_values=255) for part in sheet]
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as partial:
        Image.fromarray(np.vstack(parts)).save(partial)


def label_frame(picture: np.ndarray, frame: int) -> np.ndarray:
    """A picture with the number of its frame in the corner."""
    import cv2

    return cv2.putText(picture.copy(), str(frame), (6, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 0, 255), 2)


def draw_people(picture: np.ndarray, people, frame: int) -> np.ndarray:
    """Boxes with numbers around the people of a frame, and the line along which each came."""
    import cv2

    drawn = picture.copy()
    for number, track in enumerate(people):
        color = COLORS[number % len(COLORS)]
        boxes = [track.box(at) for at in range(frame + 1)]
        path = [(box[:2] + box[2:]) / 2 for box in boxes if box is not None]
        if len(path) > 1:
            cv2.polylines(drawn, [np.rint(path).astype(np.int32)], False, color, 1)
        if boxes[-1] is not None:
            x0, y0, x1, y1 = (int(value) for value in boxes[-1])
            cv2.rectangle(drawn, (x0, y0), (x1, y1), color, 2)
            cv2.putText(drawn, str(number), (x0 + 3, y0 + 22), cv2.FONT_HERSHEY_SIMPLEX, 0.8, color, 2)
    return drawn


def tint_masks(picture: np.ndarray, person: np.ndarray, occluder: np.ndarray) -> np.ndarray:
    """The picture in grey, the person tinted green and what is in front red."""
    grey = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
    for mask, color in ((person, PERSON), (occluder, OCCLUDER)):
        share = 0.5 * mask[..., None].astype(np.float32) / 255
        grey = grey * (1 - share) + np.array(color, np.float32) * share
    return grey.astype(np.uint8)


def cut_crops(result: RealResult, numbers: list[int]) -> list[list[np.ndarray]]:
    """Rows of squares around hands, feet and face of the result, one column a frame; grey where nobody is."""
    motion = result.found.motion
    rows = [[] for _ in CROP_JOINTS]
    for frame in numbers:
        one = slice(frame, frame + 1)
        with torch.no_grad():
            joints = motion.camera.project(free_body().pose(motion.person, one).joints, one)[0].numpy()
        for row, joint in zip(rows, CROP_JOINTS.values(), strict=True):
            is_seen = bool(motion.person.visible[frame])
            row.append(_cut_square(result.frames[frame], joints[joint] if is_seen else (-CROP_SIDE, -CROP_SIDE)))
    return rows


def _cut_square(picture: np.ndarray, center) -> np.ndarray:
    half = CROP_SIDE // 2
    padded = np.pad(picture, ((CROP_SIDE, CROP_SIDE), (CROP_SIDE, CROP_SIDE), (0, 0)), constant_values=128)
    limit = np.array(picture.shape[1::-1]) + half
    x, y = (int(value) for value in np.clip(np.rint(center), -half, limit))
    return padded[y + half : y + half + CROP_SIDE, x + half : x + half + CROP_SIDE]
