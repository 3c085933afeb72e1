"""Where the images of a run lie, and where its results: nothing is taken for what it is not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from _fake_slip import spots
from _series import ORDERS, FakeRecipe, moving, write_series
from PIL import Image
from test_batch_stacks import content, write_ome_zarr

from napari_slip.batch import find_sources, run_stacks
from napari_slip.batch.stacks import ThisProcess
from napari_slip.errors import InputError


def run(named, out, *, channel_axis=None, **options):
    sources = find_sources([str(n) for n in named], channel_axis, out)
    return run_stacks(sources, out, FakeRecipe(), ORDERS, **options)


def test_an_image_that_lies_where_its_result_would_is_never_replaced(tmp_path):
    channels = np.moveaxis(moving(2), -1, 1)
    path = write_ome_zarr(tmp_path / "a.ome.zarr", channels, "tzyx", (1, 1, 1, 1))
    before = content(tmp_path)
    for resume in (False, True):
        with pytest.raises(InputError, match=r"a\.ome\.zarr is there already: choose another folder"):
            run([path], tmp_path, resume=resume)
    assert content(tmp_path) == before


def test_a_home_that_nobody_has_is_part_of_a_name(tmp_path):
    (tmp_path / "list.csv").write_text("path\n~nosuch/b.png\n")
    named = ["~nosuch/a.png", str(tmp_path / "list.csv")]
    found = [source.path.parts[-2:] for source in find_sources(named, None, None)]
    assert found == [("~nosuch", "a.png"), ("~nosuch", "b.png")]


class Elsewhere(ThisProcess):
    """Works in another folder than the one where the command was given."""

    def __init__(self, folder):
        self.folder = folder

    def work(self, recipe, orders, tasks, progress):
        os.chdir(self.folder)
        yield from super().work(recipe, orders, tasks, progress)


def test_workers_of_another_folder_find_the_results_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    report = run([write_series(tmp_path / "a.tif")], Path("out"), workers=Elsewhere(tmp_path / "home"))
    assert (report.planes, report.failures) == (6, [])
    assert (tmp_path / "out" / "a.ome.zarr").is_dir() and not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize("form", ["zarr", "tiff"])
@pytest.mark.parametrize("named", ["", "[ab].*"])
def test_results_among_the_images_are_no_images(tmp_path, form, named):
    write_series(tmp_path / "a.tif")
    Image.fromarray(spots()).save(tmp_path / "b.png")
    assert run([tmp_path / named], tmp_path, form=form).planes == 7
    before, planned = content(tmp_path), []
    report = run([tmp_path / named], tmp_path, form=form, resume=True, planned=lambda *n: planned.append(n))
    assert (planned, report.failures) == ([(7, 7)], [])
    assert content(tmp_path) == before


def test_other_channels_are_looked_at_anew(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.moveaxis(moving(2), -1, 1), photometric="minisblack")
    assert run([path], tmp_path / "out", form="tiff").planes == 6
    assert run([path], tmp_path / "out", form="tiff", channel_axis=1, resume=True).planes == 2
    assert tifffile.imread(tmp_path / "out" / "a.labels.tif").shape == (2, 40, 60)


def test_images_of_one_name_size_and_time_are_not_taken_for_each_other(tmp_path):
    for folder, colours in (("p1", ("red", "green")), ("p2", ("green", "red"))):
        (tmp_path / folder).mkdir()
        Image.fromarray(spots(colours=colours)).save(tmp_path / folder / "a.bmp")
        os.utime(tmp_path / folder / "a.bmp", (1_000_000_000, 1_000_000_000))
    later = tmp_path / "p2" / "a.bmp"
    run([later], tmp_path / "out", form="tiff")
    run([tmp_path / "p1" / "a.bmp", later], tmp_path / "out", form="tiff", resume=True)
    run([tmp_path / "p1" / "a.bmp", later], tmp_path / "whole", form="tiff")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.skipif(sys.platform != "linux", reason="names of other systems are text")
def test_names_that_are_no_text_stop_nothing(tmp_path):
    for name in (b"Pr\xe4p.png", b"g\xe4nzlich.png"):
        Image.fromarray(spots()).save(tmp_path / "a.png")
        (tmp_path / "a.png").rename(tmp_path / os.fsdecode(name))
    (tmp_path / os.fsdecode(b"g\xe4nzlich.png")).write_text("no image")
    report = run([tmp_path], tmp_path / "out", form="tiff")
    assert (report.planes, len(report.failures)) == (1, 1)
    story = json.loads((tmp_path / "out" / "batch.json").read_text())
    assert story["complete"] and story["images"][0]["path"].endswith(os.fsdecode(b"Pr\xe4p.png"))
    assert run([tmp_path], tmp_path / "out", form="tiff", resume=True).planes == 1


def test_more_axes_than_ome_zarr_has_names_for_are_told_before_the_work(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 2, 2, 2, 8, 9), np.uint8), photometric="minisblack")
    named = [tmp_path / "a.tif", write_series(tmp_path / "b.tif")]
    report = run(named, tmp_path / "out")
    assert report.planes == 6
    (sentence,) = report.failures
    assert "a.tif has the axes" in sentence and "use --format tiff" in sentence
    assert run(named, tmp_path / "tiff", form="tiff").planes == 16 + 6
