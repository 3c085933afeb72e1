"""How many prompts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.models.memory import fitting

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

ON_A_PROCESSOR = 4
"""Prompts at once on a processor: what its caches hold is worth more than larger products."""

MOST = 256
"""Prompts at once on any device; cancelling waits for them."""


def chunk_size(network: Sam) -> int:
    """Return how many prompts the decoder should be given at once."""
    height, width = network.prompt_encoder.image_embedding_size
    heads = network.mask_decoder.transformer.num_heads
    # attention rows of two layers in a few copies, and the upscaled features in two
    per_prompt = 4 * height * width * (8 * 2 * heads * 7 + 10 * network.prompt_encoder.embed_dim)
    return fitting(network.device, per_prompt, on_processor=ON_A_PROCESSOR, most=MOST)
