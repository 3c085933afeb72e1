"""Which pictures have sessions of their own."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from _fake_engine import ask, blobs
from napari.layers import Image

from napari_slip.viewer import _sessions
from napari_slip.viewer._source import locate

pytest_plugins = ["_dock_fixtures"]


def test_a_layer_that_is_given_a_picture_of_another_size_is_begun_anew(dock, qtbot):
    ask(dock, "red", qtbot)
    dock.desk.decisions.accept_predictions()
    first = dock.desk.sheet.workspace.session
    dock.viewer.layers["discs"].data = blobs((140, 160))
    ask(dock, "green", qtbot)
    assert dock.desk.sheet.workspace.session is not first
    assert [(o.class_name, o.status) for o in first.objects.values()] == [("red", "accepted")]
    sheet = dock.desk.sheet
    assert sheet.layers.get("matches").data.shape == (140, 160)
    assert sheet.layers.get("matches").data[20, 60]


def _keys(viewer, pictures, path=None):
    keys = []
    for n, picture in enumerate(pictures):
        layer = viewer.add_layer(Image(picture, name=f"picture {n}"))
        if path is not None:
            layer._set_source(layer.source.model_copy(update={"path": path}))
        keys.append(_sessions.session_key(layer, locate(viewer, layer)))
    return keys


def _spots(at, side=1024):
    picture = np.zeros((side, side), np.uint8)
    picture[at : at + 5, 700:705] = 200
    return picture


@pytest.mark.parametrize("ordered", [np.ascontiguousarray, np.asfortranarray])
def test_pictures_that_differ_in_a_spot_have_sessions_of_their_own(viewer, ordered):
    pictures = [ordered(_spots(at, 2048)) for at in range(10, 2000, 100)]
    assert len(set(_keys(viewer, [*pictures, pictures[0]]))) == len(pictures)


def test_large_pictures_that_differ_beside_a_black_margin_have_sessions_of_their_own(viewer):
    for shape in ((6000, 6000), (3000, 3000, 3)):
        shown = np.zeros(shape, np.uint8)
        other = shown.copy()
        other[100:2900, 100:2900] = 50
        before, after, again = _keys(viewer, [shown, other, other.copy()])
        assert before != after == again


def test_lazy_pictures_are_told_apart_by_what_they_show_and_not_by_their_names(viewer):
    dapi, gfp = (da.from_array(_spots(at), chunks=(512, 512)) for at in (400, 600))
    for path in (None, "/data/cells.zarr"):
        assert len(set(_keys(viewer, [dapi, gfp, dapi, gfp], path))) == 2


def test_lazy_pictures_of_two_folders_are_told_apart_also_where_they_show_the_same(
    viewer, tmp_path, monkeypatch
):
    keys = []
    for plate in ("plate1", "plate2"):
        (tmp_path / plate).mkdir()
        monkeypatch.chdir(tmp_path / plate)
        keys += _keys(
            viewer, [da.zeros((64, 64), np.uint8)], "stack.zarr"
        )  # as napari keeps what it was told
    assert keys[0] != keys[1]


def test_a_lazy_picture_that_cannot_be_read_has_a_session(viewer):
    def read(block):
        raise OSError("the share is gone")

    layer = viewer.add_image(da.zeros((64, 64), np.uint8), name="gone")
    place = locate(viewer, layer)
    layer._data = da.zeros((64, 64), np.uint8).map_blocks(read, dtype=np.uint8, meta=np.empty((0, 0)))
    assert _sessions.session_key(layer, place) == _sessions.session_key(layer, place)
