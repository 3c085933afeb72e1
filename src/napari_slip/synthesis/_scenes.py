"""Scenes: sprites on a ground, with the exact label of every visible pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_slip.synthesis._backgrounds import background as any_ground
from napari_slip.synthesis._backgrounds import dark
from napari_slip.synthesis._degrade import degrade
from napari_slip.synthesis._fields import fractal
from napari_slip.synthesis._sprites import NAMES, Sprite, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rng = np.random.Generator
SpriteSource = Callable[[np.random.Generator, float], Sprite]

MIN_VISIBLE = 0.4
"""Share of an object that later ones may not cover further."""


@dataclass(frozen=True)
class Scene:
    """A picture with its truth.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB.
    labels
        (H, W) int32; 0 is background, k the visible part of ``sprites[k - 1]``.
    sprites
        What each label shows.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    sprites: tuple[Sprite, ...]


def any_sprite(rng: np.random.Generator, size: float) -> Sprite:
    """Draw any of `NAMES`: the default source of `draw_scene`."""
    return draw(str(rng.choice(NAMES)), rng, size)


def draw_scene(
    rng: np.random.Generator,
    shape: tuple[int, int] = (512, 512),
    n_objects: tuple[int, int] = (3, 12),
    *,
    sprites: SpriteSource | None = None,
    ground: Callable[[Rng, tuple[int, int]], NDArray[np.float32]] | None = None,
    size: tuple[float, float] = (0.09, 0.4),
    overlap: float = 0.3,
    degradation: float = 1.0,
    invert: float = 0.0,
) -> Scene:
    """Draw objects on a ground.

    Parameters
    ----------
    rng
        Source of all variation: same state, same pixels.
    shape
        Rows and columns in pixels.
    n_objects
        Fewest and most objects; (0, 0) makes an empty scene. Where there is no room, fewer come.
    sprites
        Called with the generator and a size in pixels; by default any of `NAMES`.
    ground
        Called with the generator and the shape, returns (H, W, 3) float32 in 0..1; by default any.
    size
        Smallest and largest size of an object relative to the shorter side.
    overlap
        Chance that an object may cover others. None is covered so far that less than 40 % is seen.
    degradation
        Strength of `degrade`; 0 leaves the picture clean.
    invert
        Probability of inverted contrast.

    Returns
    -------
    Scene
    """
    source = sprites or any_sprite
    picture = (ground or any_ground)(rng, shape)
    labels = np.zeros(shape, dtype=np.int32)
    placed: list[Sprite] = []
    areas: list[int] = []
    crowd = int(rng.integers(n_objects[0], n_objects[1] + 1))
    shadow = rng.random() < 0.35
    largest = size[1] * min(1.0, 2.2 / np.sqrt(max(crowd, 1)))  # a crowd needs room
    for _ in range(crowd):
        pixels = np.exp(rng.uniform(np.log(size[0]), np.log(max(largest, size[0])))) * min(shape)
        sprite = source(rng, pixels)
        window = _free_place(rng, labels, areas, sprite, overlap=rng.random() < overlap)
        if window is None:
            continue
        inside = _part(sprite, window, labels.shape)[..., 3] > 127
        placed.append(sprite)
        areas.append(int(inside.sum()))
        labels[_clipped(window, labels.shape)][inside] = len(placed)
        _paste(picture, sprite, window, rng if shadow else None)
    image = np.asarray(np.clip(picture * 255 + 0.5, 0, 255), dtype=np.uint8)
    if degradation > 0 or invert > 0:
        image = degrade(image, rng, strength=degradation, invert=invert)
    return Scene(image, labels, tuple(placed))


