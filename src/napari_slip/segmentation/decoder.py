"""SAM's mask decoder for many prompts on one tile: the same output, many times as fast.

Output-preserving. What `shared` works out once is not done again for every prompt, and only prompts whose
predicted IoU is good enough are upscaled into masks (`Decoded.logits`).

Layouts: P prompts, T tokens each, H heads, N image tokens, C channels; "rows" are the R = H T pairs of a head
and a token (head first), for each layer that has written to the image so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from napari_slip.segmentation.shared import share

if TYPE_CHECKING:
    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_slip.segmentation.protocols import Tile
    from napari_slip.segmentation.shared import Reading, Values, Writing


CELLS_ON_A_PROCESSOR = 512
"""Image tokens that are upscaled together on a processor."""


@dataclass
class Image:
    """The image side of P prompts, never written out: scale * shared + weights.T @ basis (see `shared`).

    Parameters
    ----------
    scale : (P, 1, N) Tensor
        1 before the first layer has written.
    weights : (P, R, N) Tensor
    basis : (P, R, C) Tensor
        Mean-free.
    values : list of (H, T P, d + 1) Tensor
        For each layer so far, the tokens' values, and a one, that the basis is made of.
    """

    scale: Tensor
    weights: Tensor
    basis: Tensor
    values: list[Tensor]


class Decoder:
    """The mask decoder for one tile.

    Parameters
    ----------
    network : Sam
        In evaluation mode.
    tile : Tile
        Encoded by it.
    """

    def __init__(self, network: Sam, tile: Tile) -> None:
        self.network = network
        self.shared = share(network, tile.embedding)
        self.cells = (tile.embedding.shape[-2], tile.embedding.shape[-1])

    def __call__(self, points: Tensor) -> Decoded:
        """Ask for the masks at each of P points, without making them yet.

        Parameters
        ----------
        points : (P, 2) Tensor
            XY in model pixels.

        Returns
        -------
        Decoded
        """
        decoder, transformer = self.network.mask_decoder, self.network.mask_decoder.transformer
        labels = torch.ones(len(points), 1, dtype=torch.int, device=points.device)
        sparse, _ = self.network.prompt_encoder(points=(points[:, None], labels), boxes=None, masks=None)
        output = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        prompt = torch.cat([output.expand(len(points), -1, -1), sparse], dim=1)
        tokens, image = prompt, None
        for layer, tables in zip(transformer.layers, self.shared.layers, strict=True):
            if layer.skip_first_layer_pe:
                tokens = layer.self_attn(tokens, tokens, tokens)
            else:
                asking = tokens + prompt
                tokens = tokens + layer.self_attn(asking, asking, tokens)
            tokens = layer.norm1(tokens)
            attention = layer.cross_attn_token_to_image
            tokens = layer.norm2(tokens + _ask(attention, tokens + prompt, image, tables.ask, tables.values))
            tokens = layer.norm3(tokens + layer.mlp(tokens))
            attention = layer.cross_attn_image_to_token
            image = _answer(attention, tokens + prompt, tokens, image, tables.answer, tables.write)
        if image is None:
            raise ValueError("a transformer without layers")
        attention = transformer.final_attn_token_to_image
        taken = _ask(attention, tokens + prompt, image, self.shared.last, self.shared.last_values)
        tokens = transformer.norm_final_attn(tokens + taken)
        iou = decoder.iou_prediction_head(tokens[:, 0])
        # the first mask is the one for unambiguous prompts
        return Decoded(self, image, tokens[:, 2 : 1 + decoder.num_mask_tokens], iou[:, 1:])


@dataclass(frozen=True)
class Decoded:
    """P prompts after the decoder's transformer.

    Parameters
    ----------
    decoder : Decoder
        Which made it.
    image : Image
        The image side.
    tokens : (P, 3, C) Tensor
        Of the masks.
    iou : (P, 3) Tensor
        Predicted.
    """

    decoder: Decoder
    image: Image
    tokens: Tensor
    iou: Tensor

    def logits(self, wanted: Tensor) -> Tensor:
        """Make masks.

        Parameters
        ----------
        wanted : (P, 3) bool Tensor
            Which.

        Returns
        -------
        (M, 4 h, 4 w) Tensor
            Logits of the M masks that are wanted, prompt by prompt, for an embedding of h x w cells.
        """
        mlps = self.decoder.network.mask_decoder.output_hypernetworks_mlps
        weights = torch.stack([mlp(self.tokens[:, i]) for i, mlp in enumerate(mlps[1:])], dim=1)
        pixels = [
            self._upscale(prompt, weights[prompt, wanted[prompt]])
            for prompt in wanted.any(dim=1).nonzero()[:, 0].tolist()
        ]
        height, width = self.decoder.cells
        # inside a cell: row and column at the first upscaling, then both at the second; rows belong together
        order = torch.arange(16).view(2, 2, 2, 2).transpose(1, 2).flatten().to(self.iou.device)
        nested = torch.cat(pixels).view(-1, height, width, 16)[..., order]
        return nested.view(-1, height, width, 4, 4).transpose(2, 3).reshape(-1, 4 * height, 4 * width)

    def _upscale(self, prompt: int, weights: Tensor) -> Tensor:
        """Return (m, 16 N) logits of the masks of one prompt whose (m, C / 8) weights are given.

        A transposed convolution whose stride is its kernel is a product. It is made for so many cells at once
        as a processor's nearest cache holds all the way through.
        """
        shared, image = self.decoder.shared, self.image
        _, norm, activation, second, last = self.decoder.network.mask_decoder.output_upscaling
        basis = image.basis[prompt] @ shared.upscaling
        kernel, bias = second.weight.permute(2, 3, 1, 0).flatten(0, 2), second.bias.repeat(4)
        size = CELLS_ON_A_PROCESSOR if basis.device.type == "cpu" else len(shared.upscaled)
        pixels = []
        for cells, scale, content in zip(
            image.weights[prompt].T.split(size),
            image.scale[prompt, 0].split(size),
            shared.upscaled.split(size),
            strict=True,
        ):
            fine = torch.addcmul(shared.upscaling_constant, content, scale[:, None]).addmm_(cells, basis)
            fine = fine.view(-1, len(norm.weight))
            fine = activation(functional.layer_norm(fine, fine.shape[-1:], norm.weight, norm.bias, norm.eps))
            finest = last(functional.linear(fine, kernel, bias))
            pixels.append(weights @ finest.view(-1, second.out_channels).T)
        return torch.cat(pixels, dim=1)


def _ask(attention: Any, asking: Tensor, image: Image | None, reading: Reading, values: Values) -> Tensor:
    """Let the tokens attend to the image; returns (P, T, C)."""
    prompts, tokens = asking.shape[:2]
    query = _heads(attention.q_proj(asking), reading)
    probability = _scores(query, prompts, image, reading).softmax(dim=-1)
    # taken from what is shared, and from what the prompt itself has written
    scaled = probability if image is None else probability * image.scale
    taken = _whole(torch.bmm(_by_head(scaled, len(query)), values.content), prompts)
    if image is not None:
        written = (image.basis @ values.weight.T).view(
            prompts, 1, -1, len(query), taken.shape[-1] // len(query)
        )
        share = probability @ image.weights.mT
        own = share.view(prompts, len(query), tokens, -1) @ written[:, 0].transpose(1, 2)
        taken = taken + own.transpose(1, 2).reshape(taken.shape)
    result: Tensor = attention.out_proj(taken + values.constant)
    return result


def _answer(
    attention: Any,
    asked: Tensor,
    tokens: Tensor,
    image: Image | None,
    reading: Reading,
    writing: Writing,
) -> Image:
    """Let the image attend to the tokens, and normalise it."""
    prompts, count = tokens.shape[:2]
    key = _heads(attention.k_proj(asked), reading)
    scores = _scores(key, prompts, image, reading)
    heads, rows = len(key), scores.shape[1]
    probability = scores.view(prompts, heads, count, -1).softmax(dim=2).view(scores.shape)
    written = functional.pad(_heads(attention.v_proj(tokens), reading), (0, 1), value=1.0)
    values = [*(image.values if image is not None else []), written]
    basis = torch.cat(
        [_rows(torch.bmm(v, span), prompts) for v, span in zip(values, writing.spans, strict=True)], dim=1
    )
    if image is None:
        weights, scale = probability, torch.ones_like(probability[:, :1])
    else:
        weights, scale = torch.cat([image.weights, probability], dim=1), image.scale
    # the layer norm: |scale * shared + weights.T @ basis|^2, image token by image token
    square = (basis @ basis.mT) @ weights
    for block, v, crossing in zip(square.split(rows, dim=1), values, writing.crossings, strict=True):
        mixed = _rows(torch.bmm(v, crossing), prompts)
        block.addcmul_(mixed, scale.expand_as(mixed), value=2)
    square = (square.mul_(weights)).sum(dim=1, keepdim=True)
    square += scale.square() * writing.energy
    deviation = (square / basis.shape[-1] + writing.eps).rsqrt()
    return Image(scale * deviation, weights.mul_(deviation), basis, values)


def _scores(side: Tensor, prompts: int, image: Image | None, reading: Reading) -> Tensor:
    """Return (P, H T, N) attention scores of the tokens' side, (H, T P, d), with the image."""
    if image is None:
        return _rows(torch.bmm(side, reading.together), prompts).contiguous()
    content = _rows(torch.bmm(side, reading.content), prompts)
    place = _rows(torch.bmm(side, reading.place), prompts)
    weight = reading.weight.view(len(side), -1, reading.weight.shape[-1])
    virtual = _rows(torch.bmm(side, weight), prompts)
    own = (virtual @ image.basis.mT) @ image.weights
    return own.addcmul_(content, image.scale.expand_as(own)).add_(place)


def _heads(tokens: Tensor, reading: Reading) -> Tensor:
    """(P, T, D) to (H, T P, d)."""
    prompts, count = tokens.shape[:2]
    heads = len(reading.content)
    return tokens.view(prompts, count, heads, -1).permute(2, 1, 0, 3).reshape(heads, count * prompts, -1)


def _whole(tokens: Tensor, prompts: int) -> Tensor:
    """(H, T P, d) to (P, T, D)."""
    heads, _, width = tokens.shape
    return tokens.view(heads, -1, prompts, width).permute(2, 1, 0, 3).reshape(prompts, -1, heads * width)


def _rows(product: Tensor, prompts: int) -> Tensor:
    """(H, T P, X) to a view of shape (P, H T, X)."""
    return product.view(-1, prompts, product.shape[-1]).transpose(0, 1)


def _by_head(rows: Tensor, heads: int) -> Tensor:
    """(P, H T, X) to (H, T P, X)."""
    return rows.transpose(0, 1).reshape(heads, -1, rows.shape[-1])
