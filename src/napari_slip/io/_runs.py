"""Run lengths as COCO has them, drawn in their box alone: a plane can be many times larger than an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_runs(text: str | bytes) -> NDArray[np.int64]:
    """Return the lengths in compressed run lengths.

    Five bits to the character, the lowest first, of the difference from the length before the last.

    Raises
    ------
    ValueError
        If it is none.
    """
    data = text.encode("ascii") if isinstance(text, str) else text
    codes = np.frombuffer(data, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(codes & 32 == 0)
    if not codes.size or codes.min() < 0 or codes.max() > 63 or ends[-1:].tolist() != [codes.size - 1]:
        raise ValueError("these are no compressed run lengths")
    starts = np.concatenate([[0], ends[:-1] + 1])
    shifts = 5 * (np.arange(codes.size) - np.repeat(starts, ends - starts + 1))
    if shifts.max() > 30:
        raise ValueError("a run length has more bits than a picture has pixels")
    counts = np.add.reduceat((codes & 31) << shifts, starts)
    counts -= np.where(codes[ends] & 16, np.int64(32) << shifts[ends], 0)
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts


def draw_runs(
    counts: NDArray[np.int64], height: int, width: int
) -> tuple[NDArray[np.bool_], tuple[int, int]] | None:
    """Draw run lengths, which go down the columns and begin with background, in their box.

    Parameters
    ----------
    counts : (n,) integer array
        The lengths.
    height, width : int
        Of the plane.

    Returns
    -------
    mask : (h, w) bool array
        Inside its box.
    origin : (x, y)
        Of the box.
    None
        If nothing is drawn.

    Raises
    ------
    ValueError
        If the runs are longer than the plane.
    """
    bounds = np.cumsum(counts)
    if (counts < 0).any() or (bounds.size and bounds[-1] > height * width):
        raise ValueError("the run lengths do not fit the picture")
    drawn = counts[1::2] > 0
    starts, stops = bounds[: bounds.size // 2 * 2 : 2][drawn], bounds[1::2][drawn]
    if not starts.size:
        return None
    left, right = int(starts[0]) // height, (int(stops[-1]) - 1) // height + 1
    turns = np.empty(2 * starts.size + 2, np.int64)
    turns[0], turns[1:-1:2], turns[2:-1:2], turns[-1] = left * height, starts, stops, right * height
    ink = np.arange(turns.size - 1) % 2 == 1
    strip = np.repeat(ink, np.diff(turns)).reshape(right - left, height).T
    rows = np.flatnonzero(strip.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return np.ascontiguousarray(strip[top:bottom]), (left, top)
