"""Masks, depth and plates of the user, which win over what would be found."""

from __future__ import annotations

from dataclasses import dataclass

from ..geometry.box import Box
from ..media.clip import Clip, Masks
from ..media.fitting import fit_layer
from ..media.letterbox import crop_layer


@dataclass(frozen=True, eq=False)
class Overrides:
    """What the user gives, of the clip's size and length, or None; and notes on what was resized."""

    person: Masks | None
    occluder: Masks | None
    depth: Clip | None
    plate: Clip | None
    notes: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given."""
        return all(layer is None for layer in (self.person, self.occluder, self.depth, self.plate))

    def crop(self, box: Box) -> Overrides:
        """What is given of a part of the frames."""
        layers = (self.person, self.occluder, self.depth, self.plate)
        return Overrides(*(None if layer is None else crop_layer(layer, box) for layer in layers), self.notes)


def fit_overrides(
    clip: Clip, *, person: Masks | None, occluder: Masks | None, depth: Clip | None, plate: Clip | None
) -> Overrides:
    """What the user gives, with the size and number of the clip's frames. Raises InputError for another shape."""
    named = {"person mask": person, "occluder mask": occluder, "depth": depth, "plate": plate}
    fits = [fit_layer(values, clip, name) for name, values in named.items()]
    notes = tuple(note for _, note in fits if note)
    return Overrides(*(values for values, _ in fits), notes)
