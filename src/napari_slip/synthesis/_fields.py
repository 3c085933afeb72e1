"""Smooth random fields and patterns, the raw material of textures and backgrounds."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

PATTERNS = ("striped", "dotted", "checkered")


@lru_cache(maxsize=512)
def _weights(n_out: int, n_in: int) -> Field:
    """Matrix (n_out, n_in) that resamples a line: area average when shrinking, linear when growing."""
    if n_out < n_in:
        edges = np.linspace(0, n_in, n_out + 1)
        cells = np.arange(n_in)
        low = np.maximum(edges[:-1, None], cells[None])
        high = np.minimum(edges[1:, None], cells[None] + 1)
        weights = np.clip(high - low, 0, None)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
    centres = np.clip((np.arange(n_out) + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
    weights = np.clip(1 - np.abs(centres[:, None] - np.arange(n_in)[None]), 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def resample(values: NDArray[Any], shape: tuple[int, int]) -> Field:
    """Resize a field (H, W) or (H, W, C) to `shape` as two matrix products."""
    values = np.asarray(values, dtype=np.float32)
    rows, columns = _weights(shape[0], values.shape[0]), _weights(shape[1], values.shape[1])
    if values.ndim == 2:
        return np.asarray(rows @ values @ columns.T, dtype=np.float32)
    planes = [rows @ values[..., k] @ columns.T for k in range(values.shape[2])]
    return np.stack(planes, axis=-1).astype(np.float32, copy=False)


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    cell: float = 64.0,
    octaves: int = 4,
    gain: float = 0.55,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Field:
    """Sum of smooth noises of halving grain.

    Parameters
    ----------
    rng
        Source of the randomness.
    shape
        Rows and columns in pixels.
    cell
        Grain of the coarsest octave in pixels.
    octaves
        Number of noises summed.
    gain
        Amplitude of each octave relative to the one before.
    stretch
        Factors on the grain along rows and columns; unequal ones make fibres.

    Returns
    -------
    ndarray, (H, W) float32
        Mean 0 and standard deviation 1 (about).
    """
    total = np.zeros(shape, dtype=np.float32)
    amplitude, power = 1.0, 0.0
    for octave in range(octaves):
        grain = cell / 2**octave
        size = tuple(
            int(np.clip(np.ceil(n / max(grain * s, 1.0)) + 1, 2, n))
            for n, s in zip(shape, stretch, strict=True)
        )
        noise = rng.standard_normal(size, dtype=np.float32)
        total += np.float32(amplitude) * (noise if size == tuple(shape) else resample(noise, shape))
        power += amplitude**2 * 0.45
        amplitude *= gain
    return total / np.float32(np.sqrt(power))


def pattern(kind: str, x: NDArray[Any], y: NDArray[Any], period: float, phase: float = 0.0) -> Field:
    """Share of the second colour, in 0..1, of a regular pattern at the points (x, y).

    Raises
    ------
    ValueError
        If `kind` is none of `PATTERNS`.
    """
    if kind == "striped":
        wave = np.sin(2 * np.pi * (x / period + phase))
    elif kind == "checkered":
        wave = np.sin(2 * np.pi * (x / period + phase)) * np.sin(2 * np.pi * (y / period + phase)) * 2
    elif kind == "dotted":
        # Rows are offset by half a period, the densest packing of dots.
        row = np.floor(y / period + phase)
        fx = (x / period + 0.5 * (row % 2)) % 1 - 0.5
        fy = (y / period + phase) % 1 - 0.5
        wave = (0.33 - np.hypot(fx, fy)) * 8
    else:
        raise ValueError(f"No pattern named {kind!r}; there are {', '.join(PATTERNS)}.")
    return np.asarray(np.clip(wave * 4 + 0.5, 0, 1), dtype=np.float32)
