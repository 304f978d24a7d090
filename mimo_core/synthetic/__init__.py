"""Synthetic shots with exact truth, for measuring and for training."""

from .shot import Picture, Shot, character_picture, shot


__all__ = ["Picture", "Shot", "character_picture", "shot"]
