"""The architecture of mini SAM: a small convolutional image encoder under the decoder of SAM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor, nn
from torch.nn import functional

from napari_slip.models.mini.attention import two_way

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STRIDE = 8
"""Model pixels per side of one cell of the embedding."""

SPREAD = ((16.0, 3), (32.0, 5), (64.0, 9))
"""Sizes of objects in model pixels, and sides of squares in cells over which their centres may be spread."""

LIKELY = 0.7
"""Sum of the probabilities in such a square from which on there is an object."""

CONFIG: dict[str, Any] = {
    "img_size": 512,
    "embed_dim": 128,
    "widths": [48, 96, 160, 256],
    "depths": [1, 3, 6, 3],
    "decoder_depth": 2,
    "decoder_heads": 4,
    "decoder_mlp": 256,
    "position_scales": [0.75, 4.0],
}
"""The shape of the shipped weights."""


def _convolution(inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution with batch normalisation and no activation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2 if size % 2 else 0, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside an identity (He et al., arXiv 1512.03385)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width)
        # A block that starts as the identity trains faster (Goyal et al., arXiv 1706.02677).
        norm = self.second[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        out = functional.relu(self.first(x), inplace=True)
        return functional.relu(self.second(out) + x, inplace=True)


class MiniImageEncoder(nn.Module):
    """A residual network at strides 4 to 32, fused top down into one embedding at stride 8.

    The picture is folded to stride 4 without loss first, because a convolution of few channels at full
    size is the slowest thing a processor can be asked for. The fusion follows the feature pyramid network
    (Lin et al., arXiv 1612.03144), with the finer stride 4 folded into the embedding too.

    Parameters
    ----------
    img_size : int
        Side of the padded input in pixels; what `segment_anything`'s transforms resize to. Any multiple of
        32 is encoded, since every layer is a convolution.
    embed_dim : int
        Channels of the embedding.
    widths, depths : sequences of four int
        Channels and residual blocks at strides 4, 8, 16 and 32.
    """

    def __init__(self, img_size: int, embed_dim: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.img_size = img_size
        self.stages = nn.ModuleList()
        inputs = 3 * 4 * 4
        for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            self.stages.append(
                nn.Sequential(
                    _convolution(inputs, width, stride=1 if i == 0 else 2),
                    nn.ReLU(inplace=True),
                    *(ResidualBlock(width) for _ in range(depth)),
                )
            )
            inputs = width
        self.fine = _convolution(widths[0], embed_dim, size=2, stride=2)
        self.lateral = nn.ModuleList(_convolution(width, embed_dim, size=1) for width in widths[1:])
        self.smooth = nn.Sequential(_convolution(embed_dim, embed_dim), nn.ReLU(inplace=True))
        self.fuse = ResidualBlock(embed_dim)
        self.out = nn.Conv2d(embed_dim, embed_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Encode pictures.

        Parameters
        ----------
        x : Tensor of shape (B, 3, H, W)
            Normalised pictures (`Sam.preprocess`); H and W are multiples of 32.

        Returns
        -------
        Tensor of shape (B, embed_dim, H / 8, W / 8)
            The embedding.
        """
        x = functional.pixel_unshuffle(x, 4).contiguous(memory_format=torch.channels_last)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        quarter, eighth, sixteenth, thirty_second = maps
        top = self.lateral[1](sixteenth) + functional.interpolate(
            self.lateral[2](thirty_second), scale_factor=2.0
        )
        fused = functional.interpolate(top, scale_factor=2.0) + self.lateral[0](eighth) + self.fine(quarter)
        out: Tensor = self.out(self.fuse(self.smooth(functional.relu(fused, inplace=True))))
        return out


class CentreHead(nn.Module):
    """Predicts, at stride 4, where objects have their centres and how large they are.

    Objects as points follows CenterNet (Zhou et al., arXiv 1904.07850). The centre of an object is the point
    of its mask that lies furthest from its edge, so that it lies inside also where the object is not convex.

    Parameters
    ----------
    embed_dim : int
        Channels of the embedding it reads.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(embed_dim, 64), nn.ReLU(inplace=True))
        self.out = nn.Conv2d(64, 2 * 4, 1)
        # Centres are rare: starting at a probability of 2 % keeps the first steps from being spent on that.
        # Sizes start at 2 ** 5 = 32 model pixels.
        start = torch.tensor([-4.0] * 4 + [5.0] * 4)
        self.out.bias = nn.Parameter(start)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Map an embedding (B, C, h, w) to heat-map logits and log2 of object sizes, both (B, 2 h, 2 w)."""
        out = functional.pixel_shuffle(self.out(self.body(embedding)), 2)
        return out[:, 0], out[:, 1]


