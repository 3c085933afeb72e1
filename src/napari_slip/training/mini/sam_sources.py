"""Where mini SAM's training views come from: BBBC038 and pools of drawn scenes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError
from napari_slip.training.mini.sam_data import Picture, kind_of, load_bbbc038, validation_stems
from napari_slip.training.mini.sam_pools import SCENERY
from napari_slip.training.mini.sam_views import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIND_SHARES = {
    "fluorescence small": 0.22,
    "fluorescence large": 0.2,
    "brightfield colour": 0.38,
    "brightfield grey": 0.2,
}
"""How often each kind of BBBC038 image is shown; by number alone the hardest would be the rarest."""


def _group(picture: Picture) -> str:
    kind = kind_of(picture.image)
    if kind != "brightfield":
        return kind
    coloured = np.ptp(picture.image[::8, ::8].astype(int), axis=2).any()
    return "brightfield colour" if coloured else "brightfield grey"


def microscopy(folder: Path, share: float = 0.5) -> Source:
    """Return BBBC038 without its validation images.

    Parameters
    ----------
    folder : path
        Holds ``images`` and ``labels``.
    share : float
        Share of all views.
    """
    held_out = validation_stems()
    pictures = [picture for stem, picture in load_bbbc038(folder).items() if stem not in held_out]
    if not pictures:
        raise InputError(f"{folder} holds no training images; unpack BBBC038 there as 'images' and 'labels'.")
    groups = [_group(picture) for picture in pictures]
    counts = Counter(groups)
    return Source(pictures, [KIND_SHARES[g] / counts[g] for g in groups], share, (11.0, 76.0))


class Pool:
    """Scenes in ``images.npy`` (N, H, W, 3) and ``labels.npy`` (N, H, W), read from disk one by one."""

    def __init__(self, folder: Path, zoom: tuple[float, float]) -> None:
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy", mmap_mode="r")
        self.folder, self.zoom = folder, zoom

    def __reduce__(self) -> tuple[type[Pool], tuple[Path, tuple[float, float]]]:
        """Let a process that loads views open the files itself: pickled, a mapped array is copied whole."""
        return Pool, (self.folder, self.zoom)

    def __len__(self) -> int:
        """Return how many scenes there are."""
        return len(self.images)

    def __getitem__(self, index: int) -> Picture:
        """Read one scene."""
        if index >= len(self):
            raise IndexError(index)
        return Picture(np.array(self.images[index]), self.labels[index].astype(np.uint16), self.zoom)

    def __iter__(self) -> Iterator[Picture]:
        """Read every scene in turn."""
        return (self[i] for i in range(len(self)))


def scenes(folder: Path, share: float, sizes: tuple[float, float] = (16.0, 170.0)) -> Source:
    """Return one pool of scenes as a source whose views zoom between 0.4 and 1.6."""
    pool = Pool(folder, (0.4, 1.6))
    return Source(pool, [1.0] * len(pool), share, sizes, scenery=folder.name.endswith(SCENERY))
