"""Where a training may begin, and what of other models it must leave alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from _small_training import SMALL

from napari_slip.errors import InputError
from napari_slip.models.registry import Entry, add_entry
from napari_slip.training.own import TrainSettings, train
from napari_slip.training.own.fine_tuning import fine_tune

pytest_plugins = ["_training_fixtures"]


@pytest.fixture(scope="module")
def model(parted, tmp_path_factory):
    """A model that was trained here."""
    return train(parted, SMALL, tmp_path_factory.mktemp("models") / "mine").folder


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
