from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import tifffile
from _work import SHAPE, rectangle, same, same_picture, sessions, two_cells, worked_on
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from napari_slip.errors import InputError
from napari_slip.io import export_session, import_session, read_ome_zarr
from napari_slip.session import Edit, Session
from napari_slip.stacks import Stack


@settings(max_examples=40)
@given(session=sessions())
def test_coco_and_session_files_bring_back_the_same_session(session, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    paths = export_session(session, folder, "a", ["coco", "session"])
    same(session, import_session(paths["coco"]))
    same(session, import_session(paths["session"]))
    assert {path.name for path in folder.iterdir()} == {"a.coco.json", "a.slip"}


@settings(max_examples=25)
@given(session=sessions(overlapping=False))
def test_label_pictures_bring_back_the_same_things(session, tmp_path_factory):
    paths = export_session(session, tmp_path_factory.mktemp("out"), "a", ["labels", "zarr"])
    for path in paths.values():
        same_picture(session, import_session(path))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_pycocotools_reads_whole_masks_and_sees_no_rejected_objects(tmp_path, capsys):
    session, (large, small, _, again) = worked_on()
    path = export_session(session, tmp_path, "cells", ["coco"])["coco"]
    coco = COCO(path)
    assert {one["name"] for one in coco.loadCats(coco.getCatIds())} == {"cell", "dirt"}
    found = coco.loadAnns(coco.getAnnIds(imgIds=coco.getImgIds()))
    assert [one["id"] for one in found] == [large, small, again]
    for one in found:
        thing = session.objects[one["id"]]
        np.testing.assert_array_equal(coco.annToMask(one).astype(bool), thing.mask(SHAPE))
        assert one["area"] == thing.area
        x, y, width, height = one["bbox"]
        assert (x, y) == thing.origin and (height, width) == thing.crop.shape


def test_coco_of_other_programs_is_read(tmp_path):
    def image(i, name):
        return {"id": i, "file_name": name, "height": 24, "width": 32}

    def annotation(i, picture, segmentation):
        about = {"id": i, "image_id": picture, "category_id": 7, "bbox": [4, 5, 10, 6], "iscrowd": 0}
        return about if segmentation is None else {**about, "segmentation": segmentation}

    square = [[4, 5, 14, 5, 14, 11, 4, 11]]
    runs = {"size": [24, 32], "counts": [24 * 4 + 5, 6, 24 * 28 - 11]}
    content = {
        "images": [image(1, "a.png"), image(2, "b.png")],
        "categories": [{"id": 7, "name": "nut"}],
        "annotations": [
            annotation(1, 1, square),
            annotation(2, 2, runs),
            annotation(3, 2, None),
        ],
    }
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"about 2 pictures: name the one .*'a.png', say"):
        import_session(path)
    with pytest.raises(InputError, match=r"says nothing of 'c.png': its pictures are a.png, b.png"):
        import_session(path, picture="c.png")
    (polygon,) = import_session(path, picture="a.png").objects.values()
    assert (polygon.area, polygon.class_name, polygon.status) == (60, "nut", "accepted")
    by_runs, by_box = import_session(path, picture="b.png").objects.values()
    assert by_runs.mask(SHAPE).sum() == by_runs.mask(SHAPE)[5:11, 4].sum() == 6
    assert by_box.mask(SHAPE)[5:11, 4:14].all() and by_box.area == 60
    path.write_text('{"images": 3}')
    with pytest.raises(InputError, match="is no COCO file that can be read"):
        import_session(path)


def coco_of_squares(path, ids):
    """Squares beside one another on one picture, with these ids."""
    annotations = [
        {"id": i, "image_id": 0, "category_id": 0, "bbox": [4 * n, 2, 3, 3], "iscrowd": 0}
        for n, i in enumerate(ids)
    ]
    picture = {"id": 0, "file_name": "a.png", "height": 24, "width": 32}
    content = {"images": [picture], "categories": [{"id": 0, "name": "nut"}], "annotations": annotations}
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "ids", [(0, 1, 2), (7, 7, 8), (1, 2, 900100259690), (3, 9, 4)], ids=["from 0", "twice", "crowd", "good"]
)
def test_no_object_of_a_coco_file_is_lost_whatever_its_id(tmp_path, ids):
    coco_of_squares(tmp_path / "a.json", ids)
    session = import_session(tmp_path / "a.json")
    assert list(session.objects) == ([3, 4, 9] if ids == (3, 9, 4) else [1, 2, 3])
    assert len(np.unique(session.picture())) == 4
    assert sorted(o.origin for o in session.objects.values()) == [(0, 2), (4, 2), (8, 2)]


