"""Masks of single objects, at centres that the model predicts or in boxes, each decoded on a window.

Output-changing against a grid of points: for models with a head that finds centres, such as `mini`, which was
trained to be asked in this way. Automatic prompts from centres are micro-sam's idea (arXiv 2603.17845).
"""

from __future__ import annotations

import math
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
"""Side of a window, in sizes that are predicted of its object."""

AROUND = 1.5
"""Side of a window, in extents of what was pointed at."""

CELLS_AT_ONCE = 16 * 16 * 16
"""Cells of all windows that are decoded together: more does not fit a processor's caches."""

PER_CELL = 4
"""Logits along a cell."""


@dataclass(frozen=True)
class Questions:
    """P prompts for one tile, each of one object.

    Parameters
    ----------
    middles : (P, 2) Tensor
        XY in model pixels of where the objects are.
    room : (P,) Tensor
        Sides of the windows that hold them, in model pixels.
    sparse : (P, n, C) Tensor
        Embedded points or boxes.
    rank : (P,) Tensor
        What the masks count for, beside their own quality.
    ambiguous : bool
        Whether the model answers with the best of its three masks, as for a point, or with the one that is
        for clear prompts.
    """

    middles: Tensor
    room: Tensor
    sparse: Tensor
    rank: Tensor
    ambiguous: bool

    @classmethod
    def at(cls, network: MiniSam, centres: Centres, trust: float) -> Questions:
        """Ask at centres of objects."""
        ones = torch.ones(len(centres.points), 1, device=centres.points.device)
        return cls(
            middles=centres.points,
            room=centres.sizes * ROOM,
            sparse=network.prompt_encoder._embed_points(centres.points[:, None], ones, pad=True),
            rank=centres.scores.sqrt() * trust,
            ambiguous=True,
        )

    @classmethod
    def within(cls, network: MiniSam, boxes: Tensor) -> Questions:
        """Ask for what fills boxes, (P, 4) XYXY in model pixels."""
        low, high = boxes[:, :2], boxes[:, 2:]
        return cls(
            middles=(low + high) / 2,
            room=(high - low).amax(dim=1) * AROUND,
            sparse=network.prompt_encoder._embed_boxes(boxes),
            rank=torch.ones(len(boxes), device=boxes.device),
            ambiguous=False,
        )


@dataclass(frozen=True)
class Windows:
    """Asks a model about objects of one tile.

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

    def ask(
        self, questions: Questions, step: Callable[[int], None] = lambda _: None
    ) -> list[Candidate | None]:
        """Make the mask that each prompt asks for.

        Parameters
        ----------
        questions : Questions
            P of them.
        step : callable
            Called with the number of prompts that have just been done.

        Returns
        -------
        list of Candidate or None
            For each prompt; None where no mask passes the judge.
        """
        sides = window_sides(self.tile)
        limits = torch.tensor(sides[:-1], device=questions.room.device)
        wanted = torch.bucketize(questions.room / STRIDE, limits)
        found: list[Candidate | None] = [None] * len(wanted)
        for i, side in enumerate(sides):
            chosen = (wanted == i).nonzero()[:, 0]
            for rows in chosen.split(max(1, CELLS_AT_ONCE // side**2)) if len(chosen) else ():
                cut = self._ask(questions, rows, side, found)
                wanted[cut] += 1  # a mask that fills its window gets a larger one
                step(len(rows) - len(cut))
        return found

    def _ask(self, questions: Questions, rows: Tensor, side: int, found: list[Candidate | None]) -> Tensor:
        """Answer some questions; returns the rows whose masks do not fit their windows."""
        logits, iou, corners = decode_windows(
            self.network, self.tile, questions.middles[rows], side, questions.sparse[rows]
        )
        first, last = (1, None) if questions.ambiguous else (0, 1)
        score, best = iou[:, first:last].max(dim=1)
        logits = logits[torch.arange(len(rows), device=rows.device), first + best]
        good = self.judge.promising(score)
        rows, logits, score, corners = rows[good], logits[good], score[good], corners[good]
        cut = fills_window(self.tile, logits, corners, self.judge.threshold)
        kept = ~cut
        rank = score[kept] * questions.rank[rows[kept]]
        judged = self.judge.each(logits[kept], score[kept], corners[kept] * PER_CELL, rank)
        for row, candidate in zip(rows[kept].tolist(), judged, strict=True):
            found[row] = candidate
        return rows[cut]


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


def centres_of(network: MiniSam, tile: Tile, smallest: float = 0.0, largest: float = math.inf) -> Centres:
    """Return the centres of objects that a tile shows, of some sizes in model pixels, best first."""
    found = network.centres(tile.embedding)
    height, width = tile.input_size
    chosen = (found.points < torch.tensor([width, height], device=found.points.device)).all(dim=1)
    chosen &= (found.sizes >= smallest) & (found.sizes <= largest)
    return found.take(chosen)


def size_at(network: MiniSam, tile: Tile, point: Tensor) -> float:
    """Return the size that the model expects of an object at a point, XY; all in model pixels."""
    _, sizes = network.centre_head(tile.embedding)
    x, y = (point * 2 / STRIDE).long().clamp(0, sizes.shape[-1] - 1).tolist()
    return float(sizes[0, y, x].exp2())
