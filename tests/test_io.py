from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from _fake_slip import fake_slip, spots
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.io import imread

from napari_slip.errors import InputError
from napari_slip.io import (
    RESULTS,
    claim,
    prepare_folder,
    read_image,
    write_labels,
    write_results,
)
from napari_slip.settings import MatchSettings

ROOT_MAY_ALL = os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0
rng = np.random.default_rng(0)


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_colours_come_back_as_they_were_written(tmp_path, ending):
    pixels = rng.integers(0, 256, (9, 7, 3), np.uint8)
    path = tmp_path / f"picture.{ending}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if ending == "webp" else {}))
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert (picture.axes, picture.channel_axis) == ("YXS", None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_every_numeric_type_is_read_from_tiff(tmp_path, dtype):
    pixels = (rng.random((8, 9)) * 100).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    picture = read_image(tmp_path / "a.tif")
    assert picture.pixels.dtype == dtype
    np.testing.assert_array_equal(picture.pixels, pixels)


@pytest.mark.parametrize(
    ("mode", "shape"), [("1", ()), ("L", ()), ("LA", (4,)), ("P", (3,)), ("RGBA", (4,)), ("I;16", ())]
)
def test_every_kind_of_png_is_read(tmp_path, mode, shape):
    grey = Image.fromarray(rng.integers(0, 256, (12, 10), np.uint8))
    image = Image.fromarray(np.asarray(grey, np.uint16) * 7) if mode == "I;16" else grey.convert(mode)
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").pixels.shape == (12, 10, *shape)


def test_a_palette_is_read_as_its_colours(tmp_path):
    image = Image.new("P", (6, 5), 1)
    image.putpalette([0, 0, 0, 250, 20, 10])
    for name in ("a.png", "a.gif", "a.tif"):
        image.save(tmp_path / name)
        assert read_image(tmp_path / name).pixels[2, 3].tolist() == [250, 20, 10]


def test_inks_are_read_as_colours_and_not_as_alpha(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=95)
    picture = read_image(tmp_path / "red.jpg")
    assert picture.pixels.shape == (16, 16, 3)
    red, green, blue = picture.pixels[8, 8].astype(int)
    assert red > 200 > 60 > max(green, blue)


def test_pixels_are_not_turned_by_a_camera_s_tag(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees"
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").pixels.shape == imread(tmp_path / "a.jpg").shape == (20, 30, 3)


def test_what_a_file_is_decides_and_not_what_it_is_called(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.eye(5, dtype=np.uint8))
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, np.eye(5))


def test_lzw_is_read_without_imagecodecs(tmp_path):
    pixels = rng.integers(0, 9, (20, 30), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


# ---------------------------------------------------------------- axes


@pytest.mark.parametrize(
    ("options", "shape", "axes", "channel_axis"),
    [
        ({"metadata": {"axes": "CYX"}, "ome": True}, (2, 9, 8), "CYX", 0),
        ({"metadata": {"axes": "TCYX"}, "ome": True}, (1, 3, 9, 8), "CYX", 0),
        ({"metadata": {"axes": "CYX"}, "imagej": True}, (2, 9, 8), "CYX", 0),
        ({"metadata": {"axes": "ZYX"}, "ome": True}, (1, 9, 8), "YX", None),
        ({"photometric": "rgb", "planarconfig": "separate"}, (3, 9, 8), "YXS", None),
        ({"photometric": "minisblack", "planarconfig": "contig"}, (9, 8, 3), "YXC", 2),
    ],
)
def test_axes_are_those_that_the_file_names(tmp_path, options, shape, axes, channel_axis):
    pixels = rng.integers(0, 200, shape, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **{"photometric": "minisblack", **options})
    picture = read_image(tmp_path / "a.tif")
    assert (picture.axes, picture.channel_axis) == (axes, channel_axis)
    expected = np.moveaxis(pixels, 0, -1) if axes == "YXS" else pixels.reshape(picture.pixels.shape)
    np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("named", [0, -3])
def test_a_channel_axis_may_be_told(tmp_path, named):
    pixels = rng.integers(0, 200, (5, 9, 8), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    with pytest.raises(InputError, match=r"a\.tif is a stack .*5.*name the axis of the channels"):
        read_image(tmp_path / "a.tif")
    picture = read_image(tmp_path / "a.tif", channel_axis=named)
    assert picture.channel_axis == 0
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_a_channel_axis_counts_in_the_array_that_others_read(tmp_path):
    pixels = rng.integers(0, 200, (1, 1, 4, 9, 8), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, ome=True, metadata={"axes": "TZCYX"})
    axis = tifffile.imread(tmp_path / "a.tif").shape.index(4)
    picture = read_image(tmp_path / "a.tif", channel_axis=axis)
    assert picture.pixels.shape[picture.channel_axis] == 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_a_line_and_a_dot_keep_both_axes(tmp_path, shape):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8))
    assert read_image(tmp_path / "a.tif").pixels.shape == shape


def test_a_channel_axis_that_is_not_there_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 8), np.uint8))
    with pytest.raises(InputError, match=r"a\.tif has 2 axes \(height 9, width 8\), .* no channel axis 2"):
        read_image(tmp_path / "a.tif", channel_axis=2)


