from __future__ import annotations

import gc

import dask.array
import numpy as np
import pytest
import zarr
from _fake_engine import FakeEngine, ask, begin, blobs, ours
from qtpy.QtCore import Qt
from qtpy.QtGui import QShortcut

from napari_slip.errors import InputError
from napari_slip.viewer import SlipDock, _sessions

pytest_plugins = ["_dock_fixtures"]


def idle(dock, qtbot):
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=10_000)


@pytest.fixture
def running(dock, engine, qtbot):
    """A dock with a run at SAM's gate."""
    engine.sam.gate.clear()
    begin(dock, "red", engine, qtbot)
    return dock


def test_an_image_removed_during_the_run_takes_its_result_along(running, engine, qtbot, told):
    running.viewer.layers.clear()
    engine.sam.gate.set()
    idle(running, qtbot)
    assert len(running.viewer.layers) == 0
    assert "removed during the run" in running.activity.text.text()
    assert told == []


def test_an_image_renamed_moved_and_duplicated_during_the_run_still_gets_its_layers(running, engine, qtbot):
    image = running.viewer.layers["discs"]
    running.viewer.add_image(np.zeros((96, 128)), name="other")
    image.name = "renamed"
    running.viewer.layers.move(0, 2)
    image.visible = False
    running.viewer.layers.append(type(image)(image.data.copy(), name="copy"))
    engine.sam.gate.set()
    idle(running, qtbot)
    names = [layer.name for layer in running.viewer.layers]
    assert {"renamed segments", "renamed matches"} <= set(names)
    assert running.images.layer is image and running.images.currentText() == "renamed"
    assert names.index("renamed segments") == names.index("renamed") + 1


def test_the_image_may_be_switched_during_the_run(running, engine, qtbot):
    other = running.viewer.add_image(blobs()[::-1], name="other")
    running.images.choose(other)
    engine.sam.gate.set()
    idle(running, qtbot)
    assert "discs matches" in running.viewer.layers and "other matches" not in running.viewer.layers
    assert running.results.results.rowCount() == 0
    running.images.choose(running.viewer.layers["discs"])
    assert running.results.results.rowCount() == 5


def test_our_layers_follow_an_image_that_is_moved_turned_and_scaled(dock, engine, qtbot):
    begin(dock, "red", engine, qtbot)
    idle(dock, qtbot)
    image = dock.viewer.layers["discs"]
    image.translate, image.scale, image.rotate = (30, -7), (2, 0.5), 20
    image.affine = [[1, 0.2, 3], [0, 1, 4], [0, 0, 1]]
    for name in ("discs segments", "discs matches"):
        layer = dock.viewer.layers[name]
        for corner in ((0, 0), (95, 0), (40, 127)):
            np.testing.assert_allclose(layer.data_to_world(corner), image.data_to_world(corner))


def test_layers_that_a_person_removes_come_back_with_the_next_text(dock, qtbot):
    ask(dock, "red", qtbot)
    dock.desk.decisions.accept_predictions()
    kept = set(dock.desk.sheet.workspace.session.objects)
    for layer in ours(dock):
        dock.viewer.layers.remove(layer)
    dock.filters.paper.click()
    dock.desk.decisions.next_best()
    assert [layer.name for layer in dock.viewer.layers] == ["discs"]
    dock.filters.everything.click()
    ask(dock, "green", qtbot)
    assert ours(dock)[1].data[20, 20] and ours(dock)[1].data[20, 60]
    assert kept <= set(dock.desk.sheet.workspace.session.objects)


def test_closing_the_dock_during_the_run_ends_it_quietly(running, engine, qtbot):
    viewer, runner = running.viewer, running.desk.runner
    viewer.window.remove_dock_widget(running)
    engine.sam.gate.set()
    qtbot.wait(50)
    assert runner.state != "running"
    assert [layer.name for layer in viewer.layers] == ["discs"]
    viewer.dims.events.current_step()
    viewer.add_image(blobs(), name="later")


def test_closing_the_viewer_during_the_run_cancels_it(make_napari_viewer, engine, qtbot):
    viewer = make_napari_viewer()
    viewer.add_image(blobs(), name="discs")
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock)
    engine.sam.gate.clear()
    begin(dock, "red", engine, qtbot)
    progress = dock.desk.runner._job.progress
    viewer.close()
    assert progress.cancelled


