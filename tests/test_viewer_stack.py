from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from _fake_engine import ask, begin, blobs
from napari.layers import Tracks
from qtpy.QtWidgets import QFileDialog

from napari_slip.viewer import SlipDock, _source
from napari_slip.viewer._exchange import Exchange
from napari_slip.viewer._volume import Volume

pytest_plugins = ["_dock_fixtures"]


def series(n=6):
    """The discs, drifting downwards; the red one is missing on the first two planes."""
    planes = np.stack([np.roll(blobs(), 2 * t, axis=0) for t in range(n)])
    red = (planes[:2, ..., 0] > 200) & (planes[:2, ..., 1] < 100)
    planes[:2][red] = 0
    return planes


@pytest.fixture
def stack(viewer, engine, qtbot):
    viewer.add_image(series(), name="series", rgb=True)
    viewer.dims.set_point(0, 2)
    widget = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(widget, name="SLIP")
    yield widget
    widget.dispose()


def idle(dock, qtbot):
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle" and not dock.desk.scan.running, timeout=20_000)


def matches(dock):
    return dock.viewer.layers["series matches"]


def drawn(dock):
    return {t for t in range(6) if np.asarray(matches(dock).data[t]).any()}


def test_run_looks_at_the_plane_on_screen_only_unless_told_otherwise(stack, engine, qtbot):
    ask(stack, "green", qtbot)
    assert engine.sam.encoded == 1
    assert matches(stack).data.shape == (6, 96, 128)
    assert drawn(stack) == {2}


def test_the_whole_stack_comes_plane_by_plane_into_one_layer(stack, engine, qtbot):
    stack.stack.scope.setCurrentIndex(2)
    ask(stack, "green", qtbot)
    idle(stack, qtbot)
    for t in range(6):
        assert np.asarray(matches(stack).data[t])[20 + 2 * t, 60] > 0
    assert engine.sam.encoded == 6
    assert set(stack.stack.curve.scores["green"]) == set(range(6))
    assert len(stack.desk.sheet.workspace.session.objects) == 6


def test_a_range_limits_the_planes(stack, engine, qtbot):
    stack.stack.scope.setCurrentIndex(1)
    stack.stack.range.setValue((1, 3))
    ask(stack, "green", qtbot)
    idle(stack, qtbot)
    assert sorted(stack.stack.curve.scores["green"]) == [1, 2, 3]


def halt(engine, monkeypatch, after):
    """Let SAM stand still once it has looked at some planes."""
    encode = engine.sam.encode

    def encode_or_wait(rgb, progress):
        if engine.sam.encoded == after:
            engine.sam.gate.clear()
        return encode(rgb, progress)

    monkeypatch.setattr(engine.sam, "encode", encode_or_wait)


def done(dock):
    return set(dock.desk.scan.found(dock.desk.sheet).done)


def test_cancel_keeps_what_is_done_and_the_next_run_skips_it(stack, engine, qtbot, monkeypatch):
    halt(engine, monkeypatch, after=3)
    stack.stack.scope.setCurrentIndex(2)
    begin(stack, "green", engine, qtbot)
    qtbot.waitUntil(lambda: len(done(stack)) == 3, timeout=10_000)
    stack.desk.cancel()
    engine.sam.gate.set()
    idle(stack, qtbot)
    assert done(stack) == {(2,), (3,), (4,)}
    assert drawn(stack) == {2, 3, 4}
    before = engine.sam.encoded
    monkeypatch.undo()
    ask(stack, "green", qtbot)
    idle(stack, qtbot)
    assert len(done(stack)) == 6
    assert engine.sam.encoded - before == 3


def test_what_a_person_does_meanwhile_goes_first_and_the_run_goes_on_after_it(
    stack, engine, qtbot, monkeypatch
):
    halt(engine, monkeypatch, after=3)
    stack.stack.scope.setCurrentIndex(2)
    begin(stack, "green", engine, qtbot)
    qtbot.waitUntil(lambda: len(done(stack)) == 3, timeout=10_000)
    seen = []
    stack.desk.runner.submit(lambda progress: None, lambda _: seen.append(len(done(stack))))
    monkeypatch.undo()
    engine.sam.gate.set()
    qtbot.waitUntil(lambda: len(done(stack)) == 6, timeout=10_000)
    idle(stack, qtbot)
    assert seen == [4]
    assert drawn(stack) == set(range(6))


