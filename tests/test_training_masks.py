"""Masks beside pictures: missing ones, empty ones, and what is no mask of its picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from test_training_further import asked_of

from napari_slip.errors import InputError
from napari_slip.training.own.examples import Example
from napari_slip.training.own.pictures import grounds, load_pictures, views_of

pytest_plugins = ["_training_fixtures"]

GREY = (0.5, 0.5, 0.5)


@pytest.fixture
def examples(tmp_path):
    """Two pictures with a square that their masks show."""
    square = np.zeros((32, 32), np.uint8)
    square[8:24, 8:24] = 255
    made = []
    for k in range(2):
        pixels = np.random.default_rng(k).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
        Image.fromarray(square).save(tmp_path / f"{k}.mask.png")
        made.append(Example(tmp_path / f"{k}.png", "square"))
    return made


def test_an_empty_mask_is_as_none(examples):
    Image.new("L", (32, 32)).save(examples[0].mask)
    assert len(grounds(examples, 16, GREY, 0)) == 1
    whole, cut = load_pictures(examples, ("whole", "mean"), 16, GREY)[0]
    assert (whole == cut).all()


def test_a_mask_of_another_size_is_told(examples):
    Image.new("L", (16, 20), 255).save(examples[0].mask)
    with pytest.raises(InputError, match=r"0\.mask\.png has 16 x 20 pixels, but 0\.png has 32 x 32"):
        load_pictures(examples, ("mean",), 16, GREY)


@pytest.mark.parametrize("damage", [b"no picture", None], ids=["no picture", "cut off"])
def test_a_mask_that_cannot_be_read_is_told(examples, damage):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8)).save(examples[0].mask)
    examples[0].mask.write_bytes(damage or examples[0].mask.read_bytes()[:300])
    with pytest.raises(InputError, match=r"0\.mask\.png cannot be read as the mask of 0\.png"):
        load_pictures(examples, ("mean",), 16, GREY)


def test_one_missing_mask_leaves_the_other_pictures_cut_out(examples):
    examples[0].mask.unlink()
    some = [Example(example.path, example.name) for example in examples]
    views = views_of(some, None)
    assert views == ("whole", "mean", "dimmed")
    first, second = load_pictures(some, views, 16, GREY)
    assert (first[0] == first[1]).all()
    assert (second[0] != second[1]).any()


def test_the_command_says_how_many_pictures_have_no_mask(creatures, tmp_path, monkeypatch):
    said = asked_of(monkeypatch, "train", creatures, "--out", tmp_path / "m")[1]
    assert "mask" not in said
    some = tmp_path / "some"
    for path in creatures.rglob("*.png"):
        place = some / path.relative_to(creatures)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not path.name.endswith("_0002.mask.png"):
            place.write_bytes(path.read_bytes())
    said = asked_of(monkeypatch, "train", some, "--out", tmp_path / "m")[1]
    assert "4 pictures without a mask, of 20, will be seen whole alone" in said
