"""A drawn figure with hands on its hips, its mask and its landmarks."""

import cv2
import numpy as np
import torch

from mimo_core.pose.blazepose import ANKLES, EARS, ELBOWS, HEELS, HIPS, INDICES, KNEES, PINKIES, SHOULDERS, TOES, WRISTS
from mimo_core.pose.landmarks import Landmarks


SIZE = 360, 240
PLACES = {  # of the left one; the right one is mirrored at x = 120
    EARS: (132, 50),
    SHOULDERS: (155, 100),
    ELBOWS: (205, 145),
    WRISTS: (158, 190),
    PINKIES: (152, 194),
    INDICES: (150, 190),
    HIPS: (142, 190),
    KNEES: (146, 260),
    ANKLES: (148, 325),
    HEELS: (146, 335),
    TOES: (158, 338),
}
SHIRT, SKIN, TROUSERS = (60, 120, 200), (220, 170, 140), (40, 50, 60)
ARM_POCKETS, LEG_POCKET = ((178, 142), (62, 142)), (120, 290)


def make_landmarks() -> Landmarks:
    pixels = torch.zeros(1, 33, 2)
    for (left, right), (x, y) in PLACES.items():
        pixels[0, left], pixels[0, right] = torch.tensor([x, y]), torch.tensor([240 - x, y])
    return Landmarks(pixels, torch.zeros(1, 33, 3), torch.ones(1, 33), torch.ones(1))


def draw_figure(ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A figure with hands on its hips and legs apart, and its mask (H, W) bool."""
    picture, mask = ground.copy(), np.zeros(SIZE, np.uint8)
    for side in (1, -1):

        def at(x, y, side=side):
            return 120 + side * (x - 120), y

        for canvas, arm, leg in ((picture, SKIN, TROUSERS), (mask, 255, 255)):
            cv2.line(canvas, at(*PLACES[SHOULDERS]), at(*PLACES[ELBOWS]), arm, 18)
            cv2.line(canvas, at(*PLACES[ELBOWS]), at(*PLACES[WRISTS]), arm, 16)
            cv2.line(canvas, at(*PLACES[HIPS]), at(*PLACES[ANKLES]), leg, 26)
            cv2.line(canvas, at(*PLACES[HEELS]), at(*PLACES[TOES]), leg, 14)
    for canvas, shirt, head in ((picture, SHIRT, SKIN), (mask, 255, 255)):
        cv2.rectangle(canvas, (84, 90), (156, 196), shirt, -1)
        cv2.circle(canvas, (120, 55), 24, head, -1)
        cv2.rectangle(canvas, (112, 70), (128, 92), head, -1)
    return picture, mask > 0


def make_street() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 8, (*SIZE, 3))
    return (noise + np.linspace(90, 170, SIZE[1])[None, :, None] * (1.0, 0.7, 0.4)).clip(0, 255).astype(np.uint8)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """What a coarse network sees: also what arms and legs enclose."""
    outline = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    filled = cv2.drawContours(np.zeros(SIZE, np.uint8), outline, -1, 255, -1)
    filled[196:320, 92:148] = 255
    return filled
