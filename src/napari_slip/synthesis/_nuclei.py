"""Microscopy drawn from nothing: crowds of nuclei in fluorescence, brightfield and stained tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_slip.synthesis._canvas import blob, rasterised
from napari_slip.synthesis._degrade import degrade
from napari_slip.synthesis._fields import fractal, resample
from napari_slip.synthesis._scenes import Scene
from napari_slip.synthesis._sprites import Sprite, measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rng = np.random.Generator

MODALITIES = ("fluorescence", "brightfield", "tissue")

MARKED = 0.5
"""Share of the tissues in which an antibody is stained brown; the others are stained with eosin."""
ALIGNED = 0.6
"""Share of these in which slim nuclei lie side by side, as in the walls of glands."""


def draw_nuclei(
    rng: np.random.Generator,
    shape: tuple[int, int] = (256, 256),
    *,
    modality: str | None = None,
    n_objects: tuple[int, int] | None = None,
    radius: tuple[float, float] | None = None,
) -> Scene:
    """Draw an image of nuclei.

    Parameters
    ----------
    rng
        Source of all variation: same state, same pixels.
    shape
        Rows and columns in pixels.
    modality
        One of ``MODALITIES``; by default any, fluorescence more often than not.
    n_objects
        Fewest and most nuclei; by default few, many (up to 200) or, in one image of 25, none.
    radius
        Smallest and largest mean radius in pixels; by default any that the number leaves room for.

    Returns
    -------
    Scene
        Sprites named "cell nucleus", cut out of the image.

    Raises
    ------
    ValueError
        If there is no such modality.
    """
    if modality is None:
        modality = str(rng.choice(MODALITIES, p=(0.5, 0.15, 0.35)))
    if modality not in MODALITIES:
        raise ValueError(f"No modality named {modality!r}; there are {', '.join(MODALITIES)}.")
    marked = modality == "tissue" and rng.random() < MARKED
    labels = _crowd(rng, shape, n_objects, radius, aligned=marked and rng.random() < ALIGNED)
    paint = {"fluorescence": _fluorescence, "brightfield": _brightfield, "tissue": _tissue}[modality]
    if marked:
        paint = _marked_tissue
    picture = np.clip(paint(rng, labels) * 255, 0, 255).astype(np.uint8)
    image = degrade(picture, rng, strength=0.6)
    return Scene(image, labels, _cut_out(image, labels))


def _crowd(
    rng: Rng,
    shape: tuple[int, int],
    n_objects: tuple[int, int] | None,
    radius: tuple[float, float] | None,
    *,
    aligned: bool,
) -> NDArray[np.int32]:
    """Labels of nuclei of one size class, some in touching clusters or, if aligned, in rows side by side."""
    area = shape[0] * shape[1]
    if n_objects is None:
        n = 0 if rng.random() < 0.04 else round(np.exp(rng.uniform(np.log(2), np.log(200))))
    else:
        n = int(rng.integers(n_objects[0], n_objects[1] + 1))
    room = np.sqrt(area * rng.uniform(0.08, 0.5) / max(n, 1) / np.pi)
    low, high = radius or (3.0, 0.14 * min(shape))
    typical = float(np.clip(room, low, high))
    spread, clustered = rng.uniform(0.05, 0.3), rng.uniform(0, 0.8)
    slim, roughness = rng.uniform(0.55, 1.0), rng.uniform(0.015, 0.06)
    way: float | None = None
    if aligned:
        slim, clustered, way = slim * 0.7, 0.9, rng.uniform(0, 2 * np.pi)
    labels = np.zeros(shape, dtype=np.int32)
    centres: list[tuple[float, float, float]] = []
    for _ in range(n):
        r = float(np.clip(typical * np.exp(rng.normal(0, spread)), low, max(high, low)))
        outline = (
            blob(rng, roughness, 4, 40) * r * np.array([1.0, np.clip(slim + rng.normal(0, 0.12), 0.4, 1.0)])
        )
        angle = rng.uniform(0, 2 * np.pi) if way is None else way + rng.normal(0, 0.25)
        cos, sin = np.cos(angle), np.sin(angle)
        outline = outline @ np.array([[cos, sin], [-sin, cos]])
        for _ in range(6):
            x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
            if centres and rng.random() < clustered:  # beside an earlier one, touching it
                cx, cy, cr = centres[int(rng.integers(len(centres)))]
                turn, distance = rng.uniform(0, 2 * np.pi), (cr + r) * rng.uniform(0.75, 1.0)
                if way is not None:  # side by side, with some room between
                    turn, distance = way + np.pi / 2 + rng.normal(0, 0.6), distance * rng.uniform(0.6, 1.4)
                x, y = cx + distance * np.cos(turn), cy + distance * np.sin(turn)
            window, inside = rasterised(outline + np.array([x, y]), shape)
            total = int(inside.sum())
            free = inside & (labels[window] == 0)
            if total >= 9 and free.sum() >= 0.75 * total and free.sum() >= 9:
                centres.append((x, y, r))
                labels[window][free] = len(centres)
                break
    return labels


def _soft(labels: NDArray[np.int32], sigma: float) -> NDArray[np.float32]:
    """Coverage of the nuclei as a microscope blurs it."""
    return np.asarray(ndimage.gaussian_filter((labels > 0).astype(np.float32), sigma, truncate=3.0))


def _per_nucleus(rng: Rng, labels: NDArray[np.int32], spread: float) -> NDArray[np.float32]:
    """One random brightness for each nucleus, spread over its pixels; 0 elsewhere."""
    level = np.exp(rng.normal(0, spread, int(labels.max()) + 1)).astype(np.float32)
    level[0] = 0
    return level[labels]


def _fluorescence(rng: Rng, labels: NDArray[np.int32]) -> NDArray[np.float32]:
    shape = (labels.shape[0], labels.shape[1])
    distance = ndimage.distance_transform_edt(labels > 0)
    profile = np.clip(0.55 + 0.45 * distance / max(float(distance.max()) * rng.uniform(0.3, 1), 1), 0, 1)
    chromatin = 1 + fractal(rng, shape, cell=rng.uniform(4, 16), octaves=3, gain=0.7) * rng.uniform(
        0.02, 0.22
    )
    light = _per_nucleus(rng, labels, rng.uniform(0.05, 0.6)) * profile * chromatin
    edge = labels != ndimage.minimum_filter(labels, 2)
    light = light * np.where(edge & (labels > 0), np.float32(rng.uniform(0.7, 1)), np.float32(1))
    light = ndimage.gaussian_filter(light, rng.uniform(0.5, 1.6))
    coarse = resample(light, (max(shape[0] // 8, 2), max(shape[1] // 8, 2)))  # blurred small, then enlarged
    haze = resample(ndimage.gaussian_filter(coarse, 0.06 * max(coarse.shape)), shape) * rng.uniform(0, 0.4)
    ground = rng.uniform(0.0, 0.12) + 0.02 * fractal(rng, shape, cell=0.4 * max(shape), octaves=4)
    gain = rng.uniform(0.15, 0.8)
    grey = np.clip(ground + gain * (light + haze), 0, 1)
    if rng.random() < 0.05:
        grey = 1 - grey
    tint = np.ones(3, dtype=np.float32)
    if rng.random() < 0.12:  # a coloured channel, as DAPI is often shown
        tint = np.array([[0.15, 0.25, 1], [0.1, 1, 0.2], [1, 0.15, 0.15]], dtype=np.float32)[
            int(rng.integers(3))
        ]
    return np.asarray(grey[..., None] * tint, dtype=np.float32)


def _brightfield(rng: Rng, labels: NDArray[np.int32]) -> NDArray[np.float32]:
    shape = (labels.shape[0], labels.shape[1])
    ground = rng.uniform(0.55, 0.92) + 0.03 * fractal(rng, shape, cell=0.5 * max(shape), octaves=4)
    ink = _per_nucleus(rng, labels, 0.25) * (1 + 0.15 * fractal(rng, shape, cell=8, octaves=3))
    ink = ndimage.gaussian_filter(ink, rng.uniform(0.6, 1.4))
    halo = np.clip(_soft(labels, 3.0) - _soft(labels, 0.8), 0, 1) * rng.uniform(0, 0.25)
    light = (ground + halo) * (1 - rng.uniform(0.25, 0.6) * np.clip(ink, 0, 1.4))
    body = ndimage.gaussian_filter(_soft(labels, 5.0), 4.0) * rng.uniform(
        0, 0.2
    )  # the cells around the nuclei
    tint = np.array([1.0, 1.0, 1.0], dtype=np.float32)
    if rng.random() < 0.5:
        tint = np.clip(np.array([0.95, 0.85, 0.95]) + rng.normal(0, 0.06, 3), 0.5, 1).astype(np.float32)
    return np.asarray(np.clip(light - body, 0, 1)[..., None] * tint, dtype=np.float32)


def _marked_tissue(rng: Rng, labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Nuclei in pale blue, and in brown what an antibody has bound to: bodies of cells, or some nuclei."""
    shape = (labels.shape[0], labels.shape[1])
    white, blue, brown = (
        np.array(colour, dtype=np.float32) + rng.normal(0, 0.05, 3).astype(np.float32)
        for colour in ((0.93, 0.92, 0.93), (0.45, 0.5, 0.66), (0.45, 0.28, 0.15))
    )
    stroma = fractal(rng, shape, cell=rng.uniform(10, 60), octaves=5, gain=0.7)
    share = np.clip(rng.uniform(0.0, 0.4) + 0.3 * stroma, 0, 0.8)[..., None]
    picture = white + (blue - white) * share
    chromatin = 1 + fractal(rng, shape, cell=rng.uniform(3, 10), octaves=3, gain=0.8) * rng.uniform(0.05, 0.3)
    depth = np.clip(_per_nucleus(rng, labels, 0.25) * chromatin * rng.uniform(0.5, 1.0), 0, 1.1)
    bound = np.zeros(int(labels.max()) + 1, dtype=bool)
    if rng.random() < 0.65:
        picture += (brown - picture) * _bodies(rng, labels)[..., None]
    else:
        bound[1:] = rng.random(len(bound) - 1) < rng.uniform(0, 1)
    sharpness = rng.uniform(0.5, 1.3)
    for stain, chosen in ((blue, ~bound[labels]), (brown, bound[labels])):
        ink = ndimage.gaussian_filter(np.where(chosen, depth, np.float32(0)), sharpness)[..., None]
        picture += (stain - picture) * np.clip(ink, 0, 1)
    return np.asarray(np.clip(picture, 0, 1), dtype=np.float32)


