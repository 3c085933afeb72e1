"""The steps between a decoder's logits and segments, one by one."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import disk
from torch.nn import functional

from napari_slip.progress import Progress
from napari_slip.segmentation import Tile, adaptive
from napari_slip.segmentation.candidates import Candidate
from napari_slip.segmentation.description import describe, measure_roundness
from napari_slip.segmentation.merging import merge
from napari_slip.segmentation.resampling import Part, Resampler, bilinear
from napari_slip.segmentation.tiling import OVERLAP, plan
from napari_slip.segments import PackedMasks
from napari_slip.settings import ProposalSettings

# --- logits and pixels


@given(st.integers(1, 40), st.integers(1, 60))
def test_one_axis_is_resized_as_torch_does_it(size, out):
    values = torch.randn(1, 1, size, generator=torch.Generator().manual_seed(size))
    expected = functional.interpolate(values, out, mode="linear", align_corners=False)
    torch.testing.assert_close(
        (bilinear(size, out).float() @ values[0, 0]), expected[0, 0], atol=1e-4, rtol=0
    )


@given(st.integers(8, 70), st.integers(8, 70), st.integers(0, 31), st.integers(0, 31), st.data())
def test_a_part_of_the_logits_gives_the_same_pixels(height, width, x0, y0, data):
    side = 64
    scale = side / max(height, width)
    used = (round(height * scale), round(width * scale))
    tile = Tile(torch.zeros(1), (0, 0, width, height), used)
    resampler = Resampler.of(tile, 32, side)
    logits = torch.randn(32, 32, generator=torch.Generator().manual_seed(x0))
    # as segment-anything does it: up to the model's input, cut, on to the plane
    up = functional.interpolate(logits[None, None], side, mode="bilinear", align_corners=False)
    cut = up[..., : used[0], : used[1]]
    expected = functional.interpolate(cut, (height, width), mode="bilinear", align_corners=False)[0, 0]
    box = (x0, y0, data.draw(st.integers(x0 + 1, 32)), data.draw(st.integers(y0 + 1, 32)))
    only = torch.full_like(logits, -5.0)
    only[box[1] : box[3], box[0] : box[2]] = logits[box[1] : box[3], box[0] : box[2]].abs()
    values, (x, y) = resampler.resample(resampler.cut(logits, box))
    ours = expected[y : y + values.shape[0], x : x + values.shape[1]]
    torch.testing.assert_close(values, ours, atol=1e-4, rtol=0)
    # and no pixel that the box can reach is left out
    up = functional.interpolate(only[None, None], side, mode="bilinear", align_corners=False)
    cut = up[..., : used[0], : used[1]]
    reached = (
        functional.interpolate(cut, (height, width), mode="bilinear", align_corners=False)[0, 0] > -5 + 1e-4
    )
    reached[y : y + values.shape[0], x : x + values.shape[1]] = False
    assert not reached.any()


# --- tiles


@given(st.integers(2, 3000), st.integers(2, 3000), st.sampled_from([1, 2, 4]))
def test_tiles_cover_the_plane_and_overlap(height, width, zoom):
    boxes = plan((height, width), 512, 1.5, zoom)
    assert boxes[-1] == (0, 0, width, height)
    assert len(set(boxes)) == len(boxes)
    covered = np.zeros((height, width), bool)
    reach = boxes[0][2] - boxes[0][0], boxes[0][3] - boxes[0][1]
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        if (x1 - x0, y1 - y0) == reach:
            covered[y0:y1, x0:x1] = True
    assert covered.all()
    for low, high in ((0, 2), (1, 3)):
        edges = sorted(
            {(box[low], box[high]) for box in boxes if (box[2] - box[0], box[3] - box[1]) == reach}
        )
        for (_, end), (start, _) in itertools.pairwise(edges):
            assert end - start >= int(OVERLAP * max(reach)) - 1


def test_a_small_plane_is_one_tile_and_cost_grows_with_the_area():
    assert len(plan((500, 700), 512, 1.5)) == 1
    counts = [len(plan((side, side), 512, 1.5)) for side in (1024, 2048, 4096, 8192)]
    assert counts[0] <= 10
    assert counts[-1] / counts[0] < 64


# --- adaptive points


@given(st.integers(1, 40))
def test_every_point_of_the_grid_has_its_round(per_side):
    rounds = adaptive.rounds(per_side)
    assert sorted(torch.cat(rounds).tolist()) == list(range(per_side**2))


def test_a_point_on_a_small_mask_is_settled_and_one_on_a_large_mask_is_not():
    settled = adaptive.Settled(64, 1.0, 0.0)
    points = torch.tensor([[5.0, 5.0], [40.0, 40.0], [60.0, 5.0]])
    assert settled.open(points, 1).all()
    small, large = torch.full((6, 6), 1.0), torch.full((40, 40), 1.0)
    settled.add([candidate(small, (3, 3)), candidate(large, (20, 20))])
    assert settled.open(points, 1).tolist() == [False, True, True]


def test_a_doubtful_mask_settles_nothing():
    settled, point = adaptive.Settled(64, 1.0, 0.0), torch.tensor([[5.0, 5.0]])
    settled.add([candidate(torch.full((6, 6), 1.0), (3, 3), iou=0.7)])
    assert settled.open(point, 1).all()
    settled.add([candidate(torch.full((6, 6), 1.0), (3, 3), iou=0.9)])
    assert not settled.open(point, 1).any()


def candidate(logits, corner, *, tile=(0, 0, 100, 100), box=(1, 1, 9, 9), iou=0.9, rank=0.9):
    resampler = Resampler.of(Tile(torch.zeros(1), tile, (100, 100)), 100, 100)
    return Candidate(Part(logits, corner), resampler, tile, box, iou, 0.9, rank)


# --- merging


def square(x, y, size=20, **about):
    part = torch.full((size, size), 3.0)
    return candidate(part, (x, y), box=(x, y, x + size - 1, y + size - 1), **about)


def merged(*found, shape=(100, 200)):
    return merge(found, SimpleNamespace(shape=shape), ProposalSettings(), 0.0)


def test_what_ends_with_its_tile_is_dropped_unless_the_plane_ends_there():
    left, right = (0, 0, 100, 100), (100, 0, 200, 100)
    inside, cut, at_border = square(30, 30, tile=left), square(80, 60, tile=left), square(0, 0, tile=left)
    assert len(merged([inside, cut, at_border], []).masks) == 2
    assert len(merged([square(30, 30)], []).masks) == 1
    far = candidate(torch.full((20, 20), 3.0), (80, 10), tile=right, box=(180, 10, 199, 29))
    assert len(merged([], [far]).masks) == 1


def test_an_object_of_two_tiles_is_one():
    one, same = square(30, 30, iou=0.8, rank=0.8), square(31, 30, iou=0.9)
    result = merged([one], [same])
    assert result.predicted_iou.tolist() == [0.9]


def test_a_whole_stays_beside_its_better_part_and_its_neighbour():
    whole, part, over = square(10, 10, rank=0.5), square(12, 12, size=8), square(24, 12, rank=0.7)
    found = merged([whole, part, over])
    assert len(found.distinct().masks) == 3


def test_of_two_masks_that_have_become_one_the_better_stays():
    better, worse, other = square(10, 10, iou=0.6), square(11, 10, iou=0.9, rank=0.7), square(60, 10, iou=0.8)
    found = merged([other, worse, better]).distinct()
    assert found.predicted_iou.tolist() == [0.8, 0.6]
    assert found.masks.boxes[:, 0].tolist() == [60, 10]


# --- what can be said of a mask


def shape_of(*masks):
    rgb = np.zeros((*masks[0].shape, 3), np.uint8)
    rgb[masks[0]] = (255, 255, 0)
    packed = PackedMasks.pack(masks, [(0, 0)] * len(masks))
    scores = np.full(len(masks), 1.2)
    return describe(packed, rgb, scores, scores / 2, Progress())


def test_masks_are_measured():
    disc, ring = np.zeros((80, 80), bool), np.ones((80, 80), bool)
    disc[disk((40, 40), 20)] = True
    ring[5:75, 5:75] = False
    segments = shape_of(disc, ring)
    assert segments.area.tolist() == [disc.sum(), ring.sum()]
    assert segments.mean_intensity.tolist() == pytest.approx([2 / 3, 0])
    assert segments.roundness[0] > 0.95
    assert segments.roundness[1] < 0.5
    assert segments.background.tolist() == [False, True]
    assert segments.predicted_iou.max() <= 1


@pytest.mark.parametrize("radius", [4, 20, 200])
def test_roundness_does_not_depend_on_the_size(radius):
    mask = np.zeros((2 * radius + 1, 2 * radius + 1), bool)
    mask[disk((radius, radius), radius)] = True
    assert measure_roundness(mask) > 0.93
    bar = np.ones((radius, 10 * radius), bool)
    assert measure_roundness(bar) < 0.45


def test_a_single_pixel_has_a_roundness_too():
    assert 0 <= measure_roundness(np.ones((1, 1), bool)) <= 1
