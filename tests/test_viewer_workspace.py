from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from _fake_engine import FakeEngine, blobs
from napari.components import ViewerModel

from napari_slip.errors import Cancelled, InputError
from napari_slip.progress import Progress
from napari_slip.session import Session
from napari_slip.settings import FilterSettings, MatchSettings
from napari_slip.viewer import _regions, _source
from napari_slip.viewer._engine import ModelChoice, Request
from napari_slip.viewer._workspace import Workspace

PROMPTS = {"red": ("red",), "green": ("green",)}


@pytest.fixture
def engine():
    return FakeEngine()


def request_for(picture=None, prompts=PROMPTS, region=None, **choices):
    viewer = ViewerModel()
    layer = viewer.add_image(blobs() if picture is None else picture)
    return Request(_source.take(viewer, [layer], region=region), ModelChoice(), prompts, **choices)


@pytest.fixture
def work(engine):
    made = Workspace(Session((96, 128)))
    made.active = "red"
    made.land(engine.run(request_for(), Progress()))
    return made


def label_at(work, row, column):
    return int(work.segments.labels()[row, column])


def objects(work, status):
    return {o.class_name: o.segment for o in work.session.objects.values() if o.status == status}


def test_the_best_of_each_class_is_predicted(work):
    expected = {"red": label_at(work, 20, 20), "green": label_at(work, 20, 60)}
    assert objects(work, "predicted") == expected
    assert work.bright().tolist() == [expected["red"] - 1]


def test_what_a_filter_hides_is_not_deleted(work):
    red = label_at(work, 20, 20)
    work.show(FilterSettings(area=(400, np.inf)), MatchSettings(), "red")
    work.settle()
    assert not work.selection[red - 1]
    assert len(work.segments) == 5
    assert objects(work, "predicted")["red"] != red
    work.show(FilterSettings(), MatchSettings(), "red")
    work.settle()
    assert objects(work, "predicted")["red"] == red


def test_the_rule_says_how_many_are_predicted(work):
    work.show(FilterSettings(), MatchSettings(select="top:3"), "red")
    work.settle()
    assert len(work.bright()) == 3
    assert sum(o.class_name == "red" for o in work.session.objects.values()) == 3


def test_any_segment_can_be_accepted_and_stays_whatever_is_filtered(work):
    blue = label_at(work, 65, 35) - 1
    work.accept([blue])
    assert objects(work, "accepted") == {"red": blue + 1}
    work.show(FilterSettings(area=(0, 10)), MatchSettings(), "red")
    work.settle()
    assert objects(work, "accepted") == {"red": blue + 1}
    assert not objects(work, "predicted")


def test_a_segment_can_be_rejected_before_anything_has_predicted_it(work):
    blue = label_at(work, 65, 35) - 1
    work.reject([blue])
    assert objects(work, "rejected") == {"red": blue + 1}
    work.show(FilterSettings(), MatchSettings(select="top:9"), "red")
    work.settle()
    red = [o for o in work.session.objects.values() if o.class_name == "red"]
    predicted = {o.segment for o in red if o.status == "predicted"}
    assert predicted and blue + 1 not in predicted


def test_what_was_rejected_is_not_predicted_again_until_it_is_undone(work):
    red = label_at(work, 20, 20) - 1
    work.reject([red])
    work.settle()
    assert objects(work, "rejected") == {"red": red + 1}
    assert objects(work, "predicted").get("red") != red + 1
    assert red not in work.bright()
    work.session.undo()
    assert red + 1 in [o.segment for o in work.session.objects.values() if o.status == "predicted"]
    assert work.bright().tolist() == [red]


def test_one_steps_through_all_shown_segments_by_score_and_by_uncertainty(work):
    by_score = work.order().tolist()
    seen = []
    for _ in range(6):
        work.step(1)
        seen.append(work.current)
    assert seen == [*by_score, by_score[0]]
    work.step(-1)
    assert work.current == by_score[-1]
    uncertain = np.abs(work.match.calibrated[work.order("uncertainty"), work.column] - 0.5)
    assert (np.diff(uncertain) >= 0).all()


