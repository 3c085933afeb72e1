"""What can go wrong, in sentences for people.

None of these derives from `RuntimeError`: napari's generator workers swallow that class silently, and
torch raises it for everything from a wrong shape to a full GPU.
"""

from __future__ import annotations


class SlipError(Exception):
    """Something that the user can understand and mend; its text is one sentence."""


class InputError(SlipError):
    """An image, prompt, file or setting that cannot be used."""


class ModelError(SlipError):
    """A model that is unknown, missing, damaged or of another architecture."""


class Cancelled(SlipError):
    """The work was told to stop, and has stopped."""

    def __init__(self, message: str = "The run was cancelled; nothing was changed.") -> None:
        super().__init__(message)
