"""Several images in one viewer, several planes of one, and docks that find what others have left."""

from __future__ import annotations

import numpy as np
import pytest
from _fake_engine import ask, blobs, ours, press
from qtpy.QtCore import Qt

from napari_slip.objects import Object
from napari_slip.session import Edit
from napari_slip.settings import FilterSettings
from napari_slip.viewer import SlipDock

pytest_plugins = ["_dock_fixtures"]


def session_of(dock):
    return dock.desk.sheet.workspace.session


@pytest.fixture
def two(dock, engine, qtbot):
    """Two images that a text was looked for in; the second is in front."""
    ask(dock, "red", qtbot)
    first = session_of(dock)
    other = dock.viewer.add_image(blobs()[::-1].copy(), name="other")
    dock.images.choose(other)
    ask(dock, "red", qtbot)
    dock.images.choose(other)
    return dock, first, session_of(dock)


@pytest.fixture
def asked(viewer, engine, qtbot):
    """Look for texts on both planes of a stack."""
    viewer.add_image(np.stack([blobs()] * 2), name="discs", rgb=True)
    dock = SlipDock(viewer, engine)

    def ask_on_both(*texts):
        for plane in (0, 1):
            viewer.dims.set_point(0, plane)
            for text in texts:
                ask(dock, text, qtbot)
        return dock

    yield ask_on_both
    dock.dispose()


def test_a_key_acts_on_the_image_on_whose_layer_it_is_pressed(two, qtbot):
    dock, first, second = two
    dock.images.choose(dock.viewer.layers["discs"])
    dock.desk.sheet.workspace.point_at(dock.desk.sheet.workspace.bright()[0])
    dock.images.choose(dock.viewer.layers["other"])
    press(qtbot, dock.viewer.layers["discs matches"], dock.viewer, Qt.Key.Key_A)
    assert dock.images.layer is dock.viewer.layers["discs"]
    assert [o.status for o in first.objects.values()] == ["accepted"]
    assert [o.status for o in second.objects.values()] == ["predicted"]


def test_a_key_on_layers_whose_image_is_gone_changes_no_other_image(two, told, qtbot):
    dock, _, second = two
    dock.viewer.layers.remove("discs")
    dock.desk.sheet.workspace.point_at(dock.desk.sheet.workspace.bright()[0])
    press(qtbot, dock.viewer.layers["discs matches"], dock.viewer, Qt.Key.Key_A)
    assert "'discs matches' is gone" in told[0]
    assert [o.status for o in second.objects.values()] == ["predicted"]


def test_a_run_that_lands_behind_leaves_the_class_in_front_alone(two, engine, qtbot):
    dock, first, _ = two
    engine.sam.gate.clear()
    dock.viewer.layers["discs"].data = blobs() // 2 + 100  # new pixels: SAM has to look again
    dock.images.choose(dock.viewer.layers["discs"])
    dock.prompt.setText("green")
    dock.prompt.returnPressed.emit()
    dock.images.choose(dock.viewer.layers["other"])
    engine.sam.gate.set()
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle")
    assert dock.desk.active == "red"
    assert "green" in first.classes


def test_an_object_of_other_segments_is_not_taken_for_one_of_these(dock, qtbot):
    ask(dock, "red", qtbot)
    work = dock.desk.sheet.workspace
    row = int(work.bright()[0])
    elsewhere = np.ones((5, 5), bool)
    work.session.apply(Edit((Object(0, "red", "accepted", elsewhere, (100, 80), segment=row + 1),)))
    assert work.states()[row] == ("red", "predicted")
    dock.desk.decisions.reject([row])
    assert sorted(o.status for o in work.session.objects.values()) == ["accepted", "rejected"]
    assert next(o for o in work.session.objects.values() if o.status == "accepted").origin == (100, 80)


def test_a_rejected_match_no_longer_stands_out(dock, qtbot):
    ask(dock, "red", qtbot)
    row = int(dock.desk.sheet.workspace.bright()[0])
    layer = dock.viewer.layers["discs segments"]
    found = layer.get_color(row + 1).tolist()
    dimmed = layer.get_color(row + 2 if row == 0 else row).tolist()
    assert found != dimmed
    dock.desk.decisions.reject([row])
    assert layer.get_color(row + 1).tolist() == dimmed
    session_of(dock).undo()
    assert layer.get_color(row + 1).tolist() == found


def test_nothing_is_accepted_as_a_class_that_is_not_in_front(dock, told, qtbot):
    ask(dock, "red", qtbot)
    ask(dock, "green", qtbot)
    table = dock.classes.table
    table.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle")
    table.selectRow(1)
    assert dock.desk.active == "green" and dock.desk.sheet.workspace.match.names == ("red",)
    dock.desk.decisions.accept([4])
    assert "Class 'green' was not looked for on this plane" in told[0]
    assert {o.status for o in session_of(dock).objects.values()} == {"predicted"}


