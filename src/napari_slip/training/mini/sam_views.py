"""Endless batches of random views for training mini SAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch.utils.data import IterableDataset

from napari_slip.training.mini.sam_augment import random_light, random_view
from napari_slip.training.mini.sam_loss import Batch
from napari_slip.training.mini.sam_targets import UNTOLD, targets_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_slip.training.mini.sam_data import Picture


class Pictures(Protocol):
    """Pictures by number: a list, or a pool on disk."""

    def __getitem__(self, index: int, /) -> Picture:
        """Return one picture."""


@dataclass(frozen=True)
class Source:
    """Pictures of one origin.

    Parameters
    ----------
    pictures : Pictures
        What views are cut from.
    weights : sequence of float
        How often each is drawn, relative to the others.
    share : float
        Share of this source in the views, relative to the other sources.
    sizes : tuple of two float
        Object sizes in model pixels that views are zoomed to.
    scenery : bool
        Whether there may be objects that no label tells: then nothing is said of what has none.
    """

    pictures: Pictures
    weights: Sequence[float]
    share: float
    sizes: tuple[float, float]
    scenery: bool = False


class Views(IterableDataset[Batch]):
    """Endless batches of random views; batch number n is the same whenever it is drawn.

    Parameters
    ----------
    sources : sequence of Source
        Where views come from.
    start, stride : int
        Number of the first batch, and from one to the next.
    size : int
        Views per batch of 256 x 256 pixels.
    whole : float
        Share of batches that show a quarter as many whole frames of 512 x 512 instead.
    seed : int
        Seed of all batches.
    """

    def __init__(
        self, sources: Sequence[Source], start: int, stride: int, size: int, whole: float, seed: int = 0
    ) -> None:
        self.sources, self.start, self.stride = sources, start, stride
        self.size, self.whole, self.seed = size, whole, seed

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches from `start` on."""
        number = self.start
        while True:
            yield self.batch(number)
            number += self.stride

    def batch(self, number: int) -> Batch:
        """Draw one batch."""
        rng = np.random.default_rng([self.seed, number])
        count, side = (max(self.size // 4, 1), 512) if rng.random() < self.whole else (self.size, 256)
        views = [self._view(side, rng) for _ in range(count)]
        return Batch(*(torch.from_numpy(np.stack(parts)) for parts in zip(*views, strict=True)))

    def _view(self, side: int, rng: np.random.Generator) -> tuple[Any, ...]:
        shares = np.array([source.share for source in self.sources])
        source = self.sources[rng.choice(len(shares), p=shares / shares.sum())]
        weights = np.asarray(source.weights, float)
        picture = source.pictures[int(rng.choice(len(weights), p=weights / weights.sum()))]
        image, labels = random_view(picture, side, rng, source.sizes)
        targets = targets_of(labels, rng, background=0 if source.scenery else 1)
        if source.scenery:
            labels = np.where(labels == 0, UNTOLD, labels)
            targets.heat[(targets.heat == 0) & (labels[2::4, 2::4] == UNTOLD)] = np.nan
        return (random_light(image, rng).transpose(2, 0, 1).copy(), labels, *targets)
