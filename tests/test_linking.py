from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_slip.errors import Cancelled, InputError
from napari_slip.evaluation.tracking import idf1
from napari_slip.objects import Object, draw_objects
from napari_slip.progress import Progress
from napari_slip.session import Session
from napari_slip.settings import LinkSettings
from napari_slip.stacks import Linker, link_objects
from napari_slip.stacks._pairs import Mask, alike_at_all, in_reach, likeness
from napari_slip.synthesis import draw_series

SHAPE = (60, 80)


def disc(y, x, radius=6, *, plane=0, name="cell", number=1):
    rows, columns = np.indices(SHAPE)
    mask = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    blank = Object(number, name, "predicted", np.zeros((0, 0), bool), (0, 0), (plane,))
    return blank.with_mask(mask)


def numbers(planes, **settings):
    """Link lists of discs plane by plane; returns the numbers of each, and the events."""
    linker = Linker(LinkSettings(**settings))
    found = [linker.add(step, things) for step, things in enumerate(planes)]
    return found, linker.finish()


def test_a_thing_that_moves_keeps_its_number():
    planes = [[disc(20, 10 + 4 * t), disc(45, 60 - 4 * t)] for t in range(8)]
    found, events = numbers(planes)
    assert found == [[1, 2]] * 8
    assert not events


def test_a_thing_that_moves_by_more_than_its_size_keeps_its_number():
    found, _ = numbers([[disc(20, 8 + 14 * t)] for t in range(5)])
    assert found == [[1]] * 5


@pytest.mark.parametrize(("missing", "number"), [(2, 1), (3, 2)])
def test_a_gap_is_bridged_up_to_its_length(missing, number):
    planes = [[disc(20, 20)], [disc(20, 21)], *[[]] * missing, [disc(20, 23)]]
    assert numbers(planes, gap=2)[0][-1] == [number]


def test_classes_are_linked_apart():
    assert numbers([[disc(20, 20)], [disc(20, 20, name="debris")]])[0] == [[1], [2]]


def test_a_division_ends_the_track_and_begins_two():
    planes = [
        [disc(30, 40, 10)],
        [disc(30, 40, 10)],
        [disc(30, 33), disc(30, 47)],
        [disc(30, 30), disc(30, 50)],
    ]
    found, (event,) = numbers(planes)
    assert found == [[1], [1], [2, 3], [2, 3]]
    assert (event.kind, event.step, event.sources, event.targets) == ("split", 2, (1,), (2, 3))
    found, (event,) = numbers(planes, divides=False)
    assert sorted(found[2]) == [1, 2] and found[2] == found[3]
    assert event.targets == (1, 2)


def test_a_merge_is_told():
    both = replace(disc(30, 33, 8), id=1)
    merged = both.with_mask(disc(30, 33, 8).mask(SHAPE) | disc(30, 45, 8).mask(SHAPE))
    planes = [[disc(30, 33, 8), disc(30, 50, 8)], [disc(30, 33, 8), disc(30, 48, 8)], *[[merged]] * 14]
    found, (event,) = numbers(planes)
    assert (event.kind, event.step) == ("merge", 2)
    assert set(event.sources) == {1, 2} and event.targets == (found[-1][0],)


def test_two_that_pass_each_other_are_told_apart_by_their_looks():
    linker = Linker()
    looks = np.eye(2, dtype=np.float32)
    for t in range(20):
        a, b = disc(30, 10 + 3 * t), disc(31, 67 - 3 * t)
        things = [a] if t in (9, 10) else [a, b]
        assert linker.add(t, things, looks[: len(things)]) == [1, 2][: len(things)]


def placed(y, x, height, width, moved):
    crop = np.ones((height, width), bool)
    return Mask.of(crop, (x, y)).moved(np.array(moved))


boxes = st.lists(
    st.builds(
        placed,
        *[st.integers(0, 150)] * 2,
        *[st.integers(1, 40)] * 2,
        st.tuples(*[st.floats(-9, 9)] * 2),
    ),
    min_size=1,
    max_size=8,
)


@given(ones=boxes, others=boxes)
def test_only_pairs_without_likeness_or_out_of_reach_are_passed_over(ones, others):
    near, alike = in_reach(ones, others), alike_at_all(ones, others)
    for i, j in np.ndindex(near.shape):
        a, b = ones[i], others[j]
        limit = 2 * (a.diameter + b.diameter) + max(*a.crop.shape, *b.crop.shape)
        assert near[i, j] == (np.abs(a.centre - b.centre).max() <= limit)
        assert alike[i, j] or likeness(a, b) == 0


