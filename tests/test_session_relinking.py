"""Links and what is predicted anew: tracks come off what is there, and go to what is the same thing."""

from __future__ import annotations

import pytest
from test_session import match_of, square

from napari_slip.session import Session

SHAPE = (12, 16)
LEFT, RIGHT = square(1, 1), square(6, 8)


@pytest.fixture
def linked():
    """One cell on each of three planes, linked."""
    session = Session(SHAPE)
    for t in range(3):
        session.predict(match_of("cell", [LEFT]), (t,))
    session.link([(1, 2, 3)])
    return session


def test_undo_of_links_does_not_bring_back_what_is_not_predicted_any_more(linked):
    for t in (0, 2):
        linked.predict(match_of("cell", []), (t,))
    linked.undo()
    assert [(o.id, o.track) for o in linked.objects.values()] == [(2, None)]
    linked.redo()
    assert [(o.id, o.track) for o in linked.objects.values()] == [(2, 1)]


def test_undo_of_links_takes_them_off_predictions_as_they_are_now(linked):
    linked.predict(match_of("cell", [LEFT], score=0.7), (0,))
    linked.predict(match_of("cell", [square(1, 1, 5)]), (1,))
    linked.undo()
    now = [(o.plane, o.area, o.score, o.track) for o in linked.objects.values()]
    assert sorted(now) == [((0,), 16, 0.7, None), ((1,), 25, 0.9, None), ((2,), 16, 0.9, None)]
