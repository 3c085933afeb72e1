"""From a plane to segments: what a user of `SamSegmenter` would notice."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from models import loaded_tiny_sam
from segment_anything import SamPredictor
from skimage.draw import disk
from skimage.segmentation import relabel_sequential

from napari_slip.errors import Cancelled, InputError
from napari_slip.evaluation.metrics import iou_of_masks
from napari_slip.models.sam import load_sam
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter, Segmenter
from napari_slip.settings import ProposalSettings


@pytest.fixture(scope="module")
def tiny():
    return SamSegmenter(loaded_tiny_sam(box_nms_thresh=1.0, prompts="grid"))


@pytest.fixture(scope="module")
def mini():
    return SamSegmenter(load_sam("mini", device="cpu"))


def picture(shape=(90, 120), seed=0):
    return np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8)


def discs(shape, radius, spacing):
    """Return bright discs on a dark, noisy ground, and their label map."""
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, int)
    for y in range(spacing // 2, shape[0] - radius, spacing):
        for x in range(spacing // 2, shape[1] - radius, spacing):
            middle = (y + rng.integers(-3, 4), x + rng.integers(-3, 4))
            labels[disk(middle, radius, shape=shape)] = labels.max() + 1
    grey = np.where(labels > 0, 170, 30) + rng.normal(0, 6, shape)
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1), labels


def found_share(segments, labels, iou=0.7):
    """Return which share of the labelled objects has a segment of at least that IoU."""
    hits = 0
    for label in range(1, labels.max() + 1):
        mask = labels == label
        best = 0.0
        for row in set(segments.labels()[mask].tolist()) - {0}:
            other = segments.mask(row)
            best = max(best, (mask & other).sum() / (mask | other).sum())
        hits += best >= iou
    return hits / labels.max()


def test_what_a_tile_cuts_is_whole_elsewhere(mini):
    rgb, labels = discs((900, 1000), 24, 90)
    segments = mini.propose(mini.encode(rgb, Progress()), mini.proposals, Progress())
    assert found_share(segments, labels) > 0.95
    # none twice: each object has one segment
    owners = [np.bincount(labels[segments.mask(i + 1)]).argmax() for i in range(len(segments))]
    objects = [owner for owner in owners if owner]
    assert len(objects) == len(set(objects))


# --- the chain


def test_it_is_a_segmenter(tiny):
    assert isinstance(tiny, Segmenter)


def test_progress_counts_up_to_the_end(tiny):
    steps = []
    progress = Progress(lambda *step: steps.append(step))
    tiny.propose(tiny.encode(picture(), progress), tiny.proposals, progress)
    for name in ("encode", "prompts"):
        done = [(n, total) for step, n, total in steps if step == name]
        assert done[0][0] == 0
        assert done[-1][0] == done[-1][1] > 0
        assert [n for n, _ in done] == sorted(n for n, _ in done)


@pytest.mark.parametrize("which", ["tiny", "mini"])
def test_the_encoder_stops_at_its_next_block_and_no_hook_stays(which, request):
    segmenter = request.getfixturevalue(which)
    progress = Progress()
    calls = 0

    def cancel_in_the_first(*_):
        nonlocal calls
        calls += 1
        if calls == 1:
            progress.cancel()

    encoder = segmenter.network.image_encoder
    blocks = [block.mlp for block in encoder.blocks] if which == "tiny" else list(encoder.stages)
    handles = [block.register_forward_hook(cancel_in_the_first) for block in blocks]
    try:
        with pytest.raises(Cancelled):
            segmenter.encode(picture(), progress)
    finally:
        for handle in handles:
            handle.remove()
    assert calls == 1
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in segmenter.network.modules()
    )
    segmenter.encode(picture(), Progress())


def test_proposing_stops_at_the_next_chunk(tiny):
    plane = tiny.encode(picture(), Progress())
    progress = Progress(lambda step, done, total: progress.cancel() if done else None)
    with pytest.raises(Cancelled):
        tiny.propose(plane, tiny.proposals, progress)


def test_one_thread_that_is_stopped_does_not_stop_another(mini):
    stopped, outcomes = Progress(), {}
    stopped.cancel()

    def run(name, progress):
        try:
            outcomes[name] = mini.encode(picture(), progress)
        except Cancelled as error:
            outcomes[name] = error

    threads = [threading.Thread(target=run, args=(i, Progress())) for i in range(3)]
    threads.append(threading.Thread(target=run, args=("stopped", stopped)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(outcomes.pop("stopped"), Cancelled)
    assert not any(isinstance(outcome, Cancelled) for outcome in outcomes.values())


def test_the_same_picture_gives_the_same_segments(tiny):
    first, second = (
        tiny.propose(tiny.encode(picture(), Progress()), tiny.proposals, Progress()) for _ in range(2)
    )
    np.testing.assert_array_equal(first.labels(), second.labels())
    np.testing.assert_array_equal(first.predicted_iou, second.predicted_iou)


def test_nothing_found_is_an_empty_result(tiny):
    plane = tiny.encode(picture(), Progress())
    segments = tiny.propose(plane, ProposalSettings(pred_iou_thresh=1, points_per_side=2), Progress())
    assert len(segments) == 0
    assert segments.labels().shape == (90, 120)


def test_the_smallest_area_is_kept(tiny):
    plane = tiny.encode(picture(), Progress())
    everything = tiny.propose(plane, tiny.proposals, Progress())
    floor = int(np.median(everything.area)) + 1
    settings = ProposalSettings(**{**tiny.proposals.to_dict(), "min_area": floor})
    larger = tiny.propose(plane, settings, Progress())
    assert 0 < len(larger) == (everything.area >= floor).sum() < len(everything)


@pytest.mark.parametrize("shape", [(2, 2), (3, 400), (400, 3), (2, 1500)])
def test_planes_of_odd_shapes_are_planes(tiny, mini, shape):
    for segmenter in (tiny, mini):
        segments = segmenter.propose(
            segmenter.encode(picture(shape), Progress()), segmenter.proposals, Progress()
        )
        assert segments.labels().shape == shape


def test_an_exact_run_encodes_again_what_was_encoded_in_half_precision(tiny, monkeypatch):
    monkeypatch.setattr("napari_slip.segmentation.encoding.bfloat16_pays", lambda device: True)
    plane = tiny.encode(picture(), Progress())
    assert not plane.exact
    settings = ProposalSettings(**{**tiny.proposals.to_dict(), "exact": True})
    half = tiny.propose(plane, settings, Progress())
    monkeypatch.setattr("napari_slip.segmentation.encoding.bfloat16_pays", lambda device: False)
    full = tiny.propose(tiny.encode(picture(), Progress()), settings, Progress())
    np.testing.assert_array_equal(half.predicted_iou, full.predicted_iou)


def test_half_precision_changes_little(tiny, monkeypatch):
    exact = tiny.encode(picture(), Progress()).tiles[0].embedding
    monkeypatch.setattr("napari_slip.segmentation.encoding.bfloat16_pays", lambda device: True)
    half = tiny.encode(picture(), Progress()).tiles[0].embedding
    assert 0 < (half - exact).norm() / exact.norm() < 0.05


# --- clicks


@pytest.mark.parametrize("prompt", ["point", "points", "box", "box and points"])
def test_a_click_is_what_the_predictor_makes_of_it(tiny, prompt):
    rgb = picture((70, 100))
    predictor = SamPredictor(tiny.network)
    predictor.set_image(rgb)
    points, labels = np.array([[30.0, 20.0], [60.0, 50.0]]), np.array([1, 0])
    box = np.array([10, 10, 70, 60])
    given = {
        "point": {"points": points[:1]},
        "points": {"points": points, "point_labels": labels},
        "box": {"box": box},
        "box and points": {"points": points, "point_labels": labels, "box": box},
    }[prompt]
    theirs = {
        "point_coords": given.get("points"),
        "point_labels": given.get("point_labels", np.ones(1) if "points" in given else None),
        "box": given.get("box"),
    }
    masks, iou, _ = predictor.predict(**theirs, multimask_output=prompt == "point")
    refined = tiny.refine(tiny.encode(rgb, Progress()), **given)
    assert (refined.mask != masks[iou.argmax()]).sum() <= 2
    assert refined.predicted_iou == pytest.approx(np.clip(iou.max(), 0, 1), abs=1e-5)
    assert 0 <= refined.stability_score <= 1


def test_a_mask_to_start_from_matters(tiny):
    plane = tiny.encode(picture(), Progress())
    left, right = np.zeros((90, 120), bool), np.zeros((90, 120), bool)
    left[20:50, 10:40] = True
    right[20:50, 70:110] = True
    assert (tiny.refine(plane, mask=left).mask != tiny.refine(plane, mask=right).mask).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing to make a mask from: give points, a box, or a mask"),
        ({"points": np.zeros(2)}, r"points has the shape \(2,\), but \(number, 2\) is expected"),
        (
            {"points": np.zeros((1, 2)), "point_labels": np.array([2])},
            "but one 1 .this. or 0 .not this. for each",
        ),
        ({"points": np.zeros((2, 2)), "point_labels": np.array([1])}, r"point_labels is \[1\] for 2 points"),
        ({"points": np.array([[500, 5]])}, "outside of the plane of 120 x 90 pixels"),
        ({"box": np.array([5, 5, 5, 9])}, "x0, y0, x1, y1 with x0 < x1 and y0 < y1 is expected"),
        ({"mask": np.zeros((3, 3), bool)}, r"mask has the shape \(3, 3\), but that of the plane is expected"),
    ],
)
def test_what_is_no_prompt_is_a_sentence(tiny, given, message):
    plane = tiny.encode(picture(), Progress())
    with pytest.raises(InputError, match=message):
        tiny.refine(plane, **given)


@pytest.mark.parametrize(
    ("shape", "radius", "spacing"), [((256, 256), 22, 80), ((900, 1000), 24, 90), ((256, 256), 5, 40)]
)
def test_mini_makes_the_object_that_is_clicked(mini, shape, radius, spacing):
    """In a plane that is scaled up, in one of many tiles, and where the objects are tiny."""
    rgb, labels = discs(shape, radius, spacing)
    plane, reached = mini.encode(rgb, Progress()), []
    for label in np.linspace(1, labels.max(), 6).astype(int):
        mask = labels == label
        y, x = np.argwhere(mask).mean(axis=0)
        refined = mini.refine(plane, points=np.array([[x, y]]))
        reached.append((refined.mask & mask).sum() / (refined.mask | mask).sum())
    assert np.median(reached) > 0.8


def test_a_large_object_is_found_among_small_ones(mini):
    """A disc of 300 pixels, larger than any that mini was trained on, and the small ones around it."""
    rgb, labels = discs((512, 512), 12, 60)
    rows, columns = np.ogrid[:512, :512]
    large = (rows - 260) ** 2 + (columns - 250) ** 2 < 150**2
    around = (rows - 260) ** 2 + (columns - 250) ** 2 < 175**2
    labels[around] = 0
    rgb[around] = 30
    labels[large] = labels.max() + 1
    rgb[large] = (200, 180, 60)
    plane = mini.encode(rgb, Progress())
    segments = mini.propose(plane, mini.proposals, Progress())
    reached = iou_of_masks(labels, segments.masks).max(axis=1)
    whole = np.bincount(labels.ravel())[1:] > 400
    assert reached[-1] > 0.75
    assert np.mean(reached[whole] > 0.6) > 0.9


@pytest.mark.parametrize("beside", [0, 200])
def test_tiny_objects_are_looked_at_more_closely_also_beside_large_ones(mini, beside):
    rgb, labels = discs((300, 300), 3, 25)
    if beside:  # so many large ones that a typical object is large
        large, _ = discs((300, beside), 14, 40)
        rgb[:, -beside:], labels[:, -beside - 15 :] = large, 0
        rgb[:, -beside - 15 : -beside] = large[0, 0]
        rgb[150:, :-beside], labels[150:, :-beside] = large[0, 0], 0
        labels, *_ = relabel_sequential(labels)
    plane = mini.encode(rgb, Progress())
    assert max(tile.scale for tile in plane.tiles) > (2, 2)
    segments = mini.propose(plane, mini.proposals, Progress())
    assert found_share(segments, labels, iou=0.6) > 0.9
