"""The former place of `mimo_core.media.clip`, for scripts written against version 0.1."""

from .media.clip import *  # noqa: F403
