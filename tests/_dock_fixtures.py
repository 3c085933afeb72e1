"""A dock in a real viewer, over models that a test can foresee."""

from __future__ import annotations

from pathlib import Path

import pytest
from _fake_engine import FakeEngine, blobs
from npe2 import PluginManager, PluginManifest

from napari_slip.viewer import SlipDock, _desk, _memory, _sessions

ROOT = Path(__file__).parents[1]


@pytest.fixture
def engine():
    made = FakeEngine()
    yield made
    made.sam.gate.set()


@pytest.fixture
def viewer(make_napari_viewer, tmp_path, monkeypatch):
    monkeypatch.setattr(_sessions, "folder", lambda: tmp_path / "sessions")
    monkeypatch.setattr(_memory, "path", lambda: tmp_path / "dock.json")
    _sessions._open.clear()
    plugins = PluginManager.instance()
    if "napari-slip" not in plugins:  # run from the tree, without an installation
        plugins.register(PluginManifest.from_file(ROOT / "napari.yaml"))
    return make_napari_viewer()


@pytest.fixture
def dock(viewer, engine, qtbot):
    viewer.add_image(blobs(), name="discs")
    widget = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(widget, name="SLIP")
    yield widget
    widget.dispose()


@pytest.fixture
def channels(viewer, engine, qtbot):
    """A dock over the discs' channels as layers, red in front and green together with it."""
    viewer.add_image(blobs(), channel_axis=2, name=["r", "g", "b"])
    widget = SlipDock(viewer, engine)
    widget.images.choose(viewer.layers["r"])
    for action in widget.source._menu.actions():
        action.setChecked(action.text() == "g")
    yield widget
    widget.dispose()


@pytest.fixture
def told(monkeypatch):
    sentences = []
    monkeypatch.setattr(_desk, "show_error", sentences.append)
    return sentences
