"""Where to ask on a grid, and what not to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_slip.segmentation.protocols import Tile
    from napari_slip.settings import ProposalSettings


def refuse_texts(settings: ProposalSettings, name: str) -> None:
    """Say that a model cannot be asked by texts, if it is.

    Raises
    ------
    InputError
    """
    if settings.texts:
        raise InputError(
            f"{name} cannot be asked for {settings.texts[0]!r}: it finds everything, and CLIP compares it "
            "with texts; to ask by texts choose SAM 3, or leave the texts out."
        )


def grid(tile: Tile, per_side: int) -> Tensor:
    """Return (per_side ** 2, 2) points, XY in model pixels, spread evenly over what a tile shows.

    Row by row from the top left, as segment-anything's automatic generator asks.
    """
    x0, y0, x1, y1 = tile.box
    steps = (torch.arange(per_side, dtype=torch.float64) + 0.5) / per_side
    x_scale, y_scale = tile.scale
    x, y = steps * (x1 - x0) * x_scale, steps * (y1 - y0) * y_scale
    points = torch.stack([x.repeat(per_side), y.repeat_interleave(per_side)], dim=-1)
    return points.float().to(tile.embedding.device)
