"""The picture of the segments is the same, however one came to the selection, and so are its colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.utils.colormaps import DirectLabelColormap
from test_segments import segments_of

from napari_slip.viewer._drawing import Drawing
from napari_slip.viewer._palette import Palette

SIDE = 24


@st.composite
def scenes(draw):
    """Draw discs and boxes that overlap as they like, and selections one after the other."""
    masks = []
    for _ in range(draw(st.integers(1, 7))):
        mask = np.zeros((SIDE, SIDE), bool)
        y, x = draw(st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)))
        height, width = draw(st.tuples(st.integers(1, SIDE), st.integers(1, SIDE)))
        mask[y : y + height, x : x + width] = True
        if draw(st.booleans()):
            mask[::2] = False
        masks.append(mask)
    selection = st.lists(st.booleans(), min_size=len(masks), max_size=len(masks))
    return segments_of(*masks), draw(st.lists(selection, min_size=1, max_size=5))


@given(scenes())
def test_a_changed_selection_is_drawn_as_if_from_nothing(scene):
    segments, selections = scene
    drawing = Drawing()
    for chosen in selections:
        selection = np.array(chosen)
        np.testing.assert_array_equal(drawing.of(segments, selection), segments.labels(selection))


def test_other_segments_are_drawn_from_nothing():
    drawing, everything = Drawing(), np.ones(1, bool)
    small, large = np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)
    small[3:6, 3:6] = True
    drawing.of(segments_of(large), everything)
    picture = drawing.of(segments_of(small), everything)
    assert picture.sum() == 9


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("chosen", [None, 7])
def test_a_palette_colours_every_label_as_napari_does(kind, chosen):
    colours = {None: "#10285080", 0: "transparent", 3: "yellow", 7: "white", 200: "yellow"}
    labels = np.arange(np.iinfo(kind).max + 1, dtype=kind)
    ours, theirs = Palette(color_dict=colours), DirectLabelColormap(color_dict=colours)
    if chosen is not None:
        for colormap in (ours, theirs):
            colormap.selection, colormap.use_selection = chosen, True
    np.testing.assert_array_equal(ours.map(labels), theirs.map(labels))
