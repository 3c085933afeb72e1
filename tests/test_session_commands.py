from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from _commands import commands, one_sentence
from _work import SHAPE, same, worked_on, write_ome_zarr
from PIL import Image

from napari_slip.io import KINDS, export_session, read_ome_zarr
from napari_slip.session import Session


@pytest.fixture
def call(monkeypatch, tmp_path_factory):
    return commands(monkeypatch, tmp_path_factory.mktemp("cache"))


def test_the_commands_import_labels_of_another_program_and_export_them(call, tmp_path):
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:9, 3:9], labels[12:20, 12:30] = 40, 900
    tifffile.imwrite(tmp_path / "cellpose.tif", labels)
    done = call("import", tmp_path / "cellpose.tif", "--class", "nucleus")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith("cellpose.slip: 2 nucleus")
    Image.fromarray(np.full(SHAPE, 90, np.uint8)).save(tmp_path / "cells.png")
    done = call(
        *("export", tmp_path / "cellpose.slip", "--image", tmp_path / "cells.png", "--to", ",".join(KINDS)),
        *("--pixel-size", 0.25, "--unit", "um", "--out", tmp_path / "out"),
    )
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cells" + end for end in KINDS.values()}
    table = pd.read_csv(tmp_path / "out" / "cells.objects.csv")
    assert table["area_um2"].tolist() == [42 / 16, 144 / 16]
    labels = read_ome_zarr(tmp_path / "out" / "cells.ome.zarr", "labels/objects")
    assert labels.scale == (0.25, 0.25)
    assert {axis["unit"] for axis in labels.attributes["multiscales"][0]["axes"]} == {"micrometer"}
    (picture,) = json.loads((tmp_path / "out" / "cells.coco.json").read_text())["images"]
    assert picture["file_name"] == "cells.png"
    story = json.loads((tmp_path / "out" / "cells.export.json").read_text())
    assert story["objects"] == [{"class": "nucleus", "plane": [], "accepted": 2}]
    assert len(story["files"]) == len(KINDS)
    again = call("import", tmp_path / "out" / "cells.coco.json", "-o", tmp_path / "again.slip")
    assert again.exit_code == 0, again.output
    same(Session.load(tmp_path / "cellpose.slip"), Session.load(tmp_path / "again.slip"))


def test_the_commands_say_in_a_sentence_what_is_wrong(call, tmp_path):
    session, _ = worked_on()
    session.save(tmp_path / "a.slip")
    wrong = call("export", tmp_path / "a.slip", "--to", " , ")
    assert wrong.exit_code == 2 and "names no kind of file" in one_sentence(wrong.stderr)
    wrong = call("import", tmp_path / "a.slip")
    assert wrong.exit_code == 2 and "a.slip is there already" in one_sentence(wrong.stderr)
    for alone in (("--pixel-size", 0.65), ("--unit", "um")):
        wrong = call("export", tmp_path / "a.slip", *alone)
        assert wrong.exit_code == 2 and "--pixel-size and --unit go together" in one_sentence(wrong.stderr)
    wrong = call("export", tmp_path / "a.slip", "--unit", "um", "--pixel-size", 0)
    assert wrong.exit_code == 2 and "a number above 0" in one_sentence(wrong.stderr)
    wrong = call("export", tmp_path / "b.slip")
    assert wrong.exit_code == 2 and "does not exist" in one_sentence(wrong.stderr)


def test_names_with_dots_do_not_fall_together_and_no_work_is_replaced(call, tmp_path):
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:9, 3:9] = 1
    for well in ("A01", "A02"):
        tifffile.imwrite(tmp_path / f"plate1.{well}.tif", labels)
        done = call("import", tmp_path / f"plate1.{well}.tif")
        assert done.exit_code == 0, done.output
        assert f"plate1.{well}.slip: 1 object" in done.stdout
        done = call("export", tmp_path / f"plate1.{well}.slip", "--to", "coco,labels", "-o", tmp_path / "out")
        assert done.exit_code == 0, done.output
    ends = (".coco.json", ".labels.tif")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"plate1.{well}{end}" for well in ("A01", "A02") for end in ends
    }
    before = (tmp_path / "plate1.A01.slip").read_bytes()
    for end in ends:
        copy = (tmp_path / "out" / f"plate1.A01{end}").rename(tmp_path / f"plate1.A01{end}")
        wrong = call("import", copy)
        assert wrong.exit_code == 2
        assert "plate1.A01.slip is there already and may hold work" in one_sentence(wrong.stderr)
    assert (tmp_path / "plate1.A01.slip").read_bytes() == before


@pytest.mark.parametrize("name", ["cells.labels.tif", "cells.coco.json"])
def test_what_is_read_is_not_written_over(call, tmp_path, monkeypatch, name):
    session, _ = worked_on()
    export_session(session, tmp_path, "cells", ["labels", "coco"])
    before = (tmp_path / name).read_bytes()
    monkeypatch.chdir(tmp_path)
    done = call("export", name)
    assert done.exit_code == 2
    assert f"{name} is the file that is read" in one_sentence(done.stderr)
    assert (tmp_path / name).read_bytes() == before
    assert call("export", name, "--out", "elsewhere").exit_code == 0


def test_import_says_where_the_session_lies(call, tmp_path):
    labels = np.zeros((3, *SHAPE), np.uint8)
    labels[0, 2:9, 3:9], labels[2, 2:9, 3:9], labels[2, 12:20, 12:30] = 1, 2, 3
    tifffile.imwrite(tmp_path / "a.tif", labels, photometric="minisblack")
    done = call("import", tmp_path / "a.tif", "--class", "nucleus", "--out", tmp_path / "x.json")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == f"{tmp_path / 'x.json.slip'}: 3 nucleus"  # of all planes together
    assert len(Session.load(tmp_path / "x.json.slip").objects) == 3


def test_labels_of_a_stack_have_its_steps_in_z(call, tmp_path):
    labels = np.zeros((3, *SHAPE), np.uint16)
    labels[1, 2:9, 3:9] = 4
    tifffile.imwrite(tmp_path / "cells.tif", labels, metadata={"axes": "ZYX"}, photometric="minisblack")
    assert call("import", tmp_path / "cells.tif", "--class", "nucleus").exit_code == 0
    image = write_ome_zarr(tmp_path / "cells.zarr", labels, "zyx", (2.0, 0.5, 0.5))
    asked = ("--image", image, "--pixel-size", 0.5, "--unit", "um", "--out", tmp_path / "out")
    done = call("export", tmp_path / "cells.slip", *asked, "--to", "zarr,labels")
    assert done.exit_code == 0, done.output
    written = read_ome_zarr(next((tmp_path / "out").glob("*.ome.zarr")), "labels/objects")
    assert written.scale == (2.0, 0.5, 0.5)
    assert set(written.units.values()) == {"micrometer"}
    with tifffile.TiffFile(next((tmp_path / "out").glob("*.tif"))) as file:
        assert file.imagej_metadata["spacing"] == 2.0