def test_closing_one_of_two_docks_leaves_the_other_its_keys(dock, engine, qtbot):
    ask(dock, "red", qtbot)
    layer = ours(dock)[1]
    bound = set(layer.keymap)
    other = SlipDock(dock.viewer, engine)
    ask(other, "green", qtbot)
    other.dispose()
    assert bound and set(layer.keymap) == bound
    dock.dispose()
    assert not layer.keymap


def test_a_dock_that_is_opened_again_finds_everything(dock, engine, qtbot):
    ask(dock, "red", qtbot)
    matches = ours(dock)[1]
    dock.desk.decisions.accept_predictions()
    matches.paint((90, 60), matches.selected_label)
    dock.viewer.window.remove_dock_widget(dock)
    _sessions._open.clear()  # as after a restart
    again = SlipDock(dock.viewer, engine)
    session = again.desk.sheet.workspace.session
    assert sorted(o.status for o in session.objects.values()) == ["accepted", "corrected"]
    ask(again, "green", qtbot)
    assert len(dock.viewer.layers) == 3
    assert matches.data[90, 60] and matches.data[20, 20] and matches.data[20, 60]
    again.dispose()


def test_a_damaged_session_is_told_kept_and_begun_anew(dock, engine, qtbot, told):
    ask(dock, "red", qtbot)
    dock.desk.save()
    path = next(_sessions.folder().glob("*.slip"))
    dock.dispose()
    _sessions._open.clear()
    path.write_bytes(b"not a session")
    with pytest.raises(InputError, match="holds no session"):
        _sessions.open_session(path.stem, (96, 128), dock.desk.memory.classes)
    assert path.with_suffix(".damaged.slip").read_bytes() == b"not a session"
    assert not _sessions.open_session(path.stem, (96, 128), dock.desk.memory.classes).session.objects


def test_two_docks_share_one_session_and_one_pair_of_layers(dock, engine, qtbot):
    ask(dock, "red", qtbot)
    second = SlipDock(dock.viewer, engine)
    ask(second, "green", qtbot)
    assert len(dock.viewer.layers) == 3
    assert [c.name for c in dock.desk.classes] == ["red", "green"]
    second.desk.decisions.accept_predictions()
    assert set(dock.desk.sheet.workspace.states().values()) == {("red", "accepted"), ("green", "accepted")}
    second.dispose()


def test_two_viewers_do_not_mix_their_layers(dock, make_napari_viewer, engine, qtbot):
    other = make_napari_viewer()
    other.add_image(blobs()[::-1].copy(), name="discs")
    second = SlipDock(other, engine)
    ask(dock, "red", qtbot)
    ask(second, "green", qtbot)
    assert len(dock.viewer.layers) == len(other.layers) == 3
    assert not ours(dock)[1].data[20, 60]
    second.dispose()


def test_a_stack_is_annotated_plane_by_plane(viewer, engine, qtbot):
    stack = np.stack([blobs(), blobs()[::-1], blobs()[:, ::-1]])
    viewer.add_image(stack, name="discs", scale=(5, 1, 1))
    dock = SlipDock(viewer, engine)
    viewer.dims.set_point(0, 0)
    ask(dock, "red", qtbot)
    segments, matches = ours(dock)
    assert matches.data.shape == (3, 96, 128)
    assert matches.data[0, 20, 20] and not matches.data[1].any()
    viewer.dims.set_point(0, 5)
    ask(dock, "red", qtbot)
    assert matches.data[1, 75, 20]
    assert engine.sam.encoded == 2
    np.testing.assert_allclose(segments.data_to_world((0, 0, 0)), (5, 0, 0))
    np.testing.assert_allclose(matches.data_to_world((1, 0, 0)), (5, 0, 0))
    viewer.dims.set_point(0, 0)
    assert matches.data[0, 20, 20] and segments.data[0, 20, 60]
    np.testing.assert_allclose(segments.data_to_world((0, 0, 0)), (0, 0, 0))
    assert {o.plane for o in dock.desk.sheet.workspace.session.objects.values()} == {(0,), (1,)}
    dock.dispose()