def coin_scene(rng: np.random.Generator, shape: tuple[int, int] = (384, 384)) -> Scene:
    """Draw coins in loose rows on a dark, unevenly lit ground, like a photograph from a museum.

    Parameters
    ----------
    rng
        Source of all variation.
    shape
        Rows and columns in pixels.

    Returns
    -------
    Scene
        Sprites named "coin".
    """
    tint = rng.random() < 0.4
    side = rng.uniform(0.11, 0.2) * min(shape)

    def source(generator: Rng, size: float) -> Sprite:
        colour = None if tint else "grey"
        return draw("coin", generator, side * generator.uniform(0.75, 1.15), colour=colour)

    def ground(generator: Rng, area: tuple[int, int]) -> NDArray[np.float32]:
        glow = fractal(generator, area, cell=max(area) * 1.2, octaves=3, gain=0.3) * generator.uniform(
            0.03, 0.2
        )
        grain = fractal(generator, area, cell=8, octaves=3, gain=0.8) * generator.uniform(0.0, 0.05)
        level = np.clip(generator.uniform(0.12, 0.4) + glow + grain, 0.02, 1)
        return np.repeat(level[..., None], 3, axis=2).astype(np.float32)

    most = int(0.6 * shape[0] * shape[1] / side**2)
    chosen = ground if rng.random() < 0.8 else dark
    scene = draw_scene(
        rng,
        shape,
        (most // 2, most),
        sprites=source,
        ground=chosen,
        overlap=0.05,
        degradation=1.0,
        size=(0.1, 0.1),
    )
    grey = not tint
    if grey and rng.random() < 0.9:
        flat = scene.image.astype(np.float32).mean(axis=2, keepdims=True)
        return Scene(np.repeat(flat, 3, axis=2).astype(np.uint8), scene.labels, scene.sprites)
    return scene


def _free_place(
    rng: Rng, labels: NDArray[np.int32], areas: list[int], sprite: Sprite, *, overlap: bool
) -> tuple[int, int, int, int] | None:
    """Find where a sprite covers nothing, or (with `overlap`) leaves enough of everything: y0, x0, y1, x1."""
    height, width = sprite.rgba.shape[:2]
    for _ in range(8):
        low_y, low_x = -int(0.15 * height), -int(0.15 * width)
        y = int(rng.integers(low_y, max(low_y + 1, labels.shape[0] - int(0.85 * height))))
        x = int(rng.integers(low_x, max(low_x + 1, labels.shape[1] - int(0.85 * width))))
        window = (y, x, y + height, x + width)
        inside = _part(sprite, window, labels.shape)[..., 3] > 127
        if inside.sum() < 16:
            continue
        under = labels[_clipped(window, labels.shape)]
        covered = np.bincount(under[inside], minlength=len(areas) + 1)[1:]
        if not overlap and covered.any():
            continue
        touched = np.flatnonzero(covered)
        seen = np.array([np.count_nonzero(labels == k + 1) for k in touched])
        whole = np.array([areas[k] for k in touched])
        if (seen - covered[touched] >= MIN_VISIBLE * whole).all():
            return window
    return None


def _clipped(window: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[slice, slice]:
    y0, x0, y1, x1 = window
    return slice(max(y0, 0), min(y1, shape[0])), slice(max(x0, 0), min(x1, shape[1]))


def _part(sprite: Sprite, window: tuple[int, int, int, int], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Cut out the part of a sprite that lies within the picture."""
    rows, columns = _clipped(window, shape)
    y0, x0 = window[:2]
    return sprite.rgba[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]


def _paste(
    picture: NDArray[np.float32], sprite: Sprite, window: tuple[int, int, int, int], shadow: Rng | None
) -> None:
    if shadow is not None:
        _cast_shadow(picture, sprite, window, shadow)
    target = _clipped(window, picture.shape)
    part = _part(sprite, window, picture.shape).astype(np.float32) / 255
    alpha = part[..., 3:]
    picture[target] += alpha * (part[..., :3] - picture[target])


def _cast_shadow(
    picture: NDArray[np.float32], sprite: Sprite, window: tuple[int, int, int, int], rng: Rng
) -> None:
    """Darken what lies beside the object, softly."""
    margin = max(2, int(0.12 * max(sprite.rgba.shape[:2])))
    alpha = np.pad(sprite.rgba[..., 3].astype(np.float32) / 255, margin)
    soft = ndimage.gaussian_filter(alpha, margin / 2.5, truncate=2.0) * np.float32(rng.uniform(0.2, 0.6))
    dy, dx = (int(v) for v in rng.integers(-margin, margin + 1, 2))
    y0, x0 = window[0] - margin + dy, window[1] - margin + dx
    around = (y0, x0, y0 + soft.shape[0], x0 + soft.shape[1])
    rows, columns = _clipped(around, picture.shape)
    if rows.stop > rows.start and columns.stop > columns.start:
        cut = soft[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
        picture[rows, columns] *= 1 - cut[..., None]
