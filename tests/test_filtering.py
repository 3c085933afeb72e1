"""Selections, containment, background, separation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_segments import segments_of

from napari_slip.filtering import background, containment, parents, select, separate
from napari_slip.filtering.containment import crowds
from napari_slip.filtering.overlaps import areas, overlaps
from napari_slip.segments import Segments
from napari_slip.settings import FilterSettings


def box(x0, y0, x1, y1, shape=(20, 20)):
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


boxes = st.builds(
    lambda x, y, w, h: box(x, y, x + w, y + h),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(1, 20),
    st.integers(1, 20),
)


@given(st.lists(boxes, max_size=7))
def test_overlaps_are_those_of_the_whole_masks(whole):
    segments = segments_of(*whole, shape=(20, 20))
    np.testing.assert_array_equal(areas(segments.masks), [m.sum() for m in whole])
    pairs = overlaps(segments.masks)
    seen = {}
    for inner, outer, share, iou in zip(pairs.inner, pairs.outer, pairs.share, pairs.iou, strict=True):
        assert (whole[outer].sum(), -outer) >= (whole[inner].sum(), -inner)
        seen[frozenset((inner, outer))] = share
        both = (whole[inner] & whole[outer]).sum()
        assert iou == pytest.approx(both / (whole[inner] | whole[outer]).sum())
    for i in range(len(whole)):
        for j in range(i):
            shared = (whole[i] & whole[j]).sum()
            expected = shared / min(whole[i].sum(), whole[j].sum())
            assert seen.get(frozenset((i, j)), 0) == pytest.approx(expected)


def test_overlaps_are_measured_once_and_forgotten_with_the_masks():
    from napari_slip.filtering.overlaps import _known

    segments = segments_of(box(0, 0, 5, 5), box(1, 1, 3, 3))
    before = len(_known)
    first = overlaps(segments.masks)
    assert overlaps(segments.replace(embedding=None).masks) is first
    assert len(_known) == before + 1
    del segments, first
    assert len(_known) == before


def test_the_parent_is_the_smallest_that_contains():
    whole = [box(0, 0, 20, 20), box(2, 2, 12, 12), box(3, 3, 6, 6), box(15, 15, 19, 19)]
    segments = segments_of(*whole)
    assert parents(segments.masks).tolist() == [-1, 0, 1, 0]
    marks = background(segments.masks, segments.shape)
    assert marks.tolist() == [True, False, False, False]
    assert parents(segments.masks, marks).tolist() == [-1, -1, 1, -1]


def test_four_fifths_inside_is_not_contained_but_more_is():
    outer = box(0, 0, 10, 20)
    just = segments_of(outer, box(2, 0, 12, 1))  # 8 of its 10 pixels
    more = segments_of(outer, box(1, 0, 11, 1))
    assert parents(just.masks).tolist() == [-1, -1]
    assert parents(more.masks).tolist() == [-1, 0]


def test_containment_asks_only_what_is_kept():
    # the middle lies in the large one and holds the small one, which the large one does not hold
    large, middle, small = box(0, 0, 10, 20), box(1, 0, 11, 10), box(9, 2, 11, 4)
    segments = segments_of(small, middle, large)
    assert containment(segments.masks).tolist() == [True, False, True]
    without_large = containment(segments.masks, selection=np.array([True, True, False]))
    assert without_large.tolist() == [False, True, False]


def test_a_crowd_is_five_side_by_side_and_not_one_in_another():
    across = [box(0, 2 * i, 4, 2 * i + 2) for i in range(5)]
    nested = [box(10, 0, 20 - i, 10 - i) for i in range(6)]
    segments = segments_of(box(0, 0, 5, 20), *across, *nested)
    everyone = np.ones(len(segments), bool)
    assert crowds(segments.masks, everyone).tolist() == [True] + [False] * 11
    everyone[3] = False
    assert not crowds(segments.masks, everyone).any()
    assert crowds(Segments.empty((4, 4)).masks, np.zeros(0, bool)).shape == (0,)


@given(st.lists(boxes, min_size=1, max_size=7), st.floats(0, 1))
def test_what_containment_keeps_does_not_contain_itself(whole, share):
    segments = segments_of(*whole)
    kept = containment(segments.masks, share)
    pairs = overlaps(segments.masks)
    assert not (kept[pairs.inner] & kept[pairs.outer] & (pairs.share > share)).any()
    assert kept[segments.front_order[0]]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (box(0, 0, 20, 20), True),
        (~box(5, 5, 15, 15), True),  # all but an object in the middle
        (box(0, 0, 20, 12), True),  # a sky over a horizon
        (box(0, 0, 20, 2), False),  # a strip along one side
        (box(1, 1, 19, 19), False),  # large, but it is inside
        (box(0, 0, 10, 10), False),  # an object in the corner
    ],
)
def test_the_background_covers_most_of_the_border(mask, expected):
    assert background(segments_of(mask).masks, mask.shape).tolist() == [expected]


@given(st.lists(boxes, max_size=5))
def test_the_background_is_counted_on_the_border(whole):
    rim = ~box(1, 1, 19, 19)
    expected = [(m & rim).sum() > 0.5 * rim.sum() for m in whole]
    assert background(segments_of(*whole, shape=(20, 20)).masks, (20, 20)).tolist() == expected


@given(st.lists(boxes, max_size=6))
def test_separated_segments_are_disjoint_and_cover_the_same(whole):
    segments = segments_of(*whole, shape=(20, 20))
    parts = separate(segments)
    count = np.zeros((20, 20), int)
    for row in range(len(parts)):
        x0, y0, x1, y1 = parts.boxes[row]
        count[y0:y1, x0:x1] += parts.crop(row)
        if parts.crop(row).any():
            assert (segments.labels()[y0:y1, x0:x1][parts.crop(row)] == row + 1).all()
    assert count.max(initial=0) <= 1
    np.testing.assert_array_equal(count > 0, np.any(whole, axis=0) if whole else count > 0)
    assert [segments.mask(i + 1).sum() for i in range(len(whole))] == [m.sum() for m in whole]


def test_ranges_include_their_ends():
    segments = segments_of(box(0, 0, 2, 2), box(5, 5, 8, 8), box(10, 10, 14, 14)).replace(
        predicted_iou=np.array([0.7, 0.9, 0.95], np.float32)
    )
    assert select(segments, FilterSettings(predicted_iou=(0.7, 0.9))).tolist() == [True, True, False]
    assert select(segments, FilterSettings(area=(9, 16))).tolist() == [False, True, True]


def test_the_score_counts_only_once_there_is_one():
    segments = segments_of(box(0, 0, 2, 2), box(5, 5, 8, 8))
    filters = FilterSettings(score=(0.5, 1))
    assert select(segments, filters).tolist() == [True, True]
    assert select(segments, filters, np.array([0.4, 0.6])).tolist() == [False, True]


def test_background_and_edge_are_switches():
    segments = segments_of(box(0, 0, 20, 20), box(0, 5, 4, 9), box(8, 8, 12, 12))
    segments = segments.replace(background=background(segments.masks, segments.shape))
    assert select(segments, FilterSettings()).tolist() == [False, True, True]
    assert select(segments, FilterSettings(background=True)).tolist() == [True, True, True]
    assert select(segments, FilterSettings(touching_edge=False)).tolist() == [False, False, True]


def test_the_paper_filter():
    segments = segments_of(box(0, 0, 20, 20), box(2, 2, 12, 12), box(3, 3, 6, 6), box(14, 14, 18, 18))
    segments = segments.replace(
        predicted_iou=np.array([0.99, 0.95, 0.95, 0.8], np.float32),
        background=background(segments.masks, segments.shape),
    )
    assert select(segments, FilterSettings.paper()).tolist() == [False, True, False, False]


def test_nothing_is_selected_from_nothing():
    assert select(Segments.empty((5, 5)), FilterSettings.paper()).tolist() == []
