from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
from _fake_engine import ask, blobs
from napari.layers import Image, Labels
from napari.layers._source import layer_source
from qtpy.QtWidgets import QFileDialog
from scipy import ndimage

from napari_slip.io import export_session, import_session, read_ome_zarr, write_coco
from napari_slip.session import Contents, Session, State
from napari_slip.viewer import SlipDock, files
from napari_slip.viewer._exchange import stack_of, stem_of
from napari_slip.viewer._source import Place

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def said(dock):
    sentences = []
    dock.desk.said.connect(sentences.append)
    return sentences


def session(dock):
    return dock.desk.sheet.workspace.session


def export(dock, folder, qtbot, *kinds):
    for kind, box in dock.files.kinds.items():
        box.setChecked(kind in kinds)
    dock.files.exchange.export(folder, dock.files.ticked)
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=20_000)


def test_export_writes_what_is_ticked_and_import_brings_it_back(dock, qtbot, tmp_path, said, monkeypatch):
    ask(dock, "red", qtbot)
    ask(dock, "green", qtbot)
    dock.desk.decisions.accept_predictions()
    image = dock.viewer.layers["discs"]
    image.scale, image.units = (0.5, 0.5), ("um", "um")
    out = tmp_path / "out"
    export(dock, out, qtbot, *dock.files.kinds)
    assert {path.name for path in out.iterdir()} == {
        "discs" + end
        for end in (
            ".slip",
            ".coco.json",
            ".labels.tif",
            ".objects.csv",
            ".ome.zarr",
            ".crops",
            ".export.json",
        )
    }
    assert said[-1].startswith(f"Written to {out}: ")
    table = pd.read_csv(out / "discs.objects.csv")
    assert table["class"].tolist() == ["red", "green"]
    assert table["area_um2"].tolist() == (table["area"] / 4).tolist()
    assert table["intensity_0_mean"].tolist() == [255, 0]
    assert len(list((out / "discs.crops").glob("*/*.png"))) == 2
    story = json.loads((out / "discs.export.json").read_text())
    assert story["settings"]["model"]["preset"] == "mini"
    assert story["settings"]["match"]["select"] == "best"
    before = session(dock).picture()
    session(dock).delete(list(session(dock).objects))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(out / "discs.coco.json"), ""))
    dock.files._import()
    assert said[-1] == "2 objects from discs.coco.json."
    np.testing.assert_array_equal(session(dock).picture() > 0, before > 0)
    np.testing.assert_array_equal(dock.viewer.layers["discs matches"].data > 0, before > 0)
    dock.files._import()
    assert said[-1] == "0 objects from discs.coco.json; 2 were there already."
    dock.desk.decisions.undo()
    assert {o.status for o in session(dock).objects.values()} <= {"predicted"}  # what was imported is gone


def test_what_does_not_fit_ends_in_a_sentence(dock, qtbot, tmp_path, told):
    tifffile.imwrite(tmp_path / "other.tif", np.ones((5, 6), np.uint8))
    dock.files.exchange.take_in(tmp_path / "other.tif")
    assert "it belongs to another picture" in told[-1]
    stack = np.zeros((3, 96, 128), np.uint8)
    stack[2, 5:9, 5:9] = 1
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    dock.files.exchange.take_in(tmp_path / "stack.tif")
    assert "has objects on plane (2,), but 'discs' has one plane(s)" in told[-1]
    (tmp_path / "broken.json").write_text("{")
    dock.files.exchange.take_in(tmp_path / "broken.json")
    assert "is no COCO file that can be read" in told[-1]
    dock.files.exchange.export(tmp_path, [])
    assert told[-1] == "Tick what is exported."
    assert not session(dock).objects


