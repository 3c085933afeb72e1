"""The picture of segments is the same, however one came to the selection; labels and colours stay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.utils.colormaps import DirectLabelColormap
from test_segments import segments_of

from napari_slip.viewer._drawing import Drawing
from napari_slip.viewer._layers import ResultLayers
from napari_slip.viewer._palette import Palette
from napari_slip.viewer._source import Place

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


def test_a_track_with_a_number_above_every_id_keeps_it(make_napari_viewer):
    viewer, shape = make_napari_viewer(), (6, 8)
    image = viewer.add_image(np.zeros(shape))
    picture = np.zeros(shape, np.uint32)
    picture[2:4, 2:5] = 300
    layers = ResultLayers(viewer, image, "key")
    layer = layers.show_matches(picture, Place((0, 1), (), shape, shape), {300: (1, 0, 0, 1)}, free=2)
    assert layer.data[3, 3] == 300
    assert layer.get_color(300)[0] == 1
    layers.show_matches(0 * picture, Place((0, 1), (), shape, shape), {}, free=2)
    assert not layer.data.any()


@pytest.mark.parametrize("label", [5, 700])
def test_another_highlight_is_seen_on_the_canvas(make_napari_viewer, label):
    viewer, shape = make_napari_viewer(show=True), (64, 64)
    image, place = viewer.add_image(np.zeros(shape)), Place((0, 1), (), shape, shape)
    picture = np.zeros(shape, np.uint32)
    picture[:, :32], picture[:, 32:] = label, label - 1
    layers = ResultLayers(viewer, image, "key")
    layers.show_segments(picture, place, pd.DataFrame({"area": np.zeros(label)}))

    def brightness():
        seen = viewer.screenshot(canvas_only=True, flash=False)[..., 0]
        middle, column = seen.shape[0] // 2, seen.shape[1] // 2
        return int(seen[middle, column - 20]), int(seen[middle, column + 20])

    layers.highlight([label], None, scored=True, contour=False)
    left, right = brightness()
    assert left > right + 100
    layers.highlight([label - 1], None, scored=True, contour=False)
    left, right = brightness()
    assert right > left + 100
