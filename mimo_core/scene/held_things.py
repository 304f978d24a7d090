"""What happens to what a person holds, wears or carries: one fate per clip."""

from __future__ import annotations

from ..errors import InputError


HELD_THINGS = ("keep", "remove")  # in front of the new character, or away with the person


def check_held_things(name: str) -> None:
    """Raise InputError unless `name` is one of HELD_THINGS."""
    if name not in HELD_THINGS:
        raise InputError(f"Held things are one of {', '.join(HELD_THINGS)}, got {name!r}.")
