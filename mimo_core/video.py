"""The former place of `mimo_core.media.video`, for scripts written against version 0.1."""

from .media.video import *  # noqa: F403
