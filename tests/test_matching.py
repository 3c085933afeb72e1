from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slip.errors import Cancelled, InputError
from napari_slip.matching import embed_segments, match_segments
from napari_slip.models import Calibration, DualEncoder, EncoderCard
from napari_slip.progress import Progress
from napari_slip.segments import PackedMasks, Segments
from napari_slip.settings import CropSettings, FilterSettings, MatchSettings

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "grey": (1, 1, 1), "orange": (1, 0.5, 0)}


class ColourEncoder:
    """Sees the colour of what is not black, and reads the names of colours."""

    def __init__(self, **card: object) -> None:
        calibration = Calibration(a=20, b=0, null_prompts=("grey",))
        basics = EncoderCard("eye", "sha256:eye", 8, (0, 0, 0), ("a {} thing", "{}"), calibration)
        self.card = replace(basics, **card)
        self.read: list[list[str]] = []

    def encode_images(self, pictures, progress=None):
        (progress or Progress()).check()
        colours = pictures.reshape(len(pictures), -1, 3).astype(np.float32).sum(axis=1) + 1e-3
        return colours / np.linalg.norm(colours, axis=1, keepdims=True)

    def encode_texts(self, texts):
        self.read.append(list(texts))
        vectors = [
            sum((np.array(c, np.float32) for w, c in COLOURS.items() if w in t), np.full(3, 1e-3))
            for t in texts
        ]
        return np.stack([v / np.linalg.norm(v) for v in vectors]).astype(np.float32)


def segments_of(masks: list[np.ndarray], shape: tuple[int, int]) -> Segments:
    n = len(masks)
    ones = np.ones(n, np.float32)
    return Segments(
        shape=shape,
        masks=PackedMasks.pack(masks, [(0, 0)] * n),
        predicted_iou=ones,
        stability_score=ones,
        mean_intensity=ones,
        area=np.array([mask.sum() for mask in masks], np.int64),
        roundness=ones,
        parent=np.full(n, -1, np.int32),
        background=np.zeros(n, bool),
    )


def tiles(*colours: str) -> tuple[Segments, np.ndarray]:
    """Return one segment per colour, side by side, and the plane."""
    rgb = np.zeros((10, 12 * len(colours), 3), np.uint8)
    masks = []
    for i, colour in enumerate(colours):
        mask = np.zeros(rgb.shape[:2], bool)
        mask[1:9, 12 * i + 1 : 12 * i + 9] = True
        rgb[mask] = np.array(COLOURS[colour]) * 200
        masks.append(mask)
    return segments_of(masks, rgb.shape[:2]), rgb


def seen(*colours: str, encoder: ColourEncoder | None = None) -> Segments:
    segments, rgb = tiles(*colours)
    return embed_segments(segments, rgb, encoder or ColourEncoder(), CropSettings(views=("black",)))


def test_the_encoder_of_these_tests_is_one():
    assert isinstance(ColourEncoder(), DualEncoder)


def test_each_text_finds_its_segment():
    match = match_segments(seen("red", "green", "blue"), ["blue", "red"], ColourEncoder())
    assert match.names == ("blue", "red")
    assert match.best == (3, 1)
    assert match.cosine.shape == match.calibrated.shape == (3, 2)
    assert match.calibrated[2, 0] > 0.5 > match.calibrated[0, 0]
    labels = match.labels("above:0.5")
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels[labels > 0], match.segments.labels()[labels > 0])
    assert set(np.unique(labels)) == {0, 1, 3}


