"""Colours of labels, found at once for all the labels that a type can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Palette(DirectLabelColormap):
    """napari's colours by label, looked up in a table.

    Of labels of 8 or 16 bits napari finds the colour of each possible label whenever a colour changes, one
    after the other; for the 65,536 of 16 bits that is the longest part of a highlight.
    """

    def _map_precast(self, values: NDArray[np.integer], apply_selection: bool) -> NDArray[np.float32]:
        colours = self._values_mapping_to_minimum_values_set(apply_selection)[1]
        table = np.zeros((max(colours) + 1, 4), np.float32)
        for value, colour in colours.items():
            table[value] = colour
        mapped: NDArray[np.float32] = table[values]
        return mapped
