"""Mini CLIP is trained on what mini SAM makes of a picture, under its true names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slip.segments import PackedMasks
from napari_slip.synthesis import draw_scene
from napari_slip.training.mini import clip_pool
from napari_slip.training.mini.clip_pool import Painter
from napari_slip.training.mini.clip_segments import mini_segments, told

LABELS = np.zeros((40, 60), int)
LABELS[5:15, 5:15] = 1
LABELS[5:15, 17:27] = 2
LABELS[25:35, 30:50] = 3


def masks_of(*boxes):
    """Return masks that fill boxes, XYXY."""
    return PackedMasks.pack(
        [np.ones((y1 - y0, x1 - x0), bool) for x0, y0, x1, y1 in boxes], [box[:2] for box in boxes]
    )


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((5, 5, 15, 15), 1),
        ((4, 4, 16, 17), 1),
        ((17, 5, 24, 15), 2),
        ((30, 25, 36, 35), "part"),
        ((5, 5, 27, 15), "group"),
        ((0, 36, 60, 40), "ground"),
        ((30, 25, 39, 35), None),  # nearly half of it: neither a part nor the whole
        ((0, 0, 60, 40), None),
    ],
)
def test_a_segment_is_what_it_truly_shows(box, shown):
    assert list(told(masks_of(box), LABELS)) == ([] if shown is None else [(0, shown)])


@given(st.integers(0, 2**32 - 1))
def test_true_outlines_are_their_objects(seed):
    scene = draw_scene(np.random.default_rng(seed), (120, 140), (1, 5))
    labels = np.unique(scene.labels)[1:]
    packed = PackedMasks.pack([scene.labels == label for label in labels], [(0, 0)] * len(labels))
    assert list(told(packed, scene.labels)) == list(enumerate(labels.tolist()))


def test_crops_of_segments_have_the_names_of_their_objects(monkeypatch):
    monkeypatch.setattr(clip_pool, "SEGMENTED", 1.0)
    painter = Painter(None, mini_segments)
    crops = painter.shard(0, 0, 200)
    names = {painter.concepts.names[k] for k in crops.concept}
    assert names & {"part", "background"}
    assert len(names) > 15
    again = painter.shard(0, 0, 40)
    np.testing.assert_array_equal(again.images, crops.images[:40])
    np.testing.assert_array_equal(again.concept, crops.concept[:40])
    assert not np.array_equal(Painter(None).shard(0, 0, 40).images, again.images)
