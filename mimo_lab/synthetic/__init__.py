"""Synthetic shots with exact truth, for measuring and for training."""

from .people import PeopleShot, make_people_shot
from .shot import CharacterPicture, Shot, make_character_picture, make_shot
from .variety import Variety


__all__ = [
    "CharacterPicture",
    "PeopleShot",
    "Shot",
    "Variety",
    "make_character_picture",
    "make_people_shot",
    "make_shot",
]
