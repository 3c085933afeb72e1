"""How things seen through a microscope are drawn; every function fills one canvas within the unit disc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.synthesis._canvas import Canvas, band, blob, curve, ellipse, polar

if TYPE_CHECKING:
    from napari_slip.synthesis._ink import Ink

Rng = np.random.Generator


def cell(c: Canvas, rng: Rng, ink: Ink) -> None:
    outline = blob(rng, 0.1)
    c.fill(outline, ink.dark)
    c.inlay(outline * 0.93, ink.light)
    c.inlay(outline * 0.9, ink.body, 0.7)
    for _ in range(int(rng.integers(4, 12))):
        x, y = rng.uniform(-0.6, 0.6, 2)
        c.inlay(ellipse(x, y, rng.uniform(0.04, 0.09), n=10), ink.dark, 0.6)
    x, y = rng.uniform(-0.25, 0.25, 2)
    r = rng.uniform(0.25, 0.38)
    c.inlay(blob(rng, 0.05) * r + (x, y), ink.dark)
    c.inlay(ellipse(x + 0.05, y, r * 0.3, n=14), ink.dark * 0.6)


def nucleus(c: Canvas, rng: Rng, ink: Ink) -> None:
    outline = blob(rng, 0.06, 3) * np.array([1.0, rng.uniform(0.6, 1.0)])
    c.fill(outline, ink.body)
    c.inlay(outline * 0.92, ink.light, 0.25)
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.uniform(-0.5, 0.5, 2)
        tone = ink.dark if rng.random() < 0.6 else ink.light
        c.inlay(blob(rng, 0.15) * rng.uniform(0.08, 0.25) + (x, y), tone, 0.4)


def pollen(c: Canvas, rng: Rng, ink: Ink) -> None:
    n = int(rng.integers(14, 26))
    c.fill(polar(np.tile([1.0, 0.8], n)), ink.dark)
    c.fill(ellipse(rx=0.82), ink.body)
    for _ in range(int(rng.integers(12, 24))):
        angle, r = rng.uniform(0, 2 * np.pi), 0.72 * np.sqrt(rng.random())
        c.inlay(ellipse(r * np.cos(angle), r * np.sin(angle), 0.07, n=10), ink.dark, 0.8)


def diatom(c: Canvas, rng: Rng, ink: Ink) -> None:
    w = rng.uniform(0.2, 0.34)
    t = np.linspace(0, 1, 32)
    half = w * np.sin(np.pi * t) ** rng.uniform(0.5, 1.0) + 0.015
    spine = np.stack([-0.97 + 1.94 * t, np.zeros(32)], axis=1)
    c.fill(band(spine, 2 * half), ink.dark)
    c.inlay(band(spine, 2 * half - 0.08), ink.light)
    for x in np.linspace(-0.85, 0.85, int(rng.integers(12, 22))):
        c.inlay(band(curve((x, -w), (x, w), n=2), 0.035), ink.dark, 0.8)
    c.inlay(band(spine, 0.05), ink.dark)


def worm(c: Canvas, rng: Rng, ink: Ink) -> None:
    waves, height = rng.uniform(0.8, 1.6), rng.uniform(0.2, 0.4)
    x = np.linspace(-0.9, 0.9, 60)
    path = np.stack([x, height * np.sin(waves * np.pi * x / 0.9 + rng.uniform(0, 6))], axis=1)
    t = np.linspace(0, 1, 60)
    c.fill(band(path, rng.uniform(0.12, 0.2) * np.clip(np.sin(np.pi * t) * 3, 0.25, 1)), ink.body)
    for k in range(4, 57, 4):
        c.inlay(band(path[k : k + 2] + np.array([[0, -0.02], [0, 0.02]]), 0.02), ink.dark, 0.5)


def bacterium(c: Canvas, rng: Rng, ink: Ink) -> None:
    w, bend = rng.uniform(0.3, 0.45), rng.uniform(-0.25, 0.25)
    for y in np.linspace(-0.15, 0.15, int(rng.integers(1, 4))):
        x = np.linspace(-0.98, -0.4, 14)
        c.fill(band(np.stack([x, y + 0.1 * np.sin(14 * x + y * 9)], axis=1), 0.045), ink.dark)
    path = curve((-0.35, 0), (0.2, bend), (0.75, 0), n=20)
    for end in (path[0], path[-1]):
        c.fill(ellipse(end[0], end[1], w / 2, n=24), ink.body)
    c.fill(band(path, w), ink.body)
    c.inlay(band(path, w * 0.35), ink.dark, 0.5)


def red_blood_cell(c: Canvas, rng: Rng, ink: Ink) -> None:
    outline = blob(rng, 0.03)
    c.fill(outline, ink.body)
    c.inlay(outline * 0.62, ink.light, 0.5)
    c.inlay(outline * 0.42, ink.light, 0.6)


def neuron(c: Canvas, rng: Rng, ink: Ink) -> None:
    n = int(rng.integers(5, 8))
    for angle in np.arange(n) * 2 * np.pi / n + rng.uniform(-0.25, 0.25, n):
        reach, bend = rng.uniform(0.8, 0.98), rng.uniform(-0.4, 0.4)
        end = (reach * np.cos(angle), reach * np.sin(angle))
        middle = (0.5 * np.cos(angle + bend), 0.5 * np.sin(angle + bend))
        c.fill(band(curve((0, 0), middle, end, n=12), np.linspace(0.2, 0.035, 12)), ink.base)
        twig = (reach * 0.95 * np.cos(angle + 0.3), reach * 0.95 * np.sin(angle + 0.3))
        c.fill(band(curve(middle, twig, n=6), np.linspace(0.09, 0.03, 6)), ink.base)
    c.fill(blob(rng, 0.1) * 0.32, ink.body)
    c.fill(ellipse(rx=0.13, n=20), ink.dark)
