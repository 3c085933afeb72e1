"""What things are painted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.synthesis._colours import Colour, other, shade
from napari_slip.synthesis._fields import pattern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.synthesis._canvas import Canvas


@dataclass(frozen=True)
class Ink:
    """Colours of one figure: its textured body and relatives of the base colour."""

    name: str
    base: Colour
    body: NDArray[Any]
    dark: Colour
    light: Colour
    accent: Colour


def mix(rng: np.random.Generator, canvas: Canvas, colour: str, texture: str) -> Ink:
    """Prepare the paint of a figure of a named colour and texture."""
    base = shade(colour, rng)
    dark = np.clip(base * rng.uniform(0.35, 0.65), 0, 1).astype(np.float32)
    light = np.clip(base + (1 - base) * rng.uniform(0.35, 0.65), 0, 1).astype(np.float32)
    if base.max() < 0.2:  # on black the "dark" relative must be seen: lines are drawn lighter
        dark = np.clip(base + 0.2, 0, 1).astype(np.float32)
    accent = shade(other(colour, rng), rng)
    body: NDArray[Any] = base
    if texture != "plain":
        second = accent if rng.random() < 0.35 else (light if base.mean() < 0.5 else dark)
        if np.abs(second - base).max() < 0.3:
            second = shade("white" if base.mean() < 0.5 else "black", rng)
        x, y = canvas.axes
        angle, period = rng.uniform(0, np.pi), rng.uniform(0.25, 0.5)
        if texture == "checkered":
            period *= 1.5
        u = x * np.cos(angle) + y * np.sin(angle)
        v = y * np.cos(angle) - x * np.sin(angle)
        share = pattern(texture, u, v, period, rng.random())[..., None]
        if texture == "striped" and rng.random() < 0.5:
            share = np.where(share > 0, share, 0)
        body = base * (1 - share) + second * share
    return Ink(colour, base, body, dark, light, accent)
