"""Synthetic shots with exact truth, for measuring and for training."""

from .shot import CharacterPicture, Shot, make_character_picture, make_shot
from .variety import Variety


__all__ = ["CharacterPicture", "Shot", "Variety", "make_character_picture", "make_shot"]