def test_the_score_is_the_formula():
    match = match_segments(seen("red", "orange"), ["red"], ColourEncoder(), negatives=["orange"])
    red, orange, grey = (np.array(COLOURS[c]) / np.linalg.norm(COLOURS[c]) for c in ("red", "orange", "grey"))
    for row, colour in enumerate((red, orange)):
        rival = max(colour @ orange, colour @ grey)
        expected = 1 / (1 + np.exp(-20 * (colour @ red - rival)))
        assert match.cosine[row, 0] == pytest.approx(colour @ red, abs=2e-3)
        assert match.calibrated[row, 0] == pytest.approx(expected, abs=0.02)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_mask_that_sam_is_not_sure_of_scores_less(one, other):
    segments = seen("red", "red").replace(predicted_iou=np.array([one, other], np.float32))
    match = match_segments(segments, ["red"], ColourEncoder())
    plain = match_segments(seen("red", "red"), ["red"], ColourEncoder()).calibrated
    assert (match.calibrated <= plain).all()
    assert (match.calibrated[[one >= 0.85, other >= 0.85]] == plain[0]).all()
    if abs(one - other) > 1e-3 and 0.01 < min(one, other) < 0.84:
        assert match.best == (1,) if one > other else (2,)
    halved = match_segments(seen("red").replace(predicted_iou=np.array([0.74])), ["red"], ColourEncoder())
    assert halved.calibrated[0, 0] == pytest.approx(plain[0, 0] / 2, rel=0.03)
    assert not halved.accepted(f"above:{0.9 * plain[0, 0]}").any()


def test_a_negative_takes_what_is_its_own():
    both = seen("red", "orange")
    alone = match_segments(both, ["red"], ColourEncoder())
    against = match_segments(both, ["red"], ColourEncoder(), negatives=["orange"])
    assert alone.accepted("above:0.5")[:, 0].tolist() == [True, True]
    assert against.accepted("above:0.5")[:, 0].tolist() == [True, False]
    np.testing.assert_array_equal(alone.cosine, against.cosine)


def test_what_is_absent_is_not_accepted_but_best_is_still_shown():
    match = match_segments(seen("red", "grey"), ["blue"], ColourEncoder())
    assert not match.accepted("above:0.5").any()
    assert match.best[0] is not None
    strict = match_segments(seen("red"), ["blue"], ColourEncoder(), settings=MatchSettings(min_score=0.5))
    assert strict.best == (None,)
    assert not strict.labels().any()


def test_a_null_prompt_may_be_looked_for():
    match = match_segments(seen("grey", "red"), ["grey"], ColourEncoder())
    assert match.accepted("above:0.5")[:, 0].tolist() == [True, True]  # without a rival, the cosine decides
    assert match.best == (1,)


def test_a_class_scores_with_its_best_phrase():
    segments = seen("red", "green", "blue")
    match = match_segments(segments, {"warm or cold": ["red", "blue"], "green": ["green"]}, ColourEncoder())
    apart = match_segments(segments, ["red", "blue"], ColourEncoder())
    assert match.names == ("warm or cold", "green")
    np.testing.assert_allclose(match.cosine[:, 0], apart.cosine.max(axis=1))
    np.testing.assert_allclose(match.calibrated[:, 0], apart.calibrated.max(axis=1))
    assert match.accepted("above:0.5").tolist() == [[True, False], [False, True], [True, False]]


