"""A run over the whole stack looks again at planes whose predictions are gone."""

from __future__ import annotations

from dataclasses import replace

from _fake_engine import ask
from test_viewer_stack import drawn, idle, stack  # noqa: F401

pytest_plugins = ["_dock_fixtures"]


def run(dock, qtbot):
    dock.stack.scope.setCurrentIndex(2)
    ask(dock, "green", qtbot)
    idle(dock, qtbot)


def test_of_a_class_that_was_removed(stack, qtbot):  # noqa: F811
    run(stack, qtbot)
    stack.desk.class_changes.change(lambda classes: classes.remove("green"))
    idle(stack, qtbot)
    assert not stack.desk.sheet.workspace.session.objects
    run(stack, qtbot)
    assert drawn(stack) == set(range(6))


def test_where_another_rule_was_settled_meanwhile(stack, engine, qtbot):  # noqa: F811
    run(stack, qtbot)
    work, rule = stack.desk.sheet.workspace, stack.desk.memory.settings
    stack.desk.show(settings=replace(rule, select="above:0.9999999"))
    stack.viewer.dims.set_point(0, 4)
    assert not work.session.picture((4,)).any()
    stack.viewer.dims.set_point(0, 2)
    stack.desk.show(settings=rule)
    run(stack, qtbot)
    assert drawn(stack) == set(range(6))
    assert work.settled.keys() == {(t,) for t in range(6)}
