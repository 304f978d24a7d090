"""What randomized shots may draw from, beyond the benchmark shots that everything is measured with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mimo_core.errors import InputError

from .photographs import list_picture_files
from .randomized_backgrounds import RANDOMIZED_PLACES
from .randomized_cameras import RANDOMIZED_CAMERAS
from .randomized_motions import RANDOMIZED_MOTIONS
from .recordings import list_motion_files


@dataclass(frozen=True)
class Variety:
    """How varied shots are. As it is: the whole wardrobe and shape space, all motions, cameras, places and optics.

    A randomized shot is as deterministic as a benchmark shot: its seed, size, length and variety say all about it.
    """

    pictures: tuple[Path, ...] = ()  # backgrounds of the user's
    pictures_share: float = 0.5  # of the shots, where there are pictures
    motions: tuple[Path, ...] = ()  # motion files of the user's: all that load_motion reads
    motions_share: float = 0.5
    most_in_front: int = 3  # things that pass in front at once, at most
    optics: bool = True  # exposure, shutter, blur, noise and compression differ; else only fine grain

    def __post_init__(self):
        for name in ("pictures_share", "motions_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {getattr(self, name)}.")
        if not 0 <= self.most_in_front <= 8:
            raise InputError(f"most_in_front must lie between 0 and 8, got {self.most_in_front}.")

    @classmethod
    def of_folders(cls, *, pictures: Path | None = None, motions: Path | None = None, **more) -> Variety:
        """With all pictures and all motion files under these folders."""
        return cls(
            list_picture_files(pictures) if pictures else (),
            motions=list_motion_files(motions) if motions else (),
            **more,
        )


RANDOMIZED_CHOICES = {
    "camera": RANDOMIZED_CAMERAS,
    "performance": RANDOMIZED_MOTIONS,
    "place": RANDOMIZED_PLACES,
}  # by name
