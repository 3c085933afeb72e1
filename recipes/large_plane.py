"""Label one large plane by `napari-slip batch`, and say how much memory it took.

Draws discs of all sizes up to 85 pixels across, red and blue in turns, looks for both by their names, and
counts which were found where they are: ``python recipes/large_plane.py FOLDER``.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tifffile
from skimage.draw import disk

COLOURS = {"red": (230, 60, 60), "blue": (80, 120, 240)}
STEP = 170
"""Pixels from one disc to the next."""


def main() -> None:
    """Draw, run, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for the plane and the results")
    parser.add_argument("--side", type=int, default=16384, help="of the plane, in pixels")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    path, out = chosen.folder / "plane.tif", chosen.folder / "results"
    there = draw(path, chosen.side)
    program = ["-m", "napari_slip"]
    command = [*program, "batch", str(path), "--prompt", "red", "--prompt", "blue"]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *command, "--select", "above:0.5", "--no-store", "--out", str(out)], check=True
    )
    minutes = (time.perf_counter() - start) / 60
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    found, rows = count(out / "objects.csv", there)
    print(
        f"{chosen.side} x {chosen.side}: {found} of {len(there)} discs found in {rows} objects, "
        f"{minutes:.0f} minutes, peak memory {peak / 1e9:.2f} GB"
    )


def draw(path: Path, side: int) -> dict[tuple[int, int], tuple[str, float]]:
    """Write the plane; returns colour and area of the disc in each cell."""
    rng = np.random.default_rng(0)
    plane = np.full((side, side, 3), 40, np.uint8)
    there = {}
    for row, column in np.ndindex(side // STEP, side // STEP):
        middle = (np.array((row, column)) + 0.5 + rng.uniform(-0.15, 0.15, 2)) * STEP
        pixels = disk(middle, rng.uniform(0.1, 0.25) * STEP)
        name = list(COLOURS)[(row + column) % 2]
        plane[pixels] = COLOURS[name]
        there[row, column] = name, float(len(pixels[0]))
    for top in range(0, side, 1024):
        plane[top : top + 1024] += rng.integers(0, 12, plane[top : top + 1024].shape, np.uint8)
    tifffile.imwrite(path, plane, photometric="rgb")
    return there


def count(table: Path, there: dict[tuple[int, int], tuple[str, float]]) -> tuple[int, int]:
    """Return how many discs are an object of their colour and, to 15 %, their area; and how many objects."""
    found, rows = set(), 0
    with table.open(encoding="utf-8") as lines:
        for rows, thing in enumerate(csv.DictReader(lines), 1):  # noqa: B007
            cell = int(float(thing["y"]) // STEP), int(float(thing["x"]) // STEP)
            name, area = there.get(cell, ("", 0.0))
            if thing["class"] == name and abs(float(thing["area"]) - area) < 0.15 * area:
                found.add(cell)
    return len(found), rows


if __name__ == "__main__":
    main()
