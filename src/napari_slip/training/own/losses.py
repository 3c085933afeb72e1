"""What training makes small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def soft_target_loss(images: Tensor, texts: Tensor, temperature: float = 1.0) -> Tensor:
    """Symmetric cross-entropy against soft targets, as the SLIP paper has it.

    The targets are ``softmax((images @ images.T + texts @ texts.T) / 2 * temperature)``, from embeddings
    that are neither scaled to unit length nor detached, so that losses of two runs are not comparable
    (arXiv 2405.07284).

    Parameters
    ----------
    images, texts : (N, D) Tensor
        Pairs.
    temperature : float
        T.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = texts @ images.T / temperature
    targets = F.softmax((images @ images.T + texts @ texts.T) / 2 * temperature, dim=-1)
    by_text = -(targets * F.log_softmax(logits, dim=-1)).sum(dim=1)
    by_image = -(targets.T * F.log_softmax(logits.T, dim=-1)).sum(dim=1)
    return ((by_text + by_image) / 2).mean()


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """CLIP's loss (Radford et al., arXiv 2103.00020), where equal captions are no mistake for each other.

    Parameters
    ----------
    images, texts : (N, D) Tensor
        Pairs.
    scale : Tensor
        Factor on the cosines.
    same : (N, N) bool Tensor
        Whether two pairs have the same class or caption; all of these count as right.

    Returns
    -------
    Tensor
        Scalar.
    """
    cosines = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    logits = cosines * scale
    targets = same.float() / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def kept_loss(now: Tensor, before: Tensor) -> Tensor:
    """Mean distance, 1 - cosine, of (N, D) embeddings from what they were."""
    return (1 - torch.cosine_similarity(now, before, dim=-1)).mean()
