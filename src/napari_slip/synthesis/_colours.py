"""Named colours: drawing a shade of a name, and naming the colour of a picture."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2hsv

Colour = NDArray[np.float32]

# Ranges of hue (degrees), saturation and value. Gaps between neighbours keep the names unambiguous.
_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-10, 8), (0.75, 1.0), (0.6, 1.0)),
    "orange": ((22, 36), (0.8, 1.0), (0.88, 1.0)),
    "yellow": ((48, 60), (0.7, 1.0), (0.85, 1.0)),
    "green": ((90, 145), (0.5, 1.0), (0.35, 0.85)),
    "cyan": ((172, 190), (0.5, 1.0), (0.7, 1.0)),
    "blue": ((210, 238), (0.65, 1.0), (0.5, 1.0)),
    "purple": ((265, 292), (0.5, 0.9), (0.4, 0.8)),
    "pink": ((318, 348), (0.25, 0.55), (0.92, 1.0)),
    "brown": ((15, 32), (0.5, 0.8), (0.25, 0.5)),
    "black": ((0, 360), (0.0, 0.25), (0.02, 0.14)),
    "white": ((0, 360), (0.0, 0.04), (0.93, 1.0)),
    "grey": ((0, 360), (0.0, 0.05), (0.38, 0.68)),
}
COLOURS: tuple[str, ...] = tuple(_RANGES)


def shade(name: str, rng: np.random.Generator) -> Colour:
    """Draw one shade of a named colour, (3,) float32 RGB in 0..1."""
    hue, saturation, value = (rng.uniform(low, high) for low, high in _RANGES[name])
    return np.array(colorsys.hsv_to_rgb((hue % 360) / 360, saturation, value), dtype=np.float32)


def other(name: str, rng: np.random.Generator) -> str:
    """Draw a colour name that contrasts with `name`."""
    close = {"black": {"brown"}, "brown": {"black", "red", "orange"}, "white": {"pink", "yellow"}}.get(
        name, set()
    )
    choices = [c for c in COLOURS if c != name and c not in close]
    return str(rng.choice(choices))


def luminance(rgb: NDArray[Any]) -> NDArray[Any]:
    """Rec. 601 luma of an RGB array (..., 3), in its own units."""
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32))


def dominant(rgb: NDArray[Any], weight: NDArray[Any]) -> str | None:
    """Name the colour that most of a picture has.

    Parameters
    ----------
    rgb
        (H, W, 3) float RGB in 0..1.
    weight
        (H, W) coverage in 0..1.

    Returns
    -------
    str or None
        One of `COLOURS`; None when no colour covers 55 % of the picture.
    """
    hsv = rgb2hsv(rgb)
    hue, saturation, value = hsv[..., 0] * 360, hsv[..., 1], hsv[..., 2]
    index = np.searchsorted([16, 42, 68, 160, 200, 250, 305, 349], hue, side="right")
    names = np.array(["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "red"])[index]
    names = np.where((names == "orange") & (value < 0.6), "brown", names)
    names = np.where((names == "red") & (saturation < 0.55) & (value > 0.8), "pink", names)
    pale = saturation < 0.15
    names = np.where(pale & (value > 0.85), "white", names)
    names = np.where(pale & (value <= 0.85), "grey", names)
    names = np.where((value < 0.18) | (pale & (value < 0.3)), "black", names)
    shares = {str(name): float(weight[names == name].sum()) for name in np.unique(names)}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= 0.55 * float(weight.sum()) else None
