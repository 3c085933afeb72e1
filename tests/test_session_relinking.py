"""Links and what is predicted anew: tracks come off what is there, and go to what is the same thing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_session import match_of, square

from napari_slip.objects import in_common
from napari_slip.session import Session
from napari_slip.session.predicting import Near, settles

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


def test_another_model_that_counts_otherwise_gives_no_track_to_another_thing():
    session = Session(SHAPE)
    for t in range(2):
        session.predict(match_of("cell", [LEFT, RIGHT]), (t,))
    session.link([(1, 3), (2, 4)])
    before = session.picture((1,))
    session.predict(match_of("cell", [RIGHT, LEFT]), (1,))
    np.testing.assert_array_equal(session.picture((1,)), before)
    assert [o.segment for o in session.objects.values()] == [1, 2, 2, 1]
    session.predict(match_of("cell", [square(6, 8, 5), square(0, 12, 3)]), (1,))
    assert [o.track for o in session.objects.values() if o.plane == (1,)] == [2, None]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12), st.integers(1, 6)), min_size=1, max_size=9))
def test_what_lies_far_from_a_prediction_has_no_pixel_of_it(corners):
    session = Session(SHAPE)
    session.predict(match_of("cell", [square(*corner) for corner in corners]))
    new, *decided = session.objects.values()
    shared = [o for o in decided if in_common(o, new)]
    near = Near(decided).of(new)
    assert [o for o in near if in_common(o, new)] == shared
    assert [o for o in near if settles(o, new)] == [o for o in decided if settles(o, new)]
