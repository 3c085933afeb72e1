"""The axes of layers, as files name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.stacks import PLAIN_AXES

if TYPE_CHECKING:
    from collections.abc import Iterable


def step_letters(labels: Iterable[str]) -> list[str]:
    """Return letters for the axes along which planes lie; what nobody has called t or z is named in order."""
    named = [str(label).lower()[:1] for label in labels]
    free = iter([letter for letter in PLAIN_AXES if letter not in named])
    return [one if one in ("t", "z") and named.count(one) == 1 else next(free) for one in named]
