"""Synthetic shots with exact truth, for measuring and for training."""

from .shot import Picture, Shot, character_picture, shot
from .variety import Variety


__all__ = ["Picture", "Shot", "Variety", "character_picture", "shot"]
