from __future__ import annotations

import itertools
import subprocess
import sys
import time

import numpy as np
import pytest
from _commands import mini
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from skimage.data import coins

from napari_slip.evaluation.corrections import click_until, iou, worst_place
from napari_slip.images import to_rgb
from napari_slip.io import export_session
from napari_slip.segmentation.correcting import correct
from napari_slip.segmentation.outlines import signed_distance
from napari_slip.segmentation.protocols import Refined
from napari_slip.session import Session


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


def blob(rng, shape=(48, 56)):
    """A disc with an uneven outline, whole inside the picture."""
    rows, columns = np.indices(shape)
    y, x = rng.uniform(20, 28), rng.uniform(22, 34)
    angle = np.arctan2(rows - y, columns - x)
    waves = sum(rng.normal(0, 1.0) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(1, 6))
    return np.hypot(rows - y, columns - x) < rng.uniform(5, 14) + waves


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000))
def test_a_click_changes_its_own_place_and_nothing_far_from_it(seed):
    rng = np.random.default_rng(seed)
    before = blob(rng)
    before[24, 28] = True
    clicks = []
    for _ in range(3):
        x, y = float(rng.uniform(0, 56)), float(rng.uniform(0, 48))
        clicks.append((x, y, int(rng.integers(0, 2))))
        after = correct(before, None, clicks)
        for column, row, sign in clicks[:-1]:
            if (int(row), int(column)) != (int(y), int(x)):
                assert after[int(row), int(column)] == bool(sign)
        assert after[int(y), int(x)] == bool(clicks[-1][2])
        far = abs(signed_distance(before)[int(y), int(x)])
        rows, columns = np.nonzero(after != before)
        reach = 4 * max(1.0, 1.2 * far, 0.3 * np.sqrt(before.sum())) + 2
        assert (np.hypot(rows - int(y), columns - int(x)) <= np.sqrt(2) * reach).all()
        if not after.any():
            break
        before = after


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_clicks_in_the_middle_of_what_is_wrong_turn_one_shape_into_another(seed):
    rng = np.random.default_rng(seed)
    mask, truth = blob(rng), blob(rng)
    start, clicks = iou(mask, truth), []
    assume(start >= 0.5)
    while len(clicks) < 20 and iou(mask, truth) < 0.9 and mask.any():
        clicks.append(worst_place(mask, truth))
        mask = correct(mask, None, clicks)
    assert iou(mask, truth) >= max(0.78, min(start, 0.9))


def test_an_answer_of_the_model_is_taken_if_the_click_lies_in_its_middle_and_else_not():
    mask, both = np.zeros((2, 60, 90), bool)
    mask[20:40, 10:30] = True
    both[20:40, 10:30] = both[20:40, 30:50] = True
    good = Refined(both, 0.9, 0.9)
    np.testing.assert_array_equal(correct(mask, good, [(20, 30, 1), (40, 30, 1)]), both)
    beside = correct(mask, good, [(20, 30, 1), (31, 30, 1)])  # two pixels out, not in the middle of 20
    assert beside[30, 31] and not beside[30, 45]
    far = np.zeros_like(mask)
    far[20:40, 60:80] = True  # leaves the first click out
    kept = correct(mask, Refined(far, 1.0, 1.0), [(20, 30, 1), (70, 30, 1)])
    assert kept[30, 20] and kept[30, 70]


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
import napari_slip
from napari_slip.evaluation.corrections import click_until, worst_matches
from napari_slip.images import to_rgb
from napari_slip.session import Autosave, Session, editing

data, out = map(Path, sys.argv[1:])
slip = napari_slip.load("mini")
for n, found in enumerate(worst_matches(slip, data, count=20, limit=12)):
    session = Session(found.truth.shape)
    autosave = Autosave(session, out / f"{n}.slip")
    (i,) = session.adopt(found.picked.astype(int), class_name="nucleus", status="predicted")
    pictures = [session.picture()]
    plane = slip.encode(to_rgb(found.image))
    trail = click_until(slip.segmenter, plane, found.truth, 0.9, found.start, most=40)
    for mask, pointing in zip(trail.masks, trail.pointings, strict=True):
        session.apply(editing.reshape(session.objects[i], mask, pointing))
        pictures.append(session.picture())
    for picture in reversed(pictures[:-1]):
        assert session.undo() and (session.picture() == picture).all()
    while session.redo():
        pass
    assert (session.picture() == pictures[-1]).all()
    session.accept([i])
    np.savez_compressed(out / f"{n}.npz", truth=found.truth, steps=session.steps, iou=trail.ious[-1])
    print(n, flush=True)
print("all", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_the_worst_matches_are_clicked_right_undone_redone_killed_reopened_and_handed_on(data, tmp_path):
    log = tmp_path / "log"
    with log.open("w") as told:
        work = subprocess.Popen([sys.executable, "-c", WORKER, str(data), str(tmp_path)], stdout=told)
    try:
        deadline = time.monotonic() + 1500
        while "all" not in log.read_text() and work.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert log.read_text().split() == [*map(str, range(20)), "all"]
        time.sleep(2)  # what is older than two seconds is on disk
    finally:
        work.kill()
        work.wait()
    good = 0
    for n in range(20):
        told = np.load(tmp_path / f"{n}.npz")
        session = Session.load(tmp_path / f"{n}.slip")
        assert not session.damage and session.steps == tuple(told["steps"])
        (thing,) = session.objects.values()
        assert thing.status == "accepted"
        coco = COCO(export_session(session, tmp_path, str(n), ["coco"])["coco"])
        (annotation,) = coco.loadAnns(coco.getAnnIds())
        mask = coco.annToMask(annotation) > 0
        assert iou(mask, told["truth"]) == pytest.approx(float(told["iou"]))
        good += iou(mask, told["truth"]) >= 0.9
        while session.undo():
            pass
        assert not session.objects
    assert good == 20
