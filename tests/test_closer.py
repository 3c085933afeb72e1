"""Small objects are looked at once more, from closer by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon

from napari_slip.errors import Cancelled
from napari_slip.evaluation.clicks import innermost
from napari_slip.evaluation.corrections import iou
from napari_slip.evaluation.metrics import iou_of_masks
from napari_slip.models.mini.sam import MiniSam
from napari_slip.models.sam import load_sam
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter, closer, looks
from napari_slip.segmentation.merging import merge
from napari_slip.segmentation.proposing import PLAIN, TileProposal
from napari_slip.segmentation.tiling import cover
from napari_slip.synthesis import draw_scene


@pytest.fixture(scope="module")
def mini():
    return SamSegmenter(load_sam("mini", device="cpu"))


@pytest.fixture(scope="module")
def stars():
    """Return a picture of small stars, whose points are lost where drawn coarsely, and its labels."""
    rng = np.random.default_rng(3)
    labels = np.zeros((512, 512), int)
    for y in range(40, 512, 72):
        for x in range(40, 512, 72):
            angles = rng.uniform(0, 2 * np.pi) + np.arange(10) * np.pi / 5
            radius = rng.uniform(13, 19) * np.where(np.arange(10) % 2, 0.5, 1)
            rows, columns = polygon(y + radius * np.sin(angles), x + radius * np.cos(angles), labels.shape)
            labels[rows, columns] = labels.max() + 1
    colours = rng.integers(100, 256, (labels.max() + 1, 3))
    colours[0] = (40, 60, 50)
    rgb = colours[labels] + rng.normal(0, 8, (*labels.shape, 3))
    return rgb.clip(0, 255).astype(np.uint8), labels


def proposed(mini, rgb, progress=None):
    return mini.propose(mini.encode(rgb, Progress()), mini.proposals, progress or Progress())


def test_small_objects_are_drawn_more_finely(mini, stars, monkeypatch):
    rgb, labels = stars
    after = iou_of_masks(labels, proposed(mini, rgb).masks).max(axis=1)
    monkeypatch.setattr(closer, "SMALL", 0.0)
    before = iou_of_masks(labels, proposed(mini, rgb).masks).max(axis=1)
    assert np.mean(after) > np.mean(before) + 0.02
    assert np.mean(after >= 0.5) >= np.mean(before >= 0.5)


def finding_nothing_new(monkeypatch):
    """Let the closer look draw again what is known, and find nothing besides."""
    monkeypatch.setattr(closer, "merge", lambda besides, *rest: merge([], *rest))


def test_small_objects_that_were_missed_are_found(mini, monkeypatch):
    scenes = [
        draw_scene(np.random.default_rng([41, k]), (512, 512), (25, 40), size=(0.05, 0.16)) for k in range(3)
    ]

    def recall():
        best = [iou_of_masks(s.labels, proposed(mini, s.image).masks).max(axis=1) for s in scenes]
        return np.mean(np.concatenate(best) >= 0.5)

    after = recall()
    finding_nothing_new(monkeypatch)
    assert after > recall() + 0.02


def test_nothing_is_found_twice(mini, stars):
    rgb, labels = stars
    matching = iou_of_masks(labels, proposed(mini, rgb).masks) >= 0.6
    assert matching.sum(axis=1).max() <= 1


@pytest.mark.parametrize("prompt", ["point", "box"])
def test_what_is_pointed_at_is_drawn_more_finely(mini, monkeypatch, prompt):
    scenes = [draw_scene(np.random.default_rng([77, k]), (512, 512), (3, 12)) for k in range(14)]
    planes = [mini.encode(scene.image, Progress()) for scene in scenes]

    def reached():
        for scene, plane in zip(scenes, planes, strict=True):
            for label in range(1, scene.labels.max() + 1):
                mask = scene.labels == label
                if prompt == "point":
                    _, x, y = innermost(mask)
                    yield iou(mini.refine(plane, points=np.array([[x, y]])).mask, mask)
                else:
                    y, x = np.nonzero(mask)
                    box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
                    yield iou(mini.refine(plane, box=box).mask, mask)

    after = np.array(list(reached()))
    monkeypatch.setattr(looks, "LARGE", 0.0)
    before = np.array(list(reached()))
    assert np.mean(after) > np.mean(before)
    assert np.mean(after >= 0.9) > np.mean(before >= 0.9)


@pytest.mark.parametrize("answer", ["none", "another"])
def test_where_the_second_look_sees_something_else_the_first_mask_stays(mini, stars, monkeypatch, answer):
    rgb, _ = stars
    ask = closer._ask

    def elsewhere(network, tile, boxes, settings):
        if answer == "none" or len(boxes) < 2:
            return [None] * len(boxes)
        return ask(network, tile, np.roll(boxes, 1, axis=0), settings)  # the next one's box

    finding_nothing_new(monkeypatch)
    monkeypatch.setattr(closer, "_ask", elsewhere)
    second = proposed(mini, rgb)
    monkeypatch.setattr(closer, "SMALL", 0.0)
    first = proposed(mini, rgb)
    np.testing.assert_array_equal(first.masks.boxes, second.masks.boxes)
    np.testing.assert_array_equal(first.masks.bits, second.masks.bits)
    np.testing.assert_array_equal(first.predicted_iou, second.predicted_iou)


def test_no_mask_falls_below_the_smallest_area(mini, stars):
    plane = mini.encode(stars[0], Progress())
    areas = mini.propose(plane, mini.proposals, Progress()).area
    floor = int(np.median(areas))
    settings = replace(mini.proposals, min_area=floor)
    kept = mini.propose(plane, settings, Progress()).area
    assert len(kept) and kept.min() >= floor


def test_it_says_where_it_is_and_can_be_stopped(mini, stars):
    heard = []
    proposed(mini, stars[0], Progress(lambda *said: heard.append(said)))
    steps = [said[1:] for said in heard if said[0] == "closer"]
    assert len(steps) > 1 and steps == [(done, len(steps) - 1) for done in range(len(steps))]
    stop = Progress(lambda step, done, total: stop.cancel() if step == "closer" else None)
    with pytest.raises(Cancelled):
        proposed(mini, stars[0], stop)


@given(st.data(), st.integers(20, 400), st.integers(20, 400), st.integers(10, 400))
def test_each_object_is_looked_at_where_it_has_most_room(data, height, width, reach):
    windows = cover((height, width), reach)
    boxes = []
    for _ in range(data.draw(st.integers(0, 6))):
        x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
        boxes.append((x0, y0, x1, y1))
    chosen = closer._shared_out(np.array(boxes, np.int32).reshape(-1, 4), windows, (height, width))

    def room(box, window):
        sides = [box[0] - window[0], box[1] - window[1], window[2] - box[2], window[3] - box[3]]
        ends = [window[0] == 0, window[1] == 0, window[2] == width, window[3] == height]
        return min(np.inf if end else side for side, end in zip(sides, ends, strict=True))

    seen = {row: window for window, rows in chosen.items() for row in rows.tolist()}
    assert sum(map(len, chosen.values())) == len(seen)  # none of them twice
    for row, box in enumerate(boxes):
        most = max(room(box, window) for window in windows)
        assert room(box, seen[row]) == most if row in seen else most <= 0


def test_where_centres_are_spread_only_plain_masks_count(mini, monkeypatch):
    plane = mini.encode(draw_scene(np.random.default_rng(8), (512, 512)).image, Progress())
    found = MiniSam.centres

    def masks(*, spread: bool) -> list[float]:
        def centres(network, embedding):
            many = found(network, embedding, threshold=0.05)
            return many._replace(spread=torch.full_like(many.spread, spread))

        monkeypatch.setattr(MiniSam, "centres", centres)
        search = TileProposal(mini.network, plane.tiles[0], mini.proposals, plane.scales)
        with torch.inference_mode():
            return sorted(mask.predicted_iou for mask in search.run(lambda _: None))

    every = masks(spread=False)
    assert every[0] < PLAIN
    assert masks(spread=True)[0] >= PLAIN
    assert len(masks(spread=True)) < len(every)
