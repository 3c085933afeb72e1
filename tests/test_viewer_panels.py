from __future__ import annotations

import json

import numpy as np
import pytest
from _fake_engine import ask, blobs, ours
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider

from napari_slip.viewer import _memory
from napari_slip.viewer._keys import KEYS
from napari_slip.viewer._model_panel import OWN
from napari_slip.viewer._section import Section

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def asked(dock, qtbot):
    ask(dock, "red", qtbot)
    return dock


def work_of(dock):
    return dock.desk.sheet.workspace


def row_at(dock, row, column):
    return int(work_of(dock).segments.labels()[row, column]) - 1


def settled(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.desk._settle.isActive())


def test_a_slider_changes_the_picture_at_once_and_loses_nothing(asked, engine, qtbot):
    segments, matches = ours(asked)
    slider = asked.filters.rows["area"].slider
    slider.setValue((np.log10(400), slider.maximum()))
    assert not segments.data[20, 20]
    assert segments.data[65, 35]
    assert asked.results.results.rowCount() == 2
    settled(asked, qtbot)
    assert not matches.data[20, 20]
    asked.filters.everything.click()
    settled(asked, qtbot)
    assert segments.data[20, 20] and matches.data[20, 20]
    assert engine.sam.encoded == 1


def test_a_floor_for_the_best_match_is_obeyed_and_remembered(asked, qtbot):
    matches = ours(asked)[1]
    assert matches.data[20, 20]
    asked.rule.least.setValue(1.0)
    settled(asked, qtbot)
    assert not matches.data.any()
    assert "Nothing reaches 1" in asked.activity.text.text()
    asked.rule.least.setValue(0.0)
    settled(asked, qtbot)
    assert matches.data[20, 20]


def test_the_papers_filter_is_a_preset(asked):
    asked.filters.paper.click()
    assert asked.filters.settings.predicted_iou[0] == pytest.approx(0.9)
    assert not asked.filters.nested.isChecked()
    iou = work_of(asked).segments.predicted_iou
    np.testing.assert_array_equal(work_of(asked).selection, iou >= np.float32(0.9))


def test_the_rule_decides_how_many_light_up(asked, qtbot):
    asked.rule.rule.setCurrentIndex(1)
    asked.rule.count.setValue(3)
    settled(asked, qtbot)
    assert len(np.unique(ours(asked)[1].data)) == 4
    asked.rule.rule.setCurrentIndex(2)
    asked.rule.floor.setValue(1.0)
    settled(asked, qtbot)
    assert not ours(asked)[1].data.any()


def test_row_and_canvas_follow_each_other(asked):
    blue = row_at(asked, 65, 35)
    asked.viewer.layers.selection.active = ours(asked)[0]
    asked._pointer.click((65, 35))
    assert asked.results.chosen == [blue]
    segments = ours(asked)[0]
    white = segments.get_color(blue + 1)
    assert min(white[:3]) == 1.0
    green = asked.results.results.row_of(row_at(asked, 20, 60))
    asked.results.selectRow(green)
    assert work_of(asked).current == row_at(asked, 20, 60)
    asked._pointer.click((0, 0))
    assert asked.results.chosen == []


def test_the_canvas_goes_where_a_row_is_clicked(asked):
    camera = asked.viewer.scene.camera
    camera.zoom = 40
    camera.center = (0, 95, 127)
    # a window that is not shown does not tell its layers what is seen of them
    asked.desk.sheet.image.corner_pixels = np.array([[80, 110], [95, 127]])
    asked.results.selectRow(asked.results.results.row_of(row_at(asked, 20, 20)))
    np.testing.assert_allclose(camera.center[-2:], (20, 20), atol=1)


def test_a_match_out_of_sight_is_brought_into_sight(asked, qtbot):
    camera, image = asked.viewer.scene.camera, asked.desk.sheet.image
    camera.zoom = 40
    image.corner_pixels = np.array([[80, 110], [95, 127]])
    ask(asked, "green", qtbot)
    np.testing.assert_allclose(camera.center[-2:], (20, 60), atol=1)
    image.corner_pixels = np.array([[10, 10], [40, 70]])
    ask(asked, "red", qtbot)  # in sight, if not in the middle
    np.testing.assert_allclose(camera.center[-2:], (20, 60), atol=1)


