"""Muon: momentum whose matrices are made orthogonal, for the inner weights of a network."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch

from napari_slip.models.precision import bfloat16_pays

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


class Muon(torch.optim.Optimizer):
    """Steps of equal size in all directions of a matrix (Jordan et al. 2024, "Muon").

    torch has it too, but for matrices alone, one by one, and in bfloat16, which costs three times as much on
    a processor that lacks it; here those of one shape go through it together, and in bfloat16 where it pays.

    Parameters
    ----------
    params
        Matrices, and kernels of convolutions, whose rows are what makes one output channel.
    lr
        Rate as for AdamW: steps are scaled to the size of its steps (Liu et al., arXiv 2502.16982).
    momentum
        Share of the earlier gradients.
    weight_decay
        Decoupled decay.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.05
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        device = self.param_groups[0]["params"][0].device
        self._dtype = torch.bfloat16 if bfloat16_pays(device) else torch.float32

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step; `closure` is not used."""
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    alike[tuple(p.flatten(1).shape)].append(p)
            for shape, params in alike.items():
                moved = torch.stack([self._momentum(p, group["momentum"]).flatten(1) for p in params])
                steps = orthogonal(moved.to(self._dtype)) * (0.2 * max(shape) ** 0.5 * group["lr"])
                for p, step in zip(params, steps, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(step.view(p.shape))

    def _momentum(self, p: Tensor, share: float) -> Tensor:
        """Nesterov momentum of one matrix."""
        gradient = p.grad
        assert gradient is not None
        state = self.state[p]
        mean = state.setdefault("mean", torch.zeros_like(p))
        mean.lerp_(gradient, 1 - share)
        ahead: Tensor = gradient.lerp(mean, share)
        return ahead


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """Bring the singular values of (B, r, c) matrices near 1, by a Newton-Schulz iteration.

    Each step multiplies a matrix X by a polynomial of X X^T, which these share, so that all steps can be
    taken on the small squares, and X be multiplied once. The squares need float32: a gradient has many
    singular values near 0, whose squares rounding would make negative, and these grow without end.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    exact = x.float()
    square, product = exact @ exact.mT, torch.eye(x.shape[1], device=x.device)
    for _ in range(steps):
        factor = torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315)
        factor.diagonal(dim1=1, dim2=2).add_(3.4445)
        product = factor @ product
        square = factor @ square @ factor
    result: Tensor = product.to(x.dtype) @ x
    return result.mT if tall else result
