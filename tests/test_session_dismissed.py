"""What a person has taken away, by a key or with the brush, is not predicted again."""

from __future__ import annotations

import numpy as np
import pytest
from test_session import match_of, square

from napari_slip.session import Edit, Session, editing

SHAPE = (12, 16)
MASKS = [square(1, 1), square(6, 8)]


@pytest.fixture
def session():
    session = Session(SHAPE)
    session.predict(match_of("cell", MASKS))
    return session


def erase(session, where):
    session.absorb(np.where(where, 0, session.picture()))


def remove(session):
    session.apply(Edit(removed=(1,)))


def rub_out(session):
    for row in range(1, 5):  # stroke by stroke, until nothing is left
        erase(session, square(1, 1) & (np.arange(12)[:, None] <= row))


def refine_to_nothing(session):
    session.apply(editing.reshape(session.objects[1], square(1, 1, 1)))
    session.apply(editing.reshape(session.objects[1], np.zeros(SHAPE, bool)))


def grow_and_remove(session):
    session.apply(editing.reshape(session.objects[1], square(0, 0, 7)))
    remove(session)


@pytest.mark.parametrize("take_away", [remove, rub_out, refine_to_nothing, grow_and_remove])
def test_what_was_taken_away_stays_away_until_it_is_asked_for(session, take_away):
    before = session.picture()
    count = session.steps[0]
    take_away(session)
    session.accept([2])
    session.predict(match_of("cell", MASKS))
    np.testing.assert_array_equal(session.picture() > 0, MASKS[1])
    while session.steps[0] > count:
        session.undo()
    np.testing.assert_array_equal(session.picture(), before)
    assert session.objects[1].status == "predicted"


def test_what_was_rubbed_out_is_not_found_by_another_model_either(session):
    rub_out(session)
    session.predict(match_of("cell", MASKS[::-1]))
    np.testing.assert_array_equal(session.picture() > 0, MASKS[1])


def test_a_rejected_object_that_is_removed_may_be_found_again(session):
    remove(session)
    remove(session)
    assert 1 not in session.objects
    session.predict(match_of("cell", MASKS))
    assert session.picture()[MASKS[0]].all()


def test_parts_that_were_merged_go_with_the_whole_and_are_no_rejections_before():
    session, parts = Session(SHAPE), [square(1, 1), square(1, 5), square(1, 9)]
    session.predict(match_of("cell", parts))
    session.apply(editing.merge(list(session.objects.values()), SHAPE))
    assert [o.status for o in session.objects.values()] == ["corrected"]
    remove(session)
    session.predict(match_of("cell", parts))
    assert not session.picture().any()
    session.undo()
    assert [o.area for o in session.objects.values()] == [48]


def test_what_was_rubbed_out_may_be_painted_anew_with_its_number(session):
    erase(session, MASKS[0])
    painted = session.picture()
    painted[2, 2:4] = 1
    session.absorb(painted)
    np.testing.assert_array_equal(session.picture(), painted)
    assert session.objects[1].status == "corrected"


def test_painting_where_another_of_the_track_was_rejected_loses_neither():
    session = Session(SHAPE)
    session.adopt(square(1, 1).astype(int), (0,))
    session.adopt(square(1, 1).astype(int), (1,))
    session.adopt(square(6, 8).astype(int), (1,))
    session.link([(1, 2)])
    session.reject([2])
    session.link([(1, 3)])
    session.apply(Edit((session.objects[2],)))  # linked to both, one of them rejected
    painted = session.picture((1,))
    painted[11, 0] = 1
    session.absorb(painted, (1,))
    assert sorted(session.objects) == [1, 2, 3]