def test_a_stack_goes_out_and_in_with_its_planes(viewer, engine, qtbot, tmp_path):
    layer = viewer.add_image(
        np.stack([np.zeros_like(blobs()), blobs(), blobs()]),
        name="series",
        rgb=True,
        axis_labels=("z", "y", "x"),
    )
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    viewer.dims.set_point(0, 2)
    ask(dock, "red", qtbot)
    dock.desk.decisions.accept_predictions()
    export(dock, tmp_path, qtbot, "labels", "zarr", "coco")
    labels = tifffile.imread(tmp_path / "series.labels.tif")
    assert labels.shape == (3, 96, 128) and labels[2, 20, 20] and not labels[:2].any()
    with tifffile.TiffFile(tmp_path / "series.labels.tif") as file:
        assert file.series[0].axes == "ZYX"
    layer.axis_labels = ("-3", "-2", "-1")  # as napari has them where nobody has named them
    assert stack_of(layer, dock.desk.sheet.place).step_axes == ("t",)
    for end in (".labels.tif", ".ome.zarr", ".coco.json"):
        (thing,) = import_session(tmp_path / f"series{end}").objects.values()
        assert thing.plane == (2,)
    session(dock).delete(list(session(dock).objects))
    dock.files.exchange.take_in(tmp_path / "series.ome.zarr")
    assert [o.plane for o in session(dock).objects.values()] == [(2,)]
    assert layer in viewer.layers
    dock.dispose()


# ---------------------------------------------------------------- napari's own menus


def work():
    made = Session((40, 50))
    made.classes = made.classes.add("cell", ["cell", "a round cell"], "#112233").add("dirt")
    labels = np.zeros((40, 50), int)
    labels[3:9, 4:12], labels[20:30, 20:40] = 1, 2
    made.adopt(labels, class_name="cell")
    made.assign([2], "dirt")
    return made


@pytest.mark.parametrize("kind", ["coco", "session"])
def test_file_open_shows_objects_in_their_classes_colours(viewer, tmp_path, kind):
    path = export_session(work(), tmp_path, "cells", [kind])[kind]
    (layer,) = viewer.open(path, plugin="napari-slip")
    assert type(layer).__name__ == "Labels" and layer.name == "cells"
    np.testing.assert_array_equal(layer.data, work().picture())
    np.testing.assert_allclose(layer.get_color(1), (0x11 / 255, 0x22 / 255, 0x33 / 255, 1), atol=0.01)
    assert layer.features["class"].tolist()[1:] == ["cell", "dirt"]
    assert layer.features["index"].tolist() == [0, 1, 2]


def test_file_open_has_rows_for_the_objects_only_whatever_their_ids(viewer, tmp_path):
    made = work()
    high = replace(made.objects[2], id=20_000_000)
    path = tmp_path / "high.coco.json"
    write_coco(path, Session.of(Contents(made.shape, State(made.classes, {high.id: high}))))
    (layer,) = viewer.open(path, plugin="napari-slip")
    assert layer.features["index"].tolist() == [0, 20_000_000]
    assert "class: dirt" in layer.get_status((25, 30))["coordinates"]
    layer.save(str(tmp_path / "again.slip"), plugin="napari-slip")
    (thing,) = import_session(tmp_path / "again.slip").objects.values()
    assert thing.class_name == "dirt"


def test_file_open_leaves_other_json_to_others(viewer, tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match="refused the file"):
        viewer.open(tmp_path / "a.json", plugin="napari-slip")


@pytest.mark.parametrize("name", ["a.json", "a.slip", "a.zarr", "a.tif"])
def test_file_save_writes_the_whole_session_of_a_matches_layer(dock, qtbot, tmp_path, name):
    ask(dock, "red", qtbot)
    ask(dock, "green", qtbot)
    dock.desk.decisions.accept_predictions()
    layer = dock.viewer.layers["discs matches"]
    assert layer.save(str(tmp_path / name), plugin="napari-slip") == [str(tmp_path / name)]
    again = import_session(tmp_path / name)
    assert [o.class_name for o in again.objects.values()] == ["red", "green"]
    assert [o.area for o in again.objects.values()] == [o.area for o in session(dock).objects.values()]


def test_file_save_writes_any_labels_layer(viewer, tmp_path):
    labels = np.zeros((40, 50), int)
    labels[3:9, 4:12] = 7
    layer = viewer.add_labels(labels, scale=(0.5, 0.5), units=("um", "um"))
    layer.save(str(tmp_path / "a.csv"), plugin="napari-slip")
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["area"].tolist() == [48] and table["area_um2"].tolist() == [12]
    layer.save(str(tmp_path / "a.json"), plugin="napari-slip")
    (thing,) = import_session(tmp_path / "a.json").objects.values()
    assert thing.class_name == "object" and thing.area == 48