class Centres(NamedTuple):
    """Objects that `MiniSam.centres` found, best first."""

    points: Tensor
    """(n, 2) centres as (x, y) in model pixels, ready for SAM's point prompts."""
    scores: Tensor
    """(n,) probability in 0..1."""
    sizes: Tensor
    """(n,) square root of the object's area in model pixels."""
    spread: Tensor
    """(n,) bool; whether no cell alone is likely, but a square of cells together, whose sum is the score."""

    def take(self, chosen: Tensor) -> Centres:
        """Return some of them: rows, or a (n,) bool Tensor."""
        return Centres(*(values[chosen] for values in self))


def _largest_within(heat: Tensor, side: int) -> Tensor:
    """Return which cells of (1, h, w) are the largest of the square around them, (h, w) bool."""
    return heat[0] == functional.max_pool2d(heat, side, 1, side // 2)[0]


class MiniSam(Sam):
    """SAM with a small image encoder and a head that proposes object centres.

    It is used as any `segment_anything` model. Beyond that, `centres` proposes prompts and `decode_windows`
    decodes each prompt on a window of the embedding alone.
    """

    def __init__(self, *, centre_head: CentreHead, **parts: Any) -> None:
        super().__init__(**parts)
        self.centre_head = centre_head

    @torch.no_grad()
    def centres(self, embedding: Tensor, threshold: float = 0.2, limit: int = 1000) -> Centres:
        """Find object centres in the embedding of one picture.

        Parameters
        ----------
        embedding : Tensor of shape (1, C, h, w)
            What `image_encoder` returned; a padded border may be cut off before.
        threshold : float
            Smallest score in 0..1.
        limit : int
            Largest number of centres.

        Returns
        -------
        Centres
            Local maxima of the heat map over 3 x 3 cells of 4 model pixels, best first; then those of larger
            squares (`SPREAD`) in which no cell reaches the threshold but the sum does `LIKELY`: where the
            middle of something long or large lies is hard to say, however plain it is.
        """
        heat, size = self.centre_head(embedding)
        heat, size = heat.sigmoid(), size[0].exp2()
        peaks = (heat[0] >= threshold) & _largest_within(heat, 3)
        scores = heat[0]
        for least, side in SPREAD:
            total = functional.avg_pool2d(heat, side, 1, side // 2)[0] * side**2
            hidden = (size >= least) & (heat[0] < threshold) & (total >= LIKELY) & _largest_within(heat, side)
            scores = torch.where(hidden, total.clamp(max=LIKELY), scores)
            peaks = peaks | hidden
        rows, columns = peaks.nonzero(as_tuple=True)
        spread = heat[0, rows, columns] < threshold
        order = torch.argsort(scores[rows, columns] - spread.float(), descending=True)[:limit]
        rows, columns = rows[order], columns[order]
        cell = STRIDE / 2
        points = torch.stack([columns, rows], dim=1) * cell + (cell - 1) / 2
        return Centres(points, scores[rows, columns], size[rows, columns], spread[order])

    def window_tokens(self, embeddings: Tensor, picture: Tensor, corner: Tensor, side: int) -> Tensor:
        """Cut one square window of cells for each prompt.

        Parameters
        ----------
        embeddings : Tensor of shape (B, C, h, w)
            Embeddings of pictures, or a positional encoding.
        picture : int64 Tensor of shape (P,)
            The picture of each prompt.
        corner : int64 Tensor of shape (P, 2)
            Top left cell of each window as (row, column); windows must lie inside.
        side : int
            Side of the windows in cells.

        Returns
        -------
        Tensor of shape (P, side * side, C)
            The cells of each window, row by row.
        """
        channels, height, width = embeddings.shape[1:]
        table = embeddings.permute(0, 2, 3, 1).reshape(-1, channels)
        offsets = torch.arange(side, device=corner.device)
        grid = (offsets[:, None] * width + offsets).reshape(1, -1)
        first = (picture * height + corner[:, 0]) * width + corner[:, 1]
        # An embedding look-up, because its gradient is the fast one on a processor.
        return functional.embedding(first[:, None] + grid, table)

    def decode_windows(
        self, tokens: Tensor, position: Tensor, sparse: Tensor, dense: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Decode prompts on windows of the embedding.

        The arithmetic is that of `MaskDecoder.predict_masks`, with one image window for each prompt: the
        transformer is a set function over cells and the upscaling never looks across cells, so a window
        gives what the decoder would give if the picture ended at the window. A transposed convolution whose
        kernel is its stride is a matrix product, which keeps the channels last all the way.

        Parameters
        ----------
        tokens : Tensor of shape (P, side * side, C)
            Image windows from `window_tokens`.
        position : Tensor of shape (P, side * side, C)
            The same windows of `prompt_encoder.get_dense_pe()`.
        sparse : Tensor of shape (P, n, C)
            Embedded points and boxes, in coordinates of the whole model frame.
        dense : Tensor of shape (P, side * side, C), optional
            Embedded mask prompts on the windows; none means no mask.

        Returns
        -------
        logits : Tensor of shape (P, 4, 4 side, 4 side)
            Mask logits at stride 2: the single mask first, then the three alternatives.
        iou : Tensor of shape (P, 4)
            Predicted IoU of each.
        """
        decoder = self.mask_decoder
        prompts, cells, channels = tokens.shape
        side = round(cells**0.5)
        output = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        queries = torch.cat([output.expand(prompts, -1, -1), sparse], dim=1)
        source = tokens + (self.prompt_encoder.no_mask_embed.weight if dense is None else dense)
        queries, source = two_way(decoder.transformer, source, position, queries)
        first, norm, activation, second, last = decoder.output_upscaling
        fine = functional.linear(
            source, first.weight.permute(2, 3, 1, 0).reshape(-1, channels), first.bias.repeat(4)
        )
        fine = fine.view(prompts, -1, channels // 4)
        fine = activation(functional.layer_norm(fine, fine.shape[-1:], norm.weight, norm.bias, norm.eps))
        fine = functional.linear(
            fine, second.weight.permute(2, 3, 1, 0).reshape(-1, channels // 4), second.bias.repeat(4)
        )
        fine = last(fine).view(prompts, -1, channels // 8)
        hyper = torch.stack(
            [mlp(queries[:, 1 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], dim=1
        )
        masks = hyper @ fine.transpose(1, 2)
        masks = masks.view(prompts, -1, side, side, 2, 2, 2, 2).permute(0, 1, 2, 4, 6, 3, 5, 7)
        iou: Tensor = decoder.iou_prediction_head(queries[:, 0])
        return masks.reshape(prompts, -1, 4 * side, 4 * side), iou


def _localise(model: MiniSam, generator: torch.Generator, scales: Sequence[float]) -> None:
    """Let attention between prompts and cells start out local.

    The random Fourier features of a point and of a cell have a product that falls off with their distance;
    with the same projection for queries and keys the attention starts as such a kernel instead of having to
    find it.
    """
    matrix = model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    low, high = scales
    features = matrix.shape[1]
    scale = low * (high / low) ** torch.linspace(0, 1, features)
    matrix.copy_(torch.randn(matrix.shape, generator=generator) * scale)
    transformer = model.mask_decoder.transformer
    attentions = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        attentions += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for attention in attentions:
        nn.init.orthogonal_(attention.q_proj.weight, generator=generator)
        attention.k_proj.weight.copy_(attention.q_proj.weight)
        nn.init.zeros_(attention.q_proj.bias)
        nn.init.zeros_(attention.k_proj.bias)


def build_mini_sam(config: Mapping[str, Any] = CONFIG) -> MiniSam:
    """Build mini SAM with random weights.

    Parameters
    ----------
    config : mapping
        The keys of `CONFIG`.

    Returns
    -------
    MiniSam
        In evaluation mode, in float32, on the processor.
    """
    size, dim = int(config["img_size"]), int(config["embed_dim"])
    side = size // STRIDE
    model = MiniSam(
        image_encoder=MiniImageEncoder(size, dim, config["widths"], config["depths"]),
        prompt_encoder=PromptEncoder(
            embed_dim=dim,
            image_embedding_size=(side, side),
            input_image_size=(size, size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=int(config["decoder_depth"]),
                embedding_dim=dim,
                mlp_dim=int(config["decoder_mlp"]),
                num_heads=int(config["decoder_heads"]),
            ),
            transformer_dim=dim,
            iou_head_depth=3,
            iou_head_hidden_dim=dim,
        ),
        centre_head=CentreHead(dim),
    )
    with torch.no_grad():
        _localise(model, torch.Generator().manual_seed(0), config["position_scales"])
    model.to(memory_format=torch.channels_last).eval()
    return model
