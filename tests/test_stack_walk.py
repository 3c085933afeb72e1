"""A series from its file to linked, exported labels, once from the viewer and once from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_slip.settings import MatchSettings
from napari_slip.synthesis import draw_series
from napari_slip.viewer import SlipDock
from napari_slip.viewer._engine import Engine, load_slip

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rows.stack_walk import partition, walk

pytest_plugins = ["_dock_fixtures"]

pytestmark = [
    pytest.mark.slow,
    # what dask says of processes that end
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MINUTES = 60_000


def opened(viewer, folder, planes):
    path = folder / "series.tif"
    series = draw_series("divide", planes, (128, 128), 5, np.random.default_rng(3))
    tifffile.imwrite(path, series.pictures, photometric="rgb", metadata={"axes": "TYXS"})
    viewer.open(path, plugin="napari")
    dock = SlipDock(viewer, Engine(load_slip))
    viewer.window.add_dock_widget(dock, name="SLIP")
    dock.desk.show(settings=MatchSettings(select="above:0.5"))
    viewer.dims.set_point(0, planes // 3)
    return dock


def wait(dock, qtbot, until=lambda: True, minutes=5):
    desk = dock.desk
    qtbot.waitUntil(
        lambda: desk.runner.state == "idle" and not desk.scan.running and until(), timeout=minutes * MINUTES
    )


def test_a_series_gives_the_same_pixels_from_the_viewer_and_from_two_workers(viewer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    walked = walk(viewer, tmp_path, planes=8)
    assert 4 <= walked.kept < 8
    assert walked.repeated == 0
    np.testing.assert_array_equal(walked.shown, walked.exported)
    np.testing.assert_array_equal(partition(walked.batch), partition(walked.exported))
    for label in np.unique(walked.batch)[1:]:
        ours = walked.exported[walked.batch == label][0]
        assert walked.batch_classes[label] == walked.classes[ours]
    assert walked.things < walked.objects / 2


def test_a_cluster_looks_at_the_planes_for_the_viewer(viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dock = opened(viewer, tmp_path, planes=4)
    begun = []
    encode = Engine._look

    def look(self, snapshot, slip, progress):
        kept = slip.store.load(snapshot.pictures(snapshot.read())[0], slip.origin(slip.segmenter.proposals))
        begun.append((snapshot.place.index, kept is not None))
        return encode(self, snapshot, slip, progress)

    monkeypatch.setattr(Engine, "_look", look)
    dock.stack.scope.setCurrentIndex(2)
    dock.stack.cluster.setText("1")
    dock.stack.cluster.editingFinished.emit()
    dock.prompt.setText("blue")
    dock.prompt.returnPressed.emit()
    found = dock.desk.scan.found
    wait(
        dock,
        qtbot,
        lambda: dock.desk.sheet is not None and len(found(dock.desk.sheet).done) == 4,
    )
    # the plane on screen was looked at here; what the cluster has done was found in the store
    assert begun[0] == ((1,), False)
    assert sorted(begun[1:]) == [((0,), True), ((2,), True), ((3,), True)]
    dock.dispose()