def test_file_save_keeps_the_planes_axes_and_steps_of_a_stack(tmp_path):
    labels = np.zeros((10, 64, 64), np.uint16)
    labels[2, 5:9, 5:9] = 1
    files.write_tiff(str(tmp_path / "l.tif"), labels, {"name": "x"})
    assert tifffile.imread(tmp_path / "l.tif").shape == labels.shape
    layer = Labels(labels, axis_labels=("z", "y", "x"), scale=(2, 0.5, 0.5), units=("um",) * 3)
    data, meta, _ = layer.as_layer_data_tuple()
    files.write_zarr(str(tmp_path / "l.zarr"), data, meta)
    found = read_ome_zarr(tmp_path / "l.zarr", "labels/objects")
    assert (found.axes, found.scale) == ("zyx", (2, 0.5, 0.5)) and found.levels[0].shape == labels.shape
    assert found.units == dict.fromkeys("zyx", "micrometer")
    files.write_tiff(str(tmp_path / "z.tif"), data, meta)
    with tifffile.TiffFile(tmp_path / "z.tif") as file:
        assert file.imagej_metadata.items() >= {"slices": 10, "spacing": 2.0, "unit": "um"}.items()


def test_export_tells_the_step_in_depth(tmp_path):
    image = Image(np.zeros((4, 64, 64)), axis_labels=("z", "y", "x"), scale=(2, 0.5, 0.5), units=("um",) * 3)
    stack = stack_of(image, Place((1, 2), (0,), (64, 64), (4, 64, 64)))
    paths = export_session(
        Session((64, 64)), tmp_path, "a", ["zarr", "labels"], stack=stack, pixel_size=(0.5, 0.5), unit="um"
    )
    found = read_ome_zarr(paths["zarr"], "labels/objects")
    assert found.scale == (2, 0.5, 0.5) and found.units["z"] == "micrometer"
    with tifffile.TiffFile(paths["labels"]) as file:
        assert file.imagej_metadata["spacing"] == 2


def test_layers_of_one_file_do_not_share_the_names_of_their_exports(tmp_path):
    with layer_source(path=str(tmp_path / "plate.ome.zarr")):
        dapi, gfp = (Image(np.zeros((9, 9)), name=name) for name in ("DAPI", "GFP"))
    assert [stem_of(one, [dapi, gfp]) for one in (dapi, gfp)] == ["plate DAPI", "plate GFP"]
    assert stem_of(dapi, [dapi]) == "plate"


# ---------------------------------------------------------------- labels of another program


def halves():
    """Each disc a label, the blue one cut in two, and a label on black; their numbers are far apart."""
    labels = ndimage.label(blobs().max(axis=-1) > 40)[0].astype(np.int32) * 300
    labels[65:, :64] = np.where(labels[65:, :64], 7, 0)
    labels[90:94, 2:6] = 9
    return labels


def test_labels_of_another_program_are_matched_and_corrected_without_sam(dock, engine, qtbot):
    labels = dock.viewer.add_labels(halves(), name="stardist")
    assert [dock.source.labels.itemText(i) for i in range(2)] == ["by SAM", "labels 'stardist'"]
    dock.source.labels.setCurrentIndex(1)
    ask(dock, "blue", qtbot)
    work = dock.desk.sheet.workspace
    assert len(work.segments) == len(np.unique(labels.data)) - 1
    assert engine.sam.encoded == 0
    (found,) = session(dock).objects.values()
    assert set(labels.data[found.mask((96, 128))]) in ({7}, {labels.data[55, 35]})
    dock.desk.decisions.accept_predictions()
    labels.data[labels.data == 9] = 0  # painted on: the next run sees it
    ask(dock, "yellow", qtbot)
    assert len(work.segments) == len(np.unique(labels.data)) - 1
    dock.source.labels.setCurrentIndex(0)
    ask(dock, "red", qtbot)
    assert engine.sam.encoded == 1 and len(work.segments) == 5
    assert found.id in session(dock).objects  # whoever made it


def test_labels_that_do_not_fit_end_in_a_sentence(dock, qtbot, told):
    dock.viewer.add_labels(np.zeros((5, 6), int), name="small")
    dock.source.labels.setCurrentIndex(1)
    ask(dock, "blue", qtbot)
    assert told == [
        "The labels 'small' are (5, 6), but the image is (96, 128): choose labels of the same pixels."
    ]
    dock.viewer.layers.remove("small")
    assert dock.source.labels.count() == 1 and dock.desk.source.labels is None
    dock.viewer.add_labels(np.zeros((96, 128), int), name="empty")
    dock.source.labels.setCurrentIndex(1)
    ask(dock, "blue", qtbot)
    assert "are empty on this plane" in told[-1]
