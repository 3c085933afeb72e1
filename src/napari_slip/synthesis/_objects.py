"""How everyday things are drawn; every function fills one canvas within the unit disc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.synthesis._canvas import Canvas, band, curve, ellipse, ngon, polar
from napari_slip.synthesis._colours import shade

if TYPE_CHECKING:
    from napari_slip.synthesis._ink import Ink

Rng = np.random.Generator


def crystal(c: Canvas, rng: Rng, ink: Ink) -> None:
    w, top, low = rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6)
    corners = np.array([[0, -1], [w, -top], [w * 0.9, low], [0, 1], [-w * 0.9, low], [-w, -top]])
    c.fill(corners, ink.body)
    inner = rng.uniform(-0.3, 0.3) * w
    for k, tone in enumerate((ink.light, ink.base, ink.dark, ink.dark, ink.base, ink.light)):
        face = np.array([corners[k], corners[(k + 1) % 6], [inner, low * 0.6], [inner, -top * 0.6]])
        c.inlay(face, tone, 0.65)


def key(c: Canvas, rng: Rng, ink: Ink) -> None:
    r, w = rng.uniform(0.3, 0.38), rng.uniform(0.07, 0.1)
    c.fill(np.array([[-0.4, -w], [0.95, -w], [0.95, w], [-0.4, w]]), ink.body)
    for x, length in (
        (0.85, rng.uniform(0.25, 0.4)),
        (0.62, rng.uniform(0.2, 0.32)),
        (0.4, rng.uniform(0.0, 0.25)),
    ):
        c.fill(np.array([[x - 0.08, 0], [x + 0.08, 0], [x + 0.08, length], [x - 0.08, length]]), ink.body)
    c.fill(ellipse(-0.6, 0, r) if rng.random() < 0.6 else ngon(6, r) + np.array([-0.6, 0]), ink.body)
    c.erase(ellipse(-0.6, 0, r * rng.uniform(0.4, 0.6), n=24))


def cup(c: Canvas, rng: Rng, ink: Ink, drink: bool = False) -> None:
    if rng.random() < 0.5:
        _cup_from_above(c, rng, ink, drink)
    else:
        _cup_from_the_side(c, rng, ink, drink)


def cup_of_coffee(c: Canvas, rng: Rng, ink: Ink) -> None:
    cup(c, rng, ink, drink=True)


def _coffee(rng: Rng) -> np.ndarray:
    return np.array([0.36, 0.2, 0.09], dtype=np.float32) * np.float32(rng.uniform(0.4, 1.3))


def _cup_from_above(c: Canvas, rng: Rng, ink: Ink, drink: bool) -> None:
    if drink and rng.random() < 0.6:  # on its saucer
        plate = shade("white", rng) if rng.random() < 0.5 else ink.light
        c.fill(ellipse(), plate)
        c.inlay(ellipse(rx=0.72), plate * 0.86)
        c.inlay(ellipse(rx=0.7), plate * 0.95)
        grow = 0.62
    else:
        grow = 0.76
    handle = rng.uniform(-0.4, 0.4)
    tip = grow * 1.3
    c.fill(band(np.array([[0, 0], [tip * np.cos(handle), tip * np.sin(handle)]]), 0.2), ink.dark)
    c.fill(ellipse(rx=grow), ink.body)
    c.inlay(ellipse(rx=grow * 0.86), ink.dark if not drink else ink.light)
    if drink:
        coffee = _coffee(rng)
        c.inlay(ellipse(rx=grow * 0.8), coffee)
        if rng.random() < 0.5:
            c.inlay(
                ellipse(rng.uniform(-0.1, 0.1), 0, grow * rng.uniform(0.2, 0.55)),
                coffee + (1 - coffee) * 0.45,
            )
    else:
        c.inlay(ellipse(0.03, 0.03, grow * 0.6), ink.dark * 0.8)


def _cup_from_the_side(c: Canvas, rng: Rng, ink: Ink, drink: bool) -> None:
    taper, rim = rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.2)
    if drink:
        plate = shade("white", rng) if rng.random() < 0.5 else ink.light
        c.fill(ellipse(-0.1, 0.72, 0.85, 0.16, n=32), plate)
    c.fill(ellipse(0.55, 0.05, 0.32, 0.36, n=32), ink.base)
    c.erase(ellipse(0.58, 0.05, 0.17, 0.21, n=24))
    w = 0.62
    sides = np.array(
        [[-0.12 - w, -0.5], [-0.12 + w, -0.5], [-0.12 + w * taper, 0.68], [-0.12 - w * taper, 0.68]]
    )
    c.fill(sides, ink.body)
    c.fill(ellipse(-0.12, 0.68, w * taper, 0.1, n=32), ink.body)
    c.fill(ellipse(-0.12, -0.5, w, rim, n=40), ink.light)
    c.inlay(ellipse(-0.12, -0.48, w * 0.88, rim * 0.78, n=40), _coffee(rng) if drink else ink.dark)


def saucer(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ellipse(), ink.body)
    for r, tone in ((0.68, ink.dark), (0.64, ink.base), (0.34, ink.dark), (0.31, ink.light)):
        c.inlay(ellipse(rx=r * rng.uniform(0.96, 1.04)), tone, 0.75)


def spoon(c: Canvas, rng: Rng, ink: Ink) -> None:
    w = rng.uniform(0.07, 0.11)
    c.fill(band(curve((-0.97, 0), (0.4, 0), n=8), np.linspace(w * 1.7, w, 8)), ink.body)
    c.fill(ellipse(0.62, 0, 0.36, rng.uniform(0.2, 0.26), n=32), ink.body)
    c.inlay(ellipse(0.64, 0.01, 0.27, 0.15, n=24), ink.dark, 0.6)


def fork(c: Canvas, rng: Rng, ink: Ink) -> None:
    w = rng.uniform(0.07, 0.11)
    c.fill(band(curve((-0.97, 0), (0.4, 0), n=8), np.linspace(w * 1.7, w, 8)), ink.body)
    c.fill(ellipse(0.42, 0, 0.2, 0.24, n=24), ink.body)
    for y in np.linspace(-0.19, 0.19, int(rng.integers(3, 5))):
        c.fill(band(curve((0.42, y), (0.97, y), n=3), np.array([0.1, 0.09, 0.05])), ink.body)


def button(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ellipse(), ink.body)
    c.inlay(ellipse(rx=0.8), ink.dark, 0.5)
    c.inlay(ellipse(rx=0.74), ink.base, 0.9)
    holes = ngon(int(rng.choice([2, 4])), rng.uniform(0.22, 0.3), np.pi / 4)
    for x, y in holes:
        c.erase(ellipse(x, y, rng.uniform(0.1, 0.13), n=16))


def vase(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, 1, 40)
    belly, neck = rng.uniform(0.38, 0.55), rng.uniform(0.14, 0.24)
    half = (
        neck + (belly - neck) * np.exp(-(((t - rng.uniform(0.5, 0.65)) / 0.24) ** 2)) + 0.14 * np.exp(-t * 14)
    )
    c.fill(band(np.stack([np.zeros(40), -0.95 + 1.85 * t], axis=1), 2 * half), ink.body)
    c.fill(ellipse(0, -0.93, half[0], 0.07, n=24), ink.dark)


def bottle(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, 1, 40)
    body, shoulder = rng.uniform(0.26, 0.36), rng.uniform(0.34, 0.45)
    half = 0.11 + (body - 0.11) / (1 + np.exp(-(t - shoulder) * 30))
    c.fill(band(np.stack([np.zeros(40), -0.85 + 1.8 * t], axis=1), 2 * half), ink.body)
    c.fill(np.array([[-0.13, -0.98], [0.13, -0.98], [0.13, -0.8], [-0.13, -0.8]]), ink.accent)
    c.inlay(
        np.array([[-1, 0.2], [1, 0.2], [1, 0.62], [-1, 0.62]]),
        ink.light if rng.random() < 0.5 else ink.accent,
    )


def pencil(c: Canvas, rng: Rng, ink: Ink) -> None:
    w = rng.uniform(0.09, 0.15)
    c.fill(np.array([[-0.95, -w], [0.6, -w], [0.6, w], [-0.95, w]]), ink.body)
    c.fill(np.array([[0.6, -w], [0.97, 0], [0.6, w]]), np.array([0.87, 0.72, 0.52], dtype=np.float32))
    c.fill(np.array([[0.86, -w * 0.3], [0.98, 0], [0.86, w * 0.3]]), shade("black", rng))
    c.inlay(np.array([[-0.95, -w], [-0.78, -w], [-0.78, w], [-0.95, w]]), shade("pink", rng))
    c.inlay(np.array([[-0.95, -w / 3], [0.6, -w / 3], [0.6, w / 3], [-0.95, w / 3]]), ink.light, 0.6)


def umbrella(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(band(curve((0, 0), (0, 0.9), n=2), 0.07), shade("black", rng))
    c.fill(band(curve((0, 0.78), (0.02, 1.0), (0.26, 0.98), (0.26, 0.75), n=10), 0.07), shade("black", rng))
    t = np.linspace(np.pi, 2 * np.pi, 32)
    low = np.stack(
        [np.linspace(0.95, -0.95, 33), -0.12 * np.abs(np.sin(np.linspace(0, 4 * np.pi, 33)))], axis=1
    )
    top = np.stack([0.95 * np.cos(t), 0.9 * np.sin(t)], axis=1)
    c.fill(np.concatenate([top, low]), ink.body)
    for x in (-0.45, 0, 0.45):
        c.inlay(band(curve((0, -0.92), (x * 1.1, -0.5), (x, 0), n=8), 0.035), ink.dark)


def light_bulb(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ellipse(0, -0.3, 0.64, n=40), ink.body)
    c.fill(np.array([[-0.45, 0.1], [0.45, 0.1], [0.26, 0.52], [-0.26, 0.52]]), ink.body)
    metal = shade("grey", rng)
    for y in (0.52, 0.66, 0.8):
        c.fill(np.array([[-0.27, y], [0.27, y], [0.24, y + 0.11], [-0.24, y + 0.11]]), metal)
        c.fill(np.array([[-0.2, y + 0.1], [0.2, y + 0.1], [0.2, y + 0.15], [-0.2, y + 0.15]]), metal * 0.6)
    c.inlay(band(np.array([[-0.2, 0.3], [-0.15, -0.3], [0, -0.1], [0.15, -0.3], [0.2, 0.3]]), 0.05), ink.dark)


def ladder(c: Canvas, rng: Rng, ink: Ink) -> None:
    w = rng.uniform(0.3, 0.38)
    for y in (-w, w):
        c.fill(band(curve((-0.92, y), (0.92, y), n=2), 0.11), ink.body)
    for x in np.linspace(-0.75, 0.75, int(rng.integers(5, 8))):
        c.fill(band(curve((x, -w), (x, w), n=2), 0.09), ink.body)


def house(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(np.array([[-0.62, -0.15], [0.62, -0.15], [0.62, 0.75], [-0.62, 0.75]]), ink.body)
    c.fill(np.array([[-0.85, -0.1], [0, -0.9], [0.85, -0.1]]), ink.accent)
    c.fill(np.array([[-0.14, 0.25], [0.14, 0.25], [0.14, 0.75], [-0.14, 0.75]]), ink.dark)
    for x in (-0.38, 0.38):
        pane = np.array([[-0.12, -0.12], [0.12, -0.12], [0.12, 0.12], [-0.12, 0.12]])
        c.fill(pane + np.array([x, 0.2]), ink.light)


def sun(c: Canvas, rng: Rng, ink: Ink) -> None:
    n = int(rng.integers(8, 14))
    for angle in np.arange(n) * 2 * np.pi / n:
        ray = np.array([[0.66, -0.1], [0.98, 0], [0.66, 0.1]])
        cos, sin = np.cos(angle), np.sin(angle)
        c.fill(ray @ np.array([[cos, sin], [-sin, cos]]), ink.body)
    c.fill(polar(np.full(40, 0.58)), ink.body)
