"""Creatures as a folder of pictures by class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError
from napari_slip.progress import Progress
from napari_slip.synthesis.creatures._grammar import bestiary
from napari_slip.synthesis.creatures._picture import creature_picture

if TYPE_CHECKING:
    from pathlib import Path

MASK = ".mask.png"
"""How the file of a silhouette ends; what stands before it is the picture's own name."""


def write_creatures(
    folder: Path,
    *,
    classes: int = 60,
    images: int = 40,
    side: int = 224,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Write pictures of creatures, one folder for each kind, each picture with its silhouette beside it.

    Parameters
    ----------
    folder
        Where the folders are made; a picture that is there already is left as it is.
    classes, images
        How many kinds, and how many pictures of each.
    side
        Of the pictures, in pixels.
    seed
        Another seed draws other pictures of the same kinds.
    progress
        Hears ``("creatures", i, n)``, and can stop the work.

    Raises
    ------
    InputError
        If there are not so many kinds, or a picture that is there already has another size.
    Cancelled
        If `progress` was cancelled.
    """
    from PIL import Image

    progress = progress or Progress()
    kinds = bestiary(classes)
    for k, species in enumerate(kinds):
        (folder / species.name).mkdir(parents=True, exist_ok=True)
        for i in range(images):
            progress("creatures", k * images + i, len(kinds) * images)
            path = folder / species.name / f"{species.name}_{seed:02d}_{i:04d}.png"
            mask = path.with_name(path.stem + MASK)
            if path.is_file() and mask.is_file():
                _check(path, side)
                continue
            drawn = creature_picture(species, np.random.default_rng([seed, k, i]), side)
            for pixels, target in ((drawn.silhouette, mask), (drawn.image, path)):
                unfinished = target.with_suffix(".part")
                Image.fromarray(pixels).save(unfinished, "png")
                unfinished.replace(target)
    progress("creatures", len(kinds) * images, len(kinds) * images)


def _check(path: Path, side: int) -> None:
    """See that a picture that is there already is as large as those that are drawn."""
    from PIL import Image

    with Image.open(path) as picture:
        size = picture.size
    if size != (side, side):
        raise InputError(
            f"{path} is there already and has {size[0]} x {size[1]} pixels, but {side} x {side} are "
            "expected: name another folder, or the side that it was drawn with."
        )
