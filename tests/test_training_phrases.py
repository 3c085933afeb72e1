"""A class is taught by the phrases that it is looked for by, from the session to the trained model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from _small_training import SMALL
from _work import SHAPE, rectangle
from PIL import Image

from napari_slip.errors import Cancelled, InputError
from napari_slip.io import export_session
from napari_slip.models import load_clip
from napari_slip.session import Session
from napari_slip.stacks import Stack
from napari_slip.synthesis import draw
from napari_slip.synthesis.creatures import write_creatures
from napari_slip.training.own import loop, read_examples, split, train
from napari_slip.training.own.batches import caption
from napari_slip.training.own.examples import Example, class_phrases, listed
from napari_slip.training.own.fine_tuning import right_names

ROUND = ("red circle", "red disc")


def exported(folder, phrases):
    """Export the crops of two classes and read them as training does."""
    session = Session(SHAPE)
    session.classes = session.classes.add("round/red", phrases).add("square")
    for k, name in enumerate(("round/red", "square")):
        session.adopt(rectangle(2, 2 + 14 * k, 12, 14 + 14 * k).astype(int), class_name=name)
    stack = Stack.of(np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8), "yxs")
    export_session(session, folder, "a", ["crops"], stack=stack)
    return read_examples(folder / "a.crops")


def test_crops_of_a_session_bring_its_classes_by_name_and_phrases(tmp_path):
    examples = exported(tmp_path, ROUND)
    assert class_phrases(examples) == {"round/red": ROUND, "square": ("square",)}
    assert {e.path.parent.name for e in examples} == {"round_red", "square"}
    before = listed(examples)
    others = exported(tmp_path, ("ring",))
    assert class_phrases(others)["round/red"] == ("ring",)
    assert listed(others) != before, "a training with other phrases is another one"


def test_what_was_said_of_other_classes_in_the_folder_stays(tmp_path):
    exported(tmp_path, ROUND)
    path = tmp_path / "a.crops" / "phrases.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dirt": ["dust", "hair"]}))
    assert class_phrases(exported(tmp_path, ROUND)).keys() == {"round/red", "square"}
    assert json.loads(path.read_text())["dirt"] == ["dust", "hair"]


@pytest.mark.parametrize(
    "text", ["[1, 2]", '{"square": "a square"}', '{"square": []}', '{"square": [" "]}', "{"]
)
def test_a_file_of_phrases_that_holds_something_else_is_told(tmp_path, text):
    exported(tmp_path, ROUND)
    (tmp_path / "a.crops" / "phrases.json").write_text(text)
    with pytest.raises(InputError, match="does not hold the phrases of each class"):
        read_examples(tmp_path / "a.crops")


def test_every_phrase_is_said_in_every_template(tmp_path):
    settings, rng = replace(SMALL, templates=("{}", "a {}")), np.random.default_rng(0)
    example = Example(tmp_path, "A", phrases=ROUND)
    said = {caption(example, settings, rng) for _ in range(100)}
    assert said == {"red circle", "red disc", "a red circle", "a red disc"}


def test_old_and_new_are_asked_by_phrases_and_the_best_counts(tmp_path):
    examples = []
    for k in range(6):
        name, colour = (("circle", "red"), ("square", "blue"))[k % 2]
        phrases = ("zeppelin", f"{colour} {name}")
        sprite = draw(name, np.random.default_rng(k), 60, colour=colour, texture="plain")
        cut = np.pad(sprite.rgba, ((6, 6), (6, 6), (0, 0)))
        cut[cut[..., 3] < 128] = (210, 210, 210, 0)
        Image.fromarray(cut).save(tmp_path / f"{k}.png")
        examples.append(Example(tmp_path / f"{k}.png", name, phrases=phrases))
    mini = load_clip("mini", device="cpu")
    assert all(right_names(mini, examples, class_phrases(examples)))
    swapped = {"circle": ("zeppelin", "blue square"), "square": ("red circle",)}
    assert not any(right_names(mini, examples, swapped))


def test_texts_are_counted_as_often_as_they_are_said(tmp_path, monkeypatch):
    """The tokens of a new text model go by it, and must be the same when its training goes on."""
    write_creatures(tmp_path / "creatures", classes=4, images=5, side=64)
    parts = split(read_examples(tmp_path / "creatures"))
    said = []

    def hear(settings, texts, device):
        said.extend(texts)
        raise Cancelled

    monkeypatch.setattr(loop, "make_learner", hear)
    with pytest.raises(Cancelled):
        train(parts, replace(SMALL, templates=("a {}", "the {}")), tmp_path / "model", device="cpu")
    assert said[:-2] == [f"{word} {e.name}" for e in parts.training for word in ("a", "the")]


def test_a_model_trains_on_phrases_and_its_card_has_the_names(tmp_path):
    write_creatures(tmp_path / "creatures", classes=4, images=5, side=64)
    plain = read_examples(tmp_path / "creatures")
    names = sorted({e.name for e in plain})
    path = tmp_path / "creatures" / "phrases.json"
    path.write_text(json.dumps({name: [f"{name} beast", f"wild {name}"] for name in names}))
    parts = split(read_examples(tmp_path / "creatures"))
    model = train(parts, SMALL, tmp_path / "model", device="cpu")
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["classes"] == names
    assert 0 <= model.best.accuracy <= 1
    (words,) = (tmp_path / "model").rglob("tokenizer.json")
    assert "beast</w>" in words.read_text(), "the new text model has read the phrases"
