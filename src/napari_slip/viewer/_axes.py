"""The axes of layers as files have them: letters, and the steps from plane to plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.io import SHORT_UNITS
from napari_slip.stacks import PLAIN_AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def step_letters(labels: Iterable[str]) -> list[str]:
    """Return letters for the axes along which planes lie; what nobody has called t or z is named in order."""
    named = [str(label).lower()[:1] for label in labels]
    free = iter([letter for letter in PLAIN_AXES if letter not in named])
    return [one if one in ("t", "z") and named.count(one) == 1 else next(free) for one in named]


def step_sizes(
    letters: Sequence[str], scale: Sequence[float], units: Sequence[object]
) -> Mapping[str, tuple[float, str]]:
    """Return the steps along such axes, with short units; not of axes without a unit."""
    named = [short_unit(unit) for unit in units]
    return {
        letter: (float(step), unit)
        for letter, step, unit in zip(letters, scale, named, strict=True)
        if unit != "px"
    }


def short_unit(unit: object) -> str:
    """Return a unit of napari as files have it: "um", or "px" where there is none."""
    whole = str(unit)
    return "px" if whole in ("pixel", "") else SHORT_UNITS.get(whole, whole)
