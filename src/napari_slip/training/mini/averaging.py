"""The mean of a model's weights before and after a stretch of training.

What lies between two ends of a training is often better than both (Wortsman et al., arXiv 2203.05482); it is
so for mini since a further stretch alone no longer brings it on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


@torch.no_grad()
def lead(model: nn.Module, end: nn.Module, share: float) -> None:
    """Move the weights of a model along the way to those of another.

    Parameters
    ----------
    model : Module
        Changed in place.
    end : Module
        Of the same shape.
    share : float
        How far: 0 changes nothing, 1 makes both the same.
    """
    for ours, theirs in zip(model.state_dict().values(), end.state_dict().values(), strict=True):
        if ours.is_floating_point():
            ours.lerp_(theirs.to(ours), share)
