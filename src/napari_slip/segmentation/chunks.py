"""How many prompts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_slip.models.devices import free_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_anything.modeling import Sam
    from torch import Tensor

ON_A_PROCESSOR = 4
"""Prompts at once on a processor: what its caches hold is worth more than larger products."""

MOST = 256
"""Prompts at once on any device; cancelling waits for them."""


def chunk_size(network: Sam) -> int:
    """Return how many prompts the decoder should be given at once, from the memory that is free."""
    device = network.device
    if device.type != "cuda":
        return ON_A_PROCESSOR
    height, width = network.prompt_encoder.image_embedding_size
    heads = network.mask_decoder.transformer.num_heads
    # attention rows of two layers in a few copies, and the upscaled features in two
    per_prompt: int = 4 * height * width * (8 * 2 * heads * 7 + 10 * network.prompt_encoder.embed_dim)
    return max(1, min(MOST, free_memory(device) // 2 // per_prompt))


def in_chunks(items: Tensor, size: int, work: Callable[[Tensor], None]) -> None:
    """Hand on `items` piece by piece, in halves of a piece for which the device's memory does not suffice.

    Parameters
    ----------
    items : (N, ...) Tensor
    size : int
        Items at once.
    work : callable
        Takes some of the items; has no effect when it fails.

    Raises
    ------
    torch.OutOfMemoryError
        If the memory does not suffice for a single item.
    """
    done = 0
    while done < len(items):
        try:
            work(items[done : done + size])
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            torch.cuda.empty_cache()
        else:
            done += size
