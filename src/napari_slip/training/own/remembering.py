"""Old knowledge: what a model saw in drawn things and read in their captions before it learnt more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_slip.synthesis import NAMES, captions, draw
from napari_slip.training.own.batches import scaled
from napari_slip.training.own.losses import kept_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.training.own.learner import Learner

SHOWN = 1200
"""Drawn things whose embeddings are kept."""

AT_ONCE = 48


class Memory:
    """Embeddings of drawn things and of their captions, as the untrained model makes them.

    Holding outputs and not weights in place lets the weights move where old things do not depend on them
    (Li and Hoiem, arXiv 1606.09282).

    Parameters
    ----------
    learner : Learner
        Before training.
    seed : int
        Of the drawings.
    device : torch.device
        Where the network is.
    """

    def __init__(self, learner: Learner, seed: int, device: torch.device) -> None:
        rng = np.random.default_rng([seed, 6])
        side, mean = learner.image_size, np.array(learner.mean) * 255
        pictures, texts = [], []
        for _ in range(SHOWN):
            sprite = draw(str(rng.choice(NAMES)), rng, side)
            ground = mean if rng.random() < 0.5 else np.full(3, rng.uniform(0, 60))
            pictures.append(_on(sprite.rgba, ground, side))
            texts.append(captions(sprite, rng))
        self._pictures, self._texts, self._seed = np.stack(pictures), texts, seed
        self._device = device
        was = learner.network.training
        learner.network.eval()
        with torch.no_grad():
            chunks = [np.arange(k, min(k + 64, SHOWN)) for k in range(0, SHOWN, 64)]
            self._seen = torch.cat([learner.embed_images(self._shown(learner, rows)) for rows in chunks])
            self._read = torch.cat([learner.embed_texts([texts[k] for k in rows]) for rows in chunks])
        learner.network.train(was)

    def loss(self, learner: Learner, step: int) -> Tensor:
        """Mean distance of some embeddings from what they were; which ones goes by the step."""
        rows = np.random.default_rng([self._seed, 8, step]).choice(SHOWN, AT_ONCE, replace=False)
        seen = kept_loss(learner.embed_images(self._shown(learner, rows)), self._seen[rows])
        read = kept_loss(learner.embed_texts([self._texts[k] for k in rows]), self._read[rows])
        return seen + read

    def _shown(self, learner: Learner, rows: NDArray[np.intp]) -> Tensor:
        return scaled(self._pictures[rows], learner, self._device)


def _on(rgba: np.ndarray, ground: np.ndarray, side: int) -> np.ndarray:
    """Put a cut-out picture in the middle of a flat one."""
    picture = np.tile(ground.astype(np.float32), (side, side, 1))
    height, width = (min(n, side) for n in rgba.shape[:2])
    top, left = (side - height) // 2, (side - width) // 2
    part = rgba[:height, :width].astype(np.float32)
    alpha = part[..., 3:] / 255
    window = picture[top : top + height, left : left + width]
    window[:] = window * (1 - alpha) + part[..., :3] * alpha
    return picture.astype(np.uint8)