def _bodies(rng: Rng, labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """How much stain the bodies of the cells took up around their nuclei, 0..1: in places, and grainy."""
    shape = (labels.shape[0], labels.shape[1])
    regions = np.clip(rng.uniform(0.3, 1.2) + 1.5 * fractal(rng, shape, cell=rng.uniform(40, 200)), 0, 1)
    grain = 1 + rng.uniform(0.1, 0.5) * fractal(rng, shape, cell=rng.uniform(3, 12), octaves=4, gain=0.8)
    away = ndimage.distance_transform_edt(labels == 0)
    body = np.clip(np.exp(-((away / rng.uniform(4, 16)) ** 2)) * regions * grain, 0, 1)
    free = 1 - rng.uniform(0.4, 1) * _soft(labels, 0.8)
    return np.asarray(rng.uniform(0.5, 1.0) * body * free, dtype=np.float32)


def _tissue(rng: Rng, labels: NDArray[np.int32]) -> NDArray[np.float32]:
    shape = (labels.shape[0], labels.shape[1])
    white = np.array([0.97, 0.95, 0.97], dtype=np.float32)
    eosin = np.array([0.92, 0.62, 0.76], dtype=np.float32) + rng.normal(0, 0.07, 3).astype(np.float32)
    haematoxylin = np.array([0.42, 0.26, 0.58], dtype=np.float32) + rng.normal(0, 0.08, 3).astype(np.float32)
    stroma = fractal(
        rng, shape, cell=rng.uniform(20, 90), octaves=5, gain=0.65, stretch=(1, rng.uniform(1, 3))
    )
    share = np.clip(rng.uniform(0.25, 0.95) + 0.3 * stroma, 0, 1)[..., None]
    picture = white + (eosin - white) * share
    chromatin = 1 + fractal(rng, shape, cell=rng.uniform(4, 12), octaves=3, gain=0.8) * rng.uniform(
        0.05, 0.25
    )
    depth = np.clip(_per_nucleus(rng, labels, 0.22) * chromatin * rng.uniform(0.6, 1.0), 0, 1.2)
    depth = ndimage.gaussian_filter(depth, rng.uniform(0.5, 1.3))[..., None]
    picture = picture + (haematoxylin - picture) * np.clip(depth, 0, 1)
    return np.asarray(np.clip(picture, 0, 1), dtype=np.float32)


def _cut_out(image: NDArray[np.uint8], labels: NDArray[np.int32]) -> tuple[Sprite, ...]:
    sprites = []
    for k, window in enumerate(ndimage.find_objects(labels), start=1):
        alpha = np.where(labels[window] == k, 255, 0).astype(np.uint8)
        rgba = np.concatenate([image[window], alpha[..., None]], axis=-1)
        sprites.append(Sprite(rgba, "cell nucleus", measured(rgba)))
    return tuple(sprites)
