"""Which foot stands on the ground, and where it is held."""

from __future__ import annotations

import torch
from torch import Tensor

from ..motion.intervals import find_intervals
from .blazepose import HEELS, TOES
from .refine import FootLocks


# Two thresholds each, so that a contact does not flicker; set with bench pose on seeds 300-329 (2026-11-23).
LANDING_SPEED, LEAVING_SPEED = (
    0.5,
    1.0,
)  # meters per second: a foot lands below the first speed and leaves above the second
LANDING_HEIGHT, LEAVING_HEIGHT = 0.08, 0.15  # meters above the floor, likewise
LARGEST_DRIFT = 0.05  # meters: a planted foot that is seen further than this from where it landed has left
DEPTH_TRUST = 0.25  # a meter towards the camera counts as a quarter: depth is guessed, the picture is seen
SHORTEST_CONTACT = 0.1  # seconds; a shorter one is a foot that slows down in the air
HEEL_WEIGHT = 0.3  # the heel may rise while the toes stand
FOOT_POINTS = (*HEELS, *TOES)  # landmarks that a contact holds


def find_contacts(points: Tensor, found: Tensor, fps: float) -> Tensor:
    """Planted feet (F, 2) bool, left and right, from landmarks (F, 33, 3) in a world with Y up.

    A contact starts where heel and toes are slow and close to the floor and ends where they are fast, high, or have
    drifted away; the two thresholds of each keep it from flickering. The floor is a plane through the places where
    feet rest, so that a tilted camera does no harm.
    """
    feet = (points[:, HEELS] + points[:, TOES]) / 2  # (F, 2, 3)
    speed = _foot_speed(feet, fps)
    height = _foot_height(feet, speed)
    contacts = torch.zeros(len(points), 2, dtype=torch.bool)
    for start, stop in find_intervals(found):
        for foot in range(2):
            frames = slice(start, stop)
            contacts[frames, foot] = _scan_contacts(feet[frames, foot], speed[frames, foot], height[frames, foot])
    for foot in range(2):
        for start, stop in find_intervals(contacts[:, foot]):
            if stop - start < SHORTEST_CONTACT * fps:
                contacts[start:stop, foot] = False
    return contacts


def lock_feet(points: Tensor, contacts: Tensor) -> FootLocks:
    """Hold heels and toes of `points` (F, 33, 3) where they are on average during each contact (F, 2)."""
    targets = points[:, FOOT_POINTS].clone()
    held = torch.zeros(targets.shape[:2], dtype=points.dtype)
    for foot in range(2):
        for start, stop in find_intervals(contacts[:, foot]):
            for place, hold in ((foot, HEEL_WEIGHT), (foot + 2, 1.0)):
                targets[start:stop, place] = targets[start:stop, place].mean(0)
                held[start:stop, place] = hold
    return FootLocks(FOOT_POINTS, targets, held)


def _foot_speed(feet: Tensor, fps: float) -> Tensor:
    """Metres per second (F, 2), over two frames to either side."""
    if len(feet) < 2:
        return feet.new_full(feet.shape[:2], torch.inf)  # a single picture shows no motion
    step = max(1, round(fps / 24))
    padded = torch.cat([feet[:1].expand(step, -1, -1), feet, feet[-1:].expand(step, -1, -1)])
    count = torch.full((len(feet), 1), 2.0 * step, dtype=feet.dtype)
    ends = torch.arange(len(feet))
    count[:, 0] -= (step - ends).clamp_min(0) + (step - (len(feet) - 1 - ends)).clamp_min(0)
    velocity = (padded[2 * step :] - padded[: -2 * step]) * fps / count.clamp_min(1)[..., None]
    return (velocity * velocity.new_tensor([1.0, 1.0, DEPTH_TRUST])).norm(dim=-1)


def _foot_height(feet: Tensor, speed: Tensor) -> Tensor:
    """Metres above the floor (F, 2). The floor is y = a + b z through slow feet, level unless they say otherwise."""
    resting = feet[speed < LANDING_SPEED]
    if len(resting) < 3:
        resting = feet.flatten(0, 1)
    middle = resting[:, 2].median()
    matrix = torch.stack([torch.ones_like(resting[:, 2]), resting[:, 2] - middle], 1)
    level = torch.diag(torch.tensor([0.0, 0.1 * len(resting)], dtype=feet.dtype))
    weight = torch.ones_like(resting[:, 1])
    for _ in range(10):
        weighted = matrix * weight[:, None]
        plane = torch.linalg.solve(weighted.T @ matrix + level, weighted.T @ resting[:, 1])
        above = resting[:, 1] - matrix @ plane
        weight = 1 / (1 + (above / 0.03).square()) * torch.where(above > 0, 0.3, 1.0)  # raised feet rest too
    return feet[..., 1] - plane[0] - plane[1] * (feet[..., 2] - middle)


def _scan_contacts(place: Tensor, speed: Tensor, height: Tensor) -> Tensor:
    """One foot's contacts (F,) with hysteresis."""
    planted = torch.zeros(len(place), dtype=torch.bool)
    trust = place.new_tensor([1.0, 1.0, DEPTH_TRUST])
    anchor = None
    for frame in range(len(place)):
        limits = (LANDING_SPEED, LANDING_HEIGHT) if anchor is None else (LEAVING_SPEED, LEAVING_HEIGHT)
        stays = bool(speed[frame] < limits[0] and height[frame] < limits[1])
        if stays and anchor is not None:
            stays = bool(((place[frame] - anchor) * trust).norm() < LARGEST_DRIFT)
        if not stays:
            anchor = None
            continue
        anchor = place[frame] if anchor is None else 0.9 * anchor + 0.1 * place[frame]
        planted[frame] = True
    return planted
