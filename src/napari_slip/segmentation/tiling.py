"""Which windows of a plane the encoder looks at."""

from __future__ import annotations

import math

Box = tuple[int, int, int, int]

OVERLAP = 0.25
"""Share of a tile in common with its neighbour: objects up to this size are whole in one of them."""

STEP = 4
"""Factor between the scales of a large plane; what is cut by one scale's tiles is small in the next."""


def plan(shape: tuple[int, int], side: int, largest: float, zoom: int = 1) -> list[Box]:
    """Cover a plane with windows that a model's input can show.

    A plane up to `largest` times the model's input is one window, as in segment-anything. A larger one is
    looked at at its own scale in overlapping windows, then four times smaller, and so on up to one window of
    the whole: objects cut by one scale's windows are whole in the next.

    Parameters
    ----------
    shape : (H, W)
        Of the plane, in pixels.
    side : int
        Of the model's square input, in pixels.
    largest : float
        Longest side of a plane that is looked at at once, in inputs.
    zoom : int
        How many times finer than that the finest scale is, for objects that are too small otherwise.

    Returns
    -------
    list of (x0, y0, x1, y1)
        Far edges excluded; the finest scale first, the whole last.
    """
    longest = max(shape)
    finest = side if longest > largest * side else longest
    windows: list[Box] = []
    reach = max(1, finest // zoom)
    while reach < longest:
        windows += cover(shape, reach)
        reach *= STEP
    return [*windows, (0, 0, shape[1], shape[0])]


def cover(shape: tuple[int, int], reach: int) -> list[Box]:
    """Cover a plane of (H, W) pixels with overlapping windows of up to `reach` pixels a side, row by row."""
    return [(x0, y0, x1, y1) for y0, y1 in _cuts(shape[0], reach) for x0, x1 in _cuts(shape[1], reach)]


def _cuts(length: int, reach: int) -> list[tuple[int, int]]:
    """Cut an axis into equal, evenly spread pieces of at most `reach` pixels."""
    if length <= reach:
        return [(0, length)]
    pieces = math.ceil((length - OVERLAP * reach) / (reach * (1 - OVERLAP)))
    return [(start := round(i * (length - reach) / (pieces - 1)), start + reach) for i in range(pieces)]
