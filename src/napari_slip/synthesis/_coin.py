"""Coins: struck, worn and unevenly lit, so that models trained on them know photographs of old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_slip.synthesis._canvas import Canvas, blob, ellipse, ngon, polar
from napari_slip.synthesis._fields import fractal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.synthesis._ink import Ink

Rng = np.random.Generator


def coin(c: Canvas, rng: Rng, ink: Ink) -> None:
    worn = rng.random()
    outline = ellipse(n=64) if worn < 0.4 else blob(rng, 0.012 + 0.03 * worn, 6)
    relief = _relief(c, rng, worn)
    n = relief.shape[0]
    patina = fractal(rng, (n, n), cell=n * rng.uniform(0.1, 0.4), octaves=4, gain=0.75)
    tone = 1 + relief * rng.uniform(0.25, 0.75) + patina * rng.uniform(0.04, 0.16)
    dirt = np.clip(patina - 1.0, 0, 1) * rng.uniform(0, 0.5)
    paint = np.clip(ink.base * (tone * (1 - dirt))[..., None], 0, 1).astype(np.float32)
    c.fill(outline, paint)
    if worn > 0.85:  # a chip is missing
        angle = rng.uniform(0, 2 * np.pi)
        c.erase(blob(rng, 0.2) * rng.uniform(0.1, 0.22) + np.array([np.cos(angle), np.sin(angle)]))


def _relief(c: Canvas, rng: Rng, worn: float) -> NDArray[np.float32]:
    """Slope of the struck picture towards the light, about -1..1."""
    x, y = c.axes
    n = x.shape[0]
    height = np.zeros((n, n), dtype=np.float32)
    radius = np.hypot(x, y)
    if rng.random() < 0.8:
        rim = rng.uniform(0.86, 0.95)
        height += np.exp(-(((radius - rim) / rng.uniform(0.03, 0.07)) ** 2)) * rng.uniform(0.3, 1)
    for figure in _motif(rng):
        window, inside = c.inside(figure)
        height[window] += inside * np.float32(rng.uniform(0.5, 1.0))
    if rng.random() < 0.7:
        letters = int(rng.integers(8, 24))
        start, span = rng.uniform(0, 2 * np.pi), rng.uniform(2.5, 6.2)
        for k in range(letters):
            angle = start + span * k / letters
            at = np.array([np.cos(angle), np.sin(angle)]) * 0.74
            window, inside = c.inside(blob(rng, 0.45, 3, 12) * rng.uniform(0.05, 0.09) + at)
            height[window] += inside * np.float32(0.6)
    height = ndimage.gaussian_filter(height, n * (0.008 + 0.022 * worn), truncate=2.5)
    angle = rng.uniform(0, 2 * np.pi)
    slope_y, slope_x = np.gradient(height)
    slope = (slope_x * np.cos(angle) + slope_y * np.sin(angle)) * n * 0.06
    relief: NDArray[np.float32] = np.clip(slope + (height - 0.3) * 0.35, -1, 1).astype(np.float32)
    return relief


def _motif(rng: Rng) -> list[NDArray[np.float64]]:
    """Figures in the middle: a head in profile, a star, a beast-like blob, or a wheel."""
    kind = rng.random()
    size = rng.uniform(0.8, 1.1)
    if kind < 0.5:
        side = 1 if rng.random() < 0.5 else -1
        face = np.array(
            [[-0.3, -0.1], [-0.25, -0.4], [0.05, -0.55], [0.3, -0.35], [0.33, -0.15], [0.45, 0.0]]
        )
        jaw = np.array([[0.33, 0.06], [0.33, 0.25], [0.15, 0.32], [0.18, 0.6], [-0.3, 0.6], [-0.2, 0.2]])
        head = np.concatenate([face, jaw]) * (side, 1) + rng.normal(0, 0.02, (12, 2))
        hair = blob(rng, 0.2) * 0.28 + (-0.12 * side, -0.3)
        return [head * size, hair * size, ellipse(0.15 * side, -0.15, 0.06, n=10)]
    if kind < 0.65:
        n = int(rng.integers(4, 9))
        return [polar(np.tile([0.5, 0.22], n)) * size]
    if kind < 0.9:
        parts = [blob(rng, 0.3) * rng.uniform(0.15, 0.35) + rng.uniform(-0.3, 0.3, 2) for _ in range(4)]
        return [part * size for part in parts]
    spokes = int(rng.integers(3, 7))
    return [ellipse(rx=0.45), ellipse(rx=0.15), *(0.12 * ngon(4) + p for p in ngon(spokes, 0.3))]
