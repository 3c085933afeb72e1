"""The chain on the real mini: what a person gets who types a text."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from skimage import data as pictures

import napari_slip
from napari_slip import Cancelled, FilterSettings, InputError, MatchSettings, Progress


@pytest.fixture(scope="module")
def slip():
    return napari_slip.load("mini")


@pytest.fixture(scope="module")
def coins():
    return pictures.coins()


@pytest.fixture(scope="module")
def segments(slip, coins):
    return slip.segment(coins)


def test_every_segment_has_an_id_and_the_picture_shows_it(segments, coins):
    labels = segments.labels()
    assert labels.shape == coins.shape
    assert labels.dtype.kind == "u"
    assert len(segments) >= 15
    assert set(np.unique(labels)) <= set(range(len(segments) + 1))
    assert list(segments.table()["index"]) == list(range(1, len(segments) + 1))


def test_a_text_lights_up_what_it_names(slip, segments):
    match = slip.match(segments, ["coin"], negatives=["background"])
    (best,) = match.best
    assert 500 < segments.area[best - 1] < 6000  # a coin, neither its relief nor the picture
    chosen = match.labels("best")
    assert set(np.unique(chosen)) == {0, best}
    np.testing.assert_array_equal(chosen > 0, segments.mask(best) & (chosen > 0))


@pytest.mark.parametrize("text", ["coins", "the coins", "all coins", "metal coins"])
def test_many_are_asked_for_as_one_is(slip, segments, text):
    one, many = slip.match(segments, ["coin", text]).accepted("above:0.5").T
    assert one.sum() >= 20
    assert (one == many).mean() > 0.9


def test_a_new_text_runs_neither_sam_nor_the_image_side_of_clip(slip, segments, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("a heavy part ran again")

    monkeypatch.setattr(type(slip.segmenter), "encode", never)
    monkeypatch.setattr(type(slip.encoder), "encode_images", never)
    match = slip.match(segments, ["leaf", "coin"])
    assert match.calibrated.shape == (len(segments), 2)


def test_what_is_hidden_cannot_match_and_is_not_deleted(slip, segments):
    large = FilterSettings(area=(1e9, np.inf))
    match = slip.match(segments, ["coin"], filters=large)
    assert match.best == (None,)
    assert not match.labels().any()
    assert len(match.table()) == len(segments)


def test_a_score_that_nothing_reaches_says_so(slip, segments):
    match = slip.match(segments, ["coin"], settings=MatchSettings(select="above:1.0"))
    if not match.labels().any():
        assert "coin" in match.why()


def test_a_class_scores_with_the_best_of_its_phrases(slip, segments):
    one = slip.match(segments, ["coin", "leaf"])
    both = slip.match(segments, {"thing": ["coin", "leaf"]})
    np.testing.assert_allclose(both.cosine[:, 0], one.cosine.max(axis=1), atol=1e-5)


def test_the_same_picture_gives_the_same_pixels(slip, coins, segments):
    again = slip.segment(coins)
    np.testing.assert_array_equal(again.labels(), segments.labels())
    np.testing.assert_allclose(again.embedding, segments.embedding, atol=1e-5)


@pytest.mark.parametrize(
    "convert",
    [lambda a: a.astype(np.uint16) * 100, lambda a: a / 255.0, lambda a: a[..., None][..., [0, 0, 0]]],
)
def test_the_type_of_the_pixels_does_not_matter(slip, coins, segments, convert):
    other = slip.segment(convert(coins))
    # objects are compared: the ground is one ragged segment, and grey in three channels is a photograph,
    # whose light is left as it is, so that SAM doubts the ground a little more or less in it
    one, another = (seen.labels(seen.area < coins.size / 2) > 0 for seen in (segments, other))
    assert one.mean() > 0.2
    assert (one == another).mean() > 0.99


def test_a_flat_picture_gives_an_empty_result(slip):
    segments = slip.segment(np.zeros((64, 80), np.uint8))
    match = slip.match(segments, ["coin"])
    assert match.labels().shape == (64, 80)
    if not len(segments):
        assert match.best == (None,)


def test_progress_tells_each_step_and_stops_the_work(slip, coins):
    steps = []
    slip.segment(coins, progress=Progress(lambda step, done, total: steps.append((step, done, total))))
    names = list(dict.fromkeys(step for step, _, _ in steps))
    assert names[:1] == ["encode"] and {"prompts", "crops"} <= set(names)
    assert all(0 <= done <= total for _, done, total in steps)

    stop = Progress(lambda step, done, total: stop.cancel() if step == "prompts" else None)
    with pytest.raises(Cancelled, match="nothing was changed"):
        slip.segment(coins, progress=stop)
    assert slip.segment(coins) is not None  # a cancelled run leaves nothing behind that stops the next


def test_a_run_in_another_thread_gives_the_same(slip, coins, segments):
    found = []
    worker = threading.Thread(target=lambda: found.append(slip.segment(coins)))
    worker.start()
    worker.join(120)
    np.testing.assert_array_equal(found[0].labels(), segments.labels())


def test_a_store_spares_the_second_run(slip, coins, segments, monkeypatch):
    kept = {}

    class Shelf:
        def load(self, rgb, origin):
            return kept.get((rgb.tobytes(), tuple(origin.items())))

        def save(self, rgb, segments):
            kept[rgb.tobytes(), tuple(segments.origin.items())] = segments

    monkeypatch.setattr(slip, "store", Shelf())
    first = slip.segment(coins)
    assert slip.segment(coins) is first
    assert slip.segment(coins, settings=slip.segmenter.proposals.__class__(pred_iou_thresh=0.99)) is not first


def test_a_click_gives_the_object_under_it(slip, coins):
    plane = slip.encode(napari_slip.images.to_rgb(coins))
    refined = slip.refine(plane, points=np.array([[54, 60]]))
    assert refined.mask.shape == coins.shape
    assert refined.mask[60, 54]
    assert refined.mask.mean() < 0.2


def test_the_text_carries_the_result(slip, segments):
    match = slip.match(segments, ["coin", "red apple"])
    coin, apple = match.accepted("above:0.5").sum(axis=0)
    assert coin >= 10
    assert apple == 0


def test_one_text_instead_of_a_list_ends_in_a_sentence(slip, segments):
    with pytest.raises(InputError, match="a list of texts is expected"):
        slip.match(segments, "coin")


@pytest.mark.parametrize("shape", [(3, 64, 64), (4, 4, 64, 64), (64,)])
def test_a_stack_ends_in_a_sentence(slip, shape):
    with pytest.raises(InputError, match="one plane is expected"):
        slip.segment(np.zeros(shape, np.uint8))


def test_a_preset_and_its_parts_exclude_each_other():
    with pytest.raises(InputError, match="one or the other"):
        napari_slip.load("mini", sam="vit_b")


def test_an_unknown_preset_ends_in_a_sentence():
    with pytest.raises(InputError, match=r"no preset .sam3.: .*mini"):
        napari_slip.load("sam3")
