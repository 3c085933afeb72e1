"""Masks as packed bits inside their boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_slip.errors import InputError
from napari_slip.segmentation.closer import same
from napari_slip.segments import PackedMasks, Segments, mask_extent, shared_pixels

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20))


def segments_of(*whole, shape=None):
    """Return segments with these whole masks."""
    shape = shape or whole[0].shape
    n = len(whole)
    scores = np.linspace(0.5, 1, n, dtype=np.float32)
    return Segments(
        shape=shape,
        masks=PackedMasks.pack(list(whole), [(0, 0)] * n),
        predicted_iou=scores,
        stability_score=scores,
        mean_intensity=scores,
        area=np.array([m.sum() for m in whole], np.int64),
        roundness=scores,
        parent=np.full(n, -1, np.int32),
        background=np.zeros(n, bool),
    )


@given(st.lists(st.tuples(masks, st.tuples(st.integers(0, 9), st.integers(0, 9))), max_size=6))
def test_what_is_packed_is_there(crops):
    packed = PackedMasks.pack([crop for crop, _ in crops], [corner for _, corner in crops])
    assert len(packed) == len(crops)
    for row, (crop, (x, y)) in enumerate(crops):
        whole = np.zeros((40, 40), bool)
        whole[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        x0, y0, x1, y1 = packed.boxes[row]
        assert packed.crop(row).shape == (y1 - y0, x1 - x0)
        assert packed.crop(row).sum() == crop.sum()
        np.testing.assert_array_equal(packed.crop(row), whole[y0:y1, x0:x1])


@given(st.lists(masks, max_size=4), st.lists(masks, max_size=4))
def test_joined_masks_are_as_if_packed_together(some, others):
    def pack(crops):
        return PackedMasks.pack(crops, [crop.shape for crop in crops])

    both, together = PackedMasks.join([pack(some), pack(others)]), pack([*some, *others])
    np.testing.assert_array_equal(both.boxes, together.boxes)
    for row in range(len(both)):
        np.testing.assert_array_equal(both.crop(row), together.crop(row))


@given(masks)
def test_the_extent_is_the_smallest_box(mask):
    x0, y0, x1, y1 = mask_extent(mask)
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    if mask.any():
        tight = mask[y0:y1, x0:x1]
        assert tight[0].any() and tight[-1].any() and tight[:, 0].any() and tight[:, -1].any()
    else:
        assert (x0, y0, x1, y1) == (0, 0, 0, 0)


@given(st.lists(masks, min_size=1, max_size=6), st.data())
def test_taking_rows_keeps_their_masks(crops, data):
    packed = PackedMasks.pack(crops, [(i, i) for i in range(len(crops))])
    rows = data.draw(st.lists(st.integers(0, len(crops) - 1), max_size=8))
    taken = packed.take(rows)
    assert len(taken) == len(rows)
    for new, old in enumerate(rows):
        np.testing.assert_array_equal(taken.crop(new), packed.crop(old))
        np.testing.assert_array_equal(taken.boxes[new], packed.boxes[old])


def test_masks_take_an_eighth_of_a_byte_a_pixel():
    packed = PackedMasks.pack([np.ones((80, 100), bool)], [(0, 0)])
    assert packed.bits.nbytes == 80 * 100 / 8


def test_the_smaller_lies_in_front_and_ids_never_change():
    large, small = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    large[1:9, 1:9] = True
    small[3:6, 3:6] = True
    segments = segments_of(small, large)
    labels = segments.labels()
    assert labels.dtype.kind == "u"
    assert labels[4, 4] == 1
    assert labels[1, 1] == 2
    assert labels[0, 0] == 0
    assert set(np.unique(segments.labels([False, True]))) == {0, 2}
    assert (segments.labels([False, True]) == 2).sum() == 64  # whole, as nothing lies in front


def test_of_equals_the_later_row_lies_in_front():
    same = np.ones((4, 4), bool)
    assert (segments_of(same, same).labels() == 2).all()


def test_a_mask_is_whole_though_hidden():
    same = np.ones((4, 4), bool)
    segments = segments_of(same, same)
    assert segments.mask(1).all()
    with pytest.raises(InputError, match="no segment 3: the labels run from 1 to 2"):
        segments.mask(3)
    with pytest.raises(InputError, match="no segment 0"):
        segments.mask(0)


def test_the_table_says_what_each_segment_is():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:12] = True
    table = segments_of(mask).table()
    row = table.iloc[0]
    assert (row["index"], row["area"], row["parent"]) == (1, 27, 0)
    assert tuple(row[["bbox_x0", "bbox_y0", "bbox_x1", "bbox_y1"]]) == (3, 2, 12, 5)
    assert row["touching_edge"]


def test_nothing_is_a_result_too():
    segments = Segments.empty((5, 7))
    assert len(segments) == 0
    assert segments.labels().shape == (5, 7)
    assert not segments.labels().any()
    assert len(segments.table()) == 0


crops = hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
corners = st.tuples(st.integers(0, 15), st.integers(0, 15))


@given(crops, corners, crops, corners)
def test_masks_share_what_they_share_on_the_plane_wherever_they_lie(one, corner, other, other_corner):
    planes = np.zeros((2, 24, 24), bool)
    for plane, crop, (x, y) in zip(planes, (one, other), (corner, other_corner), strict=True):
        plane[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    both, either = (planes[0] & planes[1]).sum(), (planes[0] | planes[1]).sum()
    assert shared_pixels(one, corner, other, other_corner) == both
    assert same(one, corner, other, other_corner) == (2 * both >= either)
