"""Where a training may begin, and what of other models it must leave alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from _small_training import SMALL
from PIL import Image

from napari_slip.errors import InputError
from napari_slip.models.registry import Entry, add_entry
from napari_slip.training.own import TrainSettings, train
from napari_slip.training.own.beginning import begin, learnt_by
from napari_slip.training.own.examples import Example, identity
from napari_slip.training.own.fine_tuning import fine_tune
from napari_slip.training.own.learner import make_learner
from napari_slip.training.own.splitting import Split

pytest_plugins = ["_training_fixtures"]


@pytest.fixture(scope="module")
def model(parted, tmp_path_factory):
    """A model that was trained here."""
    return train(parted, SMALL, tmp_path_factory.mktemp("models") / "mine").folder


def test_lora_begins_with_the_numbers_of_its_seed():
    states = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        learner = make_learner(TrainSettings(base="mini", train="lora"), [], torch.device("cpu"))
        states.append({name: value for name, value in learner.network.named_parameters() if "lora_" in name})
    assert states[0]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def further(base, **more):
    return TrainSettings(base=str(base), batch=8, epochs=1, keep=0, **more)


@pytest.mark.parametrize("named", ["by its path", "by its name"])
def test_the_base_is_not_trained_into_its_own_folder(parted, model, tmp_path, monkeypatch, named):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path))
    add_entry(Entry(name="mine", kind="clip", source=str(model)))
    base = str(model.parent / "." / "mine") if named == "by its path" else "mine"
    weights = (model / "model.safetensors").read_bytes()
    with pytest.raises(InputError, match=r"holds the base .*mine, which the new model would overwrite"):
        train(parted, further(base), model)
    assert (model / "model.safetensors").read_bytes() == weights


def test_fine_tuning_does_not_take_its_base_away(creatures, model):
    (model.parent / "model").symlink_to(model, target_is_directory=True)
    with pytest.raises(InputError, match="which the new model would overwrite: choose another folder"):
        fine_tune(creatures, str(model), model.parent)
    assert (model / "model.safetensors").is_file()


def test_a_model_without_a_training_is_not_overwritten(parted, tmp_path):
    (tmp_path / "model.safetensors").write_text("somebody's work")
    with pytest.raises(InputError, match="holds a model, but no training that could go on: choose a folder"):
        train(parted, SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again(parted, model, tmp_path):
    train(parted, replace(SMALL, seed=3), tmp_path)
    (tmp_path / "checkpoint.pt").unlink()
    assert len(train(parted, replace(SMALL, seed=3), tmp_path).epochs) == 1


def written_as(folder, data, settings=SMALL):
    """Write down a training in a folder, without training."""
    folder.mkdir(exist_ok=True)
    begin(data, settings, folder)
    return folder


def test_what_a_model_has_learnt_is_found_by_its_name(parted, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path))
    add_entry(Entry(name="mine", kind="clip", source=str(written_as(tmp_path / "m", parted))))
    assert learnt_by("mine", parted.training) == list(parted.training)
    assert not learnt_by("mine", parted.validation)


def test_what_the_base_had_learnt_from_is_carried_on(parted, tmp_path):
    base = written_as(tmp_path / "base", parted)
    other = replace(parted, training=parted.validation)
    newest = base
    for name in ("further", "and further"):
        newest = written_as(tmp_path / name, other, further(newest))
    assert learnt_by(newest, parted.training) == list(parted.training)


def test_pictures_are_told_apart_by_what_is_in_them(tmp_path):
    for place, brightness in (("a", 10), ("b", 200)):
        (tmp_path / place).mkdir()
        Image.new("L", (16, 16), brightness).save(tmp_path / place / "1.tif")
    one, other = (Example(tmp_path / place / "1.tif", "cell") for place in "ab")
    assert identity(one) == identity(other)
    model = written_as(tmp_path / "m", Split((one,), (other,)))
    assert learnt_by(model, [one, other]) == [one]
    shutil.copy(one.path, tmp_path / "renamed.tif")
    assert learnt_by(model, [Example(tmp_path / "renamed.tif", "cell")])


def test_what_older_trainings_have_written_down_is_still_read(parted, tmp_path):
    model = written_as(tmp_path / "m", parted)
    values = json.loads((model / "settings.json").read_text())
    del values["pictures of the base"]
    values["pictures"] = [row[:3] for row in values["pictures"]]
    (model / "settings.json").write_text(json.dumps(values))
    assert learnt_by(model, parted.training) == list(parted.training)
    assert not learnt_by(model, parted.validation)
    (model / "checkpoint.pt").write_text("begun")
    written_as(model, parted)  # goes on
