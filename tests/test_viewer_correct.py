from __future__ import annotations

import numpy as np
import pytest
from _fake_engine import ask, ours
from qtpy.QtCore import Qt

from napari_slip.objects import Pointing
from napari_slip.session import Session, editing
from napari_slip.viewer import _sessions

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def desk(dock, qtbot):
    ask(dock, "red", qtbot)
    return dock.desk


def idle(desk, qtbot):
    qtbot.waitUntil(lambda: desk.runner.state == "idle" and not desk.correction.clicks.busy, timeout=10_000)


def begin_anew(desk, qtbot):
    """Take up the clicks for an object that is not there yet."""
    desk.correction.new()
    desk.decisions.refine()
    idle(desk, qtbot)


def at(desk, row, column):
    """World coordinates of a pixel."""
    return desk.sheet.place.to_world(desk.sheet.image, np.array([row, column], float))


def click(dock, row, column, qtbot, **how):
    dock._pointer.click(at(dock.desk, row, column), **how)
    idle(dock.desk, qtbot)


def objects(desk):
    return list(desk.sheet.workspace.session.objects.values())


def label_of(desk, row, column):
    return int(desk.sheet.workspace.session.picture()[row, column])


def test_a_click_with_the_pick_tool_makes_another_segment_the_match(dock, desk, qtbot):
    assert label_of(desk, 20, 20)
    desk.correction.take_up("pick")
    click(dock, 65, 35, qtbot)
    assert [(o.status, o.area > 1000) for o in objects(desk)] == [("accepted", True)]
    assert not label_of(desk, 20, 20)
    ask(dock, "red", qtbot)  # a later run fills only what is open
    assert [o.status for o in objects(desk)] == ["accepted"]
    click(dock, 20, 60, qtbot)
    assert [o.status for o in objects(desk)] == ["accepted", "accepted"]
    desk.decisions.undo()
    assert len([o for o in objects(desk) if o.status == "accepted"]) == 1


