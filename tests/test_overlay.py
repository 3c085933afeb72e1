from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
import tifffile
from _fake_slip import fake_slip, spots

from napari_slip.hashing import file_hash
from napari_slip.io import SAMPLES, draw_overlay, save_samples, write_results
from napari_slip.settings import MatchSettings


@pytest.fixture
def match():
    slip = fake_slip()
    picture = spots(colours=("red", "green", "blue"))
    return picture, slip.match(slip.segment(picture), ["red", "green"], settings=MatchSettings(select="best"))


def centre(overlay, picture, y, x):
    """The overlay's colour where the picture has pixel (y, x)."""
    factor = overlay.shape[1] / picture.shape[1]
    return overlay[round((y + 0.5) * factor), round((x + 0.5) * factor)].astype(int)


def test_the_overlay_keeps_matches_bright_and_dims_the_rest(match):
    picture, found = match
    overlay = draw_overlay(picture, found)
    red, green, blue = (centre(overlay, picture, 10, x) for x in (8, 22, 36))
    assert red[0] > 240
    assert green[1] > 240
    assert blue.max() < 130  # nobody asked for it


def test_the_contour_is_told_from_inside_and_ground_by_brightness_alone(match):
    picture, found = match
    brightness = draw_overlay(picture, found).mean(axis=-1)
    factor = brightness.shape[1] / picture.shape[1]
    row = brightness[round(10.5 * factor), : round(8 * factor)]  # from the left border into the red square
    contour = row.max()
    assert contour > 140  # yellow
    assert row[0] < 30  # the ground
    assert row[-1] < 100  # pure red


def test_the_caption_lies_beneath_the_picture(match):
    picture, found = match
    overlay = draw_overlay(picture, found)
    height = round(overlay.shape[1] * picture.shape[0] / picture.shape[1])
    strip = overlay[height:]
    assert len(strip) > 40
    assert (strip > 200).all(axis=-1).sum() > 100  # the words


@pytest.mark.parametrize("shape", [(2, 2), (2, 300), (700, 3), (2600, 900)])
def test_an_overlay_of_any_size_can_be_looked_at(shape):
    slip = fake_slip()
    picture = np.zeros((*shape, 3), np.uint8)
    picture[: shape[0] // 2, : shape[1] // 2] = (255, 0, 0)
    found = slip.match(slip.segment(picture), ["red"])
    overlay = draw_overlay(picture, found)
    assert overlay.dtype == np.uint8
    assert 300 <= max(overlay.shape) <= 3200


def test_an_image_without_segments_has_an_overlay_and_a_table(tmp_path):
    slip = fake_slip()
    picture = np.zeros((30, 40, 3), np.uint8)
    found = slip.match(slip.segment(picture), ["red"])
    paths = write_results(tmp_path, "none", picture, found)
    assert tifffile.imread(paths["segments"]).max() == 0
    assert len(pd.read_csv(paths["table"])) == 0


def test_prompts_in_other_scripts_are_drawn():
    slip = fake_slip()
    picture = spots()
    assert draw_overlay(picture, slip.match(slip.segment(picture), ["紅 red", "عين", "a" * 300])).any()


# ---------------------------------------------------------------- samples


def test_samples_are_saved_once_and_never_overwrite(tmp_path):
    first = save_samples(tmp_path)
    assert [path.stem for path, _ in first] == list(SAMPLES)
    hashes = {path: file_hash(path) for path, _ in first}
    assert save_samples(tmp_path) == first
    first[0][0].write_text("mine")
    again = save_samples(tmp_path)
    assert again[0][0].name == "coins-2.png"
    assert first[0][0].read_text() == "mine"
    assert all(file_hash(path) == hashes[path] for path, _ in again[1:])


def test_photographs_among_the_samples_come_with_scikit_image(monkeypatch):
    """None of them is fetched: all lie in the folder that is part of its wheel."""
    folder = Path(skimage.data.__file__).parent
    monkeypatch.setattr("skimage.data._fetchers._image_fetcher", None)
    shipped = {file.stem for file in folder.iterdir()} | {"immunohistochemistry"}
    for name, sample in SAMPLES.items():
        picture = sample.image()
        assert picture.dtype == np.uint8
        assert name in shipped or name in ("objects", "nuclei")
        assert sample.prompts
