"""Planes that are looked at in many tiles."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk

import napari_slip
from napari_slip.progress import Progress
from napari_slip.settings import FilterSettings, MatchSettings

SIDE, PER_SIDE = 4096, 24
RED, BLUE = (230, 60, 60), (80, 120, 240)


def scattered(rng):
    """Red and blue discs of all sizes up to 80 pixels, wherever tiles may end, and which is where."""
    rgb, truth = np.full((SIDE, SIDE, 3), 40, np.uint8), np.zeros((SIDE, SIDE), np.int32)
    step = SIDE / PER_SIDE
    for number in range(PER_SIDE**2):
        cell = np.array(divmod(number, PER_SIDE))
        rows, columns = disk((cell + 0.5 + rng.uniform(-0.15, 0.15, 2)) * step, rng.uniform(0.1, 0.25) * step)
        rgb[rows, columns], truth[rows, columns] = (RED, BLUE)[number % 2], number + 1
    return rgb + rng.integers(0, 12, rgb.shape, dtype=np.uint8), truth


@pytest.mark.slow
def test_no_object_of_a_large_plane_is_cut_or_found_twice():
    rgb, truth = scattered(np.random.default_rng(0))
    tiles = []
    progress = Progress(lambda step, done, total: tiles.append(total) if step == "encode" else None)
    slip = napari_slip.load("mini", device="cpu", store=None)
    segments = slip.segment(rgb, progress=progress)
    assert tiles[-1] > 100
    areas, owners = np.bincount(truth.ravel()), []
    for row in range(len(segments)):
        window, crop = segments.window(row), segments.masks.crop(row)
        inside = truth[window][crop]
        owner = int(np.bincount(inside).argmax())
        same = np.count_nonzero(inside == owner)
        if owner and same / (areas[owner] + crop.sum() - same) > 0.8:
            owners.append(owner)
    assert len(owners) == len(set(owners))
    assert len(owners) >= 0.99 * PER_SIDE**2
    assert len(segments) <= 1.01 * PER_SIDE**2
    # texts and filters act on what the tiles have found together
    settings = MatchSettings(select="above:0.5")
    match = slip.match(segments, ["red", "blue"], settings=settings)
    assert match.accepted().sum(axis=0) == pytest.approx([PER_SIDE**2 / 2] * 2, rel=0.01)
    median = float(np.median(segments.area))
    large = slip.match(segments, ["red"], settings=settings, filters=FilterSettings(area=(median, np.inf)))
    assert large.selection.sum() == pytest.approx(len(segments) / 2, abs=1)
