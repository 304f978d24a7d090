"""What ships to try everything with: a clip, a character, a motion. All synthetic, made by tools/make_example.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .motion.files import load_motion
from .motion.motion import Motion


FOLDER = Path(__file__).parent / "assets" / "example"


@dataclass(frozen=True)
class Example:
    """A clip, a character's picture, a motion, and a place for it."""

    name: str
    video: Path
    character: Path
    motion_file: Path
    scene: Path
    foreground: Path  # RGBA

    def motion(self) -> Motion:
        """What somebody, or two people, do before a camera that stands still; 3 seconds at most."""
        return load_motion(self.motion_file)


def example_shots() -> tuple[Example, ...]:
    """All examples, the one to start with first.

    "dance" is somebody who dances while a ball flies past, somebody else's picture, and another dance; "two people"
    walk around each other, with the picture of a second character and what both of them do.
    """
    place = ("scene.jpg", "foreground.png")
    files = {
        "dance": ("shot.mp4", "character.png", "motion.safetensors", *place),
        "two people": ("people.mp4", "character-2.png", "people.safetensors", *place),
    }
    return tuple(Example(name, *(FOLDER / file for file in each)) for name, each in files.items())
