from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from _fake_slip import fake_slip, spots
from _series import ORDERS, FakeRecipe, moving, write_series
from _work import write_ome_zarr
from PIL import Image

from napari_slip.atomic import UNFINISHED
from napari_slip.batch import ModelRecipe, find_sources, run_stacks
from napari_slip.batch.parts import part_path, write_part
from napari_slip.batch.stacks import ThisProcess
from napari_slip.errors import Cancelled, InputError
from napari_slip.io import LabelsWriter, read_ome_zarr
from napari_slip.progress import Progress
from napari_slip.settings import MatchSettings
from napari_slip.stacks import PlaneResult, Stack, scan

RECIPE = FakeRecipe()


def run(named, out, **options):
    return run_stacks(find_sources([str(n) for n in named]), out, RECIPE, ORDERS, **options)


def content(folder):
    """What a run has left, but for the time of its beginning."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.name == "batch.json":
            data = repr({k: v for k, v in json.loads(data).items() if k != "created"}).encode()
        found[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()
    return found


def is_unfinished(name):
    return Path(name).name.startswith(".") and name.endswith(UNFINISHED)


@pytest.mark.parametrize("name", ["Infinity", "-Infinity", "inf"])
def test_a_class_may_be_called_infinity(tmp_path, name):
    path, orders = write_series(tmp_path / "a.tif"), dataclasses.replace(ORDERS, prompts={name: ["red"]})
    for resume in (False, True):
        report = run_stacks(find_sources([str(path)]), tmp_path / "out", RECIPE, orders, resume=resume)
        assert not report.failures
    told = json.loads((tmp_path / "out" / "batch.json").read_text())["orders"]
    assert list(told["prompts"]) == [name]
    assert told["settings"]["filters"]["area"][1] == "inf"
    table = pd.read_csv(tmp_path / "out" / "objects.csv", dtype=str, keep_default_na=False)
    assert set(table["class"]) == {name}


def test_a_series_becomes_linked_labels_and_two_tables(tmp_path):
    report = run([write_series(tmp_path / "a.tif")], tmp_path / "out")
    assert (report.planes, report.images, report.failures) == (6, 1, [])
    labels = read_ome_zarr(tmp_path / "out" / "a.ome.zarr", "labels/matches")
    assert labels.axes == "tyx"
    assert [set(np.unique(labels.levels[0][t])) for t in range(6)] == [{0, 1, 2}] * 6
    for t in range(6):  # each keeps its number while it moves
        assert labels.levels[0][t][8, 6 + 2 * t] == 1
        assert labels.levels[0][t][8, 20 + 2 * t] == 2
    said = labels.attributes["image-label"]
    assert {entry["label-value"]: entry["class"] for entry in said["properties"]} == {1: "red", 2: "green"}
    assert said["colors"][0] == {"label-value": 1, "rgba": [230, 159, 0, 255]}
    table = pd.read_csv(tmp_path / "out" / "objects.csv")
    assert len(table) == 12
    red = table[table["class"] == "red"]
    assert red["t"].tolist() == list(range(6)) and set(red["label"]) == {1}
    assert np.diff(red["x"]).tolist() == pytest.approx([2] * 5)
    planes = pd.read_csv(tmp_path / "out" / "planes.csv")
    assert planes["objects red"].tolist() == [1] * 6 and (planes["best red"] > 0.5).all()


def test_the_pixels_are_those_of_the_loop_in_python(tmp_path):
    run([write_series(tmp_path / "a.tif")], tmp_path / "out", form="tiff")
    labels = tifffile.imread(tmp_path / "out" / "a.labels.tif")
    found = scan(
        fake_slip(),
        Stack.of(moving(), "tyxs"),
        ORDERS.prompts,
        negatives=ORDERS.negatives,
        settings=MatchSettings(select="above:0.5"),
    )
    for t, result in enumerate(found):
        assert isinstance(result, PlaneResult)
        np.testing.assert_array_equal(labels[t] > 0, sum(o.mask(result.shape) for o in result.objects()))
    with tifffile.TiffFile(tmp_path / "out" / "a.labels.tif") as file:
        assert (file.series[0].axes, file.series[0].dtype) == ("TYX", np.uint16)


def test_every_kind_of_input_is_found_once(tmp_path):
    (tmp_path / "day").mkdir()
    for name in ("b10.png", "b2.png"):
        Image.fromarray(spots()).save(tmp_path / "day" / name)
    grey = moving()[..., 0]
    write_ome_zarr(tmp_path / "day" / "z.ome.zarr", grey, "zyx", (2, 0.5, 0.5))
    (tmp_path / "day" / "notes.txt").write_text("no picture")
    write_series(tmp_path / "s.tif")
    (tmp_path / "list.csv").write_text("path,name\nday/b2.png,again\ns.tif,series\n")
    named = [tmp_path / "day", f"{tmp_path}/*.tif", tmp_path / "list.csv"]
    sources = find_sources([str(n) for n in named])
    assert [source.name for source in sources] == ["b2", "b10", "z", "s"]
    report = run(named, tmp_path / "out")
    assert (report.planes, report.images) == (2 + 6 + 6, 4)
    scale = read_ome_zarr(tmp_path / "out" / "z.ome.zarr", "labels/matches")
    assert (scale.axes, scale.scale) == ("zyx", (2.0, 0.5, 0.5))
    assert scale.units == dict.fromkeys("zyx", "micrometer")
    assert set(pd.read_csv(tmp_path / "out" / "planes.csv")["image"]) == {"b2", "b10", "z", "s"}


def test_equal_names_get_numbers(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Image.fromarray(spots()).save(tmp_path / folder / "a.png")
    assert [s.name for s in find_sources([f"{tmp_path}/*/a.png"])] == ["a", "a-2"]


def test_names_of_a_list_stay_in_the_folder_of_the_results(tmp_path):
    Image.fromarray(spots()).save(tmp_path / "a.png")
    Image.fromarray(spots(level=250)).save(tmp_path / "b.png")
    Image.fromarray(spots(level=240)).save(tmp_path / "c.png")
    rows = f"a.png,plate1/A01\nb.png,{tmp_path / 'elsewhere'}\nc.png,..\n"
    (tmp_path / "list.csv").write_text("path,name\n" + rows)
    before = set(tmp_path.iterdir())
    report = run([tmp_path / "list.csv"], tmp_path / "out")
    assert (report.planes, report.failures) == (3, [])
    assert set(tmp_path.iterdir()) == before | {tmp_path / "out"}
    names = {path.name for path in (tmp_path / "out").glob("*.ome.zarr")}
    assert len(names) == 3 and {"plate1_A01.ome.zarr", "image.ome.zarr"} < names


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("empty", "holds no picture"),
        ("*.tif", "Nothing is called"),
        ("bad.csv", "a column 'path'"),
        ("axis.csv", "channel_axis 'x', which is no number"),
    ],
)
def test_names_that_find_nothing_end_in_a_sentence(named, sentence, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("file\na.png\n")
    (tmp_path / "axis.csv").write_text("path,channel_axis\na.png,x\n")
    with pytest.raises(InputError, match=sentence):
        find_sources([str(tmp_path / named)])


def test_broken_files_are_told_and_skipped(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "half.tif").write_bytes(write_series(tmp_path / "whole.tif").read_bytes()[:200])
    named = [tmp_path / name for name in ("text.png", "half.tif", "gone.tif", "whole.tif")]
    report = run(named, tmp_path / "out")
    assert len(report.failures) == 3
    assert report.planes == 6  # of the one image that could be opened
    for name in ("text.png", "half.tif", "gone.tif"):
        assert sum(name in sentence for sentence in report.failures) == 1
    assert (tmp_path / "out" / "whole.ome.zarr").is_dir()
    assert not (tmp_path / "out" / "text.ome.zarr").exists()


def test_what_failed_is_tried_again_and_nothing_else(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("no image")
    named = [path, write_series(tmp_path / "b.tif")]
    notes = tmp_path / "notes"
    recipe = FakeRecipe(str(notes))
    sources = find_sources([str(n) for n in named])
    assert run_stacks(sources, tmp_path / "out", recipe, ORDERS).failures
    Image.fromarray(spots()).save(path)
    planned = []
    report = run_stacks(
        sources, tmp_path / "out", recipe, ORDERS, resume=True, planned=lambda *n: planned.append(n)
    )
    assert not report.failures
    assert planned == [(7, 6)]
    again = run_stacks(sources, tmp_path / "whole", recipe, ORDERS)
    assert not again.failures
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_folder_with_a_run_is_not_used_for_another(tmp_path):
    named = [write_series(tmp_path / "a.tif")]
    run(named, tmp_path / "out")
    before = content(tmp_path / "out")
    with pytest.raises(InputError, match="holds a run already: go on with it by --resume"):
        run(named, tmp_path / "out")
    with pytest.raises(InputError, match="begun with other texts"):
        run(named, tmp_path / "out", resume=True, form="tiff")
    run(named, tmp_path / "out", resume=True)
    assert content(tmp_path / "out") == before


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    named = [str(write_series(tmp_path / "a.tif"))]
    stop_after_three_planes(named, tmp_path / "out", RECIPE)
    planned = []
    run(named, tmp_path / "out", resume=True, planned=lambda *n: planned.append(n))
    assert planned == [(6, 3)]
    run(named, tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def stop_after_three_planes(named, out, recipe):
    progress, heard = Progress(), []

    def stop():
        heard.append(1)
        if len(heard) == 3:
            progress.cancel()

    with pytest.raises(Cancelled):
        run_stacks(find_sources(named), out, recipe, ORDERS, progress=progress, heard=stop)


def test_a_run_does_not_go_on_with_other_weights_of_the_same_name(tmp_path):
    named = [str(write_series(tmp_path / "a.tif"))]
    stop_after_three_planes(named, tmp_path / "out", RECIPE)
    other = dataclasses.replace(RECIPE, clip_hash="sha256:3")
    with pytest.raises(InputError, match=r"other weights of the CLIP model \(sha256:2 then, sha256:3 now\)"):
        run_stacks(find_sources(named), tmp_path / "out", other, ORDERS, resume=True)
    assert run(named, tmp_path / "out", resume=True).planes == 6


class Spots(ModelRecipe):
    """A preset by its words, spots and colours in truth."""

    def __call__(self, progress):
        return fake_slip()


def test_a_run_goes_on_on_another_device(tmp_path):
    named = [str(write_series(tmp_path / "a.tif"))]
    stop_after_three_planes(named, tmp_path / "out", Spots(device="auto"))
    here = Spots(device="cpu", store=False)
    assert run_stacks(find_sources(named), tmp_path / "out", here, ORDERS, resume=True).planes == 6
    with pytest.raises(InputError, match="begun with other texts, settings or models"):
        run_stacks(find_sources(named), tmp_path / "out", Spots(name="fine"), ORDERS, resume=True)


def test_a_class_may_have_a_comma_in_its_name(tmp_path):
    orders = dataclasses.replace(ORDERS, prompts={"cell, dividing": ["red"], 'a "green" one': ["green"]})
    sources = find_sources([str(write_series(tmp_path / "a.tif"))])
    run_stacks(sources, tmp_path / "out", RECIPE, orders)
    planes = pd.read_csv(tmp_path / "out" / "planes.csv")
    assert planes["objects cell, dividing"].tolist() == planes['objects a "green" one'].tolist() == [1] * 6


class LosesOne(ThisProcess):
    """Loses every worker that does plane 2."""

    def work(self, recipe, orders, tasks, progress):
        for task in tasks:
            if task.index == (2,):
                yield task, "a.tif, plane (2,): every worker that did it was lost (killed)."
            else:
                yield from super().work(recipe, orders, [task], progress)


def test_why_a_plane_was_lost_is_told(tmp_path):
    named = [write_series(tmp_path / "a.tif")]
    report = run(named, tmp_path / "out", workers=LosesOne())
    assert report.failures == ["a.tif, plane (2,): every worker that did it was lost (killed)."]
    assert report.planes == 5
    planes = pd.read_csv(tmp_path / "out" / "planes.csv")
    assert planes.loc[2, "error"] == report.failures[0]
    assert run(named, tmp_path / "out", resume=True).failures == []


def test_what_a_process_left_that_ended_while_it_tidied_up_goes(tmp_path):
    named, out = [write_series(tmp_path / "a.tif")], tmp_path / "out"
    run(named, out)
    expected = content(out)
    (out / ".napari-slip" / "a" / "3.part").write_bytes(b"used")
    run(named, out, resume=True)
    assert content(out) == expected


def test_labels_of_axes_in_any_order_are_written_as_ngff_asks(tmp_path):
    writer = LabelsWriter(tmp_path / "a.zarr", "cells", {"z": 2, "t": 3}, (8, 1200), {"z": 2.0})
    pictures = {(z, t): np.full((8, 1200), 10 * z + t) for z in range(2) for t in range(3)}
    for index, picture in pictures.items():
        writer.write(index, picture)
    writer.finish({1: (255, 0, 0, 255)})
    found = read_ome_zarr(tmp_path / "a.zarr", "labels/cells")
    assert (found.axes, found.scale) == ("tzyx", (1, 2, 1, 1))
    assert [level.shape for level in found.levels] == [(3, 2, 8, 1200), (3, 2, 4, 600)]
    for (z, t), picture in pictures.items():
        np.testing.assert_array_equal(found.levels[0][t, z], picture)
    with pytest.raises(InputError, match="has labels 'cells' already"):
        LabelsWriter(tmp_path / "a.zarr", "cells", {}, (8, 8))
    with pytest.raises(InputError, match="no OME-Zarr image"):
        read_ome_zarr(tmp_path / "a.zarr", "labels/nothing")


def _run_in_a_process(named, out):
    run(named, out, resume=True)


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    named = [str(write_series(tmp_path / f"{name}.tif", n)) for name, n in (("a", 8), ("b", 5))]
    Image.fromarray(spots()).save(tmp_path / "c.png")
    named.append(str(tmp_path / "c.png"))
    processes = multiprocessing.get_context("forkserver")
    # what a run imports on its way is there already, so that the blows fall on work and not on imports; the
    # process that has it there finds it only by the environment
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    processes.set_forkserver_preload([__name__, "zarr", "ome_zarr.writer"])
    rng = np.random.default_rng(0)

    def start(out):
        process = processes.Process(target=_run_in_a_process, args=(named, out))
        process.start()
        return process

    whole = tmp_path / "whole"
    start(tmp_path / "warm").join()
    began = time.monotonic()
    start(whole).join()
    length = time.monotonic() - began
    expected = content(whole)
    assert len(expected) > 20
    kills, attempts = 0, 0
    while kills < 20:
        out = tmp_path / f"out{attempts}"
        attempts += 1
        assert attempts < 40
        for _ in range(4):  # several times in one run
            process = start(out)
            process.join(rng.uniform(0.05, 0.9) * length)
            process.kill()
            process.join()
            kills += process.exitcode == -signal.SIGKILL
        process = start(out)
        process.join()
        assert process.exitcode == 0
        left = content(out)
        # an unfinished file that its process never named lies beside the results and is none
        assert {name: left[name] for name in left if name in expected or not is_unfinished(name)} == expected


def test_a_plane_that_comes_late_leaves_nothing_behind(tmp_path):
    sources = find_sources([str(write_series(tmp_path / "a.tif", 3))])
    run_stacks(sources, tmp_path / "out", FakeRecipe(), ORDERS)
    before = content(tmp_path / "out")
    parts = tmp_path / "out" / ".napari-slip" / "a"
    write_part(part_path(parts, (1,)), "any", "a worker that was thought lost has done it again")
    assert content(tmp_path / "out") == before
