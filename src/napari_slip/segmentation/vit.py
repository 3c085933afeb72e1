"""SAM's vision transformer with its attention computed piece by piece instead of written out.

Output-preserving: the arithmetic of `segment_anything.modeling.ImageEncoderViT`, through torch's fused
attention. The full matrix of a global block, 805 MB at 1,024 pixels and 12 heads, never exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from segment_anything.modeling.image_encoder import get_rel_pos, window_partition, window_unpartition
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from segment_anything.modeling import ImageEncoderViT
    from torch import Tensor

SCORES_AT_ONCE = 2**22
"""Attention scores of one piece: 16 MB in float32."""


def run_vit(encoder: ImageEncoderViT, picture: Tensor, check: Callable[[], None]) -> Tensor:
    """Encode a picture.

    Parameters
    ----------
    encoder : ImageEncoderViT
        In evaluation mode.
    picture : (1, 3, S, S) Tensor
        Normalised and padded.
    check : callable
        Called before each block; what it raises ends the run.

    Returns
    -------
    (1, C, S / 16, S / 16) Tensor
    """
    x = encoder.patch_embed(picture)
    if encoder.pos_embed is not None:
        x = x + encoder.pos_embed
    for block in encoder.blocks:
        check()
        normal = block.norm1(x)
        if block.window_size:
            windows, padded = window_partition(normal, block.window_size)
            attended = _attend(block.attn, windows)
            x = x + window_unpartition(attended, block.window_size, padded, normal.shape[1:3])
        else:
            x = x + _attend(block.attn, normal)
        x = x + block.mlp(block.norm2(x))
    check()
    embedding: Tensor = encoder.neck(x.permute(0, 3, 1, 2))
    return embedding


def _attend(attention: Any, x: Tensor) -> Tensor:
    """Attend within each of B maps, (B, H, W, C)."""
    maps, height, width, channels = x.shape
    qkv = attention.qkv(x).view(maps, height * width, 3, attention.num_heads, -1)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    out = torch.empty_like(query)
    bias = _Bias(attention, query, (height, width)) if attention.use_rel_pos else None
    rows = max(1, min(height, SCORES_AT_ONCE // (width * height * width * attention.num_heads)))
    together = max(1, SCORES_AT_ONCE // (rows * width * height * width * attention.num_heads))
    for first in range(0, maps, together):
        some = slice(first, first + together)
        for top in range(0, height, rows):
            band = slice(top * width, min(top + rows, height) * width)
            out[some, :, band] = functional.scaled_dot_product_attention(
                query[some, :, band],
                key[some],
                value[some],
                attn_mask=None if bias is None else bias(some, slice(top, top + rows)),
            )
    merged: Tensor = attention.proj(out.transpose(1, 2).reshape(maps, height, width, channels))
    return merged


class _Bias:
    """The decomposed relative positions of an attention: one table along each axis."""

    def __init__(self, attention: Any, query: Tensor, shape: tuple[int, int]) -> None:
        maps, heads = query.shape[:2]
        self.shape = shape
        grid = query.view(maps, heads, *shape, -1)
        table_h = get_rel_pos(shape[0], shape[0], attention.rel_pos_h).to(query.dtype)
        table_w = get_rel_pos(shape[1], shape[1], attention.rel_pos_w).to(query.dtype)
        self.along_h = torch.einsum("bnhwc,hkc->bnhwk", grid, table_h)
        self.along_w = torch.einsum("bnhwc,wkc->bnhwk", grid, table_w)

    def __call__(self, maps: slice, rows: slice) -> Tensor:
        """Return the (b, heads, rows * W, H * W) bias of some query rows of some maps."""
        both = self.along_h[maps, :, rows, :, :, None] + self.along_w[maps, :, rows, :, None, :]
        return both.flatten(-2).flatten(-3, -2)