def test_the_table_sorts_by_any_column_and_shows_thumbnails(asked):
    model = asked.results.results
    titles = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    area = titles.index("area")
    asked.results.horizontalHeader().setSortIndicator(area, Qt.SortOrder.DescendingOrder)
    areas = [int(model.data(model.index(i, area))) for i in range(model.rowCount())]
    assert areas == sorted(areas, reverse=True)
    assert model.segment(0) == row_at(asked, 65, 35)
    picture = model.data(model.index(0, 0), Qt.ItemDataRole.DecorationRole).toImage()
    assert picture.pixelColor(picture.width() // 2, picture.height() // 2).blue() > 200
    assert model.data(model.index(model.row_of(row_at(asked, 20, 20)), 1)) == "? red"


def test_keys_on_our_layers_decide(asked, qtbot):
    layer = ours(asked)[1]
    press = {key.layer: key.action for key in KEYS}
    keymap = {str(binding): action for binding, action in layer.keymap.items()}

    def key(name):
        keymap[name](layer)

    assert {"A", "R", "N", "U", "S", "Shift+N", "Ctrl+Z", "Ctrl+Shift+Z"} <= set(keymap)
    assert len(press) == len(KEYS)
    key("N")
    red = row_at(asked, 20, 20)
    assert work_of(asked).current == red
    key("A")
    assert work_of(asked).states()[red] == ("red", "accepted")
    key("Ctrl+Z")
    assert work_of(asked).states()[red] == ("red", "predicted")
    key("Ctrl+Shift+Z")
    key("R")
    assert work_of(asked).states()[red] == ("red", "rejected")
    assert not layer.data[20, 20]
    image = asked.desk.sheet.image
    assert not {str(binding) for binding in image.keymap} & set(keymap)


def test_a_stroke_becomes_an_object_and_can_be_undone(asked, qtbot):
    matches = ours(asked)[1]
    session = work_of(asked).session
    before = matches.data.copy()
    new = matches.selected_label
    assert new not in session.objects
    matches.paint((90, 60), new)
    qtbot.waitUntil(lambda: new in session.objects)
    assert (session.objects[new].status, session.objects[new].class_name) == ("corrected", "red")
    ask(asked, "green", qtbot)
    assert ours(asked)[1].data[90, 60] == new
    asked.desk.decisions.undo()
    assert not ours(asked)[1].data[90, 60]
    np.testing.assert_array_equal(ours(asked)[1].data[before > 0] > 0, True)


def test_the_brush_stays_with_the_object_that_was_picked(asked, qtbot):
    matches, session = ours(asked)[1], work_of(asked).session
    (red,) = session.objects
    asked.desk.decisions.accept_predictions()
    before = session.objects[red].area
    matches.selected_label = red
    for row, column in ((20, 32), (20, 36)):
        area = session.objects[red].area
        matches.paint((row, column), matches.selected_label)
        qtbot.waitUntil(lambda area=area: session.objects[red].area > area)
    assert list(session.objects) == [red] and session.objects[red].area > before
    matches.selected_label = 40  # a number of one's own
    ask(asked, "red", qtbot)
    assert matches.selected_label == 40


def test_the_brush_of_a_layer_that_was_removed_begins_with_a_free_number(asked, qtbot):
    asked.desk.decisions.accept_predictions()
    asked.viewer.layers.remove(ours(asked)[1])
    ask(asked, "green", qtbot)
    assert ours(asked)[1].selected_label not in work_of(asked).session.objects


def test_the_segments_features_are_those_of_the_last_text(asked, qtbot):
    ask(asked, "green", qtbot)
    segments = ours(asked)[0]
    qtbot.waitUntil(lambda: "score green" in segments.features)
    row = row_at(asked, 20, 60) + 1
    assert segments.features["class"][row] == "green"


def test_similar_segments_light_up_together(asked):
    work_of(asked).point_at(row_at(asked, 30, 105))
    asked.desk.decisions.find_similar()
    model = asked.results.results
    assert model.headerData(2, Qt.Orientation.Horizontal) == f"like {row_at(asked, 30, 105) + 1}"
    assert {model.segment(0), model.segment(1)} == {row_at(asked, 30, 105), row_at(asked, 75, 100)}


def test_a_word_that_the_model_never_saw_is_named(dock, qtbot):
    ask(dock, "zebra", qtbot)
    assert "has never seen 'zebra'" in dock.activity.text.text()
    dock.rule.rule.setCurrentIndex(2)
    dock.rule.floor.setValue(0.99)
    ask(dock, "zebra", qtbot)
    said = dock.activity.text.text()
    assert "Nothing reaches 0.99 for 'zebra'" in said and "segment " in said


def test_a_class_with_objects_is_not_removed(asked, told):
    asked.desk.decisions.accept([row_at(asked, 20, 20)])
    asked.classes.table.selectRow(0)
    asked.classes._remove()
    assert told == ["Class 'red' still has objects: give them another class or delete them before it goes."]
    assert "red" in work_of(asked).session.classes


def test_a_negative_takes_the_match_away(asked, qtbot):
    before = work_of(asked).match.calibrated[row_at(asked, 30, 105), 0]
    asked.classes.negatives.setText("yellow")
    asked.classes.negatives.editingFinished.emit()
    qtbot.waitUntil(lambda: asked.desk.runner.state == "idle")
    assert work_of(asked).match.calibrated[row_at(asked, 30, 105), 0] < before


def test_history_and_completion_help_to_type(asked, qtbot):
    asked.prompt.clear()
    qtbot.keyClick(asked.prompt, Qt.Key.Key_Up)
    assert asked.prompt.text() == "red"
    completions = asked.prompt.completer()
    completions.setCompletionPrefix("ye")
    assert completions.currentCompletion() == "yellow"


def test_presets_say_what_they_cost_and_nothing_is_loaded_for_it(dock, engine):
    dock.model.preset.setCurrentText("vit_b")
    assert "982 MB, downloaded when first used" in dock.model.cost.text()
    dock.model.preset.setCurrentText(OWN)
    dock.model.sam.setText("my.pth")
    assert (dock.model.choice.sam, dock.model.choice.clip) == ("my.pth", "mini")
    assert engine.loaded == []


def test_another_model_keeps_the_annotation(asked, engine, qtbot):
    asked.desk.decisions.accept([row_at(asked, 20, 20)])
    asked.model.device.setCurrentIndex(asked.model.device.findData("cpu"))
    asked.model.again.click()
    qtbot.waitUntil(lambda: asked.desk.runner.state == "idle")
    assert len(engine.loaded) == 2
    assert [o.status for o in work_of(asked).session.objects.values()] == ["accepted"]


def test_choices_are_remembered(asked, engine, qtbot, viewer):
    asked.filters.paper.click()
    asked.rule.rule.setCurrentIndex(1)
    asked.dispose()
    assert json.loads(_memory.path().read_text())["history"] == ["red"]
    again = type(asked)(viewer, engine)
    assert again.filters.rows["predicted_iou"].value[0] == pytest.approx(0.9)
    assert again.rule.rule.currentText() == "the k best"
    again.dispose()


def test_a_damaged_memory_is_forgotten(dock):
    _memory.path().write_text('{"filters": {"area": "large"}, "history": ["star"], "model": 3}')
    memory = _memory.Memory.read()
    assert memory.history == ["star"]
    assert memory.filters == _memory.FilterSettings()
    _memory.path().write_text("not json")
    assert _memory.Memory.read().history == []


def test_every_control_says_what_it_does(dock):
    kinds = (QPushButton, QToolButton, QComboBox, QLineEdit, QDoubleRangeSlider, QTableView)
    ours_only = [dock.images, dock.prompt, dock.run_button, dock.rule, dock.filters, dock.classes, dock.model]
    silent = [
        widget
        for part in [*ours_only, dock.source, dock.results]
        for widget in [part, *part.findChildren(QWidget)]
        if isinstance(widget, kinds)
        and not widget.toolTip()
        and not widget.objectName().startswith("qt_")
        and not isinstance(widget.parent(), QLineEdit | QComboBox)
        and "Corner" not in type(widget).__name__
    ]
    assert silent == []


def test_errors_reach_napari_as_notifications(dock, qtbot):
    dock.viewer.layers.clear()
    before = len(notification_manager.records)
    dock.prompt.returnPressed.emit()
    assert [str(r.message) for r in list(notification_manager.records)[before:]] == [
        "There is no image to look at: open one, or choose one in the list."
    ]


def test_areas_are_told_in_the_layers_units(viewer, engine, qtbot):
    from napari_slip.viewer import SlipDock

    viewer.add_image(blobs(), name="discs", scale=(0.5, 0.5), units=("um", "um"))
    dock = SlipDock(viewer, engine)
    ask(dock, "red", qtbot)
    slider = dock.filters.rows["area"].slider
    slider.setValue((np.log10(400), slider.maximum()))
    assert dock.filters.rows["area"].ends.text().startswith("100 ")
    assert "m²" in dock.filters.rows["area"].ends.text()
    dock.dispose()


def test_a_section_makes_room_for_what_comes_into_it_later(qtbot):
    panel = QWidget()
    column = QVBoxLayout(panel)
    words, later = QLabel("some words that need several lines " * 4), QLabel("later")
    words.setWordWrap(True)
    column.addWidget(words)
    column.addWidget(later)
    later.hide()
    section = Section("Model", panel, True)
    below = QWidget()
    around = QVBoxLayout(below)
    around.addWidget(section)
    around.addStretch(1)
    qtbot.addWidget(below)
    below.resize(260, 600)
    below.show()
    later.show()
    qtbot.waitUntil(lambda: later.height() > 0 and words.height() >= words.heightForWidth(words.width()))
    section.collapse(animate=False)
    qtbot.waitUntil(lambda: section.content().height() == 0)
    section.expand(animate=False)
    qtbot.waitUntil(lambda: words.height() >= words.heightForWidth(words.width()))


def test_a_click_on_the_same_row_goes_there_again(asked, qtbot):
    table = asked.results
    place = table.visualRect(table.results.index(0, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    segment = work_of(asked).current
    assert segment is not None
    work_of(asked).point_at(None)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert work_of(asked).current == segment and table.chosen == [segment]


def test_layers_that_are_renamed_stand_under_their_new_names_in_the_lists(dock):
    shapes = dock.viewer.add_shapes([[[0, 0], [0, 9], [9, 9], [9, 0]]], name="region")
    labels = dock.viewer.add_labels(np.zeros((96, 128), int), name="cells")
    dock.source.region.setCurrentIndex(2)
    shapes.name, labels.name = "embryo", "nuclei"
    assert dock.source.region.currentText() == "inside 'embryo'"
    assert dock.desk.source.region is shapes
    assert dock.source.labels.itemText(1) == "labels 'nuclei'"


def test_a_region_whose_shapes_are_removed_is_told(dock):
    shapes = dock.viewer.add_shapes([[[0, 0], [0, 9], [9, 9], [9, 0]]], name="region")
    labels = dock.viewer.add_labels(np.zeros((96, 128), int), name="cells")
    dock.source.region.setCurrentIndex(2)
    dock.source.labels.setCurrentIndex(1)
    dock.viewer.layers.remove(shapes)
    assert dock.activity.text.text() == "The shapes of the region are gone: the whole plane is segmented now."
    assert dock.desk.source.region == "plane" and dock.desk.source.labels is labels
    dock.viewer.layers.remove(labels)
    assert dock.activity.text.text() == "The labels that were segments are gone: SAM makes them now."
    assert dock.desk.source.labels is None