def test_a_picture_of_a_data_set_is_found_without_its_folder(tmp_path):
    coco_of_squares(tmp_path / "a.json", (1, 2))
    content = json.loads((tmp_path / "a.json").read_text())
    (first,) = content["images"]
    first["file_name"] = "val\\a.png"
    content["images"].append({**first, "id": 5, "file_name": "val/b.png"})
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert len(import_session(tmp_path / "a.json", picture="a.png").objects) == 2
    assert not import_session(tmp_path / "a.json", picture="val/b.png").objects
    with pytest.raises(InputError, match=r"says nothing of 'c.png'"):
        import_session(tmp_path / "a.json", picture="c.png")
    content["images"][1]["file_name"] = "train/a.png"
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert not import_session(tmp_path / "a.json", picture="train/a.png").objects
    with pytest.raises(InputError, match=r"about 2 pictures: name the one .*'train/a.png', say"):
        import_session(tmp_path / "a.json", picture="a.png")


@pytest.mark.parametrize("kind", ["zarr", "coco"])
def test_what_another_program_says_of_labels_is_read_as_far_as_it_serves(tmp_path, kind):
    session = two_cells([(), ()])
    path = export_session(session, tmp_path, "a", [kind])[kind]
    about = path / "labels" / "objects" / ".zattrs" if kind == "zarr" else path
    text = about.read_text().replace('"cell"', "3").replace('"accepted"', '"done"')
    about.write_text(text.replace('"phrases": [3]', '"phrases": ["cell"]'))
    again = import_session(path)
    assert [(o.class_name, o.status) for o in again.objects.values()] == [
        ("3", "accepted"),
        ("dirt", "accepted"),
    ]
    again.save(tmp_path / "b.slip")
    same(again, Session.load(tmp_path / "b.slip"))


@pytest.mark.parametrize(
    ("axes", "told"), [("tyx", {"frames": 4}), ("zyx", {"slices": 4}), (None, {"frames": 4})]
)
def test_imagej_finds_labels_planes_and_classes(tmp_path, axes, told):
    session = two_cells([(0,), (2,)])
    stack = Stack.of(np.zeros((4, *SHAPE)), axes)
    paths = export_session(
        session, tmp_path, "a", ["labels", "zarr"], stack=stack, pixel_size=(0.5, 0.25), unit="um"
    )
    with tifffile.TiffFile(paths["labels"]) as file:
        assert file.is_imagej
        assert file.imagej_metadata.items() >= {**told, "unit": "um"}.items()
        assert file.series[0].axes == (axes or "tyx").upper() and file.series[0].shape == (4, *SHAPE)
        assert [file.pages[0].tags[name].value[0] for name in ("XResolution", "YResolution")] == [4, 2]
        assert "dirt" in file.imagej_metadata["Info"]
        assert file.asarray()[2, 10, 10] == 2 and not file.asarray()[[1, 3]].any()
    assert read_ome_zarr(paths["zarr"], "labels/objects").axes == (axes or "tyx")


@pytest.mark.parametrize("axes", ["ztyx", "tzayx", "ayx"])
def test_planes_along_axes_that_imagej_does_not_know_come_back(tmp_path, axes):
    steps = (2, 3, 2)[: len(axes) - 2]
    session = two_cells([(0,) * len(steps), tuple(n - 1 for n in steps)])
    stack = Stack.of(np.zeros((*steps, *SHAPE)), axes)
    path = export_session(session, tmp_path, "a", ["labels"], stack=stack)["labels"]
    with tifffile.TiffFile(path) as file:
        assert (file.series[0].axes, file.series[0].shape) == (axes.upper(), (*steps, *SHAPE))
    same_picture(session, import_session(path))


def test_a_session_of_other_planes_than_the_picture_is_refused(tmp_path):
    single, series = two_cells([(), ()]), two_cells([(0,), (4,)])
    with pytest.raises(InputError, match=r"objects on a single plane, but the picture has 4 plane\(s\)"):
        export_session(single, tmp_path, "a", ["labels"], stack=Stack.of(np.zeros((4, *SHAPE))))
    with pytest.raises(InputError, match=r"objects on plane \(0,\), but the picture has one plane\(s\)"):
        export_session(series, tmp_path, "a", ["labels"], stack=Stack.of(np.zeros(SHAPE)))
    with pytest.raises(InputError, match=r"objects on plane \(4,\), but the picture has 4 plane\(s\)"):
        export_session(series, tmp_path, "a", ["zarr"], stack=Stack.of(np.zeros((4, *SHAPE))))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("colours", [3, 4])
