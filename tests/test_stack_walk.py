"""A series from its file to linked, exported labels, once from the viewer and once from the command line."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from _fake_engine import ask
from typer.testing import CliRunner

from napari_slip.cli import app
from napari_slip.io import export_session, open_stack, read_ome_zarr
from napari_slip.settings import MatchSettings
from napari_slip.synthesis import draw_series
from napari_slip.viewer import SlipDock
from napari_slip.viewer._engine import Engine, load_slip

pytest_plugins = ["_dock_fixtures"]

pytestmark = [
    pytest.mark.slow,
    # what dask says of processes that end
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MINUTES = 60_000


class CountingEngine(Engine):
    """Remembers which planes it was asked for."""

    def __init__(self):
        super().__init__(load_slip)
        self.asked = []

    def run(self, request, progress):
        outcome = super().run(request, progress)
        self.asked.append(request.snapshot.place.index)
        return outcome


def opened(viewer, folder, planes):
    path = folder / "series.tif"
    series = draw_series("divide", planes, (128, 128), 5, np.random.default_rng(3))
    tifffile.imwrite(path, series.pictures, photometric="rgb", metadata={"axes": "TYXS"})
    viewer.open(path, plugin="napari")
    engine = CountingEngine()
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    dock.desk.show(settings=MatchSettings(select="above:0.5"))
    viewer.dims.set_point(0, planes // 3)
    return path, engine, dock


def wait(dock, qtbot, until=lambda: True, minutes=5):
    desk = dock.desk
    qtbot.waitUntil(
        lambda: desk.runner.state == "idle" and not desk.scan.running and until(), timeout=minutes * MINUTES
    )


def partition(labels):
    """Name each label by where it first appears, so that only what belongs together is compared."""
    values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.where(values == 0, -1, first)[inverse].reshape(labels.shape)


def walk(viewer, qtbot, folder, planes, minutes=5):
    path, engine, dock = opened(viewer, folder, planes)
    dock.stack.scope.setCurrentIndex(2)
    found = dock.desk.scan.found
    dock.prompt.setText("blue")
    dock.prompt.returnPressed.emit()
    qtbot.waitUntil(
        lambda: dock.desk.sheet is not None and len(found(dock.desk.sheet).done) >= planes // 2,
        timeout=minutes * MINUTES,
    )
    dock.desk.cancel()
    wait(dock, qtbot, minutes=minutes)
    done = set(found(dock.desk.sheet).done)
    assert planes // 2 <= len(done) < planes
    engine.asked.clear()
    dock.prompt.setText("blue")
    dock.prompt.returnPressed.emit()
    wait(dock, qtbot, lambda: len(found(dock.desk.sheet).done) == planes, minutes)
    here = dock.desk.sheet.place.index
    assert done & set(engine.asked) <= {here}
    ask(dock, "red", qtbot)
    wait(dock, qtbot, lambda: len(found(dock.desk.sheet).best.get("red", ())) == planes, minutes)
    dock.stack.do_link()
    wait(dock, qtbot)
    session = dock.desk.sheet.workspace.session
    with open_stack(path) as file:
        written = export_session(session, folder, "series", ["zarr"], stack=file.stack)
    ours = np.asarray(read_ome_zarr(written["zarr"], "labels/objects").levels[0])
    shown = np.asarray(dock.viewer.layers["series matches"].data[:])
    np.testing.assert_array_equal(shown, ours)
    classes = {o.label: o.class_name for o in session.objects.values()}
    dock.dispose()
    words = ["batch", path, "--prompt", "blue", "--prompt", "red", "--select", "above:0.5", "--no-store"]
    ran = CliRunner().invoke(app, [*map(str, words), "--workers", "2", "--out", str(folder / "out")])
    assert ran.exit_code == 0, ran.output
    theirs = read_ome_zarr(folder / "out" / "series.ome.zarr", "labels/matches")
    labels = np.asarray(theirs.levels[0])
    np.testing.assert_array_equal(partition(labels), partition(ours))
    told = {entry["label-value"]: entry["class"] for entry in theirs.attributes["image-label"]["properties"]}
    for label in np.unique(labels)[1:]:
        assert told[label] == classes[ours[labels == label][0]]
    return session


def test_a_series_gives_the_same_pixels_from_the_viewer_and_from_two_workers(
    viewer, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    session = walk(viewer, qtbot, tmp_path, planes=8)
    assert len({o.label for o in session.objects.values()}) < len(session.objects) / 2


def test_a_cluster_looks_at_the_planes_for_the_viewer(viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, _, dock = opened(viewer, tmp_path, planes=4)
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
