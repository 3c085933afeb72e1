"""What all prompts of a tile have in common in SAM's mask decoder, worked out once.

Output-preserving: the numbers are those of `segment_anything.modeling.MaskDecoder`, in another order of
summation.

The decoder's image side keeps 4,096 tokens of width 256 *per prompt*. But a prompt writes to them only by
attention from its few tokens, so that, with T tokens and H heads, an image token is always

    gain * (scale_n * shared_n + sum over r of weight_rn * basis_r) + bias,    r = 1 ... H T for each layer

where `shared` is the same for all prompts, `basis` is a handful of vectors per prompt (values times the
attention's output projection) and the weights are attention probabilities, divided by the layer norms'
deviations. Mean-free `shared` and `basis` make the mean of the layer norm vanish; its variance is a quadratic
form in the weights. Whatever reads the image tokens is linear in them, so it reads `shared` through tables
made here, and the rest through products of size H T. The image tokens of a prompt are never written out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from segment_anything.modeling import Sam
    from torch import Tensor


@dataclass(frozen=True)
class Reading:
    """How tokens attend to the image at one stage, or the image to them: H heads of width d, N image tokens.

    Parameters
    ----------
    weight : (D, C) Tensor
        Projection of the image side, with the gain of the layer norm before it and the softmax's scale folded
        in.
    content : (H, d, N) Tensor
        `shared` through it.
    place : (H, d, N) Tensor
        The positional encoding, and all that is constant, through it.
    """

    weight: Tensor
    content: Tensor
    place: Tensor

    @cached_property
    def together(self) -> Tensor:
        """What is read before any prompt has written: `content` and `place`, (H, d, N)."""
        return self.content + self.place


@dataclass(frozen=True)
class Values:
    """What tokens take from the image at one stage.

    Parameters
    ----------
    weight : (D, C) Tensor
        Projection to values, with the gain of the layer norm before it folded in.
    content : (H, N, d) Tensor
        `shared` through it.
    constant : (D,) Tensor
        What every image token gives.
    """

    weight: Tensor
    content: Tensor
    constant: Tensor


@dataclass(frozen=True)
class Writing:
    """How the image changes at the end of a layer: what its layer norm needs to know.

    Parameters
    ----------
    spans : tuple of (H, d + 1, C) Tensor
        For each layer so far, from a token's values and a one to the basis vector, mean-free. The one is
        there for what a layer adds to every image token alike: it is handed to the heads in equal parts,
        since the attention's probabilities add up to one in each.
    crossings : tuple of (H, d + 1, N) Tensor
        The inner products of the spans with the new `shared`.
    energy : (N,) Tensor
        Squared length of the new `shared`.
    eps : float
        Of the layer norm.
    """

    spans: tuple[Tensor, ...]
    crossings: tuple[Tensor, ...]
    energy: Tensor
    eps: float


@dataclass(frozen=True)
class Layer:
    """One layer of the two-way transformer: the tokens ask the image, the image answers and changes."""

    ask: Reading
    values: Values
    answer: Reading
    write: Writing


@dataclass(frozen=True)
class Shared:
    """All tables of one tile.

    Parameters
    ----------
    layers : tuple of Layer
        Of the two-way transformer.
    last : Reading
        Of the attention after the last layer.
    last_values : Values
        What the tokens take in it.
    upscaling : (C, 4 C') Tensor
        The first transposed convolution with the last gain folded in: 2 x 2 pixels of C' channels.
    upscaled : (N, 4 C') Tensor
        `shared` through it.
    upscaling_constant : (4 C',) Tensor
        What every image token gives.
    """

    layers: tuple[Layer, ...]
    last: Reading
    last_values: Values
    upscaling: Tensor
    upscaled: Tensor
    upscaling_constant: Tensor


def share(network: Sam, embedding: Tensor) -> Shared:
    """Work out the tables of a tile, for point and box prompts without a mask.

    Parameters
    ----------
    network : Sam
        In evaluation mode.
    embedding : (1, C, h, w) Tensor
        From its image encoder.

    Returns
    -------
    Shared
    """
    transformer = network.mask_decoder.transformer
    no_mask = network.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    shared = _rows(embedding.float() + no_mask)
    position = _rows(network.prompt_encoder.get_dense_pe())
    gain, bias = torch.ones_like(shared[0]), torch.zeros_like(shared[0])
    layers: list[Layer] = []
    spans: list[Tensor] = []
    for layer in transformer.layers:
        asks, answers = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
        content = shared * gain
        ask, values = _token_side(asks, content, position, gain, bias)
        answer = _image_side(answers, content, position, gain, bias)
        # a basis vector of an earlier layer goes through this layer's gain, as `shared` does
        spans = [_mean_free(span * gain) for span in spans]
        constant = (bias + answers.out_proj.bias).expand(answers.num_heads, 1, -1) / answers.num_heads
        span = torch.cat([_per_head(answers.out_proj.weight.T, answers.num_heads), constant], dim=1)
        spans.append(_mean_free(span))
        shared = _mean_free(content)
        gain, bias = layer.norm4.weight, layer.norm4.bias
        layers.append(Layer(ask, values, answer, _writing(shared, spans, layer.norm4.eps)))
    last, last_values = _token_side(
        transformer.final_attn_token_to_image, shared * gain, position, gain, bias
    )
    convolution = network.mask_decoder.output_upscaling[0]
    kernel = convolution.weight.permute(0, 2, 3, 1).flatten(1)
    return Shared(
        tuple(layers),
        last,
        last_values,
        upscaling=kernel * gain[:, None],
        upscaled=(shared * gain) @ kernel,
        upscaling_constant=bias @ kernel + convolution.bias.repeat(4),
    )


def _token_side(
    attention: Any, content: Tensor, position: Tensor, gain: Tensor, bias: Tensor
) -> tuple[Reading, Values]:
    """Prepare the tokens' attention to the image.

    What adds the same to the score of every image token (the key's bias) drops out of the softmax.
    """
    heads, scale = attention.num_heads, _scale(attention)
    key, value = attention.k_proj.weight, attention.v_proj.weight
    reading = Reading(
        key * gain * scale,
        _table(content @ key.T * scale, heads),
        _table(position @ key.T * scale, heads),
    )
    constant = value @ bias + attention.v_proj.bias
    return reading, Values(value * gain, _table(content @ value.T, heads).mT.contiguous(), constant)


def _image_side(attention: Any, content: Tensor, position: Tensor, gain: Tensor, bias: Tensor) -> Reading:
    """Prepare the image's attention to the tokens, whose softmax runs over the tokens: constants count."""
    heads, scale = attention.num_heads, _scale(attention)
    query = attention.q_proj.weight
    constant = query @ bias + attention.q_proj.bias
    return Reading(
        query * gain * scale,
        _table(content @ query.T * scale, heads),
        _table((position @ query.T + constant) * scale, heads),
    )


def _writing(shared: Tensor, spans: list[Tensor], eps: float) -> Writing:
    return Writing(
        tuple(spans),
        tuple((span @ shared.T).contiguous() for span in spans),
        shared.square().sum(dim=-1),
        eps,
    )


def _scale(attention: Any) -> float:
    return 1 / math.sqrt(attention.internal_dim // attention.num_heads)


def _rows(maps: Tensor) -> Tensor:
    """(1, C, h, w) to (N, C)."""
    return maps.flatten(-2).reshape(-1, maps.shape[-1] * maps.shape[-2]).T.contiguous()


def _per_head(rows: Tensor, heads: int) -> Tensor:
    """(D, C) to (H, d, C)."""
    return rows.reshape(heads, -1, rows.shape[-1])


def _table(rows: Tensor, heads: int) -> Tensor:
    """(N, D) to (H, d, N)."""
    return _per_head(rows.T, heads).contiguous()


def _mean_free(rows: Tensor) -> Tensor:
    return rows - rows.mean(dim=-1, keepdim=True)