def test_a_picture_in_colours_is_no_labels(tmp_path, ending, colours):
    picture = np.full((*SHAPE, colours), 9, np.uint8)
    if ending == "png":
        Image.fromarray(picture).save(tmp_path / "a.png")
    else:
        tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    with pytest.raises(InputError, match=rf"picture in colours \({colours} values for each pixel\)"):
        import_session(tmp_path / f"a.{ending}")


def test_ome_zarr_reads_the_labels_it_was_given(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader
    session, (large, *_) = worked_on()
    path = export_session(session, tmp_path, "a", ["zarr"])["zarr"]
    nodes = list(Reader(parse_url(path / "labels" / "objects"))())
    np.testing.assert_array_equal(np.asarray(nodes[0].data[0]), session.picture())
    assert nodes[0].metadata["properties"][large]["class"] == "cell"
    assert "source" not in read_ome_zarr(path, "labels/objects").attributes["image-label"]  # there is none
    export_session(session, tmp_path, "a", ["zarr"])  # ours gives way to ours
    (path / "0").mkdir()
    with pytest.raises(InputError, match="holds more than labels"):
        export_session(session, tmp_path, "a", ["zarr"])


def test_the_table_measures_whole_masks_in_pixels_and_units(tmp_path):
    session, (large, small, _, again) = worked_on()
    pixels = np.arange(24 * 32).reshape(SHAPE)
    out = export_session(
        session, tmp_path, "a", ["table"], stack=Stack.of(pixels), pixel_size=(0.5, 0.5), unit="um"
    )
    table = pd.read_csv(out["table"]).set_index("object")
    assert table.index.tolist() == [large, small, again]
    assert table.loc[large, "area"] == 144 and table.loc[large, "area_um2"] == 36
    assert table.loc[large, ["centroid_x", "centroid_y"]].tolist() == [7.5, 7.5]
    assert table.loc[large, "intensity_mean"] == pixels[2:14, 2:14].mean()
    assert table.loc[small, "perimeter_um"] == pytest.approx(table.loc[small, "perimeter"] / 2)
    assert table.loc[small, ["class", "status"]].tolist() == ["dirt", "corrected"]
    with pytest.raises(InputError, match=r"planes are \(5, 5\), but the session's are \(24, 32\)"):
        export_session(session, tmp_path, "a", ["table"], stack=Stack.of(np.zeros((5, 5))))


def test_the_table_of_no_objects_has_the_columns_of_others(tmp_path):
    session, _ = worked_on()
    options = {"pixel_size": (0.5, 0.5), "unit": "um"}
    whole = pd.read_csv(export_session(session, tmp_path, "a", ["table"], **options)["table"])
    session.reject(list(session.objects))
    empty = pd.read_csv(export_session(session, tmp_path, "a", ["table"], **options)["table"])
    assert empty.empty and empty.columns.tolist() == whole.columns.tolist()


@settings(max_examples=15)
@given(height=st.floats(0.1, 4), width=st.floats(0.1, 4), side=st.integers(3, 9))
def test_lengths_in_units_follow_pixels_that_are_not_square(height, width, side):
    from napari_slip.io.measurements import measure

    session = Session(SHAPE)
    session.adopt(rectangle(3, 4, side, side).astype(int))
    (row,) = measure(session, pixel_size=(height, width), unit="um").to_dict("records")
    assert row["area_um2"] == pytest.approx(side * side * height * width)
    assert row["axis_major_length_um"] == pytest.approx(row["axis_major_length"] * max(height, width))
    assert ("perimeter_um" in row) == (height == width)


def test_crops_lie_in_folders_by_class_and_follow_the_session(tmp_path):
    session, (large, small, _, _) = worked_on()
    picture = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)
    stack = Stack.of(picture, "yxs")
    export_session(session, tmp_path, "a", ["crops"], stack=stack)
    folder = tmp_path / "a.crops"
    assert {path.parent.name for path in folder.glob("*/*.png")} == {"cell", "dirt"}
    crop = np.asarray(Image.open(folder / "cell" / f"a-{large}.png"))
    np.testing.assert_array_equal(crop[..., 3] > 0, rectangle(2, 2, 12, 12)[1:15, 1:15])
    assert len(list((folder / "dirt").iterdir())) == 2
    session.reject([small])
    export_session(session, tmp_path, "a", ["crops"], stack=stack)
    assert len(list((folder / "dirt").iterdir())) == 1
    with pytest.raises(InputError, match="Crops are cut from the picture"):
        export_session(session, tmp_path, "a", ["crops"])


