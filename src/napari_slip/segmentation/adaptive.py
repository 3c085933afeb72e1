"""A coarse grid first, then points only where no mask has come yet.

Output-changing: a point on a mask that is already there is not asked, so what only that point would have
given is missed. What is large is asked again inside, since small things lie on large ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_slip.segmentation.candidates import Candidate

STRIDES = (2, 1)
"""Every which point of the grid is asked in each round."""

SMALL = 8.0
"""A mask settles the points on it if it is no larger than a square of so many cells of the round's grid."""

SURE = 0.8
"""Predicted IoU from which on a mask settles the points on it: where the model doubts, another point on the
same object often gives the better mask."""


def rounds(per_side: int) -> list[Tensor]:
    """Split the points of a grid into rounds, the coarsest first.

    Parameters
    ----------
    per_side : int
        Points along each side of the full grid.

    Returns
    -------
    list of (n,) int Tensor
        Indices into the grid, row by row; each point is in one round.
    """
    along = torch.arange(per_side)
    level = torch.full((per_side, per_side), len(STRIDES) - 1)
    for i, stride in reversed(list(enumerate(STRIDES[:-1]))):
        on = (along % stride) == stride // 2
        level[on[:, None] & on] = i
    return [chosen for i in range(len(STRIDES)) if len(chosen := (level.ravel() == i).nonzero()[:, 0])]


class Settled:
    """Remembers where masks have come.

    Parameters
    ----------
    side : int
        Logits along the tile.
    cell : float
        Logits between two points of the full grid.
    threshold : float
        Logit above which a pixel belongs to a mask.
    """

    def __init__(self, side: int, cell: float, threshold: float) -> None:
        self.cell = cell
        self.threshold = threshold
        self.smallest = torch.full((side, side), torch.inf)

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Remember those masks that the model is sure of."""
        for candidate in candidates:
            if candidate.predicted_iou < SURE:
                continue
            (x, y), (height, width) = candidate.part.corner, candidate.part.logits.shape
            mask = (candidate.part.logits > self.threshold).cpu()
            window = self.smallest[y : y + height, x : x + width]
            window[mask] = window[mask].clamp(max=float(mask.sum()))

    def open(self, points: Tensor, stride: int) -> Tensor:
        """Return which points, XY in logits, are still worth asking in a round of that stride."""
        limit = (SMALL * self.cell * stride) ** 2
        x, y = points.cpu().long().clamp(0, len(self.smallest) - 1).T
        return (self.smallest[y, x] > limit).to(points.device)
