"""Between SAM's small logits and the pixels of a plane, only where it matters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from napari_slip.segmentation.protocols import Tile
    from napari_slip.segmentation.tiling import Box

REACH = 2
"""Logits beyond a region that can matter to its pixels: two bilinear steps mix at most three neighbours."""


BAND = 128
"""Pixels that are resized together."""

AT_ONCE = 2**22
"""Pixels of a mask that are looked at together: one of a whole large plane would take a gigabyte."""


def bilinear(size: int, out: int) -> Tensor:
    """Return the (out, size) matrix of a bilinear resize of one axis, as torch's `interpolate` does it."""
    at = ((torch.arange(out, dtype=torch.float64) + 0.5) * (size / out) - 0.5).clamp(0, size - 1)
    low = at.floor().long().clamp(max=max(size - 2, 0))
    matrix = torch.zeros(out, size, dtype=torch.float64)
    rows = torch.arange(out)
    matrix[rows, low] = 1 - (at - low)
    if size > 1:
        matrix[rows, low + 1] = at - low
    return matrix


@dataclass(frozen=True)
class Axis:
    """How logits become pixels along one axis.

    Up to the size of the model's input, cut to what is no padding, on to the size of the plane's part.

    Parameters
    ----------
    matrix : (pixels, logits) Tensor
        The three steps as one.
    scale : float
        Pixels per logit.
    """

    matrix: Tensor
    scale: float

    @classmethod
    @lru_cache(maxsize=16)  # the windows of a plane are alike, and each candidate holds those of its own
    def of(cls, logits: int, side: int, used: int, pixels: int, device: torch.device) -> Axis:
        """Build it for `logits` along a model input of `side`, of which `used` show `pixels` of the plane."""
        matrix = bilinear(used, pixels) @ bilinear(logits, side)[:used]
        return cls(matrix.float().to(device), pixels / used * side / logits)

    @cached_property
    def _taps(self) -> tuple[Tensor, Tensor]:
        used = (self.matrix > 0).cpu()
        first = used.int().argmax(dim=1)
        last = used.shape[1] - 1 - used.flip(1).int().argmax(dim=1)
        return first.contiguous(), last.contiguous()

    @property
    def used(self) -> int:
        """Number of logits that the pixels are made of."""
        return int(self._taps[1][-1]) + 1

    def pixels(self, low: int, high: int) -> tuple[int, int]:
        """Return the range of pixels that are made of the logits ``low:high`` and of no others."""
        first, last = self._taps
        begin = int(torch.searchsorted(first, low))
        end = int(torch.searchsorted(last, high - 1, right=True))
        return begin, max(begin, end)

    def resize(self, logits: Tensor, low: int, span: tuple[int, int] | None = None) -> tuple[Tensor, int]:
        """Resize the first axis of (l, n) logits that begin at `low`; returns also which pixel comes first.

        A pixel is made of few logits, so the product is made band by band. `span` is the range of pixels that
        are wanted, all if not given.
        """
        begin, end = span or self.pixels(low, low + len(logits))
        first, last = self._taps
        resized = logits.new_empty(end - begin, logits.shape[1])
        for start in range(begin, end, BAND):
            stop = min(start + BAND, end)
            used = slice(int(first[start]), int(last[stop - 1]) + 1)
            taken = logits[used.start - low : used.stop - low]
            torch.mm(self.matrix[start:stop, used], taken, out=resized[start - begin : stop - begin])
        return resized, begin


@dataclass(frozen=True)
class Part:
    """Logits of one mask around the mask.

    Parameters
    ----------
    logits : (h, w) Tensor
    corner : (x, y)
        Of the top left one among the logits of the tile.
    """

    logits: Tensor
    corner: tuple[int, int]


@dataclass(frozen=True)
class Resampler:
    """Turns logits of one tile into pixels of its part of the plane.

    Parameters
    ----------
    y, x : Axis
        The two axes.
    """

    y: Axis
    x: Axis

    @classmethod
    def of(cls, tile: Tile, logits: int, side: int) -> Resampler:
        """Build it for a tile and a decoder with `logits` values along `side` model pixels."""
        x0, y0, x1, y1 = tile.box
        device = tile.embedding.device
        return cls(
            Axis.of(logits, side, tile.input_size[0], y1 - y0, device),
            Axis.of(logits, side, tile.input_size[1], x1 - x0, device),
        )

    @property
    def used(self) -> tuple[int, int]:
        """(height, width) of the logits that show the plane; beyond them lies padding."""
        return self.y.used, self.x.used

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels per logit, (vertically, horizontally)."""
        return self.y.scale, self.x.scale

    def cut(self, logits: Tensor, box: Box, corner: tuple[int, int] = (0, 0)) -> Part:
        """Cut out the part of one mask's logits that can matter to `box`, far edges excluded.

        `corner` is the (x, y) of the logits' own corner in the tile, where they are a window of it.
        """
        height, width = logits.shape
        x0, y0 = max(box[0] - REACH, 0), max(box[1] - REACH, 0)
        part = logits[y0 : min(box[3] + REACH, height), x0 : min(box[2] + REACH, width)]
        return Part(part, (corner[0] + x0, corner[1] + y0))

    def resample(self, part: Part) -> tuple[Tensor, tuple[int, int]]:
        """Return the pixels that are made of a part of the logits and of no others, and their corner.

        Parameters
        ----------
        part : Part
            Of one mask.

        Returns
        -------
        values : (h, w) Tensor
            Logits at the pixels of the tile's part of the plane.
        corner : (x, y)
            Of the top left one.
        """
        across, x0 = self.x.resize(part.logits.float().T, part.corner[0])
        values, y0 = self.y.resize(across.T, part.corner[1])
        return values, (x0, y0)

    def bands(self, part: Part) -> Iterator[tuple[Tensor, tuple[int, int]]]:
        """Yield what `resample` returns, of a large part in bands of rows from the top."""
        across, x0 = self.x.resize(part.logits.float().T, part.corner[0])
        low = part.corner[1]
        begin, end = self.y.pixels(low, low + len(part.logits))
        rows = max(1, AT_ONCE // max(len(across), 1) // BAND) * BAND
        for top in range(begin, end, rows):
            values, y0 = self.y.resize(across.T, low, (top, min(top + rows, end)))
            yield values, (x0, y0)
