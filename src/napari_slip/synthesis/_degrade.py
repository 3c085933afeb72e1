"""What cameras and files do to pictures: light, blur, noise, compression, inversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft, ndimage

from napari_slip.synthesis._fields import fractal

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rng = np.random.Generator


def degrade(
    image: NDArray[np.uint8], rng: np.random.Generator, *, strength: float = 1.0, invert: float = 0.0
) -> NDArray[np.uint8]:
    """Spoil a picture at random as real ones are spoilt.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    rng
        Source of all variation.
    strength
        Scales how often and how much each fault is applied; 0 returns a copy.
    invert
        Probability of inverted contrast (it also inverts colours, so colour words no longer fit).

    Returns
    -------
    ndarray, (H, W, 3) uint8
    """
    picture: NDArray[Any] = (image / np.float32(255)).astype(np.float32)
    if rng.random() < invert:
        picture = np.float32(1) - picture
    if rng.random() < 0.4 * strength:
        picture = _uneven_light(picture, rng, strength)
    if rng.random() < 0.35 * strength:
        sigma = rng.uniform(0.4, 1.4) * strength
        picture = ndimage.gaussian_filter(picture, (sigma, sigma, 0), truncate=2.5)
    if rng.random() < 0.3 * strength:
        picture = picture ** np.float32(np.exp(rng.normal(0, 0.25 * strength)))
    if rng.random() < 0.5 * strength:
        picture = _noise(picture, rng, strength)
    picture = np.clip(picture, 0, 1)
    if rng.random() < 0.25 * strength:
        picture = _blocks(picture, rng.uniform(0.006, 0.035) * strength)
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), dtype=np.uint8)


def _uneven_light(picture: NDArray[Any], rng: Rng, strength: float) -> NDArray[Any]:
    height, width = picture.shape[:2]
    field = fractal(rng, (height, width), cell=max(height, width), octaves=2) * rng.uniform(0.05, 0.25)
    lit: NDArray[Any] = picture * np.clip(1 + np.float32(strength) * field, 0.35, 1.5)[..., None]
    return lit


def _noise(picture: NDArray[Any], rng: Rng, strength: float) -> NDArray[Any]:
    """Shot noise (grows with the light) or additive noise, the same in all channels or one by one."""
    channels = 1 if rng.random() < 0.5 else picture.shape[2]
    noise = rng.standard_normal((*picture.shape[:2], channels), dtype=np.float32)
    amount = np.float32(rng.uniform(0.01, 0.07) * strength)
    scale = np.sqrt(np.maximum(picture, 0.02)) if rng.random() < 0.6 else np.float32(0.6)
    return np.asarray(picture + noise * amount * scale, dtype=np.float32)


def _blocks(picture: NDArray[Any], step: float) -> NDArray[Any]:
    """Quantise the cosine transform of 8 x 8 blocks, coarser for fine detail, as JPEG does."""
    height, width = (n - n % 8 for n in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // 8, 8, width // 8, 8, -1)
    spectrum = fft.dctn(blocks, axes=(1, 3), norm="ortho", workers=1)
    frequency = np.arange(8)
    steps = np.float32(step * 8) * (0.3 + 0.25 * (frequency[:, None] + frequency[None])).astype(np.float32)
    steps = steps[None, :, None, :, None]
    result = picture.copy()
    rounded = np.round(spectrum / steps) * steps
    result[:height, :width] = fft.idctn(rounded, axes=(1, 3), norm="ortho").reshape(height, width, -1)
    return result
