"""The one exception for what a user can mend."""


class InputError(ValueError):
    """Raised for bad input. The message states the fact and the remedy, with numbers and names."""