def choose_red_and_green(viewer, engine):
    """A dock over the channels of the series as layers, red in front and green together with it."""
    viewer.add_image(series(), channel_axis=3, name=["r", "g", "b"])
    viewer.dims.set_point(0, 2)
    dock = SlipDock(viewer, engine)
    dock.images.choose(viewer.layers["r"])
    for action in dock.source._menu.actions():
        action.setChecked(action.text() == "g")
    dock.stack.scope.setCurrentIndex(2)
    return dock


def test_all_planes_are_looked_at_with_the_layers_of_the_first(viewer, engine, qtbot):
    dock = choose_red_and_green(viewer, engine)
    engine.sam.gate.clear()
    begin(dock, "green", engine, qtbot)
    sheet = dock.desk.sheet
    dock.images.choose(viewer.layers["b"])
    engine.sam.gate.set()
    qtbot.waitUntil(lambda: len(dock.desk.scan.found(sheet).done) == 6, timeout=20_000)
    for (t,), outcome in sheet.workspace.outcomes.items():
        assert outcome.looked.segments.labels()[20 + 2 * t, 60]
    dock.dispose()


def test_a_layer_that_is_gone_when_the_rest_of_the_stack_begins_is_told(viewer, engine, qtbot, told):
    dock = choose_red_and_green(viewer, engine)
    engine.sam.gate.clear()
    begin(dock, "green", engine, qtbot)
    viewer.layers.remove("g")
    engine.sam.gate.set()
    qtbot.waitUntil(lambda: bool(told), timeout=10_000)
    assert "is gone: choose the layers and run again" in told[0]
    dock.dispose()


def test_a_thing_is_seen_in_a_volume_though_it_was_rejected_on_one_plane(stack, qtbot):
    stack.stack.scope.setCurrentIndex(2)
    ask(stack, "green", qtbot)
    idle(stack, qtbot)
    session = stack.desk.sheet.workspace.session
    session.link([list(session.objects)])
    session.reject([max(session.objects)])
    matches(stack).contour = 0  # which napari does not draw in a volume
    stack.viewer.dims.ndisplay = 3
    label = next(iter(session.objects.values())).label
    assert matches(stack).get_color(label)[3] > 0


def test_a_class_that_is_removed_while_the_stack_is_looked_at_stays_away(stack, engine, qtbot, monkeypatch):
    halt(engine, monkeypatch, after=3)
    stack.stack.scope.setCurrentIndex(2)
    begin(stack, "green", engine, qtbot)
    qtbot.waitUntil(lambda: len(done(stack)) == 3, timeout=10_000)
    stack.viewer.dims.set_point(0, 5)  # a plane that nothing is known of yet
    stack.desk.class_changes.change(lambda classes: classes.remove("green"))
    monkeypatch.undo()
    engine.sam.gate.set()
    idle(stack, qtbot)
    session = stack.desk.sheet.workspace.session
    assert not list(session.classes) and not session.objects


def test_a_new_text_ends_the_run_over_the_stack(stack, engine, qtbot, monkeypatch):
    halt(engine, monkeypatch, after=3)
    stack.stack.scope.setCurrentIndex(2)
    begin(stack, "green", engine, qtbot)
    qtbot.waitUntil(lambda: len(done(stack)) == 3, timeout=10_000)
    stack.stack.scope.setCurrentIndex(0)
    monkeypatch.undo()
    engine.sam.gate.set()
    ask(stack, "blue", qtbot)
    idle(stack, qtbot)
    assert set(stack.stack.curve.scores["blue"]) == {2}
    assert {2, 3, 4} <= set(stack.stack.curve.scores["green"])


