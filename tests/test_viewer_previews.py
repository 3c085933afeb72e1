"""What is shown before it is done: with which image it stays, and what puts it away."""

from __future__ import annotations

import pytest
from _fake_engine import ask, begin, blobs, ours

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def desk(dock, qtbot):
    ask(dock, "red", qtbot)
    return dock.desk


def objects(desk):
    return list(desk.sheet.workspace.session.objects.values())


def idle(desk, qtbot):
    qtbot.waitUntil(lambda: desk.runner.state == "idle", timeout=10_000)


def shown(dock):
    return [layer.name for layer in dock.viewer.layers if layer.name.endswith("preview")]


def preview_on(dock, image, engine, qtbot):
    """Choose another image and show what it would be without an object of it."""
    dock.images.choose(image)
    (new, *_) = dock.desk.sheet.workspace.session.adopt(blobs()[::-1, :, 0].astype(bool).astype(int))
    dock.desk.correction.choose([new])
    dock.desk.decisions.remove()
    assert shown(dock) == [f"{image.name} preview"]


def test_a_preview_goes_with_its_image_and_stays_when_a_run_lands_on_another(dock, engine, qtbot):
    other = dock.viewer.add_image(blobs()[::-1], name="other")
    engine.sam.gate.clear()
    begin(dock, "red", engine, qtbot)
    preview_on(dock, other, engine, qtbot)
    engine.sam.gate.set()
    idle(dock.desk, qtbot)
    assert shown(dock) == ["other preview"] and dock.correct.apply.isEnabled()
    dock.images.choose(dock.viewer.layers["discs"])
    assert shown(dock) == [] and not dock.correct.apply.isEnabled()
    dock.images.choose(other)
    preview_on(dock, other, engine, qtbot)
    dock.viewer.layers.remove(other)
    assert shown(dock) == []


def test_what_is_painted_on_an_object_puts_its_preview_away(dock, desk, qtbot):
    (red,) = objects(desk)
    desk.correction.choose([red.id])
    desk.decisions.remove()
    matches = ours(dock)[1]
    matches.paint((20, 34), red.id)
    desk.decisions.apply()
    assert shown(dock) == []
    picture = desk.sheet.workspace.session.picture()
    assert picture[20, 34] == picture[20, 20] == red.id
    assert "was put away" in dock.activity.text.text()
    desk.decisions.remove()
    desk.decisions.apply()
    assert not desk.sheet.workspace.session.picture().any()
    assert [o.status for o in objects(desk)] == ["rejected"]  # so that it is not predicted again


def test_escape_puts_the_preview_away_before_it_stops_a_run(dock, desk, engine, qtbot):
    desk.correction.choose([o.id for o in objects(desk)])
    desk.decisions.remove()
    engine.sam.gate.clear()
    desk.runner.submit(lambda progress: engine.sam.gate.wait(10), lambda _: None)
    desk.decisions.discard()
    assert shown(dock) == [] and desk.runner.state == "running"
    desk.decisions.discard()
    assert desk.runner.state != "running"
