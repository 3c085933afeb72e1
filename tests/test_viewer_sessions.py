"""Which pictures have sessions of their own."""

from __future__ import annotations

import numpy as np
from _fake_engine import ask, blobs

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


def test_pictures_that_differ_beside_a_black_margin_have_sessions_of_their_own(viewer):
    keys = set()
    for value in (50, 90):
        picture = np.zeros((4096, 4096), np.uint8)
        picture[100:4000, 100:4000] = value
        layer = viewer.add_image(picture)
        keys.add(_sessions.session_key(layer, locate(viewer, layer)))
    assert len(keys) == 2
