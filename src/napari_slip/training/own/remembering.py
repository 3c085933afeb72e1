"""Old knowledge: what a model saw in drawn things, and read in its own words, before it learnt more."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_slip.synthesis import NAMES, captions, draw
from napari_slip.training.own.batches import moved, scaled
from napari_slip.training.own.losses import kept_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.training.own.learner import Learner

SHOWN = 1200
"""Drawn things that are shown to the old and the new model."""

ASKED = 400
"""Further ones, of which it is asked what they are, and which no step shows."""

AT_ONCE = 48
"""Drawn things, and texts of each kind, in a step."""


class Memory:
    """The model as it was: what it sees and reads shall be seen and read the same.

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
        pictures, texts, names = [], [], []
        for _ in range(SHOWN + ASKED):
            sprite = draw(str(rng.choice(NAMES)), rng, side)
            ground = mean if rng.random() < 0.5 else np.full(3, rng.uniform(0, 60))
            pictures.append(_on(sprite.rgba, ground, side))
            texts.append(captions(sprite, rng))
            names.append(sprite.name)
        self.before = deepcopy(learner)
        self.before.network.eval().requires_grad_(False)
        self._pictures, self._texts, self._names = np.stack(pictures), texts, names
        card = learner.card
        self._nulls = list(card.calibration.null_prompts) if card else []
        self._words = sorted(card.vocabulary or ()) if card else []
        self._seed, self._device = seed, device

    def loss(self, learner: Learner, step: int) -> Tensor:
        """Mean distance of some embeddings from what they were; which ones goes by the step."""
        rng = np.random.default_rng([self._seed, 8, step])
        rows = rng.choice(SHOWN, AT_ONCE, replace=False)
        pixels = moved(scaled(self._pictures[rows], learner, self._device), rng)
        texts = [self._texts[k] for k in rows] + self._nulls + self._phrases(rng)
        with torch.no_grad():
            seen, read = self.before.embed_images(pixels), self.before.embed_texts(texts)
        return kept_loss(learner.embed_images(pixels), seen) + kept_loss(learner.embed_texts(texts), read)

    @torch.no_grad()
    def knows(self, learner: Learner) -> float:
        """Share of drawn things, none of them shown in training, whose name is the best of all names."""
        was = learner.network.training
        learner.network.eval()
        rows = np.arange(SHOWN, SHOWN + ASKED)
        chunks = [scaled(self._pictures[k], learner, self._device) for k in np.array_split(rows, 8)]
        seen = torch.cat([learner.embed_images(pixels).float() for pixels in chunks])
        names = sorted(set(NAMES))
        read = torch.cat([learner.embed_texts(names[k : k + 64]).float() for k in range(0, len(names), 64)])
        unit = torch.nn.functional.normalize
        answers = (unit(seen, dim=-1) @ unit(read, dim=-1).T).argmax(dim=1).tolist()
        learner.network.train(was)
        return float(np.mean([names[k] == self._names[row] for k, row in zip(answers, rows, strict=True)]))

    def _phrases(self, rng: np.random.Generator) -> list[str]:
        """Words that the model knows, alone and in pairs, whatever they mean."""
        if not self._words:
            return []
        pairs = rng.choice(self._words, (AT_ONCE, 2))
        return [" ".join(pair) if rng.random() < 0.5 else str(pair[0]) for pair in pairs]


def _on(rgba: NDArray[np.uint8], ground: NDArray[np.floating], side: int) -> NDArray[np.uint8]:
    """Put a cut-out picture in the middle of a flat one."""
    picture = np.tile(ground.astype(np.float32), (side, side, 1))
    height, width = (min(n, side) for n in rgba.shape[:2])
    top, left = (side - height) // 2, (side - width) // 2
    part = rgba[:height, :width].astype(np.float32)
    alpha = part[..., 3:] / 255
    window = picture[top : top + height, left : left + width]
    window[:] = window * (1 - alpha) + part[..., :3] * alpha
    return picture.astype(np.uint8)
