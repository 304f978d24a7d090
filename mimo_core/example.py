"""What ships to try everything with: a clip, a character, a motion. All synthetic, made by tools/make_example.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .motion.files import load_motion
from .motion.motion import Motion


FOLDER = Path(__file__).parent / "assets" / "example"


@dataclass(frozen=True)
class Example:
    """A clip of a dance while a ball flies past, somebody else's picture, another dance, and a place for it."""

    name: str
    video: Path
    character: Path
    motion_file: Path
    scene: Path
    foreground: Path  # RGBA

    def motion(self) -> Motion:
        """The dance: 3 seconds, before a camera that stands still."""
        return load_motion(self.motion_file)


def example_shots() -> tuple[Example, ...]:
    """All examples, the one to start with first."""
    names = ("shot.mp4", "character.png", "motion.safetensors", "scene.jpg", "foreground.png")
    return (Example("dance", *(FOLDER / name for name in names)),)