def test_an_export_during_the_run_outlives_a_new_text(stack, engine, qtbot, monkeypatch, tmp_path):
    halt(engine, monkeypatch, after=3)
    stack.stack.scope.setCurrentIndex(2)
    begin(stack, "green", engine, qtbot)
    qtbot.waitUntil(lambda: len(done(stack)) == 3, timeout=10_000)
    Exchange(stack.desk).export(tmp_path, ["coco"])
    stack.stack.scope.setCurrentIndex(0)
    monkeypatch.undo()
    stack.prompt.setText("blue")
    stack.prompt.returnPressed.emit()
    assert stack.run_button.isEnabled()
    engine.sam.gate.set()
    idle(stack, qtbot)
    assert list(tmp_path.glob("*.json"))
    assert set(stack.stack.curve.scores["blue"]) == {2}


def test_the_curve_shows_where_the_text_is_and_a_click_goes_there(stack, qtbot):
    stack.stack.scope.setCurrentIndex(2)
    ask(stack, "red", qtbot)
    idle(stack, qtbot)
    scores = stack.stack.curve.scores["red"]
    assert max(scores[0], scores[1]) < min(scores[t] for t in range(2, 6))
    curve = stack.stack.curve
    curve.resize(300, 90)
    curve.chosen.emit(curve.plane_at(300))
    assert stack.viewer.dims.current_step[0] == 5
    assert stack.desk.sheet.place.index == (5,)
    stack.stack.go_best()
    first = stack.desk.sheet.place.index
    stack.stack.go_best()
    assert first != stack.desk.sheet.place.index
    assert {first[0], stack.desk.sheet.place.index[0]} <= {2, 3, 4, 5}


def test_links_make_one_id_and_a_tracks_layer_and_undo_parts_them(stack, qtbot):
    stack.stack.scope.setCurrentIndex(2)
    ask(stack, "green", qtbot)
    idle(stack, qtbot)
    session = stack.desk.sheet.workspace.session
    stack.stack.do_link()
    idle(stack, qtbot)
    assert {o.track for o in session.objects.values()} == {min(session.objects)}
    assert set(np.unique(np.asarray(matches(stack).data[:]))) == {0, min(session.objects)}
    stack.stack.do_tracks()
    (layer,) = [layer for layer in stack.viewer.layers if isinstance(layer, Tracks)]
    assert layer.data.shape == (6, 4)
    np.testing.assert_allclose(np.diff(layer.data[:, 2]), 2)
    stack.desk.decisions.undo()
    assert {o.track for o in session.objects.values()} == {None}