def test_similar_segments_come_first_and_the_text_comes_back(work):
    one, other = label_at(work, 30, 105) - 1, label_at(work, 75, 100) - 1
    work.find_similar(one)
    assert work.order()[:2].tolist() == [one, other]
    assert {one, other} <= set(work.bright().tolist())
    work.find_similar(None)
    assert work.bright().tolist() == [label_at(work, 20, 20) - 1]


def test_planes_are_kept_apart(work, engine):
    outcome = engine.run(request_for(), Progress())
    place = dataclasses.replace(outcome.request.snapshot.place, index=(3,))
    snapshot = dataclasses.replace(outcome.request.snapshot, place=place)
    request = dataclasses.replace(outcome.request, snapshot=snapshot)
    work.turn_to((3,))
    assert work.segments is None
    work.land(dataclasses.replace(outcome, request=request))
    assert {o.plane for o in work.session.objects.values()} == {(), (3,)}
    work.turn_to(())
    assert work.segments is not None and work.match is not None


def test_the_engine_remembers_the_plane_and_the_model(engine):
    first = engine.run(request_for(), Progress())
    second = engine.run(request_for(prompts={"blue": ("blue",)}), Progress())
    assert second.looked.segments is first.looked.segments
    assert (engine.sam.encoded, len(engine.loaded)) == (1, 1)
    engine.run(request_for(blobs()[::-1]), Progress())
    assert engine.sam.encoded == 2


def test_a_cancelled_run_leaves_nothing_half_done(engine):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        engine.run(request_for(), progress)
    assert len(engine.run(request_for(), Progress()).looked.segments) == 5


def test_segments_of_a_window_lie_on_the_whole_plane(engine):
    region = _regions.Region((slice(0, 50), slice(40, 128)))
    segments = engine.run(request_for(region=region), Progress()).looked.segments
    assert segments.shape == (96, 128)
    whole = engine.run(request_for(), Progress()).looked.segments
    assert segments.labels()[20, 60] and segments.labels()[30, 105]
    assert not segments.labels()[20, 20]
    ours, theirs = segments.labels()[20, 60], whole.labels()[20, 60]
    np.testing.assert_array_equal(segments.mask(ours), whole.mask(theirs))


def test_only_what_lies_inside_the_outline_is_kept(engine):
    outline = np.array([(5, 5), (5, 40), (40, 5)], float)
    region = _regions.Region((slice(5, 41), slice(5, 41)), (outline,))
    outcome = engine.run(request_for(region=region), Progress())
    assert len(outcome.looked.segments) == 1
    assert outcome.looked.segments.labels()[20, 15]
    assert outcome.match.accepted().shape == (1, 2)


def test_one_key_goes_from_part_to_whole_and_back_and_takes_the_object_along(work):
    part, whole, other = label_at(work, 20, 20) - 1, label_at(work, 65, 35) - 1, label_at(work, 20, 60) - 1
    parent = np.full(len(work.segments), -1, np.int32)
    parent[part] = whole
    found = work.outcome
    looked = dataclasses.replace(found.looked, segments=found.looked.segments.replace(parent=parent))
    work.land(dataclasses.replace(found, looked=looked))
    (thing,) = [o for o in work.session.objects.values() if o.class_name == "red"]
    work.point_at(part)
    work.whole_or_part()
    after = work.session.objects[thing.id]
    assert (work.current, after.segment, after.status) == (whole, whole + 1, "accepted")
    assert after.area == work.segments.area[whole]
    work.whole_or_part()
    assert (work.current, work.session.objects[thing.id].segment) == (part, part + 1)
    work.travel(work.session.undo)
    work.travel(work.session.undo)
    assert work.session.objects[thing.id].status == "predicted"
    work.point_at(other)
    with pytest.raises(InputError, match="lies in no other and has no parts"):
        work.whole_or_part()
