from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as rle

from napari_slip.errors import InputError
from napari_slip.io import import_session
from napari_slip.io._runs import draw_runs, read_runs


@st.composite
def masks(draw):
    """Noise of any density within a box of any place, full and empty masks among them."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    mask = np.zeros((height, width), bool)
    box = mask[y : draw(st.integers(y, height)), x : draw(st.integers(x, width))]
    box[:] = np.random.default_rng(draw(st.integers(0, 99))).random(box.shape) < draw(st.floats(0, 1))
    return mask


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
@given(mask=masks())
def test_runs_are_drawn_as_pycocotools_draws_them(mask):
    encoded = rle.encode(np.asfortranarray(mask, np.uint8))
    whole = rle.decode(encoded).astype(bool)
    np.testing.assert_array_equal(whole, mask)
    found = draw_runs(read_runs(encoded["counts"]), *mask.shape)
    if found is None:
        assert not mask.any()
        return
    crop, (x, y) = found
    drawn = np.zeros_like(mask)
    drawn[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    np.testing.assert_array_equal(drawn, whole)
    for edge in (crop[0], crop[-1], crop[:, 0], crop[:, -1]):
        assert edge.any()


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=30))
def test_compressed_lengths_are_read_as_they_were(counts):
    encoded = rle.frPyObjects({"size": [2**15, 2**15], "counts": counts}, 2**15, 2**15)
    assert read_runs(encoded["counts"]).tolist() == counts


def coco(path, segmentation, size=8192):
    picture = {"id": 1, "file_name": "a.png", "height": size, "width": size}
    thing = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": segmentation}
    content = {"images": [picture], "categories": [{"id": 1, "name": "nut"}], "annotations": [thing]}
    path.write_text(json.dumps(content))


def test_a_small_object_of_a_large_plane_takes_little_memory(tmp_path):
    square = [[4000, 5000, 4010, 5000, 4010, 5006, 4000, 5006]]
    encoded = rle.merge(rle.frPyObjects(square, 8192, 8192))
    coco(tmp_path / "a.json", {"size": [8192, 8192], "counts": encoded["counts"].decode()})
    tracemalloc.start()
    try:
        (thing,) = import_session(tmp_path / "a.json").objects.values()
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert (thing.area, thing.origin, thing.crop.shape) == (60, (4000, 5000), (6, 10))


@pytest.mark.parametrize("counts", [[3, 70], [3, -1, 5], "\x7f\x7f", "o"])
def test_runs_that_do_not_fit_end_in_a_sentence(tmp_path, counts):
    coco(tmp_path / "a.json", {"size": [8, 8], "counts": counts}, 8)
    with pytest.raises(InputError, match="is no COCO file that can be read"):
        import_session(tmp_path / "a.json")
