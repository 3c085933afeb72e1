"""Folders for results that cannot be used, or hold something else already."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from napari_slip.cli import app
from napari_slip.errors import Cancelled, InputError
from napari_slip.evaluation.collages import experiment
from napari_slip.synthesis.creatures import write_creatures

pytest_plugins = ["_training_fixtures"]


@pytest.mark.parametrize("inside", ["", "deeper"])
@pytest.mark.parametrize(
    "words",
    [("train",), ("grid-search",), ("evaluate", "collages"), ("experiment", None), ("creatures", None)],
)
def test_a_file_is_no_folder_for_results(creatures, tmp_path, words, inside):
    (tmp_path / "file").write_text("mine")
    data = () if None in words else (str(creatures),)
    called = [word for word in words if word]
    done = CliRunner().invoke(app, [*called, *data, "--out", str(tmp_path / "file" / inside)])
    assert done.exit_code == 2
    assert "is a file or lies in one, but a folder for the results is expected" in done.stderr


def test_creatures_of_another_size_are_not_taken_for_those_that_were_asked_for(tmp_path):
    write_creatures(tmp_path, classes=1, images=1, side=32)
    with pytest.raises(InputError, match=r"has 32 x 32 pixels, but 48 x 48 are expected: name another"):
        write_creatures(tmp_path, classes=1, images=1, side=48)


def test_an_experiment_with_other_numbers_leaves_the_first_ones_folder_as_it_is(tmp_path, monkeypatch):
    def drawn(*_, **__):
        raise Cancelled

    numbers = {"collages": 1, "epochs": 1, "grid_epochs": 1, "judge_epochs": 1}
    monkeypatch.setattr(experiment, "read_examples", drawn)
    with pytest.raises(Cancelled):
        experiment.run_experiment(tmp_path, classes=4, images=2, **numbers)
    before = sorted(tmp_path.rglob("*"))
    for other in ({"classes": 5, "images": 2}, {"classes": 4, "images": 3}, {"classes": 4, "images": 1}):
        with pytest.raises(InputError, match=r"holds 8 pictures of an earlier experiment, not \d x \d"):
            experiment.run_experiment(tmp_path, **other, **numbers)
    assert sorted(tmp_path.rglob("*")) == before