def test_a_stack_is_refused_before_it_is_read(tmp_path, monkeypatch):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((6, 2, 9, 8), np.uint8), ome=True, metadata={"axes": "ZCYX"}
    )
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda *_: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"a\.tif is a stack \(depth 6, channels 2, height 9, width 8\)"):
        read_image(tmp_path / "a.tif")


def test_a_film_and_a_file_of_many_pictures_are_refused(tmp_path):
    frames = [Image.new("L", (9, 9), n) for n in (1, 80, 160)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"film\.gif is a stack of 3 pictures"):
        read_image(tmp_path / "film.gif")
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        file.write(np.zeros((5, 6), np.uint8))
        file.write(np.zeros((7, 8), np.uint16))
    with pytest.raises(InputError, match=r"two\.tif holds 2 pictures"):
        read_image(tmp_path / "two.tif")


def deep_png(path, pixels):
    """Write (H, W, 2 to 4) uint16, which Pillow cannot, as the PNG specification says."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_of_16_bits_are_not_cut_to_8(tmp_path, channels):
    deep_png(tmp_path / "a.png", rng.integers(0, 4096, (5, 7, channels), np.uint16))
    with pytest.raises(InputError, match=r"a\.png has 16 bits for each colour.*save it as TIFF"):
        read_image(tmp_path / "a.png")


# ---------------------------------------------------------------- bad files


def test_bad_files_end_in_sentences_that_name_them(tmp_path):
    (tmp_path / "text.png").write_text("this is a text")
    (tmp_path / "text.tif").write_text("this is a text")
    (tmp_path / "empty.png").touch()
    Image.fromarray(rng.integers(0, 256, (99, 99, 3), np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:9000])
    tifffile.imwrite(tmp_path / "whole.tif", rng.integers(0, 256, (99, 99), np.uint8), compression="zlib")
    (tmp_path / "half.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:3000])
    (tmp_path / "head.tif").write_bytes(b"II*\0")
    for name, says in {
        "missing.png": "does not exist",
        "": "is a folder",
        "text.png": "not an image",
        "text.tif": "not an image",
        "empty.png": "is an empty file",
        "half.png": "damaged",
        "half.tif": "damaged|cannot be read",
        "head.tif": "damaged|cannot be read",
        "a" * 300: "cannot be reached|does not exist",
    }.items():
        with pytest.raises(InputError, match=says) as caught:
            read_image(tmp_path / name)
        assert Path(name or tmp_path).name in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(".")


@pytest.mark.skipif(ROOT_MAY_ALL, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(InputError, match=r"a\.png may not be read"):
        read_image(tmp_path / "a.png")


@given(
    st.binary(max_size=300),
    st.sampled_from(["", "II*\0", "\x89PNG\r\n\x1a\n", "GIF89a", "\xff\xd8\xff\xe0", "BM"]),
)
def test_no_bytes_whatever_end_in_anything_but_a_sentence(tmp_path_factory, tail, magic):
    path = tmp_path_factory.getbasetemp() / "bytes.png"
    path.write_bytes(magic.encode("latin-1") + tail)
    try:
        read_image(path)
    except InputError as error:
        assert "bytes.png" in str(error)


# ---------------------------------------------------------------- writing


@given(st.integers(1, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_labels_come_back_from_tiff(tmp_path_factory, highest, height, width):
    labels = np.random.default_rng(highest).integers(0, highest, (height, width), np.uint32, endpoint=True)
    path = tmp_path_factory.getbasetemp() / "labels.tif"
    write_labels(path, labels)
    np.testing.assert_array_equal(tifffile.imread(path), labels)


def test_labels_are_small_and_read_by_others(tmp_path):
    labels = np.zeros((500, 400), np.uint32)
    labels[100:200, 100:300] = 300
    write_labels(tmp_path / "a.tif", labels)
    assert (tmp_path / "a.tif").stat().st_size < labels.nbytes / 50
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), labels)
    np.testing.assert_array_equal(imread(tmp_path / "a.tif"), labels)


@pytest.fixture
def match():
    slip = fake_slip()
    picture = spots(colours=("red", "green", "blue"))
    return picture, slip.match(slip.segment(picture), ["red", "green"], settings=MatchSettings(select="best"))


def test_results_hold_what_the_match_says(tmp_path, match):
    picture, found = match
    paths = write_results(tmp_path, "a.b", picture, found)
    assert {kind: path.name for kind, path in paths.items()} == {k: "a.b" + e for k, e in RESULTS.items()}
    np.testing.assert_array_equal(tifffile.imread(paths["segments"]), found.segments.labels())
    np.testing.assert_array_equal(tifffile.imread(paths["matches"]), found.labels())
    pd.testing.assert_frame_equal(pd.read_csv(paths["table"]), found.table(), check_dtype=False)
    assert imread(paths["overlay"]).shape[1] >= 900
    assert sorted(tmp_path.iterdir()) == sorted(paths.values())


@given(taken=st.sets(st.tuples(st.integers(1, 4), st.sampled_from(sorted(RESULTS.values()))), max_size=6))
def test_nothing_is_ever_overwritten(tmp_path_factory, taken):
    folder = tmp_path_factory.mktemp("out")
    names = {f"a{'' if n == 1 else f'-{n}'}{ending}" for n, ending in taken}
    for name in names:
        (folder / name).write_text("mine")
    claimed = claim(folder, "a", RESULTS)
    assert not {path.name for path in claimed.values()} & names
    assert all((folder / name).read_text() == "mine" for name in names)
    assert len({path.name.removesuffix(RESULTS[kind]) for kind, path in claimed.items()}) == 1
    assert len(list(folder.iterdir())) == len(names) + len(RESULTS)  # nothing half reserved is left


def test_two_processes_never_take_the_same_name(tmp_path):
    code = (
        "import sys; from pathlib import Path; from napari_slip.io import claim\n"
        "for _ in range(30): print(claim(Path(sys.argv[1]), 'a', {'x': '.x', 'y': '.y'})['x'].name)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
        for _ in "ab"
    ]
    names = list(itertools.chain(*(process.communicate()[0].split() for process in started)))
    assert len(names) == 60
    assert len(set(names)) == 60


def test_a_full_disk_leaves_no_half_results(tmp_path, match, monkeypatch):
    picture, found = match

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(InputError, match=r"results of a cannot be written .* no space left"):
        write_results(tmp_path, "a", picture, found)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_results_is_made_or_refused(tmp_path):
    prepare_folder(tmp_path / "new" / "one")
    assert list((tmp_path / "new" / "one").iterdir()) == []
    (tmp_path / "file").touch()
    for place in ("file", "file/below"):
        with pytest.raises(InputError, match=r"file.* is a file or lies in one, but a folder"):
            prepare_folder(tmp_path / place)


@pytest.mark.skipif(ROOT_MAY_ALL, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match=r"cannot be written to .*Permission denied"):
        prepare_folder(tmp_path)
