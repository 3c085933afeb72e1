from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slip.errors import InputError
from napari_slip.segments import PackedMasks
from napari_slip.session import Session
from napari_slip.settings import MatchSettings

SHAPE = (12, 16)


def square(y, x, side=4):
    mask = np.zeros(SHAPE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def match_of(name, masks, score=0.9):
    """What a session reads of a match: one class that accepts every one of these masks."""
    segments = SimpleNamespace(masks=PackedMasks.pack(masks, [(0, 0)] * len(masks)))
    segments.boxes = segments.masks.boxes
    return SimpleNamespace(
        names=(name,),
        segments=segments,
        calibrated=np.full((len(masks), 1), score),
        accepted=lambda: np.ones((len(masks), 1), bool),
        settings=MatchSettings(select="above:0.5"),
    )


@pytest.fixture
def session():
    session = Session(SHAPE)
    session.predict(match_of("cell", [square(1, 1), square(6, 8)]))
    return session


def test_a_prediction_becomes_an_object_of_its_class(session):
    assert [o.class_name for o in session.objects.values()] == ["cell", "cell"]
    assert [o.status for o in session.objects.values()] == ["predicted", "predicted"]
    assert session.classes["cell"].phrases == ("cell",)
    np.testing.assert_array_equal(session.picture() > 0, square(1, 1) | square(6, 8))


def test_the_next_match_replaces_predictions_but_no_decision(session):
    kept, _ = session.objects
    session.accept([kept])
    session.predict(match_of("cell", [square(1, 1)]))
    assert list(session.objects) == [kept]
    assert session.objects[kept].status == "accepted"


def test_what_was_rejected_is_not_predicted_again(session):
    first, second = session.objects
    session.reject([first])
    session.predict(match_of("cell", [square(1, 1), square(6, 8)]))
    assert not session.picture()[square(1, 1)].any()
    assert session.picture()[square(6, 8)].all()
    assert session.objects[second].status == "predicted"  # what comes again is the same object


def test_another_class_keeps_the_predictions_of_the_first(session):
    session.predict(match_of("debris", [square(8, 0, 2)]))
    assert sorted(o.class_name for o in session.objects.values()) == ["cell", "cell", "debris"]


def test_undo_and_redo_travel_through_decisions(session):
    first, second = session.objects
    session.accept([first])
    session.reject([second])
    assert session.undo()
    assert session.objects[second].status == "predicted"
    assert session.undo()
    assert session.objects[first].status == "predicted"
    assert not session.undo()
    assert session.redo() and session.redo() and not session.redo()
    assert session.objects[second].status == "rejected"


def test_a_new_decision_ends_the_redo(session):
    first, second = session.objects
    session.accept([first])
    session.undo()
    session.reject([second])
    assert not session.redo()


def test_renaming_a_class_loses_nothing(session):
    session.accept(list(session.objects))
    session.rename_class("cell", "neuron")
    assert {o.class_name for o in session.objects.values()} == {"neuron"}
    assert session.classes["neuron"].phrases == ("cell",)
    session.predict(match_of("neuron", [square(1, 1), square(6, 8)]))
    assert len(session.objects) == 2


def test_a_class_with_decided_objects_stays(session):
    session.accept(list(session.objects))
    with pytest.raises(InputError, match="'cell' still has objects"):
        session.classes = session.classes.remove("cell")


def test_a_class_with_predictions_only_takes_them_along(session):
    session.classes = session.classes.remove("cell")
    assert not session.objects
    session.undo()
    assert len(session.objects) == 2


def test_assign_moves_an_object_to_another_class(session):
    first, _ = session.objects
    session.classes = session.classes.add("nucleus")
    session.assign([first], "nucleus")
    assert session.objects[first].class_name == "nucleus"
    with pytest.raises(InputError, match="no class 'axon'"):
        session.assign([first], "axon")


def test_unknown_objects_end_in_a_sentence(session):
    with pytest.raises(InputError, match="no object 99"):
        session.accept([99])


def test_the_smaller_object_lies_in_front_and_the_larger_stays_whole(session):
    session.predict(match_of("tissue", [np.ones(SHAPE, bool)]))
    tissue = next(o for o in session.objects.values() if o.class_name == "tissue")
    assert session.picture()[2, 2] != tissue.id
    assert tissue.area == SHAPE[0] * SHAPE[1]


def test_painting_over_an_object_corrects_both(session):
    first, second = session.objects
    painted = session.picture()
    painted[1:3, 1:5] = second
    assert session.absorb(painted)
    np.testing.assert_array_equal(session.picture(), painted)
    assert session.objects[first].status == session.objects[second].status == "corrected"
    assert not session.absorb(painted)


def test_erasing_an_object_whole_takes_it_away_and_undo_brings_it_back(session):
    first, _ = session.objects
    before = session.picture()
    session.absorb(np.where(before == first, 0, before))
    assert first not in session.picture() and session.objects[first].status == "rejected"
    session.undo()
    np.testing.assert_array_equal(session.picture(), before)


def test_a_new_id_is_a_new_object_of_the_chosen_class(session):
    session.classes = session.classes.add("debris")
    painted = session.picture()
    painted[10:, :3] = 77
    session.absorb(painted, class_name="debris")
    assert session.objects[77].class_name == "debris"
    session.predict(match_of("debris", [square(0, 12, 2)]))
    assert max(session.objects) == 78


def test_the_same_id_on_another_plane_is_another_object(session):
    first, _ = session.objects
    painted = session.picture((1,))
    painted[:3, :3] = first
    session.absorb(painted, plane=(1,))
    assert session.objects[first].plane == ()
    assert (session.picture((1,))[:3, :3] > 0).all()


def test_a_picture_of_another_shape_ends_in_a_sentence(session):
    with pytest.raises(InputError, match=r"planes of this session are \(12, 16\)"):
        session.absorb(np.zeros((3, 3), np.uint32))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_was_painted_is_what_is_drawn_next(data):
    session = Session(SHAPE)
    corners = st.tuples(st.integers(0, 8), st.integers(0, 12), st.integers(1, 8))
    session.predict(match_of("a", [square(*c) for c in data.draw(st.lists(corners, min_size=1, max_size=4))]))
    session.predict(match_of("b", [square(*c) for c in data.draw(st.lists(corners, min_size=1, max_size=4))]))
    for _ in range(data.draw(st.integers(1, 4))):
        painted = session.picture()
        y, x, side = data.draw(corners)
        painted[y : y + side, x : x + side] = data.draw(st.integers(0, 9))
        session.absorb(painted)
        touched = np.zeros(SHAPE, bool)
        touched[y : y + side, x : x + side] = True
        np.testing.assert_array_equal(session.picture()[touched], painted[touched])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["predict", "accept", "reject", "paint", "rename"]), max_size=8),
    st.integers(0, 5),
)
def test_undo_is_exact(steps, seed):
    rng = np.random.default_rng(seed)
    session = Session(SHAPE)
    session.predict(match_of("a", [square(1, 1), square(5, 6)]))
    pictures = []
    for step in steps:
        before = session.picture()
        ids = [i for i in session.objects if rng.random() < 0.5]
        if step == "accept" and ids:
            session.accept(ids)
        elif step == "reject" and ids:
            session.reject(ids)
        elif step == "paint":
            painted = before.copy()
            painted[rng.integers(12), :] = rng.integers(5)
            if not session.absorb(painted):
                continue
        else:
            continue
        pictures.append(before)
    for before in reversed(pictures):
        assert session.undo()
        np.testing.assert_array_equal(session.picture(), before)


