"""Units of length: short ones in tables and TIFF, whole words in OME-Zarr and napari."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNITS = {"nm": "nanometer", "um": "micrometer", "mm": "millimeter", "cm": "centimeter", "m": "meter"}
"""Short names of the units of length to those of NGFF."""

_SHORT = {whole: short for short, whole in UNITS.items()}


def short_unit(unit: object) -> str:
    """Return a unit of napari or NGFF in short: "um", or "px" where there is none."""
    whole = str(unit)
    return "px" if whole in ("pixel", "") else _SHORT.get(whole, whole)


def step_sizes(
    letters: Sequence[str], scale: Sequence[float], units: Sequence[object]
) -> Mapping[str, tuple[float, str]]:
    """Return the steps along axes, with short units; not of axes without a unit."""
    named = [short_unit(unit) for unit in units]
    return {
        letter: (float(step), unit)
        for letter, step, unit in zip(letters, scale, named, strict=True)
        if unit != "px"
    }
