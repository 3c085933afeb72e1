"""Keys as a person changes them on the plugin's page of napari's preferences."""

from __future__ import annotations

import napari.settings
import pytest
from _fake_engine import ask, ours, press
from napari._qt.dialogs.preferences_dialog import PreferencesDialog
from qtpy.QtCore import Qt
from qtpy.QtGui import QShortcut
from qtpy.QtWidgets import QLineEdit

from napari_slip.viewer import SlipDock
from napari_slip.viewer._keys import GROUPS, KEYS, TURNS

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def settings(viewer, tmp_path, monkeypatch):
    """What napari keeps for the plugin, in a folder of its own."""
    monkeypatch.setattr(napari.settings, "_PLUGIN_SETTINGS", {})
    return napari.settings.get_plugin_settings("napari-slip", path_dir=tmp_path)


def decided(dock):
    return {o.status for o in dock.desk.sheet.workspace.session.objects.values()}


def listed(dock):
    """What the dock's list says of each key: on the layers, in the dock."""
    rows = [[label.text() for label in row] for row in dock.keys.labels]
    return {does: (on_layers, in_dock) for on_layers, in_dock, does in rows}


def test_the_manifest_offers_the_keys_that_there_are_with_what_they_do(settings):
    for where, name in GROUPS.items():
        fields = type(getattr(settings, name)).model_fields
        wanted = [key for key in (*KEYS, *TURNS) if getattr(key, where)]
        assert {name: field.default for name, field in fields.items()} == {
            key.action: getattr(key, where) for key in wanted
        }
        assert [field.title.lower() for field in fields.values()] == [key.text for key in wanted]


def test_a_key_is_changed_in_the_preferences(settings, dock, qtbot):
    ask(dock, "red", qtbot)
    dialog = PreferencesDialog()
    qtbot.addWidget(dialog)
    page = dialog._stack.widget(dialog._list.row(dialog._list.findItems("napari-slip", Qt.MatchExactly)[0]))
    lines = {line.text(): line for line in page.findChildren(QLineEdit)}
    lines["A"].setText("Ctrl+G")
    lines["Ctrl+Return"].setText("Alt+G")
    layer = ours(dock)[1]
    assert "A" not in {str(key) for key in layer.keymap}
    press(qtbot, layer, dock.viewer, Qt.Key.Key_N)
    press(qtbot, layer, dock.viewer, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert decided(dock) == {"accepted"}
    assert listed(dock)["accept the segment"] == ("Ctrl+G", "Alt+G")


def test_a_changed_key_works_while_typing_too(settings, dock, qtbot):
    ask(dock, "red", qtbot)
    settings.in_dock.accept_current = "Alt+G"
    shortcuts = {shortcut.key().toString(): shortcut for shortcut in dock.findChildren(QShortcut)}
    assert "Ctrl+Return" not in shortcuts
    shortcuts["Alt+Down"].activated.emit()
    shortcuts["Alt+G"].activated.emit()
    assert decided(dock) == {"accepted"}


@pytest.mark.parametrize("text", ["", "nonsense", "Shift+", "A, B"])
def test_what_is_no_key_takes_the_key_away_until_it_is_one(settings, dock, qtbot, text):
    ask(dock, "red", qtbot)
    settings.on_layers.accept_current = text
    assert listed(dock)["accept the segment"][0] == ""
    assert "A" not in {str(key) for key in ours(dock)[1].keymap}
    settings.on_layers.accept_current = "G"
    assert "G" in {str(key) for key in ours(dock)[1].keymap}


def test_a_key_of_two_things_belongs_to_the_first(settings, dock, qtbot):
    ask(dock, "red", qtbot)
    settings.on_layers.reject_current = "A"
    assert [listed(dock)[name][0] for name in ("accept the segment", "reject it")] == ["A", ""]
    layer = ours(dock)[1]
    press(qtbot, layer, dock.viewer, Qt.Key.Key_N)
    press(qtbot, layer, dock.viewer, Qt.Key.Key_A)
    assert decided(dock) == {"accepted"}


def test_tooltips_name_the_keys_that_are_set(settings, dock):
    settings.on_layers.merge = "Ctrl+M"
    (merge, *_) = dock.correct.edits
    assert merge.toolTip().endswith("(Ctrl+M)")


def test_changed_keys_are_there_after_a_new_start(settings, viewer, engine, tmp_path, monkeypatch):
    settings.on_layers.accept_current = "G"
    settings.save()
    monkeypatch.setattr(napari.settings, "_PLUGIN_SETTINGS", {})
    napari.settings.get_plugin_settings("napari-slip", path_dir=tmp_path)
    again = SlipDock(viewer, engine)
    assert listed(again)["accept the segment"][0] == "G"
    again.dispose()


def test_other_layers_keep_their_keys(dock, qtbot):
    ask(dock, "red", qtbot)
    for name, statuses in (("discs", {"predicted"}), ("discs segments", {"accepted"})):
        press(qtbot, dock.viewer.layers[name], dock.viewer, Qt.Key.Key_N)
        press(qtbot, dock.viewer.layers[name], dock.viewer, Qt.Key.Key_A)
        assert decided(dock) == statuses
    mine = dock.viewer.add_labels(ours(dock)[1].data.copy(), name="mine")
    assert not mine.keymap
    assert not dock.viewer.keymap
