"""The contrastive loss when several captions are true of a crop, and some neither true nor false."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def contrastive(images: Tensor, texts: Tensor, truth: Tensor, scale: Tensor) -> Tensor:
    """Symmetric cross-entropy over all true pairs.

    Every true caption of a crop gets an equal share of the probability and unknown pairs take no part, as in
    supervised contrastive learning (Khosla et al., arXiv 2004.11362).

    Parameters
    ----------
    images
        (N, D) embeddings.
    texts
        (T, D) embeddings.
    truth
        (N, T): 1 true, 0 false, -1 unknown.
    scale
        Factor on the cosines.

    Returns
    -------
    Tensor
        Scalar.
    """
    cosines = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    logits = (cosines * scale).masked_fill(truth < 0, float("-inf"))
    true = truth > 0
    return (_one_way(logits, true) + _one_way(logits.T, true.T)) / 2


def _one_way(logits: Tensor, true: Tensor) -> Tensor:
    count = true.sum(dim=1)
    logits, true, count = logits[count > 0], true[count > 0], count[count > 0]
    if not len(count):
        return logits.sum() * 0
    chance = F.log_softmax(logits, dim=1).masked_fill(~true, 0)
    return (-chance.sum(dim=1) / count).mean()


class Hints(torch.nn.Module):
    """Classifiers on the image features that speed up the learning and are dropped afterwards.

    Parameters
    ----------
    width
        Of the features.
    sizes
        Number of concepts, then of the values of each attribute.
    """

    def __init__(self, width: int, sizes: list[int]) -> None:
        super().__init__()
        self.heads = torch.nn.ModuleList(torch.nn.Linear(width, size) for size in sizes)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Half the summed cross-entropies; `labels` is (N, len(sizes)), -1 where unknown."""
        total = features.new_zeros(())
        for head, label in zip(self.heads, labels.T, strict=True):
            known = label >= 0
            if known.any():
                total = total + F.cross_entropy(head(features[known]), label[known], label_smoothing=0.05)
        return total / 2
