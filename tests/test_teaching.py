"""Heads: what a few examples teach, how it is kept, and what it changes in a match."""

from __future__ import annotations

import numpy as np
import pytest
from _fake_slip import fake_slip, spots
from hypothesis import given
from hypothesis import strategies as st

from napari_slip.errors import InputError
from napari_slip.matching import Head, teach
from napari_slip.matching.similarity import unit


def examples(rng, classes=4, n=12, spread=0.12, dimensions=16):
    centres = unit(rng.normal(size=(classes, dimensions)))
    labels = np.repeat(np.arange(classes), n)
    return unit(centres[labels] + spread * rng.normal(size=(len(labels), dimensions))), labels, centres


def taught(embedding, labels, texts, **more):
    names = [f"class {k}" for k in range(len(texts))]
    return teach(
        embedding, [names[k] for k in labels], texts, names, np.zeros((0, texts.shape[1])), clip="c", **more
    )


def test_examples_beat_texts_that_are_wrong():
    rng = np.random.default_rng(0)
    embedding, labels, centres = examples(rng)
    head = taught(embedding, labels, np.roll(centres, 1, axis=0))
    assert head.before < 0.3
    assert head.after > 0.9
    fresh, known, _ = examples(np.random.default_rng(0))
    assert (head.scores(fresh).argmax(axis=1) == known).mean() > 0.9


def test_right_texts_are_kept_where_examples_are_few():
    rng = np.random.default_rng(1)
    embedding, labels, centres = examples(rng, classes=6, n=30, spread=0.15)
    few = [int(np.flatnonzero(labels == k)[0]) for k in range(6)]
    head = taught(embedding[few], labels[few], centres)
    assert (head.scores(embedding).argmax(axis=1) == labels).mean() > 0.85


@given(st.integers(2, 6), st.integers(1, 6), st.integers(0, 1000))
def test_scores_are_chances_for_any_number_of_classes_and_examples(classes, n, seed):
    embedding, labels, centres = examples(np.random.default_rng(seed), classes, n)
    scores = taught(embedding, labels, centres).scores(embedding)
    assert scores.shape == (len(labels), classes)
    assert (scores >= 0).all()
    assert (scores.sum(axis=1) <= 1 + 1e-5).all()


def test_what_was_rejected_scores_low():
    rng = np.random.default_rng(2)
    embedding, labels, centres = examples(rng, classes=3)
    names = [None if k == 2 else f"class {k}" for k in labels]
    head = teach(embedding, names, centres[:2], ["class 0", "class 1"], centres[:0], clip="c")
    scores = head.scores(embedding).max(axis=1)
    assert scores[labels == 2].max() < scores[labels != 2].min()


def test_texts_and_head_are_asked_about_the_same_examples():
    rng = np.random.default_rng(4)
    embedding, labels, centres = examples(rng, classes=3, n=6, spread=0.02)
    lone = unit(rng.normal(size=(1, 16)))  # the only example of its class, whose text is another's
    texts = np.vstack([centres, centres[:1]])
    head = taught(np.vstack([embedding, lone]), [*labels, 3], texts)
    assert head.examples == 19
    assert (head.before, head.after) == (1, 1)


def test_none_of_them_is_an_answer_of_the_texts_too():
    embedding, labels, centres = examples(np.random.default_rng(5), classes=3, n=6, spread=0.02)
    names = [f"class {k}" for k in range(3)]
    nulls = unit(centres[:1] + 0.01)  # the model takes the first class for background
    texts = unit(centres + np.eye(3, 16) * 0.5)
    head = teach(embedding, [names[k] for k in labels], texts, names, nulls, clip="c")
    assert head.before == pytest.approx(2 / 3)
    assert head.after == 1


def test_where_there_is_nothing_to_learn_the_check_says_so():
    after = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        embedding, texts = unit(rng.normal(size=(12, 16))), unit(rng.normal(size=(2, 16)))
        after.append(taught(embedding, np.repeat([0, 1], 6), texts).after)
    assert np.mean(after) < 0.52  # 0.54 where the pull is chosen by the examples that it is asked about


def test_one_kind_of_examples_is_nothing_to_learn_from():
    with pytest.raises(InputError, match="examples of one kind alone: accept some of a second class"):
        taught(np.eye(4, dtype=np.float32), [0, 0, 0, 0], np.eye(4, dtype=np.float32))


def test_a_head_is_kept_in_a_file_and_a_damaged_file_is_told(tmp_path):
    embedding, labels, centres = examples(np.random.default_rng(3))
    head = taught(embedding, labels, centres, name="mine")
    head.save(tmp_path / "mine.head")
    again = Head.load(tmp_path / "mine.head")
    assert (again.name, again.classes, again.after) == ("mine", head.classes, head.after)
    assert (again.scores(embedding) == head.scores(embedding)).all()
    (tmp_path / "bad.head").write_bytes((tmp_path / "mine.head").read_bytes()[:200])
    with pytest.raises(InputError, match="holds no taught head that can be read"):
        Head.load(tmp_path / "bad.head")


def head_of(names, weights, clip="sha256:colours"):
    return Head("h", names, np.float32(weights), np.zeros(len(weights), np.float32), clip)


def test_a_match_takes_the_score_of_taught_classes_from_the_head():
    slip = fake_slip()
    segments = slip.segment(spots(colours=("red", "green", "blue")))
    head = head_of(("red",), [[0, 20, 0], [10, 0, 10]])  # taught that "red" is what looks green
    told = slip.match(segments, ["red", "blue"], head=head)
    plain = slip.match(segments, ["red", "blue"])
    assert plain.best[0] != told.best[0]
    assert told.best[1] == plain.best[1]
    assert (told.cosine == plain.cosine).all()


def test_a_head_of_another_clip_is_told():
    slip = fake_slip()
    segments = slip.segment(spots())
    with pytest.raises(InputError, match="taught with another CLIP than colours"):
        slip.match(segments, ["red"], head=head_of(("red",), np.zeros((2, 3)), clip="sha256:other"))