def test_a_stroke_in_a_dock_that_was_opened_again_is_kept(dock, engine, qtbot):
    ask(dock, "red", qtbot)
    dock.desk.decisions.accept_predictions()
    matches = ours(dock)[1]
    dock.viewer.window.remove_dock_widget(dock)
    again = SlipDock(dock.viewer, engine)
    new = max(session_of(again).objects) + 1
    matches.paint((90, 60), new)
    qtbot.waitUntil(lambda: new in session_of(again).objects)
    ask(again, "green", qtbot)
    assert matches.data[90, 60] == new and matches.data[20, 20]
    again.dispose()


def test_strokes_on_several_planes_are_kept_in_a_dock_that_was_opened_again(viewer, engine, qtbot):
    viewer.add_image(np.stack([blobs()] * 3), name="discs", rgb=True)
    dock = SlipDock(viewer, engine)
    ask(dock, "red", qtbot)
    dock.desk.decisions.accept_predictions()
    dock.dispose()
    again = SlipDock(viewer, engine)
    matches = viewer.layers["discs matches"]
    matches.n_edit_dimensions = 3
    matches.brush_size = 5
    new = max(session_of(again).objects) + 1
    matches.paint((1, 90, 60), new)
    qtbot.waitUntil(lambda: len(session_of(again).objects) > 2)
    painted = {o.plane for o in session_of(again).objects.values() if o.status == "corrected"}
    assert painted == {(0,), (1,), (2,)}
    again.dispose()


def test_what_clip_sees_stays_chosen_when_layers_come(channels, qtbot):
    channels.source.sees.setCurrentIndex(2)
    ask(channels, "red", qtbot)
    assert channels.source.sees.currentText() == "g" and channels.desk.source.clip_sees == 1
    channels.viewer.layers.remove("g")
    assert channels.source.sees.currentText() == "all together" and channels.desk.source.clip_sees is None


def test_a_renamed_class_is_renamed_on_every_plane(asked, qtbot):
    dock = asked("red")
    dock.classes.table.item(0, 0).setText("berry")
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle")
    dock.viewer.dims.set_point(0, 0)
    dock.desk.decisions.accept(dock.desk.sheet.workspace.bright().tolist())
    assert {(o.class_name, o.plane) for o in session_of(dock).objects.values()} == {
        ("berry", (0,)),
        ("berry", (1,)),
    }
    assert [c.name for c in dock.desk.classes] == ["berry"]


def test_a_removed_class_does_not_come_back_with_another_plane(asked, qtbot):
    dock = asked("red", "green")
    dock.desk.class_changes.change(lambda classes: classes.remove("green"))
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle")
    dock.viewer.dims.set_point(0, 0)
    dock.desk.show(filters=FilterSettings(area=(10, np.inf)))
    dock.desk._settled()
    assert [c.name for c in dock.desk.classes] == ["red"]
    assert {o.class_name for o in session_of(dock).objects.values()} == {"red"}


def test_the_rule_of_now_is_that_of_every_plane_that_is_turned_to(asked):
    dock = asked("yellow")
    dock.rule.rule.setCurrentIndex(2)
    dock.viewer.dims.set_point(0, 0)
    work = dock.desk.sheet.workspace
    dock.desk.decisions.accept_predictions()
    accepted = [o.segment - 1 for o in work.session.objects.values() if o.plane == (0,)]
    assert sorted(accepted) == sorted(work.bright().tolist()) and len(accepted) > 1


def test_the_channel_axis_is_remembered_for_each_image(viewer, engine, qtbot):
    channels = viewer.add_image(np.moveaxis(blobs(), -1, 0), name="channels")
    other = viewer.add_image(blobs(), name="other")
    dock = SlipDock(viewer, engine)
    dock.images.choose(channels)
    dock.source.axis.setCurrentIndex(1)
    ask(dock, "red", qtbot)
    dock.desk.decisions.accept_predictions()
    before = session_of(dock)
    dock.images.choose(other)
    dock.images.choose(channels)
    assert dock.source.axis.currentData() == 0
    assert session_of(dock) is before and before.objects
    dock.dispose()


def test_a_filter_stays_what_it_was_set_to_where_the_slider_does_not_reach(dock, qtbot):
    ask(dock, "red", qtbot)
    dock.filters.set_settings(FilterSettings(area=(3.0, 1e6)))
    low, high = dock.filters.rows["score"].slider.ends
    dock.filters.rows["score"].slider.setValue((low + 0.1, high))
    assert dock.desk.memory.filters.area == (3.0, 1e6)
    slider = dock.filters.rows["area"].slider
    slider.setValue((np.log10(300), slider.ends[1]))
    assert dock.desk.memory.filters.area == (pytest.approx(300), 1e6)
