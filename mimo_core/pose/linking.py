"""Detections of every frame linked to people, where a detector lists them in any order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


LINK_MEMORY = 24  # frames without a detection after which somebody who appears is somebody else
STEADINESS = 0.5  # weight of the old velocity against that of the last step
LEAST_LINKED = 0.25  # of the frames of the longest link: what is seen less is a false detection


def link_detections(places: Sequence[NDArray], reaches: Sequence[NDArray]) -> list[dict[int, int]]:
    """Who is who in F frames: for each person the number of their detection by frame, who is seen longest first.

    `places` are (n, D) coordinates of the n detections of a frame, `reaches` (n,) how far each may be from where the
    person was expected, who goes on as they went. Each detection is one person's: the smallest sum of distances wins
    (Hungarian method).
    """
    from scipy.optimize import linear_sum_assignment

    links: list[_Link] = []
    for frame, (here, reach) in enumerate(zip(places, reaches, strict=True)):
        alive = [link for link in links if frame - link.last_frame <= LINK_MEMORY]
        taken = set()
        if alive and len(here):
            expected = np.stack([link.expect(frame) for link in alive])
            away = np.linalg.norm(expected[:, None] - here[None], axis=2) / np.maximum(reach, 1e-6)
            for row, column in zip(*linear_sum_assignment(np.minimum(away, 10.0)), strict=True):
                if away[row, column] <= 1:
                    alive[row].add(frame, int(column), here[column])
                    taken.add(int(column))
        links += [_Link(frame, number, here[number]) for number in range(len(here)) if number not in taken]
    longest = max((len(link.numbers) for link in links), default=0)
    kept = [link.numbers for link in links if len(link.numbers) >= LEAST_LINKED * longest]
    return sorted(kept, key=len, reverse=True)


class _Link:
    """One person: which detection is theirs in which frame, where they are and how fast they go."""

    def __init__(self, frame: int, number: int, place: NDArray):
        self.numbers, self.last_frame = {frame: number}, frame
        self.place, self.velocity = place, np.zeros_like(place)

    def expect(self, frame: int) -> NDArray:
        """Where the person would be now; after a gap they are not thought to have gone on for long."""
        return self.place + self.velocity * min(frame - self.last_frame, 3)

    def add(self, frame: int, number: int, place: NDArray) -> None:
        step = (place - self.place) / (frame - self.last_frame)
        is_second = len(self.numbers) == 1
        self.velocity = step if is_second else STEADINESS * self.velocity + (1 - STEADINESS) * step
        self.numbers[frame], self.last_frame, self.place = number, frame, place