def test_a_saved_session_comes_back_whole(session, tmp_path):
    first, second = session.objects
    session.accept([first])
    session.reject([second])
    path = tmp_path / "deep" / "work.slip"
    session.save(path)
    again = Session.load(path)
    assert again.classes == session.classes
    assert again.table().equals(session.table())
    np.testing.assert_array_equal(again.picture(), session.picture())
    again.predict(match_of("b", [square(0, 0)]))
    assert max(again.objects) > second


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"not a session"])
def test_a_file_that_is_no_session_ends_in_a_sentence(content, tmp_path):
    path = tmp_path / "work.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"work\.npz holds no session"):
        Session.load(path)


def test_a_failed_save_keeps_the_file_that_was_there(session, tmp_path, monkeypatch):
    path = tmp_path / "work.npz"
    session.save(path)

    def disk_full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", disk_full)
    session.accept(list(session.objects))
    with pytest.raises(OSError, match="No space"):
        session.save(path)
    assert {o.status for o in Session.load(path).objects.values()} == {"predicted"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def stack():
    """Two cells on each of three planes."""
    session = Session(SHAPE)
    for z in range(3):
        session.predict(match_of("cell", [square(1, 1 + z), square(6, 8)]), plane=(z,))
    return session


def test_linked_objects_are_drawn_alike_on_every_plane_and_undo_parts_them(stack):
    stack.link([(1, 3, 5), (2, 4, 6)])
    for z in range(3):
        assert set(np.unique(stack.picture((z,)))) == {0, 1, 2}
    assert stack.table()["track"].tolist() == [1, 2, 1, 2, 1, 2]
    assert stack.undo()
    assert set(np.unique(stack.picture((1,)))) == {0, 3, 4}


def test_a_track_is_renumbered_when_the_object_that_gave_its_number_leaves(stack):
    stack.link([(1, 3, 5), (2, 4)])
    stack.link([(1, 4)])
    assert [o.label for o in stack.objects.values()] == [1, 2, 3, 1, 3, 6]
    stack.link([(4,)])
    assert [o.label for o in stack.objects.values()] == [1, 2, 3, 4, 3, 6]


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ([(1, 3), (3, 5)], "Object 3 is named twice"),
        ([(1, 2)], r"objects \[1, 2\] lie on one plane"),
        ([(1, 99)], "no object 99"),
    ],
)
def test_links_that_cannot_be_end_in_a_sentence(stack, groups, sentence):
    with pytest.raises(InputError, match=sentence):
        stack.link(groups)
    assert not stack.table()["track"].any()


