"""The two-way transformer of SAM's decoder with its products re-associated for few tokens and many cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from segment_anything.modeling import TwoWayTransformer
    from segment_anything.modeling.transformer import Attention
    from torch import Tensor


def _by_head(matrix: Tensor, heads: int) -> Tensor:
    """View a projection (internal, C) as (heads, internal / heads, C)."""
    return matrix.view(heads, -1, matrix.shape[1])


def gather(attention: Attention, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Let tokens look at cells without projecting the cells.

    A prompt has about 7 tokens, which with 4 heads are 28 virtual queries: multiplying these through the
    projections costs less than projecting every cell. The bias of the keys is the same for every cell and
    drops out of the softmax, the bias of the values passes through it.

    Parameters
    ----------
    attention : segment_anything.modeling.transformer.Attention
        Whose weights to use.
    queries : Tensor of shape (P, T, C)
        Tokens.
    keys, values : Tensor of shape (P, N, C)
        Cells with and without position.

    Returns
    -------
    Tensor of shape (P, T, C)
        What the attention itself would return, up to rounding.
    """
    heads = attention.num_heads
    prompts, count, channels = queries.shape
    small = attention.q_proj(queries).view(prompts, count, heads, -1)
    virtual = torch.einsum("pthd,hdc->pthc", small, _by_head(attention.k_proj.weight, heads))
    virtual = virtual.reshape(prompts, count * heads, channels) * small.shape[-1] ** -0.5
    weights = torch.softmax(virtual @ keys.transpose(1, 2), dim=-1)
    mixed = (weights @ values).view(prompts, count, heads, channels)
    out = torch.einsum("pthc,hdc->pthd", mixed, _by_head(attention.v_proj.weight, heads))
    result: Tensor = attention.out_proj(out.reshape(prompts, count, -1) + attention.v_proj.bias)
    return result


def spread(attention: Attention, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Let cells look at tokens without projecting the cells.

    Parameters
    ----------
    attention : segment_anything.modeling.transformer.Attention
        Whose weights to use.
    queries : Tensor of shape (P, N, C)
        Cells with position.
    keys, values : Tensor of shape (P, T, C)
        Tokens with and without position.

    Returns
    -------
    Tensor of shape (P, N, C)
        What the attention itself would return, up to rounding.
    """
    heads = attention.num_heads
    prompts, count, channels = keys.shape
    small = attention.k_proj(keys).view(prompts, count, heads, -1) * (attention.internal_dim // heads) ** -0.5
    virtual = torch.einsum("pthd,hdc->phtc", small, _by_head(attention.q_proj.weight, heads))
    bias = torch.einsum("pthd,hd->pht", small, attention.q_proj.bias.view(heads, -1))
    # Cells come last, because a softmax over a handful of neighbours in memory is slow.
    scores = torch.baddbmm(
        bias.reshape(prompts, -1, 1),
        virtual.reshape(prompts, heads * count, channels),
        queries.transpose(1, 2),
    )
    weights = torch.softmax(scores.view(prompts, heads, count, -1), dim=2).view(prompts, heads * count, -1)
    projected = attention.v_proj(values).view(prompts, count, heads, -1)
    output = attention.out_proj.weight.view(channels, heads, -1)
    out = torch.einsum("pthd,chd->phtc", projected, output).reshape(prompts, heads * count, channels)
    result: Tensor = weights.transpose(1, 2) @ out + attention.out_proj.bias
    return result


def two_way(
    transformer: TwoWayTransformer, cells: Tensor, position: Tensor, tokens: Tensor
) -> tuple[Tensor, Tensor]:
    """Run the two-way transformer on cells that lie row by row.

    Parameters
    ----------
    transformer : segment_anything.modeling.TwoWayTransformer
        Whose weights to use.
    cells, position : Tensor of shape (P, N, C)
        Image cells, the mask prompt added, and their positional encoding.
    tokens : Tensor of shape (P, T, C)
        Output tokens and embedded prompts.

    Returns
    -------
    tokens : Tensor of shape (P, T, C)
    cells : Tensor of shape (P, N, C)
    """
    queries, placed = tokens, cells + position
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            queries = layer.norm1(layer.self_attn(q=queries, k=queries, v=queries))
        else:
            q = queries + tokens
            queries = layer.norm1(queries + layer.self_attn(q=q, k=q, v=queries))
        seen = gather(layer.cross_attn_token_to_image, queries + tokens, placed, cells)
        queries = layer.norm2(queries + seen)
        queries = layer.norm3(queries + layer.mlp(queries))
        told = spread(layer.cross_attn_image_to_token, placed, queries + tokens, queries)
        cells = layer.norm4(cells + told)
        placed = cells + position
    seen = gather(transformer.final_attn_token_to_image, queries + tokens, placed, cells)
    return transformer.norm_final_attn(queries + seen), cells