@pytest.mark.parametrize("cells", [4, 5, 9])
def test_what_holds_many_matches_does_not_hide_them(cells):
    masks = [np.zeros((30, 30), bool) for _ in range(cells + 1)]
    for i, mask in enumerate(masks[:cells]):
        mask[10 * (i // 3) :, 10 * (i % 3) :][:8, :8] = True
    masks[cells][:] = True
    poorer = np.array([0.9] * cells + [1.0], np.float32)
    segments = segments_of(masks, (30, 30)).replace(
        predicted_iou=poorer, embedding=np.ones((cells + 1, 3), np.float32)
    )
    accepted = match_segments(segments, ["grey"], ColourEncoder()).accepted("above:0.5")[:, 0]
    assert accepted.tolist() == [cells >= 5] * cells + [cells < 5]


def test_top_k_and_best_count_segments():
    match = match_segments(seen("red", "red", "orange", "blue"), ["red"], ColourEncoder())
    assert match.accepted("best").sum() == 1
    assert match.accepted("top:3")[:, 0].tolist() == [True, True, True, False]
    assert match.accepted("top:99").sum() == 4


def test_hidden_segments_are_scored_and_not_accepted():
    segments = seen("red", "red")
    segments = segments.replace(stability_score=np.array([0.2, 0.9], np.float32))
    match = match_segments(
        segments, ["red"], ColourEncoder(), filters=FilterSettings(stability_score=(0.5, 1))
    )
    assert match.calibrated[0, 0] > 0.5
    assert match.accepted("above:0.5")[:, 0].tolist() == [False, True]
    assert match.best == (2,)
    all_hidden = match_segments(segments, ["red"], ColourEncoder(), filters=FilterSettings(area=(1e6, 1e7)))
    assert all_hidden.best == (None,)
    assert "hide all 2 segments" in all_hidden.why()


def test_a_table_with_what_the_match_says():
    match = match_segments(seen("red", "blue", "grey"), ["red", "blue"], ColourEncoder())
    table = match.table("above:0.6")
    assert table["index"].tolist() == [1, 2, 3]
    assert table["class"].tolist()[:2] == ["red", "blue"]
    assert table["accepted"].tolist() == [True, True, False]
    np.testing.assert_array_equal(table["score blue"], match.calibrated[:, 1])
    np.testing.assert_array_equal(table["cosine red"], match.cosine[:, 0])


def test_a_new_text_is_read_alone_and_an_old_one_not_at_all():
    encoder = ColourEncoder()
    segments = seen("red", "blue", encoder=encoder)
    match_segments(segments, ["red"], encoder, negatives=["orange"])
    assert len(encoder.read) == 1
    assert sorted(encoder.read.pop()) == sorted(
        template.format(text) for text in ("red", "orange", "grey") for template in ("a {} thing", "{}")
    )
    match_segments(segments, ["blue", "red"], encoder, negatives=["orange"])
    assert encoder.read.pop() == ["a blue thing", "blue"]
    match_segments(segments, ["red", "blue"], encoder)
    assert encoder.read == []
    match_segments(segments, ["red"], encoder, settings=MatchSettings(templates=("one {}",)))
    assert sorted(encoder.read.pop()) == ["one grey", "one red"]


def test_views_are_averaged_on_the_sphere():
    segments, rgb = tiles("red")
    rgb[~segments.mask(1)] = (0, 0, 200)
    box = embed_segments(segments, rgb, ColourEncoder(), CropSettings(views=("box",), margin=1)).embedding
    tight = embed_segments(segments, rgb, ColourEncoder(), CropSettings(views=("black",))).embedding
    both = embed_segments(
        segments, rgb, ColourEncoder(), CropSettings(views=("black", "box"), margin=1)
    ).embedding
    mean = (box + tight) / 2
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean), atol=1e-5)


def test_embedding_reports_each_step_and_stops():
    segments, rgb = tiles(*["red"] * 70)
    steps = []
    progress = Progress(lambda *step: steps.append(step))
    whole = embed_segments(segments, rgb, ColourEncoder(), CropSettings(), progress)
    assert steps[0] == ("crops", 0, 70)
    assert steps[-1] == ("crops", 70, 70)
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    assert whole.embedding.shape == (70, 3)
    assert segments.embedding is None
    stopped = Progress(lambda step, done, total: progress_stop(stopped, done))
    with pytest.raises(Cancelled):
        embed_segments(segments, rgb, ColourEncoder(), CropSettings(), stopped)


def progress_stop(progress: Progress, done: int) -> None:
    if done:
        progress.cancel()


def test_no_segment_at_all():
    segments = embed_segments(
        Segments.empty((10, 12)), np.zeros((10, 12, 3), np.uint8), ColourEncoder(), CropSettings()
    )
    match = match_segments(
        segments, {"red": ["red", "orange"], "blue": ["blue"]}, ColourEncoder(), negatives=["grey"]
    )
    assert match.cosine.shape == match.calibrated.shape == (0, 2)
    assert match.best == (None, None)
    for select in ("best", "top:5", "above:0"):
        assert not match.labels(select).any()
        assert match.labels(select).shape == (10, 12)
    assert len(match.table()) == 0
    assert {"class", "accepted", "score red"} <= set(match.table().columns)
    assert "No segment was found" in match.why()


def test_why_nothing_is_accepted():
    encoder = ColourEncoder(vocabulary=frozenset({"red", "blue", "thing"}))
    match = match_segments(seen("red", "grey"), ["blue axon", "red"], encoder)
    why = match.why("above:0.9")
    assert "Nothing reaches 0.9 for 'blue axon'" in why
    assert "segment 1" in why or "segment 2" in why
    assert "eye has never seen the word 'axon'" in why
    assert "'red'" not in why
    assert match.why("best") == ""


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_blank_texts(blank):
    segments = seen("red")
    for prompts, negatives in (
        ([blank], []),
        (["red"], [blank]),
        ({"a": [blank]}, []),
        ({blank: ["red"]}, []),
    ):
        with pytest.raises(InputError, match="is blank, but a text"):
            match_segments(segments, prompts, ColourEncoder(), negatives=negatives)


