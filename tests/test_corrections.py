from __future__ import annotations

import itertools

import numpy as np
import pytest
from _commands import mini
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from skimage.data import coins

from napari_slip.evaluation.corrections import click_until, iou, worst_matches, worst_place
from napari_slip.images import to_rgb
from napari_slip.io import export_session
from napari_slip.session import Edit, Session, editing


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_the_imitated_person_clicks_at_what_is_wrong_and_says_which(seed):
    rng = np.random.default_rng(seed)
    mask, truth = (rng.random((2, 20, 24)) > rng.uniform(0.2, 0.8)).astype(bool)
    x, y, sign = worst_place(mask, truth)
    assert mask[int(y), int(x)] != truth[int(y), int(x)]
    assert truth[int(y), int(x)] == bool(sign)


def test_many_clicks_never_lose_what_was_won_and_end_near_the_truth():
    slip, picture = mini(), to_rgb(coins()[:140, :200])
    rows, columns = np.indices(picture.shape[:2])
    truth = ((rows - 60) / 22) ** 2 + ((columns - 90) / 31) ** 2 < 1  # what no model sees there
    trail = click_until(slip.segmenter, slip.encode(picture), truth, 0.97)
    assert trail.ious[-1] >= 0.85
    assert trail.clicks_to(0.97) == len(trail.masks) or trail.ious[-1] < 0.97
    for mask, pointing in zip(trail.masks, trail.pointings, strict=True):
        x, y, sign = pointing.points[-1]
        assert mask[int(y), int(x)] == bool(sign)
    late = trail.ious[6:]
    assert all(after >= before - 0.02 for before, after in itertools.pairwise(late))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_bad_matches_are_clicked_better_undone_redone_kept_and_handed_on(data, tmp_path):
    slip = mini()
    worst = worst_matches(slip, data, count=6, limit=4)
    assert [found.matched for found in worst] == sorted(found.matched for found in worst)
    better = 0
    for n, found in enumerate(worst):
        plane = slip.encode(to_rgb(found.image))
        start = found.picked if iou(found.picked, found.truth) >= 0.5 else None
        trail = click_until(slip.segmenter, plane, found.truth, 0.9, start)
        better += max(trail.ious) > found.matched
        session = Session(found.truth.shape)
        (i,) = session.adopt(found.picked.astype(int), status="predicted")
        pictures = [session.picture()]
        for mask, pointing in zip(trail.masks, trail.pointings, strict=True):
            session.apply(editing.reshape(session.objects[i], mask, pointing))
            pictures.append(session.picture())
        for picture in reversed(pictures[:-1]):
            assert session.undo()
            np.testing.assert_array_equal(session.picture(), picture)
        while session.redo():
            pass
        np.testing.assert_array_equal(session.picture(), pictures[-1])
        session.save(tmp_path / f"{n}.slip")
        again = Session.load(tmp_path / f"{n}.slip")
        assert again.steps == session.steps
        coco = COCO(export_session(again, tmp_path, str(n), ["coco"])["coco"])
        (annotation,) = coco.loadAnns(coco.getAnnIds())
        np.testing.assert_array_equal(coco.annToMask(annotation) > 0, pictures[-1] > 0)
        assert session.apply(Edit(removed=(i,))) == []
    assert better == len(worst)
