from __future__ import annotations

import numpy as np
import pytest
import tifffile
from _work import SHAPE, rectangle
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_slip.errors import InputError
from napari_slip.io import import_session

LABELS = (rectangle(2, 3, 8, 9) + 2 * rectangle(14, 20, 5, 6)).astype(np.uint8)


@pytest.mark.parametrize("planes", [1, 3])
def test_labels_compressed_with_lzw_are_read_without_imagecodecs(tmp_path, planes):
    first, *rest = [Image.fromarray(LABELS * (n + 1)) for n in range(planes)]
    first.save(tmp_path / "a.tif", compression="tiff_lzw", save_all=True, append_images=rest)
    session = import_session(tmp_path / "a.tif")
    for plane in [()] if planes == 1 else [(n,) for n in range(planes)]:
        np.testing.assert_array_equal(session.picture(plane) > 0, LABELS > 0)
    assert len(session.objects) == 2 * planes


@settings(max_examples=60)
@given(example=st.data())
def test_a_damaged_label_picture_ends_in_a_sentence_that_names_it(example, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "labels.tif"
    rng = np.random.default_rng(example.draw(st.integers(0, 99)))
    tifffile.imwrite(path, rng.integers(0, 4, (60, 60)).astype(np.uint16), compression="zlib")
    whole = path.read_bytes()
    if example.draw(st.booleans()):
        path.write_bytes(whole[: example.draw(st.integers(1, len(whole) - 1))])
    else:
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[example.draw(st.integers(0, 299))] = example.draw(st.integers(0, 255))
        path.write_bytes(damaged)
    try:
        import_session(path)
    except InputError as error:
        assert "labels.tif" in str(error) and str(error).endswith(".")


def test_a_tiff_cut_in_half_is_told_to_be_damaged(tmp_path):
    picture = np.random.default_rng(0).integers(0, 4, (200, 200)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", picture, compression="zlib")
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:5000])
    with pytest.raises(InputError, match=r"a\.tif is damaged \(.+\): write or copy it again"):
        import_session(tmp_path / "a.tif")


def test_a_picture_of_more_pixels_than_pillow_reads_is_told(tmp_path, monkeypatch):
    Image.fromarray(LABELS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", LABELS.size // 2 - 1)
    with pytest.raises(InputError, match=r"a\.png has more pixels than .* save it as TIFF"):
        import_session(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", LABELS.size - 1)  # of which Pillow only warns
    assert import_session(tmp_path / "a.png").shape == SHAPE


def test_a_single_pixel_is_a_picture_of_labels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((1, 1), np.uint8))
    (thing,) = import_session(tmp_path / "a.tif").objects.values()
    assert thing.area == 1
