"""What every encoder does with pictures: it checks them, scales their colours, and embeds them in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slip.errors import InputError
from napari_slip.models.memory import fitting, in_chunks, sparing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    Colour = tuple[float, float, float]

BATCH = 16
"""Pictures or sentences that go through a network at once; a larger batch is no faster on a processor."""

MOST = 256
"""Pictures that go through it at once on any device."""


class Preprocessor:
    """From pictures as they are kept to pictures as a network takes them.

    Parameters
    ----------
    side : int
        Of the square pictures, in pixels.
    mean, std : three floats
        By which the colours are scaled, 0..1.
    """

    def __init__(self, side: int, mean: Colour, std: Colour) -> None:
        self.side = side
        self.std = std
        self._mean, self._std = (torch.tensor(c).view(3, 1, 1) * 255 for c in (mean, std))

    def check(self, pictures: NDArray[np.uint8]) -> Tensor:
        """Return (N, S, S, 3) uint8 RGB pictures as a tensor.

        Raises
        ------
        InputError
            If they have another size.
        """
        if pictures.shape[1:] != (self.side, self.side, 3):
            raise InputError(
                f"Pictures of shape {pictures.shape} were given, but (N, {self.side}, {self.side}, 3) is "
                "expected."
            )
        return torch.from_numpy(np.require(pictures, requirements=["C", "W"]))

    def __call__(self, pictures: Tensor, device: torch.device) -> Tensor:
        """Scale (N, S, S, 3) uint8 pictures, as (N, 3, S, S) floats on a device."""
        centred = pictures.to(device).permute(0, 3, 1, 2) - self._mean.to(device)
        return centred / self._std.to(device)


def embed_in_pieces(
    network: Any,
    name: str,
    items: Tensor,
    work: Callable[[Tensor], Tensor],
    *,
    size: Callable[[], int],
    width: int,
) -> NDArray[np.float32]:
    """Embed items in as many pieces as the network's device needs.

    Parameters
    ----------
    network : Module
        What embeds them; it says on which `device` it is.
    name : str
        Of the network, for notices.
    items : (N, ...) Tensor
        Pictures or tokens.
    work : callable
        From some of the items to (n, D) features; asks the network where it is each time.
    size : callable
        How many at once, where the network is now.
    width : int
        D.

    Returns
    -------
    (N, D) float32 array
        Rows of unit length.
    """

    def embed() -> NDArray[np.float32]:
        rows: list[Tensor] = []
        in_chunks(items, size(), lambda some: rows.append(unit(work(some))))
        return stacked(rows, width)

    return sparing(network, name, embed)


def pieces_of(device: torch.device, vision: Any, tokens: int) -> int:
    """Return how many items a transformer works on at once.

    Parameters
    ----------
    device : torch.device
        Where.
    vision : config of transformers
        Of the transformer.
    tokens : int
        Of each picture.
    """
    # a block's input, normalised input, queries, keys, values and hidden layer, in float32
    each = 4 * tokens * (6 * vision.hidden_size + 2 * vision.intermediate_size)
    return fitting(device, each, on_processor=BATCH, most=MOST)


def stacked(rows: list[Tensor], width: int) -> NDArray[np.float32]:
    """Return (n, D) tensors one below the other, (N, D); `width` is D, for none at all."""
    together = torch.cat(rows).cpu() if rows else torch.zeros((0, width))
    return np.asarray(together.numpy(), np.float32)


def unit(vectors: Tensor) -> Tensor:
    """Scale (N, D) rows to unit length, in float32."""
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
