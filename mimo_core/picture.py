"""The former place of `mimo_core.media.picture`, for scripts written against version 0.1."""

from .media.picture import *  # noqa: F403
