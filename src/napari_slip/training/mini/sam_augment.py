"""Random views of labelled pictures: where, how large, turned how, and under which light."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.training.mini.sam_data import Picture

FILL = (124, 116, 104)
"""What lies outside a picture: SAM's mean colour, which is what padding looks like after normalisation."""


def _place(
    picture: Picture, side: int, rng: np.random.Generator, sizes: tuple[float, float]
) -> tuple[NDArray[np.float64], float]:
    """Choose the centre (row, column) of a view, and its zoom."""
    height, width = picture.labels.shape
    present = np.unique(picture.labels[:: max(height // 128, 1), :: max(width // 128, 1)])
    present = present[present > 0]
    if len(present) == 0 or rng.random() < 0.04:
        centre = rng.random(2) * (height, width)
        zoom = float(np.exp(rng.uniform(*np.log(picture.zoom))))
    else:
        rows, columns = np.nonzero(picture.labels == rng.choice(present))
        target = np.exp(rng.uniform(*np.log(sizes)))
        zoom = float(np.clip(target / np.sqrt(len(rows)), *picture.zoom))
        centre = np.array([rows.mean(), columns.mean()]) + rng.uniform(-0.4, 0.4, 2) * side / zoom
    # Most views stay on the picture, as inference does; one in eight hangs over its edge.
    margin = side / zoom / 2 * (1.0 if rng.random() < 0.88 else 0.5)
    for axis, extent in enumerate((height, width)):
        centre[axis] = np.clip(centre[axis], margin, extent - margin) if 2 * margin < extent else extent / 2
    return centre, zoom


def random_view(
    picture: Picture, side: int, rng: np.random.Generator, sizes: tuple[float, float] = (11.0, 76.0)
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Cut a zoomed, turned and mirrored view out of a picture.

    The zoom is drawn so that a random object gets a size (square root of the area) that is log-uniform
    between `sizes`, within what the picture allows.

    Parameters
    ----------
    picture : Picture
        Where to cut.
    side : int
        Side of the view in model pixels.
    rng : numpy.random.Generator
        Source of every choice.
    sizes : tuple of two float
        Smallest and largest object size in model pixels.

    Returns
    -------
    image : uint8 array of shape (side, side, 3)
    labels : int32 array of shape (side, side)
    """
    centre, zoom = _place(picture, side, rng, sizes)
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else np.pi / 2 * rng.integers(4)
    stretch = np.exp(rng.uniform(-0.15, 0.15)) if rng.random() < 0.3 else 1.0
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.array([[cos * stretch, -sin], [sin * stretch, cos]])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    shift = centre[::-1] - matrix @ (side / 2, side / 2)
    data = (matrix[0, 0], matrix[0, 1], shift[0], matrix[1, 0], matrix[1, 1], shift[1])
    source = Image.fromarray(picture.image)
    if zoom < 0.75:
        source = source.filter(ImageFilter.GaussianBlur(0.45 / zoom))
    image = source.transform(
        (side, side), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=FILL
    )
    labels = Image.fromarray(picture.labels.astype(np.int32)).transform(
        (side, side), Image.Transform.AFFINE, data, Image.Resampling.NEAREST
    )
    return np.asarray(image), np.asarray(labels)


def _light(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Multiply or add a smooth field."""
    coarse = rng.uniform(-1, 1, (4, 4)).astype(np.float32)
    side = x.shape[0]
    field = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))[..., None]
    strength = rng.uniform(0.05, 0.35)
    lit = x * (1 + strength * field) if rng.random() < 0.6 else x + 0.5 * strength * field
    return lit.astype(np.float32)


def _colour(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change the colours: permute, mix, drop to grey, or tint a grey picture with two dyes."""
    grey = float(np.abs(x[..., 0] - x[..., 1]).max()) < 1e-3
    if grey:
        if rng.random() < 0.3:
            dark, bright = rng.random(3) * rng.choice([0.0, 0.5, 1.0]), rng.random(3)
            x = dark + x[..., :1] * (bright - dark)
        return x.astype(np.float32)
    choice = rng.random()
    if choice < 0.2:
        x = x[..., rng.permutation(3)]
    elif choice < 0.35:
        weights = rng.dirichlet((2.0, 2.0, 2.0)).astype(np.float32)
        x = np.repeat((x @ weights)[..., None], 3, axis=2)
    elif choice < 0.7:
        mixing = np.eye(3) + rng.normal(0, 0.15, (3, 3))
        x = x @ (mixing / mixing.sum(axis=1, keepdims=True)).T
    return x.astype(np.float32)


def random_light(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change colours, contrast, light, sharpness and noise of a view.

    Parameters
    ----------
    image : uint8 array of shape (H, H, 3)
        The view.
    rng : numpy.random.Generator
        Source of every choice.

    Returns
    -------
    uint8 array of the same shape
    """
    picture = Image.fromarray(image)
    if rng.random() < 0.12:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.6)))
    x = _colour(np.asarray(picture).astype(np.float32) / np.float32(255), rng)
    if rng.random() < 0.35:
        x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.uniform(-0.7, 0.7)))
    if rng.random() < 0.15:
        x = 1 - x
    if rng.random() < 0.35:
        gain = np.exp(rng.uniform(-0.9, 0.35))
        x = (x - 0.5) * gain + 0.5 + rng.uniform(-0.5, 0.5) * max(1 - gain, 0.2)
    if rng.random() < 0.15:
        x = _light(x, rng)
    if rng.random() < 0.25:
        noise = rng.standard_normal((*x.shape[:2], 1 if rng.random() < 0.5 else 3), dtype=np.float32)
        x = x + noise * np.float32(rng.uniform(0.01, 0.07))
    out = np.clip(x * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        buffer = io.BytesIO()
        Image.fromarray(out).save(buffer, "JPEG", quality=int(rng.integers(30, 90)))
        out = np.asarray(Image.open(buffer))
    return out
