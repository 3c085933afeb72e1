"""Old knowledge: what a model saw in drawn things, and read in its own words, before it learnt more."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_slip.settings import CropSettings
from napari_slip.synthesis import NAMES, captions, draw_nuclei, draw_scene
from napari_slip.training.own.batches import GROUND, moved, scaled
from napari_slip.training.own.losses import kept_loss
from napari_slip.training.own.pictures import cut, piece_of_ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.training.own.learner import Learner

SHOWN = 1600
"""Segments of drawn pictures that are shown to the old and the new model."""

ASKED = 640
"""Further ones, of which it is asked what they are, and which no step shows."""

SHAPE = (320, 320)
"""Of the drawn pictures of things."""

NUCLEI = 0.2
"""Share of the drawn pictures that show nuclei."""

PER_PICTURE, SMALLEST = 7, 60
"""Objects that are taken from one picture at most, and pixels that each has at least."""

AT_ONCE = 48
"""Segments, and texts of each kind, in a step."""


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
        sights = list(islice(_sights(rng, learner), SHOWN + ASKED))
        self.before = deepcopy(learner)
        self.before.network.eval().requires_grad_(False)
        self._pictures = np.stack([sight.picture for sight in sights])
        self._texts = [sight.text for sight in sights]
        self._names = [sight.name for sight in sights]
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
        """Share of drawn things, none of them shown in training, whose name is the best of all names.

        A "cell nucleus" is a "cell" too.
        """
        was = learner.network.training
        learner.network.eval()
        rows = [row for row in range(SHOWN, SHOWN + ASKED) if self._names[row] in NAMES]
        chunks = [scaled(self._pictures[k], learner, self._device) for k in np.array_split(rows, 8)]
        seen = torch.cat([learner.embed_images(pixels).float() for pixels in chunks])
        names = sorted(NAMES)
        read = torch.cat([learner.embed_texts(names[k : k + 64]).float() for k in range(0, len(names), 64)])
        unit = torch.nn.functional.normalize
        answers = (unit(seen, dim=-1) @ unit(read, dim=-1).T).argmax(dim=1).tolist()
        learner.network.train(was)
        words = [set(name.split()) for name in names]
        return float(
            np.mean([words[k] <= set(self._names[row].split()) for k, row in zip(answers, rows, strict=True)])
        )

    def _phrases(self, rng: np.random.Generator) -> list[str]:
        """Words that the model knows, alone, of many, and in pairs, whatever they mean."""
        if not self._words:
            return []
        pairs = rng.choice(self._words, (AT_ONCE, 2))
        return [(str(pair[0]), f"{pair[0]}s", " ".join(pair))[int(rng.integers(3))] for pair in pairs]


@dataclass(frozen=True)
class _Sight:
    """A segment of a drawn picture as matching shows it, what it is, and a caption."""

    picture: NDArray[np.uint8]
    name: str
    text: str


def _sights(rng: np.random.Generator, learner: Learner) -> Iterator[_Sight]:
    """Yield things, nuclei and pieces of the ground without end.

    They are cut out of whole pictures, because that is where a model's knowledge is asked for: held on things
    that lie free on one colour alone, twice as much is lost on scenes.
    """
    views = CropSettings().views
    while True:
        scene = draw_nuclei(rng) if rng.random() < NUCLEI else draw_scene(rng, SHAPE)
        areas = np.bincount(scene.labels.ravel(), minlength=len(scene.sprites) + 1)[1:]
        things = rng.permutation(np.flatnonzero(areas >= SMALLEST))[:PER_PICTURE].tolist()
        masks = [scene.labels == thing + 1 for thing in things]
        masks.append(piece_of_ground(scene.labels > 0, rng))
        sprites = [scene.sprites[thing] for thing in things]
        said = [(sprite.name, captions(sprite, rng)) for sprite in sprites] + [(GROUND, GROUND)]
        crops = cut(scene.image, masks, views, learner.image_size, learner.mean)
        for shown, (name, text) in zip(crops, said, strict=True):
            yield _Sight(shown[rng.integers(len(views))], name, text)