def test_a_region_is_segmented_alone(dock, qtbot):
    shapes = dock.viewer.add_shapes([[(5, 5), (40, 80)]], shape_type="rectangle", name="here")
    dock.source.region.setCurrentIndex(2)
    assert dock.desk.source.region is shapes
    ask(dock, "red", qtbot)
    assert len(dock.desk.sheet.workspace.segments) == 2
    dock.viewer.layers.remove(shapes)
    assert dock.source.region.currentIndex() == 0
    ask(dock, "red", qtbot)
    assert len(dock.desk.sheet.workspace.segments) == 5


def test_split_channels_make_one_picture(channels, qtbot):
    assert channels.desk.source.others == (channels.viewer.layers["g"],)
    ask(channels, "red", qtbot)
    assert len(channels.desk.sheet.workspace.segments) == 4  # the blue disc is in neither
    assert "r matches" in channels.viewer.layers


def press(dock, keys):
    """Press a key of the dock."""
    next(s for s in dock.findChildren(QShortcut) if s.key().toString() == keys).activated.emit()


def type_and_accept(dock, text, qtbot):
    """Look for a text, and accept the best, by the keyboard alone."""
    qtbot.keyClicks(dock.prompt, text)
    qtbot.keyClick(dock.prompt, Qt.Key.Key_Return)
    idle(dock, qtbot)
    press(dock, "Alt+Down")
    press(dock, "Ctrl+Return")


def annotation(dock):
    """What there is of each picture: class, status and place of its objects, and its layer."""
    found = {}
    for _ in range(5):
        sheet = dock.desk.sheet
        things = sheet.workspace.session.objects.values()
        layer = dock.viewer.layers[f"{sheet.image.name} matches"]
        found[sheet.image.name] = (
            sorted((o.class_name, o.status, o.origin) for o in things),
            (layer.data > 0).tolist(),
        )
        press(dock, "Ctrl+PgDown")
    return found


def test_three_classes_on_five_pictures_cancelled_and_found_again_by_the_keyboard_alone(
    make_napari_viewer, viewer, engine, qtbot
):
    pictures = {f"picture {i}": np.roll(blobs(), i, axis=1) for i in range(5)}
    for name, picture in pictures.items():
        viewer.add_image(picture, name=name)
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    for i in range(5):
        if i == 2:  # a wrong text, stopped in the middle of the run
            engine.sam.reached.clear()
            engine.sam.gate.clear()
            qtbot.keyClicks(dock.prompt, "yellow")
            qtbot.keyClick(dock.prompt, Qt.Key.Key_Return)
            qtbot.waitUntil(engine.sam.reached.is_set)
            press(dock, "Esc")
            qtbot.waitUntil(lambda: dock.run_button.text() == "Run")
            engine.sam.gate.set()
        for text in ("red", "green", "blue"):
            type_and_accept(dock, text, qtbot)
        press(dock, "Ctrl+PgDown")
    before = annotation(dock)
    assert len(before) == 5
    for things, _ in before.values():
        assert [(name, status) for name, status, _ in things] == [
            (name, "accepted") for name in ("blue", "green", "red")
        ]
    dock.dispose()
    viewer.close()

    _sessions._open.clear()  # as in a new process
    again = make_napari_viewer()
    for name, picture in pictures.items():
        again.add_image(picture, name=name)
    fresh = FakeEngine()
    dock = SlipDock(again, fresh)
    again.window.add_dock_widget(dock, name="SLIP")
    assert annotation(dock) == before
    assert fresh.loaded == []  # without any model
    assert [c.name for c in dock.desk.classes] == ["red", "green", "blue"]
    dock.prompt.clear()
    qtbot.keyClick(dock.prompt, Qt.Key.Key_Up)
    assert dock.prompt.text() == "blue"
    dock.dispose()


def test_our_layers_may_be_painted_and_removed_during_the_run(dock, engine, qtbot):
    ask(dock, "red", qtbot)
    segments, matches = ours(dock)
    engine.sam.gate.clear()
    dock.viewer.layers["discs"].data = blobs()[::-1].copy()  # other pixels: SAM has to look again
    begin(dock, "green", engine, qtbot)
    stroke = matches.selected_label
    matches.paint((90, 60), stroke)
    dock.viewer.layers.remove(segments)
    engine.sam.gate.set()
    idle(dock, qtbot)
    segments, matches = ours(dock)
    assert matches.data[90, 60] == stroke
    assert matches.data[75, 60] and segments.data[75, 60]