def test_texts_that_make_no_sense_together():
    segments = seen("red")
    with pytest.raises(InputError, match="There is no prompt"):
        match_segments(segments, [], ColourEncoder())
    with pytest.raises(InputError, match="'red' is given twice"):
        match_segments(segments, ["red", " red "], ColourEncoder())
    with pytest.raises(InputError, match="both a prompt and a negative"):
        match_segments(segments, ["red"], ColourEncoder(), negatives=["Red"])
    with pytest.raises(InputError, match="a list of texts is expected"):
        match_segments(segments, {"red": "red"}, ColourEncoder())


def test_segments_that_this_encoder_has_not_seen():
    segments, _ = tiles("red")
    with pytest.raises(InputError, match="have no embeddings"):
        match_segments(segments, ["red"], ColourEncoder())
    other = seen("red").replace(origin={"clip": "sha256:another"})
    with pytest.raises(InputError, match="another CLIP's than eye: embed the segments again with it"):
        match_segments(other, ["red"], ColourEncoder())
    again = embed_segments(other, tiles("red")[1], ColourEncoder(), CropSettings())
    assert list(match_segments(again, ["red"], ColourEncoder()).best) == [1]
    with pytest.raises(InputError, match=r"shape \(1, 7\), but \(1, 3\) is expected"):
        match_segments(segments.replace(embedding=np.zeros((1, 7), np.float32)), ["red"], ColourEncoder())


def test_an_unknown_rule():
    with pytest.raises(InputError, match="'most' selects nothing"):
        match_segments(seen("red"), ["red"], ColourEncoder()).accepted("most")


boxes = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20))


@given(st.lists(boxes, min_size=1, max_size=12), st.data())
def test_accepted_masks_of_one_class_never_contain_each_other(corners, data):
    masks = []
    for x, y, w, h in corners:
        mask = np.zeros((24, 24), bool)
        mask[y : y + h, x : x + w] = True
        masks.append(mask)
    quality = data.draw(st.lists(st.floats(0.5, 1, width=32), min_size=len(masks), max_size=len(masks)))
    segments = segments_of(masks, (24, 24)).replace(
        predicted_iou=np.array(quality, np.float32), embedding=np.ones((len(masks), 3), np.float32)
    )
    match = match_segments(segments, ["red", "blue"], ColourEncoder())
    scores = data.draw(st.lists(st.floats(0, 1, width=32), min_size=2 * len(masks), max_size=2 * len(masks)))
    match = replace(match, calibrated=np.array(scores, np.float32).reshape(-1, 2))
    select = data.draw(st.sampled_from(["best", "top:2", "top:9", "above:0", "above:0.5"]))
    accepted = match.accepted(select)

    def nested(a: int, b: int) -> bool:
        smaller = min(masks[a].sum(), masks[b].sum())
        return bool((masks[a] & masks[b]).sum() > 0.8 * smaller)

    for column in range(2):
        rows = np.flatnonzero(accepted[:, column])
        assert not any(nested(a, b) for a in rows for b in rows if a < b)
        if select.startswith("above"):  # whoever is left out makes room for a better one
            floor = float(select[6:])
            worth = match.calibrated[:, column] * segments.predicted_iou
            for row in np.flatnonzero(~accepted[:, column] & (match.calibrated[:, column] >= floor)):
                passing = np.flatnonzero(match.calibrated[:, column] >= floor)
                held = [k for k in passing if nested(row, k) and masks[k].sum() <= masks[row].sum()]
                better = [k for k in rows if worth[k] >= worth[row] or len(held) > 5]  # itself among them
                assert any(nested(row, k) for k in better)
        else:
            assert 1 <= len(rows) <= {"best": 1, "top:2": 2, "top:9": 9}[select]
            assert rows[match.calibrated[rows, column].argmax()] in np.flatnonzero(
                match.calibrated[:, column] == match.calibrated[:, column].max()
            )
