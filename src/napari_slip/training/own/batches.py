"""What each step sees, the same at every run: which pictures, in which view, moved how, said how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.training.own.examples import Example
    from napari_slip.training.own.learner import Learner
    from napari_slip.training.own.settings import TrainSettings

GROUND = "background"
"""What pieces of the ground are called; a null prompt of every model here."""


@dataclass(frozen=True)
class Batch:
    """One step's pictures, captions and what is the same in it."""

    pixels: Tensor
    texts: list[str]
    same: Tensor


def batches(
    examples: Sequence[Example],
    pictures: NDArray[np.uint8],
    grounds: NDArray[np.uint8],
    learner: Learner,
    settings: TrainSettings,
    epoch: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Yield the batches of one pass; a rest of fewer than two pictures is left out.

    Parameters
    ----------
    examples : sequence of Example
        N of them.
    pictures : (N, V, S, S, 3) uint8 array
        In all their views, of which each step draws one for each example.
    grounds : (M, S, S, 3) uint8 array
        Pieces of the ground, an eighth of each batch.
    learner : Learner
        How pictures are scaled.
    settings : TrainSettings
        Batch, templates, seed.
    epoch : int
        Which pass.
    device : torch.device
        Where the network is.
    """
    rng = np.random.default_rng([settings.seed, 1, epoch])
    order = rng.permutation(len(examples))
    n_ground = settings.batch // 8 if len(grounds) else 0
    room = settings.batch - n_ground
    for start in range(0, len(order), room):
        rows = order[start : start + room]
        if len(rows) < 2:
            return
        views = rng.integers(pictures.shape[1], size=len(rows))
        shown = [pictures[row, view] for row, view in zip(rows, views, strict=True)]
        texts = [caption(examples[row], settings, rng) for row in rows]
        names = [examples[row].caption or examples[row].name for row in rows]
        for k in rng.integers(max(len(grounds), 1), size=n_ground):
            shown.append(grounds[k])
            texts.append(GROUND)
            names.append(GROUND)
        pixels = scaled(np.stack(shown), learner, device)
        if settings.augment:
            pixels = moved(pixels, rng)
        labels = torch.from_numpy(np.unique(names, return_inverse=True)[1]).to(device)
        yield Batch(pixels, texts, labels[:, None] == labels[None])


def caption(example: Example, settings: TrainSettings, rng: np.random.Generator) -> str:
    """Return what is said of an example: its own caption, or a template with a phrase of its class."""
    if example.caption is not None:
        return example.caption
    template = settings.templates[int(rng.integers(len(settings.templates)))]
    phrase = int(rng.integers(len(example.called))) if len(example.called) > 1 else 0
    return template.replace("{}", example.called[phrase])


def scaled(pictures: NDArray[np.uint8], learner: Learner, device: torch.device) -> Tensor:
    """Turn (N, S, S, 3) uint8 into (N, 3, S, S) float32 as a learner takes them."""
    return normalised(pictures, learner.mean, learner.std, device)


def normalised(
    pictures: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float], device: torch.device
) -> Tensor:
    """Turn (N, S, S, 3) uint8 into (N, 3, S, S) float32, mean and spread of each colour removed."""
    values = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 255
    middle, spread = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (mean, std))
    return (values - middle) / spread


def moved(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn, mirror, scale, shift and relight each of (N, 3, S, S) pictures a little."""
    n = len(pixels)
    angle = rng.uniform(-0.25, 0.25, n)
    size = rng.uniform(0.8, 1.1, n)
    mirror = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    cos, sin = np.cos(angle) / size, np.sin(angle) / size
    shift = rng.uniform(-0.08, 0.08, (2, n))
    matrix = np.array([[cos * mirror, -sin, shift[0]], [sin * mirror, cos, shift[1]]]).transpose(2, 0, 1)
    grid = torch.nn.functional.affine_grid(
        torch.from_numpy(matrix.astype(np.float32)), list(pixels.shape), align_corners=False
    )
    seen = torch.nn.functional.grid_sample(
        pixels, grid.to(pixels.device), padding_mode="zeros", align_corners=False
    )
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (n, 1, 1, 1)).astype(np.float32))
    return seen * gain.to(pixels.device)