def test_crops_of_one_track_are_named_alike(tmp_path):
    session, mask = Session(SHAPE), rectangle(2, 2, 12, 12).astype(int)
    session.classes = session.classes.add("cell")
    ids = [session.adopt(mask, class_name="cell", plane=(k,))[0] for k in (0, 1)]
    session.link([ids])
    stack = Stack.of(np.random.default_rng(0).integers(0, 255, (2, *SHAPE), np.uint8), "zyx")
    export_session(session, tmp_path, "a", ["crops"], stack=stack)
    track = session.objects[ids[0]].track
    found = sorted(path.name for path in tmp_path.glob("a.crops/cell/*.png"))
    assert found == [f"a-track{track}-{k}-{name}.png" for k, name in enumerate(ids)]


def test_an_unknown_kind_or_file_ends_in_a_sentence(tmp_path):
    session, _ = worked_on()
    with pytest.raises(InputError, match="'pdf' is no kind of file: choose from session, coco"):
        export_session(session, tmp_path, "a", ["pdf"])
    with pytest.raises(InputError, match="does not exist"):
        import_session(tmp_path / "none.json")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(InputError, match="cannot be read as a label picture"):
        import_session(tmp_path / "a.npy")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.float32))
    with pytest.raises(InputError, match="2D float32 values, which are no labels"):
        import_session(tmp_path / "a.tif")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        export_session(session, tmp_path / "file", "a", ["coco"])


@settings(max_examples=25)
@given(one=sessions(), other=sessions())
def test_what_a_file_holds_joins_what_is_there_once_and_in_one_step(one, other):
    before, count = one.picture(), len(one.objects)
    steps = one.steps[0]
    new = one.include(other)
    assert len(one.objects) == count + len(new)
    assert one.steps[0] == steps + bool(new or set(other.classes) - set(one.classes)) or not new
    kept = [o for o in one.objects.values() if o.id not in new]
    for o in other.objects.values():
        twins = [
            p
            for p in one.objects.values()
            if (p.plane, p.class_name, p.origin) == (o.plane, o.class_name, o.origin)
            and np.array_equal(p.crop, o.crop)
        ]
        assert twins
    for o in one.objects.values():  # tracks have one object on each plane
        same_track = [p.plane for p in one.objects.values() if o.track is not None and p.track == o.track]
        assert len(same_track) == len(set(same_track))
    assert one.include(other) == []
    if new:
        one.undo()
        np.testing.assert_array_equal(one.picture(), before)
        assert [o.id for o in kept] == list(one.objects)


def test_a_session_without_objects_takes_over_ids_and_tracks():
    session, _ = worked_on()
    empty = Session(SHAPE)
    empty.include(session)
    empty.settings = session.settings
    same(empty, session)
    with pytest.raises(InputError, match=r"planes of the file are \(24, 32\)"):
        Session((5, 5)).include(session)


def test_the_history_stays_with_a_session_that_is_imported_from_its_own_file(tmp_path):
    session, (large, *_) = worked_on()
    session.apply(Edit(removed=(large,)))
    path = export_session(session, tmp_path, "a", ["session"])["session"]
    again = import_session(path)
    assert again.undo() and large in again.objects


def _foreign(kind, path):
    """What another program may have left under the name that an export would choose."""
    if kind == "coco":
        path.write_text(
            json.dumps({"info": {"year": 2020}, "images": [], "annotations": [], "categories": []})
        )
    elif kind == "labels":
        tifffile.imwrite(path, np.full(SHAPE, 7, np.uint16), imagej=True)
    else:
        path.write_text("class,object\ncell,1\n")


@pytest.mark.parametrize(
    ("kind", "name"),
    [("coco", "a.coco.json"), ("labels", "a.labels.tif"), ("table", "a.objects.csv")]
    + [("provenance", "a.export.json"), ("labels", "no picture/a.labels.tif")],
)
def test_a_file_of_another_program_is_not_replaced_and_nothing_is_written(tmp_path, kind, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    _foreign("table" if "no picture" in name else kind, path)
    before = path.read_bytes()
    session, _ = worked_on()
    with pytest.raises(InputError, match="napari-slip did not write it: choose another folder"):
        export_session(session, path.parent, "a", ["session", kind])
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_export_replaces_the_export_before_it(tmp_path):
    kinds = ["coco", "labels", "table", "provenance", "session"]
    other, (large, *_) = worked_on()
    other.apply(Edit(removed=(large,)))
    session, _ = worked_on()
    for work in (other, session):
        paths = export_session(work, tmp_path, "a", kinds)
    same(session, import_session(paths["coco"]))
    same(session, import_session(paths["session"]))
    np.testing.assert_array_equal(tifffile.imread(paths["labels"]), session.picture())
    assert len(pd.read_csv(paths["table"])) == 3
