from __future__ import annotations

import numpy as np
import pytest
from _fake_engine import ask, begin, blobs, ours
from napari.utils import progress as napari_progress
from qtpy.QtCore import QEvent, QObject

from napari_slip.errors import ModelError
from napari_slip.viewer import SlipDock

pytest_plugins = ["_dock_fixtures"]


def test_a_typed_word_brings_two_layers_and_lights_up_its_object(dock, qtbot):
    ask(dock, "red", qtbot)
    segments, matches = ours(dock)
    red = segments.data[20, 20]
    assert len(np.unique(segments.data)) == 6
    assert (matches.data > 0).sum() == (segments.data == red).sum()
    assert matches.data[20, 20]
    bright, dim = segments.get_color(red), segments.get_color(segments.data[20, 60])
    assert bright[:3].mean() > dim[:3].mean() + 0.3
    assert "'red'" in dock.activity.text.text()


def test_the_second_word_asks_neither_sam_nor_clip_for_the_picture_again(dock, engine, qtbot):
    ask(dock, "red", qtbot)
    looked_at = engine.clip.looked_at
    ask(dock, "green", qtbot)
    assert (engine.sam.encoded, engine.clip.looked_at) == (1, looked_at)
    segments, matches = ours(dock)
    assert segments.get_color(segments.data[20, 60])[0] > 0.9
    assert matches.data[20, 60]


@pytest.mark.parametrize("deaf", [False, True])
def test_cancelling_frees_the_dock_at_once_and_bars_the_result(dock, engine, qtbot, deaf):
    engine.sam.gate.clear()
    engine.sam.deaf = deaf
    begin(dock, "red", engine, qtbot)
    qtbot.waitUntil(lambda: dock.run_button.text() == "Cancel")  # not for a run of a few milliseconds
    dock.run_button.click()
    assert dock.run_button.text() == "Cancelling..."
    # 0.3 s are waited for the work, the rest is what a busy machine may take
    qtbot.waitUntil(lambda: dock.run_button.text() == "Run", timeout=3000)
    engine.sam.gate.set()
    ask(dock, "green", qtbot)
    matches = ours(dock)[1]
    assert engine.sam.encoded == 2  # the second run did not take what the first had not finished
    assert matches.data[20, 60]
    assert not matches.data[20, 20]


def test_words_that_change_move_nothing_unless_they_need_more_lines(dock, qtbot):
    moves = []

    class Watch(QObject):
        def eventFilter(self, watched, event):
            if event.type() == QEvent.Type.LayoutRequest:
                moves.append(watched)
            return False

    watch = Watch()
    with qtbot.waitExposed(dock.window()):
        dock.window().show()
    dock.activity.say("A sentence.")
    qtbot.wait(50)
    dock.installEventFilter(watch)
    line, button = dock.activity.text.height(), dock.run_button.size()
    dock.activity.say("Another one.")
    for words in ("Cancel", "Cancelling...", "Run"):
        dock.run_button.setText(words)
        assert dock.run_button.sizeHint().width() <= button.width()  # nothing is cut
    qtbot.wait(50)
    assert not moves
    assert dock.run_button.size() == button
    dock.activity.say("A sentence that goes on and on. " * 8)
    qtbot.waitUntil(lambda: dock.activity.text.height() >= 3 * line)
    assert dock.activity.text.height() >= dock.activity.text.heightForWidth(dock.activity.text.width())


def test_after_enter_the_next_text_takes_the_place_of_the_last(dock, qtbot):
    ask(dock, "red", qtbot)
    qtbot.keyClicks(dock.prompt, "green")
    assert dock.prompt.text() == "green"
    qtbot.waitUntil(dock.prompt.updatesEnabled)  # and is seen


def test_a_run_that_is_overtaken_does_not_land_twice(dock, engine, qtbot):
    engine.sam.gate.clear()
    begin(dock, "red", engine, qtbot)
    dock.desk.look_for(dock.images.layer, "green")
    dock.desk.look_for(dock.images.layer, "blue")
    engine.sam.gate.set()
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=10_000)
    assert engine.sam.encoded == 1
    assert dock.desk.active == "blue"
    assert "'blue'" in dock.activity.text.text()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 20 MiB"), "There is not enough memory"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "The run has failed"),
        (ModelError("The model is damaged."), "The model is damaged."),
    ],
)
def test_what_goes_wrong_in_the_worker_is_one_notification(dock, engine, qtbot, told, error, sentence):
    engine.sam.error = error
    ask(dock, "red", qtbot)
    assert len(told) == 1
    assert told[0].startswith(sentence)
    assert "Traceback" not in told[0] and "\n" not in told[0]
    engine.sam.error = None
    ask(dock, "red", qtbot)
    assert ours(dock)[1].data[20, 20]


def test_without_an_image_there_is_a_sentence(dock, qtbot, told):
    dock.viewer.layers.clear()
    ask(dock, "red", qtbot)
    assert told == ["There is no image to look at: open one, or choose one in the list."]


def test_layers_lie_where_the_image_lies(viewer, engine, qtbot):
    image = viewer.add_image(
        blobs(),
        name="discs",
        scale=(2, 3),
        translate=(10, -5),
        rotate=30,
        shear=[0.2],
        affine=np.diag([2, 2, 1]),
    )
    widget = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(widget, name="SLIP")
    ask(widget, "red", qtbot)
    for layer in ours(widget):
        for pixel in [(0, 0), (20, 20), (95, 127)]:
            np.testing.assert_allclose(layer.data_to_world(pixel), image.data_to_world(pixel))
    widget.dispose()


def test_progress_is_told_in_the_dock_and_in_napari(dock, engine, qtbot):
    said = []
    dock.desk.runner.progressed.connect(lambda *report: said.append(report[0]))
    engine.sam.gate.clear()
    begin(dock, "red", engine, qtbot)
    qtbot.waitUntil(lambda: "picture" in said, timeout=5000)
    qtbot.waitUntil(lambda: any("SLIP" in bar.desc for bar in napari_progress._all_instances), timeout=5000)
    engine.sam.gate.set()
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=5000)
    assert not napari_progress._all_instances


def test_the_plugins_menu_opens_the_dock_in_a_window_and_closing_it_lets_go(viewer, qtbot):
    viewer.add_image(blobs(), name="discs")
    _, widget = viewer.window.add_plugin_dock_widget("napari-slip", "SLIP")
    assert widget.images.currentText() == "discs"
    viewer.window.remove_dock_widget(widget)
    viewer.add_image(blobs(), name="more")
    assert widget.images.count() == 1
