"""What is removed or clicked away in the viewer stays away; labels of large numbers can be shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from _fake_engine import ask
from test_viewer_stack import series

from napari_slip.objects import Object
from napari_slip.session import ClassList, Contents, Session, State
from napari_slip.viewer import SlipDock, _clicks, _sessions
from napari_slip.viewer._source import locate

pytest_plugins = ["_dock_fixtures"]


def test_a_removed_object_stays_away_when_another_is_accepted(dock, qtbot):
    ask(dock, "green", qtbot)
    desk = dock.desk
    work = desk.sheet.workspace
    work.show(work.filters, replace(work.settings, select="top:3"), "green")
    work.settle()
    first, second, third = work.session.objects.values()
    desk.correction.choose([first.id])
    desk.decisions.remove()
    desk.decisions.apply()
    desk.decisions.accept([second.segment - 1])
    drawn = set(np.unique(work.session.picture()))
    assert first.segment not in {o.segment for o in work.session.objects.values() if o.label in drawn}
    assert {second.id, third.id} <= drawn
    desk.decisions.undo()
    desk.decisions.undo()
    assert work.session.objects[first.id] is first


def test_what_was_clicked_away_whole_is_gone_and_the_next_click_begins_anew(dock, qtbot, monkeypatch):
    ask(dock, "green", qtbot)
    desk, said = dock.desk, []
    desk.said.connect(said.append)
    (thing,) = desk.sheet.workspace.session.objects.values()
    desk.correction.choose([thing.id])
    desk.correction.take_up("refine")
    monkeypatch.setattr(_clicks, "one_more", lambda *a, **k: np.zeros((96, 128), bool))
    desk.correction.click(60, 20, 0)
    qtbot.waitUntil(lambda: desk.runner.state == "idle" and not desk.correction.clicks.busy, timeout=10_000)
    assert any("it is gone" in sentence for sentence in said)
    assert not (desk.sheet.workspace.session.picture() == thing.id).any()
    assert not desk.sheet.workspace.session.picture()[20, 60]
    assert not desk.correction.chosen


def test_a_track_of_objects_with_large_numbers_is_opened_again(viewer, engine):
    image = viewer.add_image(series(), name="series", rgb=True)
    crop = np.ones((10, 10), bool)
    numbers = (5, 40_000, 70_000)
    things = {i: Object(i, "green", "accepted", crop, (9, 9), (t,), track=5) for t, i in enumerate(numbers)}
    session = Session.of(Contents((96, 128), State(ClassList().add("green"), things), 70_001))
    key = _sessions.session_key(image, locate(viewer, image))
    session.save(_sessions.folder() / f"{key}.slip")
    dock = SlipDock(viewer, engine)
    layer = viewer.layers["series matches"]
    assert layer.selected_label == 70_001
    assert set(np.unique(np.asarray(layer.data[:3]))) == {0, 5}
    dock.dispose()
