"""What things lie on: flat, graded, noisy and woven grounds, and crops of photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slip.synthesis._colours import COLOURS, shade
from napari_slip.synthesis._fields import PATTERNS, fractal, pattern, resample

if TYPE_CHECKING:
    from collections.abc import Callable

Rng = np.random.Generator
Shape = tuple[int, int]
Picture = NDArray[np.float32]


def _tint(rng: Rng) -> Picture:
    """Mix a muted colour, as most grounds have; a plain strong one now and then."""
    colour = shade(str(rng.choice(COLOURS)), rng)
    grey = np.float32(rng.uniform(0.05, 0.95))
    weight = np.float32(rng.uniform(0, 1) ** 2)
    return np.asarray(colour * weight + grey * (1 - weight), dtype=np.float32)


def _between(first: Picture, second: Picture, share: NDArray[Any]) -> Picture:
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(first + (second - first) * share, dtype=np.float32)


def flat(rng: Rng, shape: Shape) -> Picture:
    """One colour all over."""
    return np.broadcast_to(_tint(rng), (*shape, 3)).astype(np.float32)


def gradient(rng: Rng, shape: Shape) -> Picture:
    """Four corner colours, blended."""
    corners = np.stack([_tint(rng) for _ in range(4)]).reshape(2, 2, 3)
    steps = resample(corners, (16, 16))
    return resample(steps, shape)


def clouds(rng: Rng, shape: Shape) -> Picture:
    """Two colours in fractal noise, from soft to rough."""
    cell = rng.uniform(0.05, 0.5) * max(shape)
    noise = fractal(rng, shape, cell=cell, octaves=int(rng.integers(2, 6)), gain=rng.uniform(0.4, 0.8))
    return _between(_tint(rng), _tint(rng), 0.5 + noise * rng.uniform(0.1, 0.5))


def mottled(rng: Rng, shape: Shape) -> Picture:
    """Three independent channels of noise around one colour, as gravel and foliage from afar."""
    base, cell = _tint(rng), rng.uniform(8, 60)
    noise = np.stack([fractal(rng, shape, cell=cell, octaves=3, gain=0.8) for _ in range(2)], axis=-1)
    mixing = rng.normal(0, 0.1, (2, 3)).astype(np.float32)
    mixing[0] += np.float32(rng.uniform(0.02, 0.15))
    return np.asarray(base + noise @ mixing, dtype=np.float32)


def patterned(rng: Rng, shape: Shape) -> Picture:
    """Stripes, dots or checks in two colours, perspective-free."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(0.02, 0.2) * max(shape)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    share = pattern(str(rng.choice(PATTERNS)), u, v, period, rng.random())
    first = _tint(rng)
    second = np.clip(first + rng.normal(0, 0.2, 3), 0, 1).astype(np.float32)
    return _between(first, second, share)


def wood(rng: Rng, shape: Shape) -> Picture:
    """Boards with warped grain."""
    along = rng.random() < 0.5
    stretch = (0.3, 6.0) if along else (6.0, 0.3)
    warp = fractal(rng, shape, cell=0.25 * max(shape), octaves=3, stretch=stretch)
    axis = (
        np.arange(shape[0], dtype=np.float32)[:, None]
        if along
        else np.arange(shape[1], dtype=np.float32)[None]
    )
    grain = 0.5 + 0.5 * np.sin(axis / rng.uniform(3, 9) + warp * rng.uniform(2, 5))
    fibre = fractal(rng, shape, cell=6, octaves=2, stretch=stretch) * 0.1
    dark = np.array([0.35, 0.2, 0.1], dtype=np.float32) * np.float32(rng.uniform(0.5, 1.6))
    picture = _between(dark, dark * np.float32(rng.uniform(1.3, 1.9)), grain * 0.7 + fibre)
    width = rng.uniform(0.15, 0.4) * max(shape)
    seam = np.abs((axis + rng.uniform(0, width)) % width) < rng.uniform(1, 3)
    return picture * np.where(seam, np.float32(0.45), np.float32(1))[..., None]


def cloth(rng: Rng, shape: Shape) -> Picture:
    """Woven threads with folds."""
    period = rng.uniform(3, 8)
    y, x = np.arange(shape[0], dtype=np.float32)[:, None], np.arange(shape[1], dtype=np.float32)[None]
    weave = np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period) * rng.uniform(0.03, 0.12)
    folds = fractal(rng, shape, cell=0.4 * max(shape), octaves=2) * rng.uniform(0, 0.12)
    return np.asarray(_tint(rng) * (1 + weave + folds)[..., None], dtype=np.float32)


def paper(rng: Rng, shape: Shape) -> Picture:
    """Bright and slightly stained, sometimes ruled."""
    tone = np.array([1, 0.97, 0.9], dtype=np.float32) * np.float32(rng.uniform(0.8, 1))
    stain = fractal(rng, shape, cell=0.3 * max(shape), octaves=5, gain=0.6) * rng.uniform(0.005, 0.05)
    picture = tone * (1 + stain)[..., None]
    if rng.random() < 0.3:
        rule = (np.arange(shape[0]) % int(rng.integers(14, 40))) == 0
        picture = picture * np.where(rule, np.float32(0.75), np.float32(1))[:, None, None]
    return np.asarray(picture, dtype=np.float32)