def test_linking_tells_how_far_it_is_and_can_be_stopped():
    things = [replace(disc(20, 20, plane=t), id=t + 1) for t in range(4)]
    told = []
    link_objects(things, progress=Progress(lambda *said: told.append(said)))
    assert told == [("link", t, 4) for t in range(4)]
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        link_objects(things, progress=stopped)


def test_planes_that_come_in_disorder_end_in_a_sentence():
    linker = Linker()
    linker.add(3, [disc(20, 20)])
    with pytest.raises(InputError, match="Plane 2 came after plane 3"):
        linker.add(2, [])


@given(
    st.lists(
        st.lists(st.tuples(st.integers(5, 54), st.integers(5, 74), st.integers(1, 9)), max_size=6), max_size=6
    )
)
def test_no_two_things_of_a_plane_ever_share_a_number(planes):
    found, events = numbers([[disc(*place) for place in places] for places in planes])
    assert all(len(set(here)) == len(here) for here in found)
    used = {number for here in found for number in here}
    assert used == set(range(1, len(used) + 1))
    assert all(set(event.sources) | set(event.targets) <= used for event in events)


def test_a_linked_session_has_one_label_for_each_thing_and_can_be_parted_again():
    session = Session(SHAPE)
    planes = [[disc(20, 10 + 4 * t, plane=t), disc(45, 60 - 4 * t, plane=t)] for t in range(4)]
    for t, things in enumerate(planes):
        session.absorb(
            draw_objects([replace(o, id=10 * t + i + 1) for i, o in enumerate(things)], SHAPE), (t,)
        )
    before = session.table()
    session.link(link_objects(session.objects.values()).groups)
    for t in range(4):
        assert set(np.unique(session.picture((t,)))) == {0, 1, 2}
    session.undo()
    assert session.table().equals(before)


def test_planes_of_other_axes_are_linked_each_on_their_own():
    things = [replace(disc(20, 20), id=10 * t + z + 1, plane=(t, z)) for t in range(3) for z in range(2)]
    assert sorted(link_objects(things, axis=0).groups) == [(1, 11, 21), (2, 12, 22)]
    assert sorted(link_objects(things, axis=1).groups) == [(1, 2), (11, 12), (21, 22)]


def seen(series, t, rng):
    """What a segmenter might make of a plane: outlines a little off, now and then a thing missing."""
    things, looks = [], []
    for number in np.unique(series.truth[t])[1:]:
        mask = series.truth[t] == number
        if np.count_nonzero(mask) < 12 or rng.random() < 0.02:
            continue
        colour = np.append(series.pictures[t][mask].mean(axis=0) / 255 + rng.normal(0, 0.05, 3), 1.0)
        looks.append(colour / np.linalg.norm(colour))
        off = (mask, ndimage.binary_dilation(mask), ndimage.binary_erosion(mask))[rng.integers(3)]
        blank = Object(len(things) + 1, "cell", "predicted", np.zeros((0, 0), bool), (0, 0), (t,))
        things.append(blank.with_mask(off if np.count_nonzero(off) >= 8 else mask))
    return things, np.asarray(looks, np.float32)


def score_of(kind, seed):
    rng = np.random.default_rng(seed)
    series = draw_series(kind, 40, things=6, rng=rng)
    linker, planes = Linker(LinkSettings(divides=kind != "sections")), []
    for t, truth in enumerate(series.truth):
        things, looks = seen(series, t, rng)
        tracks = linker.add(t, things, looks)
        linked = [replace(thing, track=number) for thing, number in zip(things, tracks, strict=True)]
        planes.append((truth, draw_objects(linked, truth.shape)))
    return idf1(planes)


@pytest.mark.parametrize("kind", ["drift", "divide", "cross", "sections"])
def test_identities_are_kept(kind):
    assert np.mean([score_of(kind, seed) for seed in range(2)]) >= 0.95


def test_idf1_counts_what_comes_after_a_change_of_identity():
    truth = np.zeros((4, 8, 8), int)
    truth[:, 2:5, 2:5] = 7
    assert idf1(zip(truth, truth, strict=True)) == 1
    swapped = truth.copy()
    swapped[3][truth[3] > 0] = 9
    assert idf1(zip(truth, swapped, strict=True)) == pytest.approx(6 / 8)
    assert idf1([(truth[0], np.zeros((8, 8), int))]) == 0
    assert idf1([(np.zeros((8, 8), int),) * 2]) == 1