def pyramid():
    return [blobs(), blobs()[::2, ::2]], {"rgb": True}, ()


def lazy():
    return (
        dask.array.from_array(np.stack([blobs() * 0, blobs()]), chunks=(1, -1, -1, -1)),
        {"rgb": True},
        (1,),
    )


def stored(folder):
    array = zarr.create_array(folder / "a.zarr", shape=(2, 96, 128, 3), chunks=(1, 96, 128, 3), dtype="uint8")
    array[1] = blobs()
    return array, {"rgb": True}, (1,)


def channels():
    return np.moveaxis(blobs(), -1, 0), {"rgb": False}, None


@pytest.mark.parametrize("kind", ["pyramid", "dask", "zarr", "channels"])
def test_whatever_holds_the_pixels_is_looked_at(viewer, engine, qtbot, tmp_path, kind):
    made = {"pyramid": pyramid, "dask": lazy, "zarr": lambda: stored(tmp_path), "channels": channels}[kind]
    data, how, plane = made()
    image = viewer.add_image(data, name="discs", scale=[2.0] * (2 if kind == "pyramid" else 3), **how)
    dock = SlipDock(viewer, engine)
    if kind == "channels":
        dock.source.axis.setCurrentIndex(dock.source.axis.findData(0))
    else:
        for axis, step in enumerate(plane):
            viewer.dims.set_point(axis, 2.0 * step)
    ask(dock, "green", qtbot)
    matches = viewer.layers["discs matches"]
    assert matches.get_value(image.data_to_world((*(plane or (0,)), 20, 60)[-image.ndim :]), world=True)
    assert not matches.get_value(image.data_to_world((*(plane or (0,)), 65, 35)[-image.ndim :]), world=True)
    dock.dispose()


def test_what_is_remembered_from_a_fresh_start_needs_no_engine(viewer):
    engine = FakeEngine()
    dock = SlipDock(viewer, engine)
    assert engine.loaded == [] and dock.images.layer is None
    dock.dispose()


def test_an_image_chosen_in_3d_is_worked_on_once_it_is_a_plane_again(dock):
    other = dock.viewer.add_image(np.zeros((3, 40, 50)), name="other")
    dock.viewer.dims.ndisplay = 3
    dock.images.choose(other)
    assert dock.desk.sheet is None
    dock.viewer.dims.ndisplay = 2
    assert dock.desk.sheet.image is other


def test_a_ticked_class_is_scored_on_the_window_that_was_looked_at(dock, engine, qtbot):
    region = dock.viewer.add_shapes([[[0, 0], [0, 50], [60, 50], [60, 0]]], name="region")
    dock.source.region.setCurrentIndex(2)
    ask(dock, "red", qtbot)
    ask(dock, "green", qtbot)
    window = dock.desk.sheet.workspace.outcome.request.snapshot.window
    region.data = [np.array([[30, 60], [30, 120], [90, 120], [90, 60]])]
    dock.desk.class_changes.tick("red", on=False)
    idle(dock, qtbot)
    assert engine.sam.encoded == 1
    assert dock.desk.sheet.workspace.outcome.request.snapshot.window == window
    ask(dock, "red", qtbot)  # which looks anew
    assert engine.sam.encoded == 2


def test_an_image_that_is_turned_to_is_seen_with_its_clicks(dock, qtbot):
    dock.viewer.add_image(blobs()[::-1], name="other")
    dock.desk.decisions.refine()
    idle(dock, qtbot)
    dock.next_image()
    idle(dock, qtbot)
    seen = {layer.name for layer in dock.viewer.layers if layer.visible}
    assert {"other", "other clicks", "other box"} <= seen and "discs" not in seen


def test_removed_layers_of_labels_are_let_go_of(dock, qtbot):
    for _ in range(3):
        ask(dock, "red", qtbot)
        for layer in ours(dock):
            dock.viewer.layers.remove(layer)
        del layer
    gc.collect()
    assert len(dock.desk._followed) <= 2
