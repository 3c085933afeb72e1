"""A head that is trained beside mini SAM and thrown away: it teaches the encoder about every pixel at once.

Prompts ask about a few objects of a view; this asks everywhere what is object, where the edges run and
where each object's centre lies, which teaches the embedding several times faster per view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from napari_slip.training.mini.sam_loss import Batch

REACH = 32.0
"""Model pixels that count as one in the vector to the centre."""


class DenseHead(nn.Module):
    """A linear read-out of the embedding.

    Parameters
    ----------
    embed_dim : int
        Channels of the embedding.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.pixels = nn.Conv2d(embed_dim, 2 * 16, 1)
        self.vectors = nn.Conv2d(embed_dim, 2 * 4, 1)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, h, w) to object and edge logits (B, 2, 4 h, 4 w) and vectors (B, 2, 2 h, 2 w)."""
        pixels = functional.pixel_shuffle(self.pixels(embedding), 4)
        return pixels, functional.pixel_shuffle(self.vectors(embedding), 2)


def pixel_targets(labels: Tensor) -> Tensor:
    """Share of object and presence of an edge in each 2 x 2 pixels: (B, 2, H / 2, W / 2) for (B, H, W)."""
    edge = torch.zeros_like(labels, dtype=torch.float32)
    down, right = labels[:, 1:] != labels[:, :-1], labels[:, :, 1:] != labels[:, :, :-1]
    edge[:, 1:] += down
    edge[:, :-1] += down
    edge[:, :, 1:] += right
    edge[:, :, :-1] += right
    inside = functional.avg_pool2d((labels > 0).float()[:, None], 2)
    return torch.cat([inside, functional.max_pool2d((edge > 0).float()[:, None], 2)], dim=1)


def dense_loss(head: DenseHead, embedding: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of object and edge, plus the error of the vectors to the centres, in `REACH`.

    Parameters
    ----------
    head : DenseHead
        The read-out.
    embedding : Tensor of shape (B, C, h, w)
        Of the batch's views.
    batch : Batch
        Its labels and vectors are the targets.

    Returns
    -------
    Tensor
        Scalar.
    """
    pixels, vectors = head(embedding)
    weight = torch.tensor([1.0, 3.0]).view(2, 1, 1)
    targets = pixel_targets(batch.labels)
    told = (functional.max_pool2d((batch.labels >= 0).float()[:, None], 2) > 0) | (targets[:, 1:] > 0)
    entropy = functional.binary_cross_entropy_with_logits(
        pixels, targets, weight=told.float(), pos_weight=weight
    )
    asked = ~batch.vectors.isnan()
    error = functional.smooth_l1_loss(vectors[asked], batch.vectors[asked] / REACH, reduction="sum", beta=0.2)
    return 2 * entropy + error / asked.sum().clamp_min(1)
