"""Pictures with labelled objects for training mini SAM: kinds, contrast, random crops and prompts."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from skimage.io import imread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

Kind = Literal["fluorescence small", "fluorescence large", "brightfield"]

SMALL_SIDE = 360
"""Longest side in pixels up to which a fluorescence image counts as small."""


def kind_of(image: NDArray[np.uint8]) -> Kind:
    """Say of which kind a BBBC038 image is.

    Fluorescence is light on a dark ground and has no colour; everything else (H&E stains, bright-field) has
    colour or a bright ground. Among BBBC038's images colour (mean spread of the channels above 3) and a
    median above 100 separate the two without an exception.

    Parameters
    ----------
    image : uint8 array of shape (H, W) or (H, W, C)
        Grey or RGB(A).

    Returns
    -------
    {"fluorescence small", "fluorescence large", "brightfield"}
        Fluorescence is small up to a longest side of 360 pixels.
    """
    colour = image.ndim == 3 and float(np.ptp(image[..., :3].astype(np.int16), axis=2).mean()) > 3
    if colour or float(np.median(image)) > 100:
        return "brightfield"
    return "fluorescence small" if max(image.shape[:2]) <= SMALL_SIDE else "fluorescence large"


def choose_validation(
    stems_by_group: dict[tuple[str, tuple[int, ...]], Sequence[str]], *, share: float = 0.2, seed: int = 0
) -> list[str]:
    """Choose the same share of images in every group, at least one where a group has three or more.

    Parameters
    ----------
    stems_by_group : dict
        File stems for each (kind, image shape).
    share : float
        Share of each group.
    seed : int
        Each group is shuffled with this seed and its own name.

    Returns
    -------
    list of str
        Sorted stems.
    """
    chosen: list[str] = []
    for group, stems in sorted(stems_by_group.items()):
        rng = np.random.default_rng([seed, zlib.crc32(repr(group).encode())])
        count = max(round(share * len(stems)), int(len(stems) >= 3))
        chosen += [str(s) for s in rng.permutation(sorted(stems))[:count]]
    return sorted(chosen)


@dataclass(frozen=True)
class Picture:
    """A picture whose objects are labelled.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
        RGB with the contrast stretched as the pipeline does it.
    labels : uint16 array of shape (H, W)
        0 is background, every other value one object.
    zoom : tuple of two float
        Smallest and largest zoom that training may show it at.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    zoom: tuple[float, float] = (0.5, 4.0)


def stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch the 0.5 to 99.8 percentile, all channels alike, to 0..255 and return RGB of shape (H, W, 3)."""
    rgb = image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    low, high = np.percentile(rgb, (0.5, 99.8))
    scaled = (rgb.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    out: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return out


def validation_stems() -> frozenset[str]:
    """Return the stems of the BBBC038 images that no training sees."""
    text = (Path(__file__).parents[2] / "evaluation" / "bbbc038_validation.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def load_bbbc038(folder: Path, stems: Iterable[str] | None = None) -> dict[str, Picture]:
    """Read BBBC038 from ``folder/images`` and ``folder/labels``.

    Parameters
    ----------
    folder : path
        Where the two folders of PNG files of the same names lie.
    stems : iterable of str, optional
        Which images; none means all.

    Returns
    -------
    dict of str to Picture
        By stem.
    """
    names = (
        sorted(path.stem for path in (folder / "images").glob("*.png")) if stems is None else sorted(stems)
    )
    return {
        name: Picture(
            stretch_contrast(imread(folder / "images" / f"{name}.png")),
            imread(folder / "labels" / f"{name}.png").astype(np.uint16),
        )
        for name in names
    }