def grass(rng: Rng, shape: Shape) -> Picture:
    """Fibres in many directions over a dark ground, green more often than not."""
    first = fractal(rng, shape, cell=12, octaves=3, stretch=(4, 0.4), gain=0.8)
    second = fractal(rng, shape, cell=12, octaves=3, stretch=(1.5, 1.0), gain=0.8)
    base = shade("green", rng) if rng.random() < 0.6 else _tint(rng)
    return _between(base * np.float32(0.3), base, 0.5 + 0.25 * np.maximum(first, second))


def dark(rng: Rng, shape: Shape) -> Picture:
    """Make an almost black ground with an uneven glow, as under a lamp or in fluorescence."""
    glow = fractal(rng, shape, cell=0.6 * max(shape), octaves=4, gain=0.5)
    level = rng.uniform(0.03, 0.25) * (1 + 0.5 * glow)
    tint = 1 + rng.normal(0, 0.1, 3).astype(np.float32)
    return np.asarray(np.clip(level, 0, 1)[..., None] * tint, dtype=np.float32)


GROUNDS: dict[str, Callable[[Rng, Shape], Picture]] = {
    function.__name__: function
    for function in (flat, gradient, clouds, mottled, patterned, wood, cloth, paper, grass, dark)
}


def background(rng: Rng, shape: Shape, kind: str | None = None) -> NDArray[np.float32]:
    """Draw an empty ground.

    Parameters
    ----------
    rng
        Source of all variation.
    shape
        Rows and columns in pixels.
    kind
        One of ``GROUNDS``; any by default.

    Returns
    -------
    ndarray, (H, W, 3) float32
        RGB in 0..1.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind is not None and kind not in GROUNDS:
        raise ValueError(f"No background named {kind!r}; there are {', '.join(GROUNDS)}.")
    chosen = str(rng.choice(list(GROUNDS))) if kind is None else kind
    picture = GROUNDS[chosen](rng, shape)
    if rng.random() < 0.3:  # two grounds that meet, or a soft transition between them
        share = fractal(rng, shape, cell=0.7 * max(shape), octaves=2) * rng.uniform(1, 20)
        if kind is None:
            second = GROUNDS[str(rng.choice(list(GROUNDS)))](rng, shape)
            picture = picture + (second - picture) * np.clip(0.5 + share, 0, 1)[..., None]
    return np.clip(picture, 0, 1).astype(np.float32, copy=False)


def leaves(rng: Rng, shape: Shape) -> Picture:
    """Draw patches of all sizes over each other, out of focus: what photographs of crowded places are like.

    The sizes follow the power law of natural images (the dead leaves of Lee, Mumford and Huang, IJCV 2001).
    None of the patches is an object: training on such grounds is learning to leave the scenery alone.

    Returns
    -------
    ndarray, (H, W, 3) float32
        RGB in 0..1.
    """
    warp = max(shape) * rng.uniform(0.02, 0.12)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    for axis in (y, x):
        axis += fractal(rng, shape, cell=rng.uniform(0.1, 0.4) * max(shape), octaves=4) * np.float32(warp)
    picture = background(rng, shape)
    strength = rng.uniform(0.25, 0.9)
    for _ in range(int(rng.integers(15, 50))):
        radius = np.float32(max(shape) * 0.03 * (1 - rng.random() * 0.99) ** -0.5)
        middle = rng.uniform(0, 1, 2) * shape
        angle, flat = rng.uniform(0, np.pi), np.exp(rng.uniform(-0.9, 0.9))
        u, v = x - middle[1], y - middle[0]
        along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        inside = np.hypot(along * flat, across / flat) < radius
        if not inside.any():
            continue
        glow = rng.normal(0, 0.06, (3, 3)).astype(np.float32)
        sides = np.stack([np.ones_like(u[inside]), u[inside] / radius, v[inside] / radius], axis=1)
        colour = np.concatenate([_tint(rng)[None], glow[:2]])
        picture[inside] += np.float32(strength) * (sides @ colour - picture[inside])
    grain = fractal(rng, shape, cell=10, octaves=3, gain=0.8) * np.float32(rng.uniform(0, 0.06))
    soft = ndimage.gaussian_filter(picture, (*(rng.uniform(0.002, 0.008) * max(shape),) * 2, 0))
    return np.asarray(np.clip(soft + grain[..., None], 0, 1), dtype=np.float32)


def photograph(rng: Rng, shape: Shape) -> NDArray[np.float32]:
    """Cut a crop out of one of scikit-image's own photographs, meant for evaluation.

    Training never sees these pictures, so that figures on them say something about real photographs.

    Returns
    -------
    ndarray, (H, W, 3) float32
        RGB in 0..1.
    """
    from skimage import data

    names = ("brick", "grass", "gravel", "chelsea", "astronaut", "rocket")
    available = [name for name in names if hasattr(data, name)]
    picture = np.asarray(getattr(data, str(rng.choice(available)))(), dtype=np.float32) / 255
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=-1)
    return crop(picture, rng, shape, smallest=0.5)


def crop(picture: NDArray[Any], rng: Rng, shape: Shape, smallest: float) -> Picture:
    """Cut a square out of a picture, mirrored half of the time.

    Parameters
    ----------
    picture
        (H, W, 3 or more) of any number type, of which the first three channels are shown.
    rng
        Source of all variation.
    shape
        Rows and columns that the square is resampled to.
    smallest
        Side of the square in shorter sides of the picture, at least; 1 at most.

    Returns
    -------
    ndarray, (H, W, 3) float32
    """
    side = int(min(picture.shape[:2]) * rng.uniform(smallest, 1.0))
    top, left = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
    square = picture[top : top + side, left : left + side, :3]
    if rng.random() < 0.5:
        square = square[:, ::-1]
    return resample(square, shape)
