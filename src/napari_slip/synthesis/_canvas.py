"""A small antialiased canvas: polygons in a unit frame, turned, stretched and supersampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_slip.synthesis._fields import resample

Points = NDArray[np.float64]


class Canvas:
    """Square drawing board on which figures lie within the unit disc, x to the right and y down.

    Parameters
    ----------
    size
        Side of the finished picture in pixels.
    angle
        Rotation of everything drawn, in radians.
    aspect
        Factor on the y axis before the rotation; 1 leaves figures as they are.
    flip
        Mirror the x axis.
    """

    def __init__(self, size: float, *, angle: float = 0.0, aspect: float = 1.0, flip: bool = False) -> None:
        self._factor = 3 if size <= 80 else 2
        self._n = max(6, round(size)) * self._factor
        cos, sin = np.cos(angle), np.sin(angle)
        stretch = np.diag([-1.0 if flip else 1.0, aspect])
        self._matrix = np.array([[cos, -sin], [sin, cos]]) @ stretch * (self._n / 2)
        self._rgb = np.zeros((self._n, self._n, 3), dtype=np.float32)
        self._alpha = np.zeros((self._n, self._n), dtype=np.float32)
        self._axes: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @property
    def axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """X and y of every pixel in the frame of the figure, each (n, n)."""
        if self._axes is None:
            line = np.arange(self._n, dtype=np.float32) + 0.5 - self._n / 2
            inverse = np.linalg.inv(self._matrix).astype(np.float32)
            x = inverse[0, 0] * line[None, :] + inverse[0, 1] * line[:, None]
            y = inverse[1, 0] * line[None, :] + inverse[1, 1] * line[:, None]
            self._axes = (x, y)
        return self._axes

    def fill(self, points: ArrayLike, paint: NDArray[Any]) -> None:
        """Fill a polygon (k, 2) of (x, y) with a colour (3,) or a picture (n, n, 3)."""
        window, inside = self.inside(points)
        colour = paint if paint.ndim == 1 else paint[window]
        np.copyto(self._rgb[window], colour, where=inside[..., None], casting="same_kind")
        self._alpha[window][inside] = 1

    def inlay(self, points: ArrayLike, paint: NDArray[Any], opacity: float = 1.0) -> None:
        """Like `fill`, but only where something was drawn before: markings never leave the figure."""
        window, inside = self.inside(points)
        inside &= self._alpha[window] > 0
        colour = paint if paint.ndim == 1 else paint[window]
        if opacity < 1:
            colour = colour * np.float32(opacity) + self._rgb[window] * np.float32(1 - opacity)
        np.copyto(self._rgb[window], colour, where=inside[..., None], casting="same_kind")

    def erase(self, points: ArrayLike) -> None:
        """Cut a polygon out of everything drawn so far."""
        window, inside = self.inside(points)
        self._alpha[window][inside] = 0

    def pixels(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return RGB (size, size, 3), not premultiplied, and coverage (size, size), in 0..1."""
        n = self._n // self._factor
        alpha = resample(self._alpha, (n, n))
        premultiplied = resample(self._rgb * self._alpha[..., None], (n, n))
        rgb: NDArray[Any] = premultiplied / np.maximum(alpha, 1e-4)[..., None]
        return rgb, alpha

    def inside(self, points: ArrayLike) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        """Window of the board that a polygon touches, and which of its pixels lie inside.

        The winding number decides, so that a line may cross itself.
        """
        xy = np.asarray(points, dtype=np.float64) @ self._matrix.T + self._n / 2
        return rasterised(xy, (self._n, self._n))


