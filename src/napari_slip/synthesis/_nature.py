"""How plants and animals are drawn; every function fills one canvas within the unit disc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.synthesis._canvas import Canvas, band, blob, curve, ellipse, polar
from napari_slip.synthesis._colours import shade

if TYPE_CHECKING:
    from napari_slip.synthesis._ink import Ink

Rng = np.random.Generator


def leaf(c: Canvas, rng: Rng, ink: Ink) -> None:
    w, skew = rng.uniform(0.3, 0.55), rng.uniform(0.7, 1.4)
    t = np.linspace(0, 1, 28)
    half = w * np.sin(np.pi * t**skew) ** rng.uniform(0.8, 1.2) + 0.01
    x = -0.7 + 1.68 * t
    if rng.random() < 0.3:  # a toothed edge
        half = half * (1 + 0.12 * (np.arange(28) % 2))
    c.fill(band(curve((-1, 0), (-0.85, rng.uniform(-0.1, 0.1)), (-0.65, 0), n=8), 0.07), ink.dark)
    c.fill(band(np.stack([x, np.zeros(28)], axis=1), 2 * half), ink.body)
    vein = ink.light if rng.random() < 0.5 else ink.dark
    c.inlay(band(curve((-0.75, 0), (0.9, 0), n=4), np.linspace(0.06, 0.02, 4)), vein)
    for u in np.linspace(-0.5, 0.5, int(rng.integers(3, 6))):
        for side in (-1, 1):
            c.inlay(band(curve((u, 0), (u + 0.35, side * w), n=4), 0.03), vein)


def flower(c: Canvas, rng: Rng, ink: Ink) -> None:
    n, slim = int(rng.integers(5, 10)), rng.uniform(0.7, 1.1)
    for angle in np.arange(n) * 2 * np.pi / n:
        petal = ellipse(0.62 * np.cos(angle), 0.62 * np.sin(angle), 0.38, 0.6 * slim * np.pi / n, angle, 24)
        c.fill(petal, ink.body)
        c.inlay(band(np.outer([0.3, 0.85], [np.cos(angle), np.sin(angle)]), 0.03), ink.dark, 0.6)
    heart = shade("yellow", rng) if ink.name not in ("yellow", "orange") else shade("brown", rng)
    c.fill(ellipse(rx=rng.uniform(0.22, 0.32)), heart)


def mushroom(c: Canvas, rng: Rng, ink: Ink) -> None:
    w, low = rng.uniform(0.18, 0.3), rng.uniform(0.75, 0.95)
    stem = shade("white", rng) * rng.uniform(0.75, 1) * np.array([1, 0.95, 0.85], dtype=np.float32)
    c.fill(np.array([[-w, -0.1], [w, -0.1], [w * 1.25, low], [-w * 1.25, low]]) * 0.95, stem)
    t = np.linspace(np.pi, 2 * np.pi, 30)
    cap = np.stack([0.92 * np.cos(t), 0.05 + rng.uniform(0.75, 0.98) * np.sin(t)], axis=1)
    c.fill(np.concatenate([cap, curve((0.92, 0.05), (0, 0.3), (-0.92, 0.05), n=10)]), ink.body)
    if rng.random() < 0.5:
        for _ in range(7):
            r = rng.uniform(0.06, 0.13)
            x, y = rng.uniform(-0.6, 0.6), rng.uniform(-0.65, -0.1)
            if x**2 + (y / 0.8) ** 2 < 0.6:
                c.inlay(ellipse(x, y, r, n=16), ink.light if ink.base.mean() < 0.7 else ink.dark)


def fish(c: Canvas, rng: Rng, ink: Ink) -> None:
    h = rng.uniform(0.32, 0.55)
    tail = np.array([[-0.45, 0], [-0.95, -h * 0.75], [-0.8, 0], [-0.95, h * 0.75]])
    c.fill(tail, ink.light if rng.random() < 0.5 else ink.base)
    c.fill(np.array([[-0.2, -h * 0.6], [0.25, -h * 1.45], [0.4, -h * 0.5]]), ink.dark)
    c.fill(np.array([[-0.1, h * 0.6], [0.05, h * 1.35], [0.3, h * 0.5]]), ink.dark)
    upper, lower = (
        curve((-0.6, 0), (-0.1, -2 * h), (0.97, 0), n=20),
        curve((0.97, 0), (-0.1, 2 * h), (-0.6, 0), n=20),
    )
    c.fill(np.concatenate([upper, lower]), ink.body)
    c.inlay(band(curve((0.4, -h * 0.6), (0.25, 0), (0.4, h * 0.6), n=8), 0.04), ink.dark)
    c.inlay(ellipse(0.62, -h * 0.15, 0.1, n=20), shade("white", rng))
    c.inlay(ellipse(0.64, -h * 0.15, 0.055, n=16), shade("black", rng))


def butterfly(c: Canvas, rng: Rng, ink: Ink) -> None:
    up, low = rng.uniform(0.4, 0.52), rng.uniform(0.28, 0.38)
    for side in (-1, 1):
        c.fill(ellipse(side * 0.48, -0.33, up, 0.36, side * -0.6, 32), ink.body)
        c.fill(ellipse(side * 0.38, 0.38, low, 0.42, side * 0.5, 32), ink.body)
        c.inlay(ellipse(side * 0.55, -0.38, 0.16, n=20), ink.accent)
        c.inlay(ellipse(side * 0.4, 0.42, 0.12, n=20), ink.accent)
        c.fill(
            band(curve((0, -0.5), (side * 0.1, -0.85), (side * 0.3, -0.92), n=8), 0.045), shade("black", rng)
        )
    c.fill(ellipse(0, 0, 0.09, 0.62, n=24), shade("black", rng) if ink.name != "black" else ink.light)


def beetle(c: Canvas, rng: Rng, ink: Ink) -> None:
    limb = shade("black", rng) if ink.name != "black" else shade("brown", rng) * 0.7
    for side in (-1, 1):
        for y, bend in ((-0.3, -0.3), (0.1, 0.0), (0.45, 0.35)):
            leg = np.array([[side * 0.3, y], [side * 0.72, y + bend * 0.4], [side * 0.88, y + bend]])
            c.fill(band(leg, 0.08), limb)
        c.fill(band(curve((side * 0.1, -0.75), (side * 0.35, -0.98), n=3), 0.05), limb)
    c.fill(ellipse(0, -0.68, 0.24, 0.2, n=24), limb)
    c.fill(ellipse(0, -0.42, 0.36, 0.24, n=24), ink.dark)
    c.fill(ellipse(0, 0.22, rng.uniform(0.42, 0.55), 0.68, n=40), ink.body)
    c.inlay(band(curve((0, -0.4), (0, 0.9), n=2), 0.05), limb)


def shell(c: Canvas, rng: Rng, ink: Ink) -> None:
    n = int(rng.integers(6, 10))
    t = np.linspace(-np.pi * 0.86, -np.pi * 0.14, 60)
    edge = 0.9 + 0.06 * np.abs(np.sin(np.linspace(0, n * np.pi, 60)))
    fan = np.stack([1.05 * edge * np.cos(t), 0.6 + 1.45 * edge * np.sin(t)], axis=1)
    c.fill(np.concatenate([fan, [[0.2, 0.75], [-0.2, 0.75]]]), ink.body)
    for u in np.linspace(-np.pi * 0.82, -np.pi * 0.18, n):
        tip = (1.0 * np.cos(u), 0.6 + 1.38 * np.sin(u))
        c.inlay(band(curve((0, 0.65), tip, n=3), np.linspace(0.02, 0.07, 3)), ink.dark, 0.7)


def snail(c: Canvas, rng: Rng, ink: Ink) -> None:
    flesh = shade("brown", rng) * 1.3 if ink.name != "brown" else shade("grey", rng)
    c.fill(
        band(curve((-0.95, 0.68), (0.3, 0.72), (0.65, 0.6), (0.8, 0.1), n=20), np.linspace(0.1, 0.3, 20)),
        flesh,
    )
    for tip in (0.68, 0.95):
        c.fill(band(curve((0.8, 0.1), (tip, -0.25), n=3), 0.06), flesh)
    c.fill(ellipse(-0.1, 0.05, 0.62), ink.body)
    t = np.linspace(0.05, 1, 60)
    turn = 2.3 * 2 * np.pi * t
    path = np.stack([-0.1 + 0.55 * t * np.cos(turn), 0.05 + 0.55 * t * np.sin(turn)], axis=1)
    c.inlay(band(path, 0.08), ink.dark)


def starfish(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    radius = 0.32 + 0.66 * np.abs(np.cos(2.5 * t)) ** rng.uniform(1.6, 2.6)
    c.fill(polar(radius * rng.uniform(0.95, 1.02, 100)), ink.body)
    for angle in np.arange(5) * 2 * np.pi / 5:
        for r in (0.2, 0.4, 0.6, 0.78):
            c.inlay(ellipse(r * np.cos(angle), r * np.sin(angle), 0.05, n=10), ink.light)


def feather(c: Canvas, rng: Rng, ink: Ink) -> None:
    bend = rng.uniform(-0.3, 0.3)
    spine = curve((-0.98, -bend), (0, bend), (0.97, -bend), n=32)
    t = np.linspace(0, 1, 32)
    width = 0.62 * np.clip((t - 0.2) * 4, 0, 1) * (1 - t**4) + 0.03
    c.fill(band(spine, width), ink.body)
    for k in range(7, 30, 2):
        for side in (-1, 1):
            end = spine[k] + (0.14, side * 0.36)
            c.inlay(band(np.stack([spine[k], end]), 0.025), ink.dark, 0.6)
    c.fill(band(spine, 0.05), ink.light)


def egg(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    narrow = rng.uniform(0.12, 0.25)
    c.fill(np.stack([0.97 * np.cos(t), 0.72 * np.sin(t) * (1 - narrow * np.cos(t))], axis=1), ink.body)


def apple(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = (
        0.8
        - 0.16 * np.exp(-(((t - 1.5 * np.pi) / 0.4) ** 2))
        - 0.06 * np.exp(-(((t - np.pi / 2) / 0.3) ** 2))
    )
    xy = polar(radius)
    c.fill(np.stack([xy[:, 0] * 1.05, xy[:, 1] + 0.15], axis=1), ink.body)
    c.fill(band(curve((0, -0.45), (0.02, -0.7), (0.14, -0.95), n=8), 0.09), shade("brown", rng))
    if rng.random() < 0.7:
        c.fill(ellipse(0.36, -0.74, 0.26, 0.12, -0.4, 20), shade("green", rng))


def banana(c: Canvas, rng: Rng, ink: Ink) -> None:
    bend = rng.uniform(0.7, 1.3)
    t = np.linspace(0, 1, 28)
    path = curve((-0.92, -0.3), (0, -0.3 + bend), (0.92, -0.35), n=28)
    c.fill(band(path, 0.12 + rng.uniform(0.26, 0.36) * np.sin(np.pi * t) ** 0.6), ink.body)
    c.inlay(band(path[3:-3], 0.035), ink.dark, 0.6)
    c.fill(band(path[-4:], 0.12), shade("brown", rng) * 0.8)


def pear(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, 1, 30)
    y = -0.6 + 1.5 * t
    half = 0.22 + 0.4 / (1 + np.exp(-(t - 0.42) * 12))
    half = (
        half
        * np.sqrt(np.clip(1 - np.clip((t - 0.62) / 0.38, 0, 1) ** 2.2, 0, 1))
        * np.clip(t * 8 + 0.4, 0, 1)
    )
    c.fill(band(np.stack([np.zeros(30), y], axis=1), 2 * half), ink.body)
    c.fill(band(curve((0, -0.55), (0.03, -0.75), (0.14, -0.96), n=6), 0.08), shade("brown", rng))


def carrot(c: Canvas, rng: Rng, ink: Ink) -> None:
    for angle in (-0.5, 0, 0.5):
        c.fill(ellipse(-0.72, 0.3 * angle, 0.26, 0.1, angle * 0.8, 16), shade("green", rng))
    w = rng.uniform(0.2, 0.3)
    t = np.linspace(0, 1, 20)
    half = w * np.sqrt(1 - t) * np.clip(t * 12 + 0.5, 0, 1)
    c.fill(band(np.stack([-0.55 + 1.5 * t, np.zeros(20)], axis=1), 2 * half + 0.01), ink.body)
    for x in np.linspace(-0.35, 0.5, 5):
        side = float(rng.choice([-1, 1])) * w * 0.7
        c.inlay(band(curve((x, side), (x + 0.03, side * 0.2), n=3), 0.04), ink.dark, 0.7)


def cherry(c: Canvas, rng: Rng, ink: Ink) -> None:
    stalk = shade("green", rng) * 0.8
    for x in (-0.45, 0.45):
        c.fill(band(curve((x, 0.3), (x * 0.9, -0.4), (0.1, -0.92), n=12), 0.07), stalk)
    for x in (-0.48, 0.46):
        y = 0.45 + rng.uniform(-0.06, 0.06)
        c.fill(ellipse(x, y, 0.42, n=36), ink.body)
        c.inlay(ellipse(x - 0.14, y - 0.15, 0.09, n=12), ink.light)


def tree(c: Canvas, rng: Rng, ink: Ink) -> None:
    trunk = shade("brown", rng)
    w = rng.uniform(0.1, 0.16)
    c.fill(np.array([[-w, 0], [w, 0], [w * 1.3, 0.97], [-w * 1.3, 0.97]]), trunk)
    if rng.random() < 0.5:
        for y, r in ((0.45, 0.72), (0.05, 0.58), (-0.32, 0.42)):
            c.fill(np.array([[-r, y], [0, y - 0.65], [r, y]]), ink.body)
    else:
        crown = blob(rng, 0.12, 7) * 0.66
        c.fill(crown + np.array([0, -0.3]), ink.body)
