"""The one exception for what a user can mend."""


class InputError(ValueError):
    """Raised for bad input. The message states the fact and the remedy, with numbers and names."""

    # ComfyUI shows a class by its module, which in a pack begins with the path of the installation.
    __module__ = "mimo_core.errors"
