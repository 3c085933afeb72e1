"""One creature on a ground, with its silhouette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.synthesis._backgrounds import background
from napari_slip.synthesis._degrade import degrade
from napari_slip.synthesis._scenes import draw_scene
from napari_slip.synthesis.creatures._drawing import draw_creature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.synthesis._sprites import Sprite
    from napari_slip.synthesis.creatures._grammar import Species

GROUNDS = ("flat", "gradient", "clouds", "paper", "cloth", "dark", "wood", "grass")


@dataclass(frozen=True)
class CreaturePicture:
    """A picture of one creature.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB.
    silhouette
        (H, W) bool, where the creature is.
    """

    image: NDArray[np.uint8]
    silhouette: NDArray[np.bool_]


def creature_picture(species: Species, rng: np.random.Generator, side: int = 224) -> CreaturePicture:
    """Draw one creature on any ground, in any light.

    Parameters
    ----------
    species
        What kind.
    rng
        Source of all variation: same state, same pixels.
    side
        Of the square picture, in pixels.

    Returns
    -------
    CreaturePicture
    """

    def source(generator: np.random.Generator, size: float) -> Sprite:
        return draw_creature(species, generator, size)

    def ground(generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
        return background(generator, shape, str(generator.choice(GROUNDS)))

    while True:  # a place may be cut off by the border
        scene = draw_scene(
            rng,
            (side, side),
            (1, 1),
            sprites=source,
            ground=ground,
            size=(0.6, 0.85),
            overlap=0,
            degradation=0,
        )
        silhouette = scene.labels == 1
        whole = sum(int((sprite.rgba[..., 3] > 127).sum()) for sprite in scene.sprites)
        if whole and silhouette.sum() > 0.97 * whole:
            break
    lit = scene.image * rng.uniform(0.8, 1.1) * rng.uniform(0.93, 1.07, 3)
    return CreaturePicture(degrade(np.clip(lit, 0, 255).astype(np.uint8), rng, strength=0.7), silhouette)
