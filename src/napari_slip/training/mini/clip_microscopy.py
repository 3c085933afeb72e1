"""Real microscopy for mini CLIP: windows of BBBC038, and the nuclei and clusters in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_slip.synthesis import colour_of, measured
from napari_slip.training.mini.sam_data import Picture, kind_of, load_bbbc038, validation_stems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Rng = np.random.Generator
Window = tuple[slice, slice]


def concept_of(image: NDArray[np.uint8]) -> str:
    """Name the concept that the nuclei of an image show."""
    if kind_of(image) != "brightfield":
        return "fluorescent nucleus"
    coloured = np.ptp(image[::8, ::8].astype(int), axis=2).mean() > 3
    return "tissue nucleus" if coloured else "cell nucleus"


@dataclass(frozen=True)
class Microscopy:
    """Images with their labels, grouped by what their nuclei are."""

    groups: dict[str, Sequence[Picture]]

    @classmethod
    def training(cls, folder: Path) -> Microscopy:
        """Read BBBC038 without its validation images."""
        held_out = validation_stems()
        stems = [path.stem for path in sorted((folder / "images").glob("*.png")) if path.stem not in held_out]
        return cls._of(load_bbbc038(folder, stems).values())

    @classmethod
    def validation(cls, folder: Path) -> Microscopy:
        """Read BBBC038's validation images."""
        return cls._of(load_bbbc038(folder, validation_stems()).values())

    @classmethod
    def _of(cls, pictures: Iterable[Picture]) -> Microscopy:
        groups: dict[str, list[Picture]] = {}
        for picture in pictures:
            groups.setdefault(concept_of(picture.image), []).append(picture)
        return cls(dict(groups))

    def window(self, rng: Rng) -> tuple[NDArray[np.uint8], NDArray[np.integer], str]:
        """Cut a window out of an image, all kinds equally often: image, labels and the nuclei's concept."""
        name = str(rng.choice(sorted(self.groups)))
        pictures = self.groups[name]
        picture = pictures[int(rng.integers(len(pictures)))]
        height, width = picture.labels.shape
        side = int(rng.integers(180, 360))
        top, left = int(rng.integers(0, max(1, height - side))), int(rng.integers(0, max(1, width - side)))
        cut = np.s_[top : top + side, left : left + side]
        return np.ascontiguousarray(picture.image[cut]), picture.labels[cut], name


def nuclei_of(
    rng: Rng, image: NDArray[np.uint8], labels: NDArray[np.integer], most: int
) -> Iterator[tuple[Window, NDArray[np.bool_], dict[str, str]]]:
    """Yield some nuclei: window, mask within it, and what can be said of shape and colour."""
    present = np.unique(labels[labels > 0])
    boxes = ndimage.find_objects(labels)
    for k in rng.permutation(present)[:most]:
        window = grown(boxes[int(k) - 1], labels.shape, 0.2)
        mask = labels[window] == k
        if mask.sum() >= 12:
            rgba = np.concatenate([image[window], mask[..., None] * np.uint8(255)], axis=-1)
            attributes = {"shape": shape} if (shape := measured(rgba).get("shape")) else {}
            if np.ptp(image[window].astype(int), axis=-1).mean() > 3 and (colour := colour_of(rgba)):
                attributes["colour"] = colour
            yield window, mask, attributes


def clusters(rng: Rng, labels: NDArray[np.integer], most: int) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Yield masks that hold several neighbouring nuclei."""
    present = np.unique(labels[labels > 0])
    boxes = ndimage.find_objects(labels)
    for k in rng.permutation(present)[:most]:
        window = grown(boxes[int(k) - 1], labels.shape, 0.8)
        near = labels[window]
        around = ndimage.distance_transform_edt(near != k) < 0.25 * np.sqrt((near == k).sum()) + 2
        touched = np.setdiff1d(np.unique(near[around]), [0])
        if len(touched) > 1:
            mask = np.isin(near, touched)
            yield window, np.asarray(ndimage.binary_closing(mask, iterations=2) | mask)


def grown(box: Window, shape: tuple[int, ...], share: float) -> Window:
    """Widen a window by a share of its longer side, within the image."""
    room = 2 + int(share * max(part.stop - part.start for part in box))
    rows, columns = (
        slice(max(0, part.start - room), min(n, part.stop + room))
        for part, n in zip(box, shape, strict=False)
    )
    return rows, columns
