"""Planes that are looked at in many tiles."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from skimage.draw import disk

import napari_slip
from napari_slip.matching import crops
from napari_slip.progress import Progress
from napari_slip.segmentation import Tile, planes, resampling
from napari_slip.segmentation.resampling import Axis, Part, Resampler
from napari_slip.settings import FilterSettings, MatchSettings

SIDE, PER_SIDE = 4096, 24
RED, BLUE = (230, 60, 60), (80, 120, 240)


def scattered(rng, side=SIDE, per_side=PER_SIDE):
    """Red and blue discs of all sizes up to 80 pixels, wherever tiles may end, and which is where."""
    rgb, truth = np.full((side, side, 3), 40, np.uint8), np.zeros((side, side), np.int32)
    step = side / per_side
    for number in range(per_side**2):
        cell = np.array(divmod(number, per_side))
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


@pytest.fixture(scope="module")
def slip():
    return napari_slip.load("mini", device="cpu", store=None)


@pytest.fixture(scope="module")
def medium():
    """A plane of 17 windows."""
    return scattered(np.random.default_rng(1), 1300, 8)[0]


def held():
    """Count the encoded windows in memory."""
    return sum(type(thing) is Tile and thing.embedding is not None for thing in gc.get_objects())


def test_windows_that_are_not_held_give_the_same_segments(slip, medium, monkeypatch):
    whole = slip.encode(medium)
    expected = slip.propose(whole)
    assert len(whole.tiles) > 10 and len(expected) >= 64
    monkeypatch.setattr(planes, "AT_HAND", 3)
    before, most, seen = held(), 0, []

    def watch(step, done, total):
        nonlocal most
        seen.append((step, done, total))
        if step == "encode" and done % 4 == 1:
            most = max(most, held())

    progress = Progress(watch)
    plane = slip.encode(medium, progress=progress)
    assert sum(tile.embedding is not None for tile in plane.tiles) == 3
    segments = slip.propose(plane, progress=progress)
    windows, afar = len(plane.tiles), len(plane.afar)
    assert most - before <= 3 + afar + 2
    assert [said for said in seen if said[0] == "encode"][-1][1:] == (windows + afar, windows + afar)
    assert seen[-1][0] == "closer" and seen[-1][1] == seen[-1][2]
    np.testing.assert_array_equal(segments.boxes, expected.boxes)
    np.testing.assert_array_equal(segments.masks.bits, expected.masks.bits)
    np.testing.assert_array_equal(segments.predicted_iou, expected.predicted_iou)


def test_a_click_looks_only_at_its_own_window(slip, medium, monkeypatch):
    points = np.argwhere(medium[..., 0] > 200)[[0, -1], ::-1]
    expected = [slip.refine(slip.encode(medium), points=point[None]).mask for point in points]
    monkeypatch.setattr(planes, "AT_HAND", 3)
    plane = slip.encode(medium)
    for point, mask in zip(points, expected, strict=True):
        before = set(plane.closer)
        np.testing.assert_array_equal(slip.refine(plane, points=point[None]).mask, mask)
        looked_at = set(plane.closer) - before
        assert len(looked_at) <= 4  # closer ones too, should the object be smaller
        for (x0, y0, x1, y1), _ in looked_at:
            assert (point >= (x0, y0)).all() and (point < (x1, y1)).all()


@pytest.mark.parametrize("shape", [(20_000, 20_000), (60_000, 100), (300, 90_000)])
def test_a_large_plane_is_sampled_all_over_at_its_finest_scale(shape):
    boxes = planes.plan(shape, 512, planes.MINI_AT_ONCE)
    chosen = planes._spread(boxes)
    assert len(boxes) > len(chosen) == planes.AT_HAND
    assert {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in chosen} == {(min(shape[1], 512), min(shape[0], 512))}
    x0, y0, x1, y1 = np.array(chosen).T
    assert (x0.min(), y0.min(), x1.max(), y1.max()) == (0, 0, shape[1], shape[0])


def test_a_walk_over_windows_can_be_stopped(slip, medium, monkeypatch):
    monkeypatch.setattr(planes, "AT_HAND", 3)
    plane = slip.encode(medium)
    progress = Progress(lambda step, done, total: done == 5 and progress.cancel())
    with pytest.raises(napari_slip.errors.Cancelled):
        slip.propose(plane, progress=progress)


def test_large_masks_are_resampled_in_bands(monkeypatch):
    axis = Axis.of(32, 128, 128, 700, torch.device("cpu"))
    resampler = Resampler(axis, axis)
    part = Part(torch.randn(25, 20, generator=torch.Generator().manual_seed(0)), (3, 4))
    values, corner = resampler.resample(part)
    monkeypatch.setattr(resampling, "AT_ONCE", 2**14)
    bands = list(resampler.bands(part))
    assert len(bands) > 3
    assert bands[0][1] == corner
    torch.testing.assert_close(torch.cat([band for band, _ in bands]), values, rtol=0, atol=0)


def test_large_planes_are_dimmed_in_bands(medium, monkeypatch):
    whole = crops._dimmed(medium)
    monkeypatch.setattr(crops, "AT_ONCE", 1300 * 90)
    np.testing.assert_array_equal(crops._dimmed(medium), whole)
