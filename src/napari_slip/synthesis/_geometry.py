"""How the geometric figures are drawn; every function fills one canvas within the unit disc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.synthesis._canvas import Canvas, band, curve, ellipse, ngon, polar

if TYPE_CHECKING:
    from napari_slip.synthesis._ink import Ink

Rng = np.random.Generator


def circle(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ellipse(), ink.body)


def flat_ellipse(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ellipse(ry=rng.uniform(0.4, 0.65)), ink.body)


def square(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ngon(4, start=np.pi / 4), ink.body)


def rectangle(c: Canvas, rng: Rng, ink: Ink) -> None:
    h = rng.uniform(0.35, 0.6)
    c.fill(np.array([[-0.85, -h], [0.85, -h], [0.85, h], [-0.85, h]]), ink.body)


def triangle(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ngon(3), ink.body)


def star(c: Canvas, rng: Rng, ink: Ink) -> None:
    n = int(rng.choice([5, 5, 5, 6, 7, 8]))
    radius = np.tile([1.0, rng.uniform(0.35, 0.5)], n)
    c.fill(polar(radius, -np.pi / 2), ink.body)


def ring(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ellipse(), ink.body)
    c.erase(ellipse(rx=rng.uniform(0.5, 0.75)))


def cross(c: Canvas, rng: Rng, ink: Ink) -> None:
    w = rng.uniform(0.2, 0.33)
    for x, y in ((0.95, w), (w, 0.95)):
        c.fill(np.array([[-x, -y], [x, -y], [x, y], [-x, y]]), ink.body)


def crescent(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ellipse(), ink.body)
    c.erase(ellipse(x=rng.uniform(0.35, 0.55), rx=rng.uniform(0.75, 0.88)))


def heart(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) - 2
    c.fill(np.stack([x, y], axis=1) / 18, ink.body)


def pentagon(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ngon(5), ink.body)


def hexagon(c: Canvas, rng: Rng, ink: Ink) -> None:
    c.fill(ngon(6), ink.body)


def diamond(c: Canvas, rng: Rng, ink: Ink) -> None:
    w = rng.uniform(0.45, 0.65)
    c.fill(np.array([[0, -1], [w, 0], [0, 1], [-w, 0]]), ink.body)


def semicircle(c: Canvas, rng: Rng, ink: Ink) -> None:
    t = np.linspace(0, np.pi, 32)
    c.fill(np.stack([np.cos(t), np.sin(t) - 0.4], axis=1) * 0.92, ink.body)


def arrow(c: Canvas, rng: Rng, ink: Ink) -> None:
    w, neck, head = rng.uniform(0.12, 0.22), rng.uniform(0.0, 0.35), rng.uniform(0.45, 0.65)
    upper = [[-0.95, -w], [neck, -w], [neck, -head], [0.98, 0]]
    lower = [[neck, head], [neck, w], [-0.95, w]]
    c.fill(np.array(upper + lower), ink.body)


def spiral(c: Canvas, rng: Rng, ink: Ink) -> None:
    turns = rng.uniform(2.0, 2.8)
    t = np.linspace(0.04, 1, 90)
    path = (t * 0.9)[:, None] * np.stack(
        [np.cos(turns * 2 * np.pi * t), np.sin(turns * 2 * np.pi * t)], axis=1
    )
    c.fill(band(path, 0.45 / turns * np.linspace(0.8, 1.1, 90)), ink.body)


def cloud(c: Canvas, rng: Rng, ink: Ink) -> None:
    for x in np.linspace(-0.6, 0.6, 4):
        r = rng.uniform(0.28, 0.36) + 0.12 * (1 - abs(x))
        c.fill(ellipse(x, 0.1 - r * 0.5 + abs(x) * 0.2, r), ink.body)
    c.fill(np.array([[-0.72, -0.05], [0.72, -0.05], [0.72, 0.32], [-0.72, 0.32]]), ink.body)
    for x in (-0.68, 0.68):
        c.fill(ellipse(x, 0.1, 0.22), ink.body)


def snowflake(c: Canvas, rng: Rng, ink: Ink) -> None:
    reach, twig, w = rng.uniform(0.5, 0.7), rng.uniform(0.25, 0.38), rng.uniform(0.09, 0.14)
    for angle in np.arange(6) * np.pi / 3:
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, sin], [-sin, cos]])
        for line in (
            curve((0, 0), (1, 0), n=2),
            curve((reach, 0), (reach + twig * 0.6, twig), n=2),
            curve((reach, 0), (reach + twig * 0.6, -twig), n=2),
        ):
            c.fill(band(line * 0.97 @ turn, w), ink.body)


def gear(c: Canvas, rng: Rng, ink: Ink) -> None:
    n = int(rng.integers(8, 13))
    radius = np.tile([1.0, 1.0, 0.78, 0.78], n)
    c.fill(polar(radius), ink.body)
    c.inlay(ellipse(rx=0.55), ink.dark, 0.4)
    c.erase(ellipse(rx=rng.uniform(0.2, 0.35)))