def test_clicks_make_an_object_and_undo_takes_back_mask_and_click(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    marks = desk.correction.marks
    click(dock, 20, 60, qtbot)
    (new,) = desk.correction.things
    assert new.status == "corrected" and new.class_name == "red"
    green = desk.sheet.workspace.session.picture() == new.label
    assert green[20, 60] and not green[65, 35]
    before = new.area
    click(dock, 20, 77, qtbot)  # black beside it: at least the place itself belongs to it now
    assert desk.correction.things[0].area > before
    assert len(marks.points.data) == 2
    desk.decisions.undo()
    assert desk.correction.things[0].area == before
    assert len(marks.points.data) == 1
    desk.decisions.redo()
    assert len(marks.points.data) == 2 and desk.correction.things[0].area > before
    click(dock, 20, 77, qtbot, sign=0)
    assert label_of(desk, 20, 60) == desk.correction.chosen[0] != label_of(desk, 20, 77)


def test_refining_a_chosen_prediction_corrects_it_and_scores_it_anew(dock, desk, qtbot):
    (red,) = objects(desk)
    desk.correction.choose([red.id])
    desk.decisions.refine()
    idle(desk, qtbot)
    click(dock, 20, 33, qtbot)
    assert [o.id for o in objects(desk)] == [red.id]
    assert objects(desk)[0].status == "corrected"
    qtbot.waitUntil(lambda: objects(desk)[0].score is not None, timeout=10_000)
    assert desk.sheet.workspace.session.steps == (1, 0)  # a score is no step


def test_a_click_on_a_prediction_that_is_only_pointed_at_leaves_no_double(dock, desk, qtbot):
    (red,) = objects(desk)
    desk.sheet.workspace.point_at(red.segment - 1)
    desk.decisions.refine()
    idle(desk, qtbot)
    click(dock, 20, 33, qtbot)
    desk.decisions.accept_predictions()
    assert [o.status for o in objects(desk)] == ["corrected"]
    desk.decisions.undo()
    assert [(o.status, o.area) for o in objects(desk)] == [("predicted", red.area)]


def test_a_drag_makes_a_box_and_the_box_a_mask(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    dock._pointer.drag(at(desk, 5, 45), at(desk, 36, 75))
    idle(desk, qtbot)
    (new,) = desk.correction.things
    assert new.pointing.box is not None and not new.pointing.points
    assert label_of(desk, 20, 60) == new.id
    assert len(desk.correction.marks.boxes.data) == 1


def test_a_click_that_is_deleted_in_its_layer_is_taken_out_of_the_mask(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    click(dock, 20, 60, qtbot)
    first = desk.correction.things[0].area
    click(dock, 20, 80, qtbot)
    points = desk.correction.marks.points
    points.selected_data = {1}
    points.remove_selected()
    idle(desk, qtbot)
    qtbot.waitUntil(lambda: desk.correction.things[0].area == first, timeout=10_000)
    assert len(desk.correction.things[0].pointing.points) == 1


def test_a_click_and_a_box_that_are_moved_in_their_layers_take_the_mask_along(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    click(dock, 20, 60, qtbot)
    points = desk.correction.marks.points
    points.data = points.data + np.array([45.0, -25.0])  # from the small disc onto the large one
    idle(desk, qtbot)
    qtbot.waitUntil(lambda: label_of(desk, 65, 35) == desk.correction.things[0].id, timeout=10_000)
    assert not label_of(desk, 20, 60)
    assert desk.correction.things[0].pointing.points == ((35.5, 65.5, 1),)
    desk.correction.new()
    dock._pointer.drag(at(desk, 5, 45), at(desk, 36, 75))
    idle(desk, qtbot)
    assert label_of(desk, 20, 60) == desk.correction.things[0].id
    boxes = desk.correction.marks.boxes
    boxes.data = [boxes.data[0] + np.array([0.0, -40.0])]
    idle(desk, qtbot)
    qtbot.waitUntil(lambda: not label_of(desk, 20, 60), timeout=10_000)
    assert desk.correction.things[0].pointing.box[0] < 10


def test_fill_smooth_and_remove_are_shown_first_and_are_one_step_each(dock, desk, qtbot):
    desk.correction.take_up("pick")
    click(dock, 65, 35, qtbot)
    (i,) = desk.correction.chosen
    session = desk.sheet.workspace.session
    holed = session.objects[i].mask(session.shape)
    holed[64:67, 34:37] = False
    session.apply(editing.reshape(session.objects[i], holed))
    steps, whole = session.steps[0], session.objects[i].area
    for edit in (desk.decisions.fill_holes, desk.decisions.smooth, desk.decisions.remove):
        desk.correction.choose([i])
        edit()
        assert "discs preview" in dock.viewer.layers and session.steps[0] == steps
        desk.decisions.apply()
        assert "discs preview" not in dock.viewer.layers and session.steps[0] == steps + 1
        assert i not in session.objects or session.objects[i].area != whole
        desk.decisions.undo()
        assert session.objects[i].area == whole


def test_quick_clicks_are_all_done_in_their_order(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    for column in (60, 76, 80, 84):
        dock._pointer.click(at(desk, 20, column))
    idle(desk, qtbot)
    qtbot.waitUntil(lambda: len(desk.correction.things[0].pointing.points) == 4, timeout=10_000)
    assert desk.sheet.workspace.session.steps[0] == 4
    assert [label_of(desk, 20, c) for c in (60, 76, 80, 84)] == [desk.correction.chosen[0]] * 4


def test_merge_is_shown_then_done_and_undone_in_one_step(dock, desk, qtbot):
    desk.correction.take_up("pick")
    click(dock, 20, 20, qtbot)
    click(dock, 65, 35, qtbot)
    ids = [o.id for o in objects(desk) if o.status == "accepted"]
    desk.correction.choose(ids)
    desk.decisions.merge()
    assert "discs preview" in dock.viewer.layers
    assert dock.correct.apply.isEnabled()
    assert dock.activity.text.text() == "Return applies what is shown, Escape discards it."
    assert len(objects(desk)) == 2
    desk.decisions.apply()
    assert dock.activity.text.text() == "Applied; Ctrl-Z takes it back."
    assert "discs preview" not in dock.viewer.layers
    assert label_of(desk, 20, 20) == label_of(desk, 65, 35) != 0
    desk.decisions.undo()
    assert label_of(desk, 20, 20) != label_of(desk, 65, 35)
    desk.correction.choose(ids)
    desk.decisions.merge()
    assert "discs preview" in dock.viewer.layers
    desk.decisions.discard()
    assert "discs preview" not in dock.viewer.layers and len(objects(desk)) == 2
    assert not dock.activity.text.text()


def test_a_click_in_each_half_splits(dock, desk, qtbot):
    desk.correction.take_up("pick")
    click(dock, 65, 35, qtbot)
    desk.correction.take_up("split")
    click(dock, 65, 25, qtbot)
    click(dock, 65, 48, qtbot)
    assert "discs preview" in dock.viewer.layers
    desk.decisions.apply()
    assert 0 != label_of(desk, 65, 22) != label_of(desk, 65, 50) != 0
    desk.decisions.undo()
    assert label_of(desk, 65, 22) == label_of(desk, 65, 50)


def test_a_split_whose_only_click_is_deleted_is_begun_anew(dock, desk, qtbot):
    desk.correction.take_up("split")
    click(dock, 90, 100, qtbot)  # on nothing
    points = desk.correction.marks.points
    points.selected_data = {0}
    points.remove_selected()
    click(dock, 20, 15, qtbot)
    click(dock, 20, 26, qtbot)
    assert "discs preview" in dock.viewer.layers


def test_an_edit_of_nothing_ends_in_a_sentence(dock, desk, told):
    desk.correction.choose([])
    desk.decisions.smooth()
    assert told == ["No object is chosen: click on one, or choose it in the list."]
    desk.decisions.merge()
    assert "cannot be merged" in told[-1]


def test_review_walks_through_the_unsure_first_and_ends(dock, desk, qtbot):
    dock.desk.show(settings=type(desk.memory.settings)(select="top:3"))
    qtbot.waitUntil(lambda: len(objects(desk)) == 3)
    desk.decisions.review()
    order = desk.sheet.workspace.session.unsure()
    assert desk.correction.chosen == order[:1]
    desk.decisions.accept_current()
    assert desk.correction.chosen == order[1:2]
    desk.decisions.reject_current()
    desk.decisions.accept_current()
    assert not desk.correction.reviewing
    assert sorted(o.status for o in objects(desk)) == ["accepted", "accepted", "rejected"]
    assert "2 accepted" in dock.correct.counts.text()


def test_the_list_chooses_and_shows_what_is_chosen(dock, desk, qtbot):
    desk.correction.take_up("pick")
    click(dock, 65, 35, qtbot)
    click(dock, 20, 60, qtbot)
    dock.correct.table.selectRow(1)
    assert desk.correction.chosen == [dock.correct.model.things[1].id]
    desk.correction.choose([dock.correct.model.things[0].id])
    rows = dock.correct.table.selectionModel().selectedRows()
    assert [index.row() for index in rows] == [0]


def test_putting_the_tool_down_takes_its_layers_away(dock, desk, qtbot):
    desk.decisions.refine()
    idle(desk, qtbot)
    assert {"discs clicks", "discs box"} <= {layer.name for layer in dock.viewer.layers}
    desk.decisions.discard()
    assert [layer.name for layer in dock.viewer.layers] == ["discs", "discs segments", "discs matches"]
    assert dock.viewer.layers.selection.active is ours(dock)[1]


def test_naparis_own_undo_is_a_stroke_that_ours_can_take_back(dock, desk, qtbot):
    matches = ours(dock)[1]
    matches.paint((90, 60), matches.selected_label)
    desk.sheet.absorb()
    assert label_of(desk, 90, 60)
    matches.undo()
    desk.sheet.absorb()
    assert not label_of(desk, 90, 60)
    desk.decisions.undo()
    assert label_of(desk, 90, 60) and matches.data[90, 60]


def test_naparis_fill_and_polygon_reach_the_session_and_are_a_step_each(dock, desk, qtbot):
    matches, (red,) = ours(dock)[1], objects(desk)
    row, column = np.argwhere(red.crop)[red.area // 2] + red.origin[::-1]
    new = matches.selected_label
    matches.fill((row, column), new)
    desk.sheet.absorb()
    (filled,) = objects(desk)
    assert (filled.id, filled.area, filled.status) == (new, red.area, "corrected")
    desk.decisions.undo()
    assert label_of(desk, row, column) == matches.data[row, column] == red.id
    matches.paint_polygon([(86, 56), (86, 71), (96, 71), (96, 56)], new)
    desk.sheet.absorb()
    drawn = desk.sheet.workspace.session.objects[label_of(desk, 90, 60)]
    assert drawn.status == "corrected" and drawn.area == np.count_nonzero(matches.data == drawn.id) > 100
    desk.decisions.undo()
    assert not label_of(desk, 90, 60) and not matches.data[90, 60]


def test_corrections_and_their_clicks_are_there_after_a_restart(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    click(dock, 20, 60, qtbot)
    new = desk.correction.chosen[0]
    desk.save()
    session = Session.load(next(_sessions.folder().glob("*.slip")))
    assert session.objects[new].pointing == Pointing(((60.5, 20.5, 1),))
    assert session.undo() and new not in session.objects


def test_the_radio_buttons_take_up_the_tools(dock, desk, qtbot):
    qtbot.mouseClick(dock.correct.tools["pick"], Qt.MouseButton.LeftButton)
    dock.correct.tools["pick"].click()
    assert desk.correction.tool == "pick"
    dock.correct.tools["look"].click()
    assert desk.correction.tool == "look"


def test_what_is_begun_with_new_while_a_click_is_on_its_way_stays_another_object(dock, desk, engine, qtbot):
    engine.sam.gate.clear()
    desk.correction.new()
    desk.decisions.refine()
    dock._pointer.click(at(desk, 20, 60))
    desk.correction.new()
    dock._pointer.click(at(desk, 65, 35))
    engine.sam.gate.set()
    idle(desk, qtbot)
    green, blue = label_of(desk, 20, 60), label_of(desk, 65, 35)
    assert 0 != green != blue != 0
    assert desk.correction.chosen == [blue]
    assert len(desk.correction.marks.points.data) == 1


def test_a_click_made_while_two_are_on_their_way_is_added_to_both(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    dock._pointer.click(at(desk, 20, 60))
    dock._pointer.click(at(desk, 20, 76))
    qtbot.waitUntil(lambda: bool(desk.correction.things), timeout=10_000)  # the first has landed
    dock._pointer.click(at(desk, 20, 80))
    qtbot.waitUntil(lambda: len(desk.correction.things[0].pointing.points) == 3, timeout=10_000)
    idle(desk, qtbot)
    assert len(desk.correction.marks.points.data) == 3


def test_clicks_that_are_undone_do_not_come_back_with_the_next(dock, desk, qtbot):
    begin_anew(desk, qtbot)
    click(dock, 20, 60, qtbot)
    dock._pointer.click(at(desk, 20, 76))
    desk.decisions.undo()  # of the first, while the second is on its way
    idle(desk, qtbot)
    assert not len(desk.correction.marks.points.data)
    click(dock, 65, 35, qtbot)
    assert desk.correction.things[0].pointing.points == ((35.5, 65.5, 1),)
    assert not label_of(desk, 20, 60)


def test_the_only_click_that_is_deleted_is_taken_out_of_the_mask(dock, desk, qtbot):
    (red,) = objects(desk)
    desk.correction.choose([red.id])
    desk.decisions.refine()
    idle(desk, qtbot)
    click(dock, 20, 33, qtbot)
    assert desk.correction.things[0].area > red.area
    points = desk.correction.marks.points
    points.selected_data = {0}
    points.remove_selected()
    idle(desk, qtbot)
    assert desk.correction.things[0].area == red.area
    assert desk.correction.things[0].pointing is None


def test_clicks_in_a_volume_end_in_a_sentence_and_leave_the_tool(dock, desk, told):
    dock.viewer.add_image(np.zeros((2, 9, 9)), name="deep")
    dock.viewer.dims.ndisplay = 3
    for take_up in (desk.decisions.refine, desk.decisions.split):
        take_up()
        assert "switch to 2D" in told.pop()
        assert desk.correction.tool == "look" and dock.correct.tools["look"].isChecked()
    desk.correction._rescore()
    assert told == []
