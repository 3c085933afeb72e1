"""Colours of labels, found at once for all the labels that a type can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Palette(DirectLabelColormap):
    """napari's colours by label, written into a table.

    Of labels of 8 or 16 bits napari finds the colour of each possible label whenever a colour changes, one
    after the other, and with threads that keep a core busy for a while after; for the 65,536 of 16 bits that
    is the longest part of a highlight.
    """

    def _map_without_cache(self, values: NDArray[np.integer]) -> NDArray[np.float32]:
        own = {k: colour for k, colour in self.color_dict.items() if k is not None and 0 <= k < len(values)}
        table = np.empty((len(values), 4), np.float32)
        table[:] = self.default_color
        table[list(own)] = list(own.values())
        mapped: NDArray[np.float32] = table[values]
        return mapped
