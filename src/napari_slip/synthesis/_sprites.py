"""Cut-out pictures of named things."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.synthesis._canvas import Canvas, shaded
from napari_slip.synthesis._catalogue import CATALOGUE
from napari_slip.synthesis._colours import dominant, luminance
from napari_slip.synthesis._fields import PATTERNS, fractal
from napari_slip.synthesis._ink import mix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NAMES: tuple[str, ...] = tuple(CATALOGUE)
"""Everything that `draw` can draw."""

TEXTURES: tuple[str, ...] = ("plain", *PATTERNS)
"""The textures that `draw` accepts."""


@dataclass(frozen=True)
class Sprite:
    """One thing, cut out.

    Attributes
    ----------
    rgba
        (h, w, 4) uint8, not premultiplied; alpha is the coverage.
    name
        What it is.
    attributes
        Of `colour`, `texture` (plain, striped, dotted, checkered), `shape` (round, elongated) and
        `brightness` (bright, dark) those that clearly apply.
    """

    rgba: NDArray[np.uint8]
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def draw(
    name: str,
    rng: np.random.Generator,
    size: float = 96,
    *,
    colour: str | None = None,
    texture: str | None = None,
    angle: float | None = None,
) -> Sprite:
    """Draw a thing in random variation.

    Parameters
    ----------
    name
        One of `NAMES`.
    rng
        Source of all variation: same state, same pixels.
    size
        Side of the drawing board in pixels; the sprite's longest side is at most this.
    colour
        A colour name; by default one that the thing has in nature.
    texture
        One of `TEXTURES`; by default plain more often than not. Things whose look is fixed by what they
        are (a coin, a cell) ignore it.
    angle
        Rotation in radians; by default any.

    Returns
    -------
    Sprite
        Cropped to its alpha.

    Raises
    ------
    ValueError
        If `name` is not in `NAMES`.
    """
    if name not in CATALOGUE:
        raise ValueError(f"Nothing named {name!r} can be drawn; `NAMES` lists what can, for instance 'leaf'.")
    thing = CATALOGUE[name]
    if colour is None:
        colour = str(rng.choice(thing.colours))
    if texture is None:
        texture = str(rng.choice(PATTERNS)) if rng.random() < 0.35 else "plain"
    if not thing.textured:
        texture = "plain"
    if angle is None:
        angle = rng.normal(0, 0.5) if rng.random() < 0.6 else rng.uniform(0, 2 * np.pi)
    canvas = Canvas(size, angle=angle, aspect=rng.uniform(*thing.aspect), flip=rng.random() < 0.5)
    thing.draw(canvas, rng, mix(rng, canvas, colour, texture))
    rgb, alpha = canvas.pixels()
    rgb = shaded(rgb, alpha, rng)
    if rng.random() < 0.4:  # a grainy surface
        n = alpha.shape[0]
        rgb = rgb * (
            1 + rng.uniform(0.02, 0.08) * fractal(rng, (n, n), cell=n / 6, octaves=4, gain=0.9)[..., None]
        )
    picture = to_rgba(rgb, alpha)
    attributes = {"colour": colour, "texture": texture} | measured(picture)
    return Sprite(picture, name, attributes)


def to_rgba(rgb: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.uint8]:
    """Join floats in 0..1 to (h, w, 4) uint8, cropped to where there is any coverage."""
    rows, columns = np.flatnonzero((alpha > 0.02).any(axis=1)), np.flatnonzero((alpha > 0.02).any(axis=0))
    if len(rows) == 0:
        return np.zeros((1, 1, 4), dtype=np.uint8)
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole = np.concatenate([rgb[cut], alpha[cut][..., None]], axis=-1)
    return np.asarray(np.clip(whole * 255 + 0.5, 0, 255), dtype=np.uint8)


def measured(rgba: NDArray[np.uint8]) -> dict[str, str]:
    """Shape and brightness of a picture, each only where it is clear."""
    coverage = rgba[..., 3].astype(np.float32) / 255
    total = float(coverage.sum())
    if total < 4:
        return {}
    found: dict[str, str] = {}
    rows, columns = np.arange(coverage.shape[0]), np.arange(coverage.shape[1])
    by_row, by_column = coverage.sum(axis=1) / total, coverage.sum(axis=0) / total
    y, x = rows - rows @ by_row, columns - columns @ by_column
    covariance = float(y @ coverage @ x) / total
    moments = np.array([[by_row @ y**2, covariance], [covariance, by_column @ x**2]])
    small, large = np.sqrt(np.linalg.eigvalsh(moments))
    ratio = large / max(small, 1e-6)
    filled = total / (4 * np.pi * max(small * large, 1e-6))
    if ratio > 2.1:
        found["shape"] = "elongated"
    elif ratio < 1.2 and filled > 0.96:
        found["shape"] = "round"
    light = float((luminance(rgba[..., :3].astype(np.float32)) * coverage).sum()) / total / 255
    if light > 0.68:
        found["brightness"] = "bright"
    elif light < 0.3:
        found["brightness"] = "dark"
    return found


def colour_of(rgba: NDArray[np.uint8]) -> str | None:
    """Name the colour of most of a cut-out picture; None when no colour has the majority."""
    values = rgba.astype(np.float32) / 255
    return dominant(values[..., :3], values[..., 3]) if values[..., 3].any() else None