def test_parents_of_tracks_stay_with_their_image_and_tracks_lie_on_it(
    viewer, engine, qtbot, tmp_path, monkeypatch
):
    planes = np.zeros((4, 60, 80), int)
    rows, columns = np.indices((60, 80))
    for t, centres in enumerate(([(40, 10)], [(40, 10)], [(33, 6), (47, 6)], [(30, 6), (50, 6)])):
        for n, (x, radius) in enumerate(centres, 1):
            planes[t][(rows - 30) ** 2 + (columns - x) ** 2 <= radius**2] = n
    image = viewer.add_image(
        planes.astype(np.uint8), name="cells", rotate=[[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]
    )
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    for t, plane in enumerate(planes):
        dock.desk.sheet.workspace.session.adopt(plane, (t,), "cell")
    dock.stack.do_link()
    idle(dock, qtbot)
    dock.images.choose(viewer.add_image(blobs(), name="discs"))
    dock.dispose()
    dock = SlipDock(viewer, engine)  # opened again: the divisions are still known
    viewer.window.add_dock_widget(dock, name="SLIP")
    dock.images.choose(image)
    path = tmp_path / "tracks.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(path), ""))
    dock.stack.do_save()
    table = pd.read_csv(path)
    (mother,) = set(table["parent"].dropna())
    assert set(table["track"][table["parent"].notna()]) == set(table["track"]) - {mother}
    dock.stack.do_tracks()
    (tracks,) = [layer for layer in viewer.layers if isinstance(layer, Tracks)]
    for corner in ((0, 0, 0), (3, 59, 0), (1, 20, 79)):
        np.testing.assert_allclose(tracks.data_to_world(corner), image.data_to_world(corner))
    dock.dispose()


def test_an_image_that_is_removed_ends_the_run_over_its_planes(stack, engine, qtbot, monkeypatch):
    halt(engine, monkeypatch, after=3)
    stack.stack.scope.setCurrentIndex(2)
    begin(stack, "green", engine, qtbot)
    qtbot.waitUntil(lambda: len(done(stack)) == 3, timeout=10_000)
    stack.viewer.layers.remove(stack.desk.sheet.image)
    idle(stack, qtbot)
    engine.sam.gate.set()
    qtbot.wait(100)
    assert engine.sam.encoded == 4


def test_painting_on_a_stack_reaches_the_session_of_that_plane(stack, qtbot):
    ask(stack, "green", qtbot)
    layer = matches(stack)
    layer.selected_label = 50
    layer.brush_size = 3
    layer.paint((2, 80, 10), 50)
    qtbot.waitUntil(
        lambda: any(o.status == "corrected" for o in stack.desk.sheet.workspace.session.objects.values())
    )
    (drawn,) = [o for o in stack.desk.sheet.workspace.session.objects.values() if o.status == "corrected"]
    assert drawn.plane == (2,)
    stack.viewer.dims.set_point(0, 3)
    stack.viewer.dims.set_point(0, 2)
    assert np.asarray(layer.data[2])[80, 10] == 50
    stack.desk.decisions.undo()
    assert np.asarray(layer.data[2])[80, 10] == 0


def test_a_lazy_stack_reads_only_the_planes_in_scope(viewer, engine, qtbot):
    read = []

    def block(block_info=None):
        t = block_info[None]["chunk-location"][0]
        read.append(t)
        return series()[t : t + 1, ..., 0]

    lazy = da.map_blocks(block, chunks=((1,) * 6, (96,), (128,)), dtype=np.uint8)
    viewer.add_image(lazy, name="series", contrast_limits=(0, 255))
    read.clear()
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    here = viewer.dims.current_step[0]
    ask(dock, "white", qtbot)
    assert set(read) <= {here}
    dock.dispose()


def test_a_single_plane_leaves_nothing_to_choose(dock):
    assert dock.stack.hint.isVisibleTo(dock.stack)
    assert not dock.stack._inside.isVisibleTo(dock.stack)


def test_memory_grows_with_the_planes_that_were_written():
    place = _source.Place((1, 2), (0,), (64, 64), (100_000, 64, 64))
    volume = Volume(place)
    picture = np.zeros((64, 64), np.uint32)
    assert not volume.write((5,), picture)
    assert volume.array.nbytes_stored() < 10_000
    picture[3:9, 4:8] = 7
    assert volume.write((70_000,), picture) and not volume.write((70_000,), picture)
    np.testing.assert_array_equal(volume.read((70_000,)), picture)
    assert volume.array.nbytes_stored() < 20_000
    picture[0, 0] = 2**16
    volume.write((1,), picture)
    assert volume.read((1,))[0, 0] == 2**16
    assert volume.read((70_000,))[4, 5] == 7


def test_channels_share_one_thick_plane_of_labels():
    place = _source.Place((2, 3), (1,), (8, 6), (3, 2, 8, 6), channel_axis=1)
    volume = Volume(place)
    picture = np.arange(48, dtype=np.uint32).reshape(8, 6)
    volume.write((2,), picture)
    assert volume.array.shape == (3, 1, 8, 6)
    np.testing.assert_array_equal(volume.read((2,)), picture)


def test_labels_of_another_program_are_those_of_each_plane(stack, engine, qtbot):
    theirs = (series()[..., 1] > 200).astype(np.uint8)  # green and yellow discs
    theirs[5] = 0
    layer = stack.viewer.add_labels(theirs, name="theirs")
    stack.desk.source.labels = layer
    stack.stack.scope.setCurrentIndex(2)
    ask(stack, "green", qtbot)
    idle(stack, qtbot)
    assert engine.sam.encoded == 0
    assert drawn(stack) == {0, 1, 2, 3, 4}
    for t in range(5):
        assert not np.asarray(matches(stack).data[t])[theirs[t] == 0].any()
    theirs[5] = theirs[4]
    layer.data = theirs
    ask(stack, "green", qtbot)
    idle(stack, qtbot)
    assert drawn(stack) == set(range(6))
