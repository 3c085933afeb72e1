"""From a plane to segments: what a user of `SamSegmenter` would notice."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import loaded_tiny_sam
from segment_anything import SamPredictor
from skimage.draw import disk
from torch.nn import functional

from napari_slip.errors import Cancelled, InputError
from napari_slip.models.sam import load_sam
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter, Segmenter, Tile, adaptive
from napari_slip.segmentation.candidates import Candidate
from napari_slip.segmentation.chunks import in_chunks
from napari_slip.segmentation.description import describe, measure_roundness
from napari_slip.segmentation.merging import merge
from napari_slip.segmentation.resampling import Part, Resampler, bilinear
from napari_slip.segmentation.tiling import OVERLAP, plan
from napari_slip.segments import PackedMasks
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
        for row in np.unique(segments.labels()[mask])[1:]:
            other = segments.mask(int(row))
            best = max(best, (mask & other).sum() / (mask | other).sum())
        hits += best >= iou
    return hits / labels.max()


# --- logits and pixels


@given(st.integers(1, 40), st.integers(1, 60))
def test_one_axis_is_resized_as_torch_does_it(size, out):
    values = torch.randn(1, 1, size, generator=torch.Generator().manual_seed(size))
    expected = functional.interpolate(values, out, mode="linear", align_corners=False)
    torch.testing.assert_close(
        (bilinear(size, out).float() @ values[0, 0]), expected[0, 0], atol=1e-4, rtol=0
    )


@given(st.integers(8, 70), st.integers(8, 70), st.integers(0, 31), st.integers(0, 31), st.data())
def test_a_part_of_the_logits_gives_the_same_pixels(height, width, x0, y0, data):
    side = 64
    scale = side / max(height, width)
    used = (round(height * scale), round(width * scale))
    tile = Tile(torch.zeros(1), (0, 0, width, height), used)
    resampler = Resampler.of(tile, 32, side)
    logits = torch.randn(32, 32, generator=torch.Generator().manual_seed(x0))
    # as segment-anything does it: up to the model's input, cut, on to the plane
    up = functional.interpolate(logits[None, None], side, mode="bilinear", align_corners=False)
    cut = up[..., : used[0], : used[1]]
    expected = functional.interpolate(cut, (height, width), mode="bilinear", align_corners=False)[0, 0]
    box = (x0, y0, data.draw(st.integers(x0 + 1, 32)), data.draw(st.integers(y0 + 1, 32)))
    only = torch.full_like(logits, -5.0)
    only[box[1] : box[3], box[0] : box[2]] = logits[box[1] : box[3], box[0] : box[2]].abs()
    values, (x, y) = resampler.resample(resampler.cut(logits, box))
    ours = expected[y : y + values.shape[0], x : x + values.shape[1]]
    torch.testing.assert_close(values, ours, atol=1e-4, rtol=0)
    # and no pixel that the box can reach is left out
    up = functional.interpolate(only[None, None], side, mode="bilinear", align_corners=False)
    cut = up[..., : used[0], : used[1]]
    reached = (
        functional.interpolate(cut, (height, width), mode="bilinear", align_corners=False)[0, 0] > -5 + 1e-4
    )
    reached[y : y + values.shape[0], x : x + values.shape[1]] = False
    assert not reached.any()


# --- tiles


@given(st.integers(2, 3000), st.integers(2, 3000), st.sampled_from([1, 2, 4]))
def test_tiles_cover_the_plane_and_overlap(height, width, zoom):
    boxes = plan((height, width), 512, 1.5, zoom)
    assert boxes[-1] == (0, 0, width, height)
    assert len(set(boxes)) == len(boxes)
    covered = np.zeros((height, width), bool)
    reach = boxes[0][2] - boxes[0][0], boxes[0][3] - boxes[0][1]
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        if (x1 - x0, y1 - y0) == reach:
            covered[y0:y1, x0:x1] = True
    assert covered.all()
    for low, high in ((0, 2), (1, 3)):
        edges = sorted(
            {(box[low], box[high]) for box in boxes if (box[2] - box[0], box[3] - box[1]) == reach}
        )
        for (_, end), (start, _) in itertools.pairwise(edges):
            assert end - start >= int(OVERLAP * max(reach)) - 1


def test_a_small_plane_is_one_tile_and_cost_grows_with_the_area():
    assert len(plan((500, 700), 512, 1.5)) == 1
    counts = [len(plan((side, side), 512, 1.5)) for side in (1024, 2048, 4096, 8192)]
    assert counts[0] <= 10
    assert counts[-1] / counts[0] < 64


def test_what_a_tile_cuts_is_whole_elsewhere(mini):
    rgb, labels = discs((900, 1000), 24, 90)
    segments = mini.propose(mini.encode(rgb, Progress()), mini.proposals, Progress())
    assert found_share(segments, labels) > 0.9
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


@pytest.mark.parametrize("shape", [(2, 2), (3, 400), (400, 3)])
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


# --- memory


def test_a_piece_too_large_for_the_memory_is_halved():
    tried, done = [], []

    def work(items):
        tried.append(len(items))
        if len(items) > 3:
            raise torch.OutOfMemoryError("full")
        done.extend(items.tolist())

    in_chunks(torch.arange(20), 16, work)
    assert done == list(range(20))
    assert tried[:3] == [16, 8, 4]
    assert max(tried[3:]) == 2


def test_without_memory_for_one_item_it_says_so():
    def work(_):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        in_chunks(torch.arange(3), 4, work)


def test_a_full_gpu_leads_to_the_processor_with_one_notice(tiny):
    moved = []
    gpu = SimpleNamespace(device=torch.device("cuda"))
    gpu.to = lambda device: (moved.append(device), setattr(gpu, "device", torch.device(device)))
    segmenter = SamSegmenter(
        SimpleNamespace(network=gpu, name="vit_h", hash="", proposals=ProposalSettings())
    )

    def work():
        if gpu.device.type == "cuda":
            raise torch.OutOfMemoryError("full")
        return "done"

    with pytest.warns(
        UserWarning, match="too little free memory for vit_h: it runs on the processor from now on"
    ):
        assert segmenter._sparing(work) == "done"
    assert segmenter._sparing(work) == "done"
    assert moved == ["cpu"]


# --- adaptive points


@given(st.integers(1, 40))
def test_every_point_of_the_grid_has_its_round(per_side):
    rounds = adaptive.rounds(per_side)
    assert sorted(torch.cat(rounds).tolist()) == list(range(per_side**2))


def test_a_point_on_a_small_mask_is_settled_and_one_on_a_large_mask_is_not():
    settled = adaptive.Settled(64, 2.0, 0.0)
    points = torch.tensor([[5.0, 5.0], [40.0, 40.0], [60.0, 5.0]])
    assert settled.open(points, 1).all()
    small, large = torch.full((6, 6), 1.0), torch.full((40, 40), 1.0)
    settled.add([candidate(small, (3, 3)), candidate(large, (20, 20))])
    assert settled.open(points, 1).tolist() == [False, True, True]


def candidate(logits, corner, *, tile=(0, 0, 100, 100), box=(1, 1, 9, 9), iou=0.9, rank=0.9):
    resampler = Resampler.of(Tile(torch.zeros(1), tile, (100, 100)), 100, 100)
    return Candidate(Part(logits, corner), resampler, tile, box, iou, 0.9, rank)


# --- merging


def square(x, y, size=20, **about):
    part = torch.full((size, size), 3.0)
    return candidate(part, (x, y), box=(x, y, x + size - 1, y + size - 1), **about)


def merged(*found, apart=True, shape=(100, 200)):
    plane = SimpleNamespace(shape=shape)
    return merge(found, plane, ProposalSettings(), 0.0, apart=apart)


def test_what_ends_with_its_tile_is_dropped_unless_the_plane_ends_there():
    left, right = (0, 0, 100, 100), (100, 0, 200, 100)
    inside, cut, at_border = square(30, 30, tile=left), square(80, 60, tile=left), square(0, 0, tile=left)
    assert len(merged([inside, cut, at_border], []).masks) == 2
    assert (
        len(
            merged([square(80, 10, tile=(100, 0, 200, 100), box=None) if False else square(30, 30)], []).masks
        )
        == 1
    )
    far = candidate(torch.full((20, 20), 3.0), (80, 10), tile=right, box=(180, 10, 199, 29))
    assert len(merged([], [far]).masks) == 1


def test_an_object_of_two_tiles_is_one():
    one, same = square(30, 30, iou=0.8, rank=0.8), square(31, 30, iou=0.9)
    result = merged([one], [same])
    assert result.predicted_iou.tolist() == [0.9]


def test_objects_share_no_more_than_a_rim():
    best, over, rim = square(10, 10), square(20, 12, rank=0.7), square(28, 28, rank=0.5)
    assert len(merged([best, over, rim]).masks) == 2
    assert len(merged([best, over, rim], apart=False).masks) == 3


# --- what can be said of a mask


def shape_of(*masks):
    rgb = np.zeros((*masks[0].shape, 3), np.uint8)
    rgb[masks[0]] = (255, 255, 0)
    packed = PackedMasks.pack(masks, [(0, 0)] * len(masks))
    scores = np.full(len(masks), 1.2)
    return describe(packed, rgb, scores, scores / 2, Progress())


def test_masks_are_measured():
    disc, ring = np.zeros((80, 80), bool), np.ones((80, 80), bool)
    disc[disk((40, 40), 20)] = True
    ring[5:75, 5:75] = False
    segments = shape_of(disc, ring)
    assert segments.area.tolist() == [disc.sum(), ring.sum()]
    assert segments.mean_intensity.tolist() == pytest.approx([2 / 3, 0])
    assert segments.roundness[0] > 0.95
    assert segments.roundness[1] < 0.5
    assert segments.background.tolist() == [False, True]
    assert segments.predicted_iou.max() <= 1


@pytest.mark.parametrize("radius", [4, 20, 200])
def test_roundness_does_not_depend_on_the_size(radius):
    mask = np.zeros((2 * radius + 1, 2 * radius + 1), bool)
    mask[disk((radius, radius), radius)] = True
    assert measure_roundness(mask) > 0.93
    bar = np.ones((radius, 10 * radius), bool)
    assert measure_roundness(bar) < 0.45


def test_a_single_pixel_has_a_roundness_too():
    assert 0 <= measure_roundness(np.ones((1, 1), bool)) <= 1
