"""Things that move, divide and cross, or that sections cut; the identity of each is known on every plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from skimage.draw import disk

if TYPE_CHECKING:
    from numpy.typing import NDArray

SeriesKind = Literal["drift", "divide", "cross", "sections"]
SERIES = get_args(SeriesKind)

_COLOURS = ((230, 60, 60), (70, 200, 90), (80, 120, 240), (230, 200, 60), (200, 90, 220), (90, 210, 220))


@dataclass(frozen=True, eq=False)
class Series:
    """A stack of planes and what is truly in it.

    Parameters
    ----------
    pictures : (T, H, W, 3) uint8 array
        The planes.
    truth : (T, H, W) uint16 array
        The identity of what is in front at each pixel; 0 is the ground.
    parents : dict
        From the identity of what came of a division to the one that it came from.
    """

    pictures: NDArray[np.uint8]
    truth: NDArray[np.uint16]
    parents: dict[int, int]


@dataclass
class _Thing:
    number: int
    centre: NDArray[np.float64]
    velocity: NDArray[np.float64]
    radius: float
    colour: NDArray[np.float64]


def draw_series(
    kind: SeriesKind,
    planes: int = 40,
    shape: tuple[int, int] = (192, 192),
    things: int = 8,
    rng: np.random.Generator | None = None,
) -> Series:
    """Draw a stack of discs.

    Parameters
    ----------
    kind : {"drift", "divide", "cross", "sections"}
        Discs that drift through the field of view; that wander and divide now and then; whose ways cross, one
        passing before the other; or balls that close sections cut, so that neighbouring planes overlap.
    planes : int
        How many.
    shape : (H, W)
        In pixels.
    things : int
        How many there are at first; of balls, in all; of drifting discs, in view at once.
    rng : Generator, optional
        Of numpy.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    pictures = np.zeros((planes, *shape, 3), np.uint8)
    truth = np.zeros((planes, *shape), np.uint16)
    parents: dict[int, int] = {}
    if kind == "sections":
        _cut(pictures, truth, things, rng)
    else:
        population = _start(kind, planes, shape, things, rng)
        for t in range(planes):
            if kind == "divide" and t and t % max(planes // 4, 4) == 0:
                population = _divided(population, parents, rng)
            _draw(population, pictures[t], truth[t])
            for thing in population:
                thing.centre = thing.centre + thing.velocity + rng.normal(0, 0.3, 2)
                if kind != "drift":
                    _turn_back(thing, shape)
    noise = rng.normal(0, 6, pictures.shape)
    return Series((pictures + 20 + noise).clip(0, 255).astype(np.uint8), truth, parents)


def _start(
    kind: SeriesKind, planes: int, shape: tuple[int, int], things: int, rng: np.random.Generator
) -> list[_Thing]:
    size = min(shape)
    if kind == "cross":  # all ways lead through the middle, at different times
        middle, population = np.array(shape) / 2, []
        for i in range(things):
            centre = middle + 0.38 * size * np.array([np.sin(i * 2.4), np.cos(i * 2.4)])
            way = (middle + rng.uniform(-0.25, 0.25, 2) * size - centre) / planes
            velocity = way * rng.uniform(1.4, 2.2)
            population.append(_Thing(i + 1, centre, velocity, 0.05 * size, _colour(i, rng)))
        return population
    per_row = int(np.ceil(things**0.5))
    cell = np.array(shape) / per_row
    drift = np.array([0.2, 1.0]) * rng.uniform(0.01, 0.02) * size
    cells = [(row, column) for row in range(per_row) for column in range(per_row)][:things]
    if kind == "drift":  # others wait outside until it is their turn
        rows, columns = (range(-int(drift[i] * planes // cell[i]) - 1, per_row) for i in range(2))
        cells = [(row, column) for row in rows for column in columns]
    population = []
    for i, place in enumerate(cells):
        centre = (np.array(place) + 0.5 + rng.uniform(-0.12, 0.12, 2)) * cell
        velocity = drift if kind == "drift" else rng.normal(0, 0.0015 * size, 2)
        radius = rng.uniform(0.2, 0.3) * float(cell.min()) * (0.8 if kind == "divide" else 1)
        population.append(_Thing(i + 1, centre, velocity, radius, _colour(i, rng)))
    return population


def _colour(i: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.array(_COLOURS[i % len(_COLOURS)], float) + rng.normal(0, 12, 3)


def _turn_back(thing: _Thing, shape: tuple[int, int]) -> None:
    """Stay within the field of view."""
    for axis in range(2):
        low, high = thing.radius, shape[axis] - 1 - thing.radius
        if not low <= thing.centre[axis] <= high:
            thing.velocity[axis] *= -1
            thing.centre[axis] = np.clip(thing.centre[axis], low, high)


def _divided(population: list[_Thing], parents: dict[int, int], rng: np.random.Generator) -> list[_Thing]:
    """Let the largest thing become two of half its area."""
    mother = max(population, key=lambda thing: thing.radius)
    taken = max([*(thing.number for thing in population), *parents, *parents.values()])
    turn = rng.uniform(0, 2 * np.pi)
    apart = np.array([np.sin(turn), np.cos(turn)])
    radius = mother.radius / 2**0.5
    daughters = [
        _Thing(
            taken + 1 + i,
            mother.centre + side * apart * radius * 1.1,
            mother.velocity + side * apart * radius * 0.12,
            radius,
            mother.colour + rng.normal(0, 5, 3),
        )
        for i, side in enumerate((-1, 1))
    ]
    parents.update({daughter.number: mother.number for daughter in daughters})
    return [*(thing for thing in population if thing is not mother), *daughters]


def _draw(population: list[_Thing], picture: NDArray[np.uint8], truth: NDArray[np.uint16]) -> None:
    for thing in population:  # who comes later passes in front
        rows, columns = disk(tuple(thing.centre), thing.radius, shape=truth.shape)
        picture[rows, columns] = thing.colour.clip(0, 235).astype(np.uint8)
        truth[rows, columns] = thing.number


def _cut(
    pictures: NDArray[np.uint8], truth: NDArray[np.uint16], things: int, rng: np.random.Generator
) -> None:
    """Cut balls that do not touch."""
    depth, height, width = truth.shape
    placed: list[tuple[NDArray[np.float64], float]] = []
    size = min(height, width)
    for _ in range(50 * things):
        radius = rng.uniform(0.06, 0.12) * size
        centre = rng.uniform([0, radius, radius], [depth, height - radius, width - radius])
        # a section is half as thick as a ball's usual radius is wide in planes
        stretched = centre * [_SPACING * size / depth, 1, 1]
        if all(np.linalg.norm(stretched - other) > radius + r + 3 for other, r in placed):
            placed.append((stretched, radius))
        if len(placed) == things:
            break
    for i, (centre, radius) in enumerate(placed):
        colour = _colour(i, rng).clip(0, 235).astype(np.uint8)
        for z in range(depth):
            rest = radius**2 - (z * _SPACING * size / depth - centre[0]) ** 2
            if rest > 4:
                rows, columns = disk((centre[1], centre[2]), rest**0.5, shape=(height, width))
                pictures[z, rows, columns] = colour
                truth[z, rows, columns] = i + 1


_SPACING = 0.6
"""Depth of the whole stack, in its width."""