def rasterised(
    xy: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Pixels whose centres have a winding number other than 0 in the polygon xy (k, 2), corner origin."""
    low = np.floor(np.clip(xy.min(axis=0), 0, (shape[1], shape[0]))).astype(int)
    high = np.ceil(np.clip(xy.max(axis=0), 0, (shape[1], shape[0]))).astype(int)
    window = (slice(low[1], max(high[1], low[1])), slice(low[0], max(high[0], low[0])))
    height, width = window[0].stop - low[1], window[1].stop - low[0]
    after = np.roll(xy, -1, axis=0)
    centres = np.arange(height)[:, None] + low[1] + 0.5
    y0, y1 = xy[None, :, 1], after[None, :, 1]
    rows, edges = np.nonzero((y0 <= centres) != (y1 <= centres))
    direction = np.where(after[edges, 1] > xy[edges, 1], 1, -1)
    slope = (after[edges, 0] - xy[edges, 0]) / (after[edges, 1] - xy[edges, 1])
    crossing = xy[edges, 0] + (centres[rows, 0] - xy[edges, 1]) * slope
    columns = np.clip(np.ceil(crossing - 0.5 - low[0]), 0, width).astype(int)
    turns = np.bincount(rows * (width + 1) + columns, weights=direction, minlength=height * (width + 1))
    winding = np.cumsum(turns.reshape(height, width + 1)[:, :width], axis=1)
    return window, winding != 0


def shaded(rgb: NDArray[np.float32], alpha: NDArray[np.float32], rng: np.random.Generator) -> NDArray[Any]:
    """Light a flat picture as if its silhouette bulged: brighter on one side, darker on the other."""
    if rng.random() < 0.25:
        return rgb
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.55)
    sigma = max(1.0, alpha.shape[0] * rng.uniform(0.05, 0.12))
    height = ndimage.gaussian_filter(alpha, sigma, truncate=2.0)
    slope_y, slope_x = np.gradient(height)
    light = (slope_x * np.cos(angle) + slope_y * np.sin(angle)) * sigma * 2.5
    lit: NDArray[Any] = np.clip(rgb * (1 + strength * light[..., None]), 0, 1).astype(np.float32)
    return lit


def ellipse(
    x: float = 0.0, y: float = 0.0, rx: float = 1.0, ry: float | None = None, angle: float = 0.0, n: int = 48
) -> Points:
    """Outline of an ellipse, (n, 2)."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    u, v = rx * np.cos(t), (rx if ry is None else ry) * np.sin(t)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([x + u * cos - v * sin, y + u * sin + v * cos], axis=1)


def ngon(n: int, radius: float = 1.0, start: float = -np.pi / 2) -> Points:
    """Corners of a regular polygon, (n, 2)."""
    t = start + np.arange(n) * 2 * np.pi / n
    return radius * np.stack([np.cos(t), np.sin(t)], axis=1)


def polar(radius: ArrayLike, start: float = 0.0) -> Points:
    """Make a closed outline from radii at equal angles, (k, 2)."""
    r = np.asarray(radius, dtype=np.float64)
    t = start + np.linspace(0, 2 * np.pi, len(r), endpoint=False)
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1)


def blob(rng: np.random.Generator, roughness: float = 0.1, harmonics: int = 4, n: int = 64) -> Points:
    """Random closed outline near the unit circle (largest radius 1): low Fourier harmonics, (n, 2)."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    k = np.arange(2, 2 + harmonics)
    amplitude = rng.normal(0, roughness, harmonics) / np.sqrt(k - 1)
    phase = rng.uniform(0, 2 * np.pi, harmonics)
    radius = 1 + (amplitude[:, None] * np.cos(k[:, None] * t + phase[:, None])).sum(axis=0)
    radius = np.maximum(radius, 0.25)
    return polar(radius / radius.max())


def band(centre: ArrayLike, width: ArrayLike) -> Points:
    """Outline of a line of varying full width along a smooth path (k, 2); returns (2k, 2)."""
    path = np.asarray(centre, dtype=np.float64)
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    half = np.broadcast_to(np.asarray(width, dtype=np.float64) / 2, (len(path),))[:, None]
    return np.concatenate([path + normal * half, (path - normal * half)[::-1]])


def curve(*points: tuple[float, float], n: int = 24) -> Points:
    """Smooth Bezier path through its first and last control point, (n, 2)."""
    level = np.repeat(np.asarray(points, dtype=np.float64)[:, None], n, axis=1)
    t = np.linspace(0, 1, n)[None, :, None]
    while len(level) > 1:
        level = level[:-1] * (1 - t) + level[1:] * t
    return np.asarray(level[0])
