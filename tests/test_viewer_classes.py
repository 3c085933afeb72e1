"""The list of classes: what is changed in it, and what goes along."""

from __future__ import annotations

import pytest
from _fake_engine import ask
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit
from test_viewer_panels import row_at, work_of

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def asked(dock, qtbot):
    ask(dock, "red", qtbot)
    return dock


def test_classes_are_renamed_reordered_and_ticked_without_losing_objects(asked, qtbot):
    ask(asked, "green", qtbot)
    asked.desk.decisions.accept([row_at(asked, 20, 60)])
    table = asked.classes.table
    table.item(1, 0).setText("leaf")
    qtbot.waitUntil(lambda: asked.desk.runner.state == "idle")
    session = work_of(asked).session
    assert [c.name for c in session.classes] == ["red", "leaf"]
    assert session.classes["leaf"].phrases == ("green",)
    assert work_of(asked).states()[row_at(asked, 20, 60)] == ("leaf", "accepted")
    table.selectRow(1)
    asked.classes._up()
    assert [c.name for c in session.classes] == ["leaf", "red"]
    table.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: asked.desk.runner.state == "idle")
    assert work_of(asked).match.names == ("leaf",)


def test_what_is_typed_into_a_class_stays_when_a_run_lands(asked, qtbot):
    table = asked.classes.table
    table.editItem(table.item(0, 1))
    editor = table.findChild(QLineEdit)
    editor.setText("red, crimson")
    work_of(asked).session.accept(list(work_of(asked).session.objects))  # as anything else that changes it
    assert table.item(0, 2).text() == "1" and editor is table.findChild(QLineEdit)
    table.itemDelegate().commitData.emit(editor)  # as Return does
    table.itemDelegate().closeEditor.emit(editor)
    qtbot.waitUntil(lambda: asked.desk.runner.state == "idle")
    assert asked.desk.classes["red"].phrases == ("red", "crimson")
    assert table.item(0, 1).text() == "red, crimson"


def test_a_rename_is_undone_and_redone_as_a_whole(asked, qtbot):
    desk = asked.desk
    desk.class_changes.rename("red", "rouge")
    for step, name in ((desk.decisions.undo, "red"), (desk.decisions.redo, "rouge")):
        step()
        qtbot.waitUntil(lambda: desk.runner.state == "idle")
        assert (desk.ticked, desk.active, work_of(asked).match.names) == ({name}, name, (name,))
        assert [c.name for c in desk.classes] == [name]
    desk.decisions.accept([row_at(asked, 20, 20)])
    (thing,) = work_of(asked).session.objects.values()
    assert (thing.class_name, thing.status) == ("rouge", "accepted")