def test_a_prediction_that_comes_again_keeps_its_track(stack):
    stack.link([(1, 3, 5)])
    stack.predict(match_of("cell", [square(1, 2), square(6, 8)]), plane=(1,))
    assert 1 in stack.picture((1,))
    stack.predict(match_of("cell", [square(2, 2, 3)]), plane=(1,))
    assert 1 in stack.picture((1,))


def test_painting_with_a_track_on_another_plane_goes_on_with_it(stack):
    stack.link([(1, 3)])
    painted = stack.picture((2,))
    painted[9:11, :2] = 1
    stack.absorb(painted, plane=(2,))
    np.testing.assert_array_equal(stack.picture((2,)), painted)
    assert [o.plane for o in stack.objects.values() if o.track == 1] == [(0,), (1,), (2,)]
    assert 1 in stack.objects and stack.objects[1].plane == (0,)


def test_painting_with_the_id_of_a_linked_object_takes_nothing_from_it(stack):
    stack.link([(1, 3)])
    painted = stack.picture((2,))
    painted[9:11, :2] = 3
    stack.absorb(painted, plane=(2,))
    assert stack.objects[3].plane == (1,)
    assert stack.picture((2,))[9, 0] > 6


def test_a_saved_session_keeps_its_tracks(stack, tmp_path):
    stack.link([(1, 3, 5)])
    stack.save(tmp_path / "a.npz")
    assert Session.load(tmp_path / "a.npz").table().equals(stack.table())


def test_every_change_is_told(session):
    told = []
    session.changed.connect(lambda: told.append(1))
    session.accept(list(session.objects))
    session.undo()
    assert len(told) == 2


def test_a_hundred_steps_across_planes_are_taken_back_and_done_again():
    session, rng = Session((24, 32)), np.random.default_rng(0)
    planes = [(z,) for z in range(4)]
    for n in range(120):
        plane = planes[n % 4]
        here = [i for i, o in session.objects.items() if o.plane == plane]
        match n % 3 if here else 0:
            case 0:
                labels = np.zeros(session.shape, int)
                y, x = rng.integers(0, 20, 2)
                labels[y : y + 4, x : x + 6] = 1
                session.adopt(labels, plane, "cell")
            case 1:
                session.reject(here[-1:])
            case 2:
                painted = session.picture(plane)
                painted[rng.integers(0, 24)] = here[0]
                session.absorb(painted, plane)
    last = [session.picture(p) for p in planes]
    count = session.steps[0]
    assert count >= 100
    for _ in range(count):
        assert session.undo()
    assert not session.objects
    for _ in range(count):
        assert session.redo()
    for plane, picture in zip(planes, last, strict=True):
        np.testing.assert_array_equal(session.picture(plane), picture)


@pytest.mark.parametrize("first", ["cell", "dust"])
def test_of_one_mask_that_two_classes_accept_the_better_is_seen(first):
    session, scores = Session(SHAPE), {"cell": 0.9, "dust": 0.6}
    for name in sorted(scores, key=lambda name: name != first):
        session.predict(match_of(name, [square(1, 1)], scores[name]))
    (shown,) = set(session.picture()[square(1, 1)].tolist())
    assert session.objects[shown].class_name == "cell"
