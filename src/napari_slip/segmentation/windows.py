"""Masks at object centres that the model itself predicts, each decoded on a window of the embedding.

Output-changing against a grid of points: for models with a head that finds centres, such as `mini`, which was
trained to be asked in this way. Automatic prompts from centres are micro-sam's idea (arXiv 2603.17845).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_slip.models.mini.sam import STRIDE, MiniSam
from napari_slip.segmentation.candidates import boxes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from napari_slip.models.mini.sam import Centres
    from napari_slip.segmentation.candidates import Candidate, Judge
    from napari_slip.segmentation.protocols import Tile

SIDES = (12, 16, 24, 32)
"""Sides of the windows in cells; what does not fit is decoded on the whole embedding."""

ROOM = 2.2
"""Side of a window, in sizes of its object."""

CELLS_AT_ONCE = 16 * 16 * 16
"""Cells of all windows that are decoded together: more does not fit a processor's caches."""

PER_CELL = 4
"""Logits along a cell."""


@dataclass(frozen=True)
class Windows:
    """Asks a model at object centres of one tile.

    Parameters
    ----------
    network : MiniSam
        In evaluation mode.
    tile : Tile
        Encoded by it.
    judge : Judge
        Of the same tile.
    """

    network: MiniSam
    tile: Tile
    judge: Judge

    def ask(self, centres: Centres, step: Callable[[int], None]) -> list[Candidate]:
        """Make the best mask at each centre.

        Parameters
        ----------
        centres : Centres
            From `centres_of`.
        step : callable
            Called with the number of centres that have just been done.

        Returns
        -------
        list of Candidate
            Those that pass the judge.
        """
        sides = window_sides(self.tile)
        limits = torch.tensor(sides[:-1], device=centres.sizes.device)
        wanted = torch.bucketize(centres.sizes * ROOM / STRIDE, limits)
        found: list[Candidate] = []
        for i, side in enumerate(sides):
            chosen = (wanted == i).nonzero()[:, 0]
            for rows in chosen.split(max(1, CELLS_AT_ONCE // side**2)) if len(chosen) else ():
                judged, cut = self._ask(centres, rows, side)
                found += judged
                wanted[cut] += 1  # a mask that fills its window gets a larger one
                step(len(rows) - len(cut))
        return found

    def _ask(self, centres: Centres, rows: Tensor, side: int) -> tuple[list[Candidate], Tensor]:
        """Ask at some centres; returns what passes, and the rows whose masks do not fit their windows."""
        points = centres.points[rows]
        ones = torch.ones(len(rows), 1, device=points.device)
        sparse = self.network.prompt_encoder._embed_points(points[:, None], ones, pad=True)
        logits, iou, corners = decode_windows(self.network, self.tile, points, side, sparse)
        score, best = iou[:, 1:].max(dim=1)
        logits = logits[torch.arange(len(rows), device=rows.device), 1 + best]
        good = self.judge.promising(score)
        rows, logits, score, corners = rows[good], logits[good], score[good], corners[good]
        cut = fills_window(self.tile, logits, corners, self.judge.threshold)
        kept = ~cut
        rank = score[kept] * centres.scores[rows[kept]].sqrt() * self.tile.trust
        judged = self.judge(logits[kept], score[kept], corners[kept] * PER_CELL, rank)
        return judged, rows[cut]


def window_sides(tile: Tile) -> list[int]:
    """Return the sides that windows of a tile can have, in cells, the whole embedding last."""
    cells = tile.embedding.shape[-1]
    return [*(side for side in SIDES if side < cells), cells]


def decode_windows(
    network: MiniSam, tile: Tile, middles: Tensor, side: int, sparse: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Decode prompts, each on a window of a tile's embedding.

    Parameters
    ----------
    network : MiniSam
        In evaluation mode.
    tile : Tile
        Encoded by it.
    middles : (P, 2) Tensor
        XY in model pixels; the windows lie around them as well as the tile's edges allow.
    side : int
        Of the windows, in cells.
    sparse : (P, n, C) Tensor
        Embedded points and boxes.
    mask : (1, 1, L, L) Tensor, optional
        Mask prompt for the whole tile, as logits.

    Returns
    -------
    logits : (P, 4, 4 side, 4 side) Tensor
        The mask for unambiguous prompts first, then the three others.
    iou : (P, 4) Tensor
        Predicted.
    corners : (P, 2) int Tensor
        XY of the windows' corners, in cells.
    """
    embedding = tile.embedding
    corners = (middles / STRIDE - side / 2).round().long().clamp(0, embedding.shape[-1] - side)
    first, top = torch.zeros_like(corners[:, 0]), corners.flip(1)
    dense = None
    if mask is not None:
        x, y = (corners[0] * PER_CELL).tolist()
        window = mask[..., y : y + side * PER_CELL, x : x + side * PER_CELL]
        dense = network.prompt_encoder._embed_masks(window).flatten(2).mT
    logits, iou = network.decode_windows(
        network.window_tokens(embedding, first, top, side),
        network.window_tokens(network.prompt_encoder.get_dense_pe(), first, top, side),
        sparse,
        dense,
    )
    return logits, iou, corners


def fills_window(tile: Tile, logits: Tensor, corners: Tensor, threshold: float) -> Tensor:
    """Return which of (P, L, L) logits have a mask that reaches an edge of its window and not of the tile."""
    extents = boxes_of(logits, threshold)
    side, end = logits.shape[-1], tile.embedding.shape[-1] * PER_CELL
    near = (extents[:, :2] <= 0) & (corners > 0)
    far = (extents[:, 2:] >= side) & (corners * PER_CELL + side < end)
    reaching: Tensor = (near | far).any(dim=1)
    return reaching


def centres_of(network: MiniSam, tile: Tile, smallest: float = 0.0) -> Centres:
    """Return the centres of objects that a tile shows, of at least a size in model pixels, best first."""
    found = network.centres(tile.embedding)
    height, width = tile.input_size
    chosen = (found.points < torch.tensor([width, height], device=found.points.device)).all(dim=1)
    chosen &= found.sizes >= smallest
    return type(found)(found.points[chosen], found.scores[chosen], found.sizes[chosen])


def size_at(network: MiniSam, tile: Tile, point: Tensor) -> float:
    """Return the size that the model expects of an object at a point, XY; all in model pixels."""
    _, sizes = network.centre_head(tile.embedding)
    x, y = (point * 2 / STRIDE).long().clamp(0, sizes.shape[-1] - 1).tolist()
    return float(sizes[0, y, x].exp2())
