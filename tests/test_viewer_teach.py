"""Teaching in the dock: examples from decisions, a head, everything scored again, off and on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from _fake_engine import ask, blobs, ours
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_slip.errors import InputError
from napari_slip.matching import Head, heads, teach
from napari_slip.objects import Object
from napari_slip.viewer import SlipDock
from napari_slip.viewer._engine import Looked, Outcome
from napari_slip.viewer._teach_panel import TEXTS
from napari_slip.viewer._teaching import _within

pytest_plugins = ["_dock_fixtures"]

# a disc of each colour on the picture of the tests
RED, GREEN, BLUE, YELLOW, OTHER_YELLOW = (20, 20), (20, 60), (65, 35), (30, 105), (75, 100)


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    folder = tmp_path / "heads"
    monkeypatch.setattr(heads, "folder", lambda: folder)
    return folder


def work_of(dock):
    return dock.desk.sheet.workspace


def row_at(dock, place):
    return int(work_of(dock).segments.labels()[place]) - 1


def decide(dock, name, places=(), rejected=()):
    """Accept and reject, as the buttons under the table do."""
    dock.desk.activate(name)
    for action, chosen in (("reject", rejected), ("accept", places)):
        if chosen:
            getattr(dock.desk.decisions, action)([row_at(dock, place) for place in chosen])


def wait(dock, qtbot):
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=10_000)


def press_teach(dock, qtbot, name="mine"):
    dock.teach.name.setText(name)
    dock.teach.teach.click()
    wait(dock, qtbot)


def best(dock, name):
    match = work_of(dock).match
    return match.best[match.names.index(name)] - 1


@pytest.fixture
def confused(dock, qtbot):
    """What a person means by "red" looks green, and by "blue" looks yellow."""
    ask(dock, "red", qtbot)
    ask(dock, "blue", qtbot)
    decide(dock, "red", [GREEN], rejected=[RED])
    decide(dock, "blue", [YELLOW, OTHER_YELLOW], rejected=[BLUE])
    return dock


def test_examples_are_counted_and_an_empty_dock_says_what_to_do(confused):
    assert confused.teach.examples.text() == "Examples: blue 2, red 1, none of them 2."


def test_nothing_to_learn_from_is_told(dock, qtbot, told):
    assert "accept or correct a few objects" in dock.teach.examples.text()
    dock.teach.teach.click()
    assert "Nothing has been looked at yet" in told[-1]
    ask(dock, "red", qtbot)
    dock.teach.teach.click()
    assert "nothing to learn from yet: accept or correct a few objects of each class" in told[-1]


def test_teach_scores_everything_again_and_off_is_as_before(confused, qtbot):
    assert best(confused, "red") == row_at(confused, RED)
    press_teach(confused, qtbot)
    assert best(confused, "red") == row_at(confused, GREEN)
    assert best(confused, "blue") in {row_at(confused, p) for p in (YELLOW, OTHER_YELLOW)}
    assert confused.teach.used.currentText() == "mine"
    assert "2 classes from 5 examples" in confused.teach.worth.text()
    confused.teach.used.setCurrentText(TEXTS)
    confused.teach.used.activated.emit(0)
    wait(confused, qtbot)
    assert best(confused, "red") == row_at(confused, RED)
    assert confused.teach.worth.isHidden()


def test_a_second_text_is_scored_with_what_was_taught(confused, engine, qtbot):
    press_teach(confused, qtbot)
    encoded = engine.sam.encoded
    ask(confused, "green", qtbot)
    assert best(confused, "red") == row_at(confused, GREEN)
    assert best(confused, "green") == row_at(confused, GREEN)  # not taught, by its text
    assert engine.sam.encoded == encoded


def test_a_stack_is_taught_on_one_plane_and_scored_on_the_others(viewer, engine, qtbot):
    viewer.add_image(np.stack([blobs(), blobs()[::-1], np.roll(blobs(), 20, 1)]), rgb=True, name="stack")
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    viewer.dims.set_current_step(0, 1)
    ask(dock, "red", qtbot)
    viewer.dims.set_current_step(0, 0)
    for name in ("yellow", "red"):
        ask(dock, name, qtbot)
    decide(dock, "yellow", [YELLOW, OTHER_YELLOW])
    decide(dock, "red", [GREEN], rejected=[RED])
    press_teach(dock, qtbot)
    viewer.dims.set_current_step(0, 1)
    assert best(dock, "red") == row_at(dock, (96 - 1 - 20, 60))
    predicted = [
        o
        for o in work_of(dock).session.objects.values()
        if o.plane == (1,) and o.class_name == "red" and o.status == "predicted"
    ]
    assert [o.segment - 1 for o in predicted] == [row_at(dock, (75, 60))]
    viewer.dims.set_current_step(0, 2)
    ask(dock, "red", qtbot)
    assert best(dock, "red") == row_at(dock, (20, 80))
    viewer.layers.remove("stack")
    assert "No examples yet" in dock.teach.examples.text()
    dock.dispose()


def test_examples_of_planes_long_gone_are_still_known(dock, qtbot):
    ask(dock, "red", qtbot)
    decide(dock, "red", [GREEN], rejected=[RED])
    work_of(dock)._outcomes[(9,)] = work_of(dock)._outcomes.pop(())  # as if 32 others had come
    with pytest.raises(InputError, match="Nothing has been looked at yet"):
        dock.desk.teaching._lesson()
    ask(dock, "blue", qtbot)
    lesson, missing = dock.desk.teaching._lesson()
    assert len(lesson.looks) == 2
    assert not lesson.unseen
    assert missing == ""


def test_a_drawn_example_is_looked_at(dock, engine, qtbot):
    ask(dock, "red", qtbot)
    decide(dock, "red", [RED])
    ask(dock, "blue", qtbot)
    decide(dock, "blue", [BLUE])
    matches = ours(dock)[1]
    matches.brush_size = 6
    matches.paint((20, 14), 0)  # rubs out a part of the red disc
    dock.desk.sheet.absorb()
    before = engine.clip.looked_at
    press_teach(dock, qtbot)
    assert engine.clip.looked_at == before + len(dock.desk.engine._slips.popitem()[1].crops.views)
    assert dock.desk.teaching.head.examples == 2


def test_what_a_plane_looks_like_now_comes_before_what_it_looked_like(confused):
    work, teaching = work_of(confused), confused.desk.teaching
    before = work.outcome
    segments = before.looked.segments
    other = segments.replace(embedding=np.roll(segments.embedding, 1, axis=0))  # as in another contrast
    work._outcomes[()] = replace(before, looked=replace(before.looked, segments=other))
    examples = [o for o in work.session.objects.values() if o.status in ("accepted", "rejected")]
    expected = {other.embedding[o.segment - 1].tobytes() for o in examples}
    assert {look.tobytes() for look in teaching._lesson()[0].looks} == expected


def test_what_was_accepted_is_no_background(confused):
    segments = work_of(confused).segments
    row = row_at(confused, GREEN)
    segments.background[row] = True
    lesson, _ = confused.desk.teaching._lesson()
    named = zip(lesson.looks, lesson.names, strict=True)
    assert [name for look, name in named if (look == segments.embedding[row]).all()] == ["red"]


def test_a_renamed_class_keeps_what_was_taught(confused, qtbot):
    press_teach(confused, qtbot)
    confused.desk.class_changes.rename("red", "scarlet")
    wait(confused, qtbot)
    assert best(confused, "scarlet") == row_at(confused, GREEN)
    assert "scarlet" in confused.teach.worth.text()


def test_what_cannot_be_saved_is_told_and_used(confused, qtbot, told):
    press_teach(confused, qtbot, "x" * 260)
    assert "could not be saved" in told[-1]
    assert "choose a shorter name or make room" in told[-1]
    assert best(confused, "red") == row_at(confused, GREEN)
    assert confused.teach.worth.text()


def test_heads_are_kept_and_shared_and_deleted(confused, qtbot, tmp_path, monkeypatch):
    press_teach(confused, qtbot, "cells / day 1")
    assert heads.names() == ["cells / day 1"]
    file = tmp_path / "given.head"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(file), ""))
    confused.teach.buttons["Export..."].click()
    assert Head.load(file).classes == ("blue", "red") or Head.load(file).classes == ("red", "blue")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(file), ""))
    confused.teach.buttons["Import..."].click()
    wait(confused, qtbot)
    assert confused.teach.used.currentText() == "cells / day 1 2"
    monkeypatch.setattr(QMessageBox, "question", lambda *a: QMessageBox.StandardButton.Yes)
    confused.teach.buttons["Delete..."].click()
    wait(confused, qtbot)
    assert heads.names() == ["cells / day 1"]
    assert confused.teach.used.currentText() == TEXTS
    assert not confused.teach.buttons["Export..."].isEnabled()


def test_a_damaged_head_and_one_for_another_model_are_told(confused, qtbot, tmp_path, monkeypatch, told):
    bad = tmp_path / "bad.head"
    bad.write_bytes(b"no head")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(bad), ""))
    confused.teach.buttons["Import..."].click()
    assert "holds no taught head that can be read" in told[-1]
    eye = np.eye(4, dtype=np.float32)
    teach(eye, ["red", None, "red", None], eye[:1], ["red"], eye[:0], clip="other").save(bad)
    confused.teach.buttons["Import..."].click()
    wait(confused, qtbot)
    assert "another one, so it does nothing" in confused.teach.worth.text()
    assert best(confused, "red") == row_at(confused, RED)


@given(st.tuples(*[st.integers(0, 12)] * 2), st.tuples(*[st.integers(0, 12)] * 2), st.integers(1, 9))
def test_of_a_mask_the_part_within_what_was_looked_at_is_shown(origin, corner, side):
    crop = np.random.default_rng(side).random((side, side + 1)) > 0.3
    thing = Object(1, "red", "corrected", crop, origin)
    plane = np.zeros((40, 40), bool)
    plane[thing.window] = crop
    rgb = np.zeros((8, 10, 3), np.uint8)
    seen, (x, y) = _within(Outcome(None, Looked(None, rgb, corner, rgb), None, None), thing)
    drawn = np.zeros((8, 10), bool)
    drawn[y : y + seen.shape[0], x : x + seen.shape[1]] = seen
    assert (drawn == plane[corner[0] : corner[0] + 8, corner[1] : corner[1] + 10]).all()
