"""What a training can be told, what it writes, and how much of the old model it leaves."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from _small_training import SMALL
from PIL import Image
from typer.testing import CliRunner

from napari_slip.cli import app
from napari_slip.errors import Cancelled, InputError
from napari_slip.models import load_clip, unknown_words
from napari_slip.synthesis.creatures import write_creatures
from napari_slip.training.own import TrainSettings, read_examples, train
from napari_slip.training.own.batches import caption
from napari_slip.training.own.beginning import begin
from napari_slip.training.own.examples import Example
from napari_slip.training.own.fine_tuning import _kept_apart, fine_tune, small_network
from napari_slip.training.own.finishing import write_card
from napari_slip.training.own.history import Epoch
from napari_slip.training.own.learner import _merged, make_learner
from napari_slip.training.own.loop import _groups
from napari_slip.training.own.pictures import mask_of
from napari_slip.training.own.remembering import Memory
from napari_slip.training.own.settling import SHARES, _between, settle
from napari_slip.training.own.splitting import Split

pytest_plugins = ["_training_fixtures"]

CPU = torch.device("cpu")


@pytest.mark.parametrize("template", ["{}", "This is an image of {}"])
def test_captions_are_the_papers_templates_or_ones_own(template, tmp_path):
    settings, rng = replace(SMALL, templates=(template,)), np.random.default_rng(0)
    assert caption(Example(tmp_path, "pikachu"), settings, rng) == template.replace("{}", "pikachu")
    assert caption(Example(tmp_path, "pikachu", "a yellow mouse"), settings, rng) == "a yellow mouse"


def test_the_mask_of_a_picture_lies_beside_it_or_in_its_transparency(tmp_path):
    inside = np.zeros((12, 10), np.uint8)
    inside[3:9, 2:7] = 255
    for name, opacity in (("cut", inside), ("whole", np.full_like(inside, 255))):
        pixels = np.dstack([*[np.full_like(inside, 90)] * 3, opacity])
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    cut, whole = (Example(tmp_path / f"{name}.png", "a") for name in ("cut", "whole"))
    assert (mask_of(cut, (12, 10)) == (inside > 0)).all()
    assert whole.mask is None
    Image.fromarray(inside).save(tmp_path / "whole.mask.png")
    assert (mask_of(Example(tmp_path / "whole.png", "a"), (12, 10)) == (inside > 0)).all()


def test_encoders_and_heads_learn_at_three_rates_and_only_the_heads_decay():
    learner = make_learner(SMALL, ["a word"], CPU)
    settings = replace(SMALL, head_rate=1e-3, image_rate=1e-4, text_rate=1e-5, weight_decay=0.01)
    groups = _groups(learner, settings)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (1e-3, 0.01),
        (1e-4, 0.0),
        (1e-5, 0.0),
    ]
    owned = [parameter for group in groups for parameter in group["params"]]
    assert {id(p) for p in owned} == {id(p) for p in learner.network.parameters()}


@pytest.mark.parametrize(
    "choices",
    [
        {"precision": "bfloat16"},
        {"image_model": "vit_tiny_patch16_224", "projection": 24},
        {"text_model": "bert:hidden_size=16,num_hidden_layers=1,num_attention_heads=2,intermediate_size=32"},
        {"loss": "soft"},
    ],
    ids=["bfloat16", "another timm model", "another text model", "soft targets"],
)
def test_other_models_precisions_and_losses_train(parted, tmp_path, choices):
    settings = replace(SMALL, **choices)
    done = train(parted, settings, tmp_path)
    assert np.isfinite([done.best.training_loss, done.best.validation_loss]).all()
    size = load_clip(tmp_path).encode_texts(["devun"]).shape[1]
    assert size == settings.projection


def test_rates_fall_and_training_ends_when_nothing_is_gained(parted, tmp_path):
    settings = replace(
        SMALL, head_rate=0.0, image_rate=0.0, text_rate=0.0, weight_decay=0.0, epochs=30, augment=False
    )
    frozen = replace(settings, image_model="vit_tiny_patch16_224", patience=1, factor=0.5, stop_after=4)
    done = train(parted, replace(frozen, head_rate=1e-12), tmp_path)
    assert len(done.epochs) == 5  # the first is the best, and four have brought no more
    rates = [epoch.head_rate for epoch in done.epochs]
    assert rates[0] == 1e-12
    assert rates[-1] <= rates[0]
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == [1, 2, 3, 4, 5]
    assert all(float(row["remaining_seconds"]) > 0 for row in rows)


def test_the_command_trains_and_leaves_a_model_with_its_curve(creatures, tmp_path):
    words = ["train", creatures, "--out", tmp_path, "--image-model", "resnet18", "--image-size", 32]
    words += ["--text-model", SMALL.text_model, "--projection", 16, "--batch", 8, "--epochs", 2]
    words += ["--hold-out", 1]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "pass   2  loss" in done.stderr
    assert "min left" in done.stderr
    assert "5 of classes that are never shown" in done.stderr
    assert f"The model: {tmp_path.resolve()}" in done.stdout
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert json.loads((tmp_path / "card.json").read_text())["training"]["settings"]["hold_out"] == 1


def asked_of(monkeypatch, *words):
    """Return the settings that a command would train with, and what it says."""
    asked = []

    def note(parts, settings, *_, **__):
        asked.append(settings)
        raise Cancelled

    monkeypatch.setattr("napari_slip.training.own.train", note)
    monkeypatch.setattr("napari_slip.training.own.grid_search", note)
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert "Stopped" in done.stderr
    return asked[0], done.stderr


@pytest.mark.parametrize("command", ["train", "grid-search"])
def test_the_papers_training_ends_when_the_paper_says_unless_told_otherwise(
    creatures, tmp_path, monkeypatch, command
):
    words = (command, creatures, "--out", tmp_path)
    passes = [
        asked_of(monkeypatch, *words, *more)[0].stop_after
        for more in ((), ("--paper",), ("--paper", "--stop-after", 7))
    ]
    assert passes == [15, 100, 7]


def test_one_picture_is_one_picture(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for k in range(2):
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / f"{k}.png")
    (tmp_path / "t.csv").write_text("image,caption\n0.png,a cat\n1.png,a cat\n")
    said = asked_of(monkeypatch, "train", tmp_path / "t.csv", "--out", tmp_path / "m")[1]
    assert "1 picture to learn from, 1 to check with" in said


@pytest.fixture(scope="module")
def mini():
    learner = make_learner(TrainSettings(base="mini"), [], CPU)
    return learner, Memory(learner, 1, CPU)


def test_the_memory_knows_what_the_model_knew_and_misses_what_was_lost(mini):
    learner, memory = mini
    assert float(memory.loss(learner, 0).detach()) == pytest.approx(0, abs=1e-5)
    knew = memory.knows(learner)
    assert knew > 0.3  # of 150 names
    spoilt = make_learner(TrainSettings(base="mini"), [], CPU)
    with torch.no_grad():
        for parameter in spoilt.network.vision_model.parameters():
            parameter.mul_(0.5)
    assert float(memory.loss(spoilt, 0).detach()) > 0.05
    assert memory.knows(spoilt) < knew


@pytest.mark.slow
def test_of_what_spoils_old_knowledge_only_as_much_is_taken_as_the_new_is_worth(mini):
    learner, memory = mini
    old = {name: value.clone() for name, value in learner.network.state_dict().items()}
    noise = torch.Generator().manual_seed(0)
    spoilt = {
        name: value + value.std() * torch.randn(value.shape, generator=noise)
        if value.is_floating_point() and value.dim() > 1
        else value
        for name, value in old.items()
    }
    settled = settle(learner, memory, spoilt, lambda: 0.5)  # the new classes are as good with any share
    assert settled.share == min(SHARES)
    assert settled.knows < settled.knew
    better = iter(SHARES)
    whole = settle(learner, memory, old, lambda: next(better))  # better with each step, and nothing lost
    assert whole.share == 1
    assert whole.knows == whole.knew
    nearly = iter((0.99, 0.99, *(0.987,) * len(SHARES)))  # fewer pictures than tell anything
    assert settle(learner, memory, old, lambda: next(nearly)).share == min(SHARES)
    assert all(torch.equal(value, old[name]) for name, value in learner.network.state_dict().items())


def test_between_the_old_and_the_best_adapters_lies_what_is_between_the_whole_weights():
    learner = make_learner(TrainSettings(base="mini", train="lora"), [], CPU)
    other = make_learner(TrainSettings(base="mini", train="lora"), [], CPU)
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in learner.network.named_parameters():
            if ".lora_" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=noise))
    best = {name: value.clone() for name, value in learner.network.state_dict().items()}
    old, new = (_merged(one.network).state_dict() for one in (other, learner))
    _between(learner, other.network.state_dict(), best, 0.25)
    moved = 0
    for name, value in _merged(learner.network).state_dict().items():
        torch.testing.assert_close(
            value, old[name].lerp(new[name], 0.25) if value.is_floating_point() else value
        )
        moved += not torch.equal(old[name], new[name])
    assert moved > 4


def test_fine_tuning_asks_for_three_different_examples_of_each_class(tmp_path):
    write_creatures(tmp_path / "few", classes=2, images=2)
    with pytest.raises(InputError, match="needs two classes or more with 3 different examples of each"):
        fine_tune(tmp_path / "few", "mini", tmp_path / "out")


@pytest.mark.slow
def test_fine_tuning_goes_on_with_more_passes_and_begins_anew_with_other_pictures(creatures, tmp_path):
    heard = []
    for epochs in (1, 2):
        fine_tune(creatures, "mini", tmp_path, epochs=epochs, device="cpu", hear=heard.append)
    assert [epoch.number for epoch in heard] == [1, 1, 2]  # told again, and gone on with
    assert heard[0].training_loss == heard[1].training_loss
    some = tmp_path / "some"
    shutil.copytree(creatures, some)
    next(some.rglob("*_0004.png")).unlink()
    begun = []
    fine_tune(some, "mini", tmp_path, epochs=1, device="cpu", hear=begun.append)
    assert [epoch.number for epoch in begun] == [1]
    assert begun[0].training_loss != heard[0].training_loss


def test_crops_of_one_track_are_one_example(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("round", "long"):
        (tmp_path / name).mkdir()
        for k in range(12):
            picture = Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8))
            picture.save(tmp_path / name / f"{name}-track{k % 4}-{k}-{k + 100}.png")
    rest, test = _kept_apart(read_examples(tmp_path))
    for name in ("round", "long"):
        sides = [
            {e.path.name.split("-")[1] for e in part if e.name == name}
            for part in (rest.training, rest.validation, test)
        ]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides)) == 4
    for path in (tmp_path / "long").glob("*-track[23]-*.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"'long' has fewer \(an object on many planes is one\)"):
        _kept_apart(read_examples(tmp_path))


def test_old_and_new_are_compared_by_pictures_that_the_old_has_not_learnt_from(creatures, tmp_path):
    examples = read_examples(creatures)
    rest, test = _kept_apart(examples)
    learnt = [*rest.training, *rest.validation]
    assert set(_kept_apart(examples, learnt)[1]) == set(test)
    more, asked = _kept_apart(examples, learnt[::2])
    assert asked
    assert not set(asked) & set(learnt[::2])
    assert {*more.training, *more.validation, *asked} == set(examples)
    with pytest.raises(InputError, match="learnt from all of these pictures, so that none is left"):
        _kept_apart(examples, examples)


def test_fine_tuning_further_asks_what_its_base_has_learnt(creatures, tmp_path):
    examples = read_examples(creatures)
    base = tmp_path / "base"
    begin(Split(tuple(examples), ()), SMALL, base)
    with pytest.raises(InputError, match="The old model has learnt from all of these pictures"):
        fine_tune(creatures, str(base), tmp_path / "out")


def test_the_card_knows_the_words_that_the_pictures_were_told_with(creatures, tmp_path):
    one, two, *others = read_examples(creatures)
    told = replace(one, caption="Amacrine cell, CD4-positive")
    settings = small_network(1)
    learner = make_learner(settings, [told.caption, two.name], CPU)
    learner.save(tmp_path)
    pass_ = Epoch(
        number=1,
        training_loss=1.0,
        validation_loss=1.0,
        accuracy=0.5,
        held_out_accuracy=0.0,
        head_rate=0.1,
        seconds=1.0,
    )
    write_card(
        tmp_path, learner, settings, pass_, Split((told, two), (replace(others[-1], caption="zonule"),))
    )
    card = load_clip(tmp_path, device="cpu").card
    assert unknown_words(f"coin amacrine CD4-positive {two.name} zonule axoneme", card) == [
        "zonule",
        "axoneme",
    ]
