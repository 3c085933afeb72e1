"""What drawn things lie on in training: drawn grounds, drawn scenery, and photographs where there are any."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_slip.synthesis import background, crop, leaves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Ground = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float32]]

PHOTOGRAPH = 1200
"""Pixels along the shorter side of a photograph, at most; crops are a quarter of it or more."""
WHITE = np.float32(255)


def drawn_ground(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Draw a plain ground, or scenery for four in ten: (H, W, 3) in 0..1."""
    return leaves(rng, shape) if rng.random() < 0.4 else background(rng, shape)


@cache
def photographs(data: Path) -> Ground | None:
    """Return a source of crops of what lies in ``data/photographs``; None if nothing does."""
    pictures = [_photograph(path) for path in sorted((data / "photographs").glob("*.jpg"))]
    if not pictures:
        return None
    return lambda rng, shape: crop(pictures[int(rng.integers(len(pictures)))], rng, shape, 0.25) / WHITE


def _photograph(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    shrink = min(1.0, PHOTOGRAPH / min(picture.size))
    return np.asarray(picture.resize([round(n * shrink) for n in picture.size], Image.Resampling.LANCZOS))
