"""What is asked for while a run goes on, and what Cancel says of it."""

from __future__ import annotations

import threading

import pytest
from _fake_engine import ask, begin

from napari_slip.viewer._exchange import Exchange

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def running(dock, engine, qtbot):
    """A dock with a run at SAM's gate."""
    engine.sam.gate.clear()
    begin(dock, "red", engine, qtbot)
    return dock


def idle(dock, qtbot):
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=10_000)


def ask_for(dock, text):
    dock.prompt.setText(text)
    dock.prompt.returnPressed.emit()


def test_an_export_that_waits_is_written_whatever_is_asked_for_after_it(running, engine, qtbot, tmp_path):
    Exchange(running.desk).export(tmp_path, ["coco"])
    running.desk.decisions.refine()
    ask_for(running, "green")
    ask_for(running, "blue")  # overtakes the text that waits, and nothing else
    engine.sam.gate.set()
    idle(running, qtbot)
    assert list(tmp_path.glob("*.json"))
    assert [c.name for c in running.desk.classes] == ["red", "blue"]


def test_a_text_that_waits_is_not_lost_when_a_class_is_ticked(dock, qtbot):
    ask(dock, "red", qtbot)
    gate = threading.Event()
    dock.desk.runner.submit(lambda progress: gate.wait(10), lambda done: None)
    ask_for(dock, "green")
    dock.desk.class_changes.tick("red", False)
    gate.set()
    idle(dock, qtbot)
    assert [c.name for c in dock.desk.classes] == ["red", "green"]


def test_cancel_says_what_it_has_dropped(running, qtbot, tmp_path):
    Exchange(running.desk).export(tmp_path, ["coco"])
    running.run_button.click()
    idle(running, qtbot)
    told = running.activity.text.text()
    assert told == "Cancelled; nothing was changed. What waited was dropped: the export."
    assert not list(tmp_path.glob("*.json"))
