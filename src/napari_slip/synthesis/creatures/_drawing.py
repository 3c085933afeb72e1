"""How a creature looks: parts put together on a canvas, from the back to the front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.synthesis._canvas import Canvas, Points, band, curve, ellipse, polar, shaded
from napari_slip.synthesis._colours import shade
from napari_slip.synthesis._fields import PATTERNS, pattern
from napari_slip.synthesis._sprites import Sprite, to_rgba

if TYPE_CHECKING:
    from napari_slip.synthesis.creatures._grammar import Species

Rng = np.random.Generator
Colour = Any

_SIZES = {
    "ball": (0.5, 0.5),
    "egg": (0.42, 0.54),
    "loaf": (0.66, 0.4),
    "block": (0.48, 0.46),
    "pear": (0.48, 0.56),
    "column": (0.32, 0.64),
}


def draw_creature(species: Species, rng: np.random.Generator, size: float = 160) -> Sprite:
    """Draw a creature in a random pose, seen from a random side, in a random light.

    Parameters
    ----------
    species
        What kind.
    rng
        Source of all variation: same state, same pixels.
    size
        Side of the drawing board in pixels; the sprite's longest side is at most this.

    Returns
    -------
    Sprite
        Cropped to its alpha, with the name of its kind.
    """
    canvas = Canvas(size, angle=rng.normal(0, 0.22), aspect=rng.uniform(0.85, 1.08), flip=rng.random() < 0.5)
    paint = {role: shade(getattr(species, role), rng) for role in ("coat", "second", "third")}
    width, height = np.array(_SIZES[species.body]) * rng.uniform(0.94, 1.06, 2)
    body = _body(species.body, width, height)
    _tail(canvas, rng, species.tail, width, height, paint["third"])
    if species.arms == "wings":
        _wings(canvas, rng, width, paint["third"])
    _legs(canvas, rng, species, width, height, paint)
    canvas.fill(body, _coat(canvas, rng, species.marking, paint["coat"], paint["second"]))
    if species.marking == "belly":
        canvas.inlay(ellipse(0, height * 0.35, width * 0.62, height * 0.55), paint["second"])
    if species.arms in ("arms", "fins"):
        _arms(canvas, rng, species.arms, width, paint["third"] if species.arms == "fins" else paint["coat"])
    _crown(canvas, rng, species.crown, width, height, paint["third"])
    _face(canvas, rng, species.eyes, width, height)
    rgb, alpha = canvas.pixels()
    return Sprite(to_rgba(shaded(rgb, alpha, rng), alpha), species.name)


def _body(kind: str, width: float, height: float) -> Points:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x, y = np.cos(t), np.sin(t)
    if kind == "block":
        x, y = np.sign(x) * np.abs(x) ** 0.45, np.sign(y) * np.abs(y) ** 0.45
    elif kind == "loaf":
        y = np.where(y > 0, np.sign(y) * np.abs(y) ** 0.6, y)
    elif kind == "pear":
        x = x * (0.72 + 0.28 * y)
    elif kind == "egg":
        x = x * (0.9 + 0.12 * y)
    elif kind == "column":
        x = np.sign(x) * np.abs(x) ** 0.7
    return np.stack([x * width, y * height], axis=1)


def _tail(c: Canvas, rng: Rng, kind: str, width: float, height: float, colour: Colour) -> None:
    if kind == "none":
        return
    lift = rng.uniform(-0.35, 0.25)
    path = curve((width * 0.6, height * 0.5), (width + 0.25, height * 0.6), (0.9, lift))
    if kind == "bushy":
        c.fill(band(path, np.linspace(0.08, 0.38, len(path))), colour)
        c.fill(ellipse(0.86, lift, 0.2), colour)
    else:
        c.fill(band(path, np.linspace(0.14, 0.05, len(path))), colour)
    if kind == "barbed":
        tip = np.array([[0.78, lift + 0.06], [0.98, lift + 0.04], [0.84, lift - 0.2]])
        c.fill(tip, colour)


def _wings(c: Canvas, rng: Rng, width: float, colour: Colour) -> None:
    spread, lift = rng.uniform(0.85, 0.97), rng.uniform(-0.6, -0.3)
    for side in (-1, 1):
        wing = np.array(
            [
                [width * 0.5 * side, -0.2],
                [spread * side, lift],
                [spread * 0.9 * side, lift + 0.3],
                [spread * 0.78 * side, lift + 0.28],
                [spread * 0.7 * side, lift + 0.52],
                [width * 0.6 * side, 0.2],
            ]
        )
        c.fill(wing, colour)


def _legs(
    c: Canvas, rng: Rng, species: Species, width: float, height: float, paint: dict[str, Colour]
) -> None:
    kind = species.limbs
    if kind == "no legs":
        return
    n = {"two legs": 2, "four legs": 4, "tentacles": 5}[kind]
    colour = paint["second"] if species.marking == "socks" else paint["third"]
    for x in np.linspace(-0.72, 0.72, n) * width:
        step = rng.uniform(-0.1, 0.1)
        low = min(height + 0.3, 0.96)
        if kind == "tentacles":
            path = curve((x, height * 0.5), (x * 1.4 + step, height), (x * 1.2 - 2 * step, low))
            c.fill(band(path, np.linspace(0.16, 0.05, len(path))), colour)
        else:
            path = curve((x, height * 0.6), (x + step, low), n=6)
            c.fill(band(path, 0.16 if n == 4 else 0.2), colour)
            c.fill(ellipse(x + step - 0.04, low, 0.14, 0.07, n=20), colour)


def _coat(c: Canvas, rng: Rng, marking: str, coat: Colour, second: Colour) -> Colour:
    if marking not in PATTERNS:
        return coat
    x, y = c.axes
    turn = 0.6 if marking == "checkered" else 0.0
    u, v = y * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - y * np.sin(turn)
    period = rng.uniform(0.26, 0.32) * (1.4 if marking == "checkered" else 1)
    share = pattern(marking, u, v, period, rng.random())[..., None]
    return coat * (1 - share) + second * share


def _arms(c: Canvas, rng: Rng, kind: str, width: float, colour: Colour) -> None:
    for side in (-1, 1):
        lift = rng.uniform(-0.25, 0.35)
        start, end = (width * 0.85 * side, 0.0), ((width + 0.3) * side, lift)
        if kind == "arms":
            c.fill(band(curve(start, (width * side + 0.2 * side, 0.2), end), 0.12), colour * 0.9)
            c.fill(ellipse(*end, 0.1, n=20), colour * 0.9)
        else:
            fin = np.array([[start[0], -0.12], [end[0], lift - 0.1], [end[0] - 0.08 * side, lift + 0.18]])
            c.fill(np.vstack([fin, [start[0], 0.2]]), colour)


def _crown(c: Canvas, rng: Rng, kind: str, width: float, height: float, colour: Colour) -> None:
    top, lean = -height * 0.85, rng.uniform(-0.06, 0.06)
    if kind == "crest":
        for k, x in enumerate((np.linspace(-0.5, 0.5, 5) * width).tolist()):
            tip = max(top - (0.3 if k % 2 == 0 else 0.2), -0.98)
            c.fill(np.array([[x - 0.1, top + 0.08], [x + 0.1, top + 0.08], [x + lean * 2, tip]]), colour)
    elif kind == "one horn":
        tip = max(top - 0.38, -0.98)
        c.fill(np.array([[-0.1, top + 0.05], [0.1, top + 0.05], [lean, tip]]), colour)
    elif kind != "bald":
        for side in (-1, 1):
            x = width * 0.55 * side
            if kind == "pointed ears":
                point = [x * 1.35 + lean, max(top - 0.32, -0.98)]
                c.fill(np.array([[x - 0.16, top + 0.16], [x + 0.16, top + 0.16], point]), colour)
            elif kind == "round ears":
                c.fill(ellipse(x * 1.15, top - 0.04, 0.18, n=28), colour)
            elif kind == "horns":
                path = curve((x, top + 0.1), (x * 2.0, top), (x * 1.5 + lean, max(top - 0.32, -0.98)))
                c.fill(band(path, np.linspace(0.16, 0.03, len(path))), colour)
            else:
                path = curve((x * 0.5, top + 0.1), (x * 0.7, top - 0.2), (x * 1.3, max(top - 0.3, -0.9)))
                c.fill(band(path, 0.05), colour)
                c.fill(ellipse(x * 1.3, max(top - 0.3, -0.9), 0.08, n=16), colour)


def _face(c: Canvas, rng: Rng, eyes: int, width: float, height: float) -> None:
    white, black = np.full(3, 0.97, np.float32), np.full(3, 0.05, np.float32)
    y, look = -height * 0.3, rng.uniform(-0.04, 0.04, 2)
    radius = {1: 0.19, 2: 0.13, 3: 0.1}[eyes]
    gap = min(2.4 * radius, width * 0.75)
    for x in (np.arange(eyes) - (eyes - 1) / 2) * gap:
        c.fill(ellipse(x, y, radius, n=24), black)
        c.fill(ellipse(x, y, radius * 0.86, n=24), white)
        c.fill(ellipse(x + look[0], y + look[1], radius * 0.45, n=16), black)
    smile = polar(np.full(12, 0.1))
    smile = smile[smile[:, 1] >= -1e-6] * np.array([1.2, rng.uniform(0.3, 0.9)])
    c.fill(smile + np.array([0, height * 0.02]), black)
