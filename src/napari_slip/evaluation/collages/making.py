"""Collages: 2 x 2 tiles of four classes, seeded, so that anybody can make the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError
from napari_slip.training.own.examples import class_phrases, open_picture
from napari_slip.training.own.pictures import mask_of, squashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.training.own.examples import Example


@dataclass(frozen=True)
class Collage:
    """Four pictures in one.

    Parameters
    ----------
    image : (2 T, 2 T, 3) uint8 array
        Tiles of T pixels, row by row.
    names : tuple of str
        Class of each tile, all different.
    absent : tuple of str
        As many classes that are not in it.
    phrases : tuple of tuples of str
        By which words the classes in it, and then those that are not, are looked for.
    labels : (2 T, 2 T) int array
        0, or 1 to 4 where the object of a tile is; all 0 in tiles whose pictures have no mask.
    paths : tuple of str
        Class and file of each tile.
    """

    image: NDArray[np.uint8]
    names: tuple[str, ...]
    absent: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    labels: NDArray[np.int32]
    paths: tuple[str, ...]

    @property
    def tile(self) -> int:
        """Side of a tile in pixels."""
        return len(self.image) // 2

    def tile_of(self, k: int) -> tuple[slice, slice]:
        """Return where tile k (0 to 3) is."""
        row, column = divmod(k, 2)
        side = self.tile
        return slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)


def make_collages(
    examples: Sequence[Example], n: int = 100, *, tile: int = 448, seed: int = 0
) -> list[Collage]:
    """Make collages of four random classes each.

    Parameters
    ----------
    examples : sequence of Example
        Pictures that no model was trained on.
    n : int
        How many.
    tile : int
        Side of a tile in pixels; the paper's is 448.
    seed : int
        Same seed, same collages.

    Returns
    -------
    list of Collage

    Raises
    ------
    InputError
        If there are fewer than four classes.
    """
    phrases = class_phrases(examples)
    names = list(phrases)
    if len(names) < 4:
        raise InputError(
            f"There are pictures of {len(names)} classes, but at least 4 are needed for a collage."
        )
    by_name = {name: [e for e in examples if e.name == name] for name in names}
    collages = []
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        order = [names[i] for i in rng.permutation(len(names))]
        chosen = [by_name[name][int(rng.integers(len(by_name[name])))] for name in order[:4]]
        image = np.zeros((2 * tile, 2 * tile, 3), np.uint8)
        labels = np.zeros((2 * tile, 2 * tile), np.int32)
        collage = Collage(
            image,
            tuple(order[:4]),
            tuple(order[4:8]),
            tuple(phrases[name] for name in order[:8]),
            labels,
            tuple(f"{e.name}/{e.path.name}" for e in chosen),
        )
        for i, example in enumerate(chosen):
            rgb = np.asarray(open_picture(example.path))
            image[collage.tile_of(i)] = squashed(rgb, tile)
            mask = mask_of(example, rgb.shape[:2])
            if mask is not None:
                labels[collage.tile_of(i)][_nearest(mask, tile)] = i + 1
        collages.append(collage)
    return collages


def _nearest(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    rows, columns = (((np.arange(side) + 0.5) * n / side).astype(int) for n in mask.shape)
    return mask[np.ix_(rows, columns)]
