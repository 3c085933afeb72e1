from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def viewer(make_napari_viewer):
    plugins = PluginManager.instance()
    if "napari-slip" not in plugins:  # run from the tree, without an installation
        plugins.register(PluginManifest.from_file(ROOT / "napari.yaml"))
    return make_napari_viewer()


def entries(menu, above: str = "") -> list[str]:
    menu.aboutToShow.emit()
    paths = []
    for action in menu.actions():
        below = action.menu()
        paths += entries(below, f"{above}{action.text()} > ") if below else [f"{above}{action.text()}"]
    return paths


def test_the_dock_is_reached_from_two_menus(viewer):
    assert "SLIP (napari-slip)" in entries(viewer.window.plugins_menu)
    assert "Segment > SLIP (napari-slip)" in entries(viewer.window.layers_menu)


def test_the_samples_stand_under_open_sample(viewer):
    above = "Open Sample > napari-slip > "
    paths = entries(viewer.window.file_menu)
    assert [path.removeprefix(above) for path in paths if path.startswith(above)] == [
        "Coins",
        "Immunohistochemistry",
        "Cell",
        "Coffee",
        "Drawn objects",
        "Drawn nuclei",
    ]


@pytest.mark.parametrize("key", ["coins", "immunohistochemistry", "cell", "coffee", "objects", "nuclei"])
def test_a_sample_opens_as_one_plane(viewer, key):
    (layer,) = viewer.open_sample("napari-slip", key)
    assert type(layer).__name__ == "Image"
    assert layer.ndim == 2
