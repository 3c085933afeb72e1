from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_slip.errors import InputError
from napari_slip.matching import Cropper
from napari_slip.segments import PackedMasks
from napari_slip.settings import CropSettings

SIZE = 32
MEAN = (0.5, 0.25, 0.75)
FILL = np.array([128, 64, 191])


def cropper(rgb: np.ndarray, *views: str, margin: float = 0.15, size: int = SIZE) -> Cropper:
    return Cropper(rgb, CropSettings(views=views, margin=margin), size=size, mean=MEAN)


def packed(*masks: np.ndarray) -> PackedMasks:
    return PackedMasks.pack(masks, [(0, 0)] * len(masks))


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Return a green plane with a red disc, and the disc."""
    y, x = np.mgrid[:100, :120]
    disc = (x - 60) ** 2 + (y - 50) ** 2 < 20**2
    rgb = np.full((100, 120, 3), (0, 200, 0), np.uint8)
    rgb[disc] = (220, 0, 0)
    return rgb, disc


def close(pixel: np.ndarray, colour: tuple[int, ...] | np.ndarray) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= 2)


@pytest.mark.parametrize("view", ["black", "mean", "dimmed", "box"])
def test_every_view_shows_the_object_itself_in_the_middle(view):
    rgb, disc = scene()
    (picture,) = cropper(rgb, view).cut(packed(disc))[:, 0]
    assert picture.shape == (SIZE, SIZE, 3)
    assert close(picture[SIZE // 2, SIZE // 2], (220, 0, 0))


@pytest.mark.parametrize(
    ("view", "outside"), [("black", (0, 0, 0)), ("mean", FILL), ("dimmed", (0, 20, 0)), ("box", (0, 200, 0))]
)
def test_each_view_has_its_own_outside(view, outside):
    rgb, disc = scene()
    (picture,) = cropper(rgb, view).cut(packed(disc))[:, 0]
    if view == "dimmed":  # the blur carries a little of the object's edge over
        assert picture[1, 1, 1] == pytest.approx(20, abs=2)
        assert picture[1, 1].max() < 25
    else:
        assert close(picture[1, 1], outside)


def test_the_margin_shows_more_around_the_object():
    rgb, disc = scene()
    shares = []
    for margin in (0.0, 0.5):
        (picture,) = cropper(rgb, "box", margin=margin).cut(packed(disc))[:, 0]
        shares.append((picture[..., 0] > 128).mean())
    assert shares[0] == pytest.approx(np.pi / 4, abs=0.05)
    assert shares[1] == pytest.approx(np.pi / 16, abs=0.05)


def test_a_long_object_keeps_its_shape_and_stands_in_the_middle():
    rgb = np.full((60, 60, 3), 255, np.uint8)
    bar = np.zeros((60, 60), bool)
    bar[20:30, 5:45] = True  # four times as wide as high
    (picture,) = cropper(rgb, "black").cut(packed(bar))[:, 0]
    rows = np.flatnonzero(picture[:, SIZE // 2, 0] > 128)
    assert (rows[0], rows[-1] + 1) == (SIZE // 2 - SIZE // 8, SIZE // 2 + SIZE // 8)
    assert (picture[SIZE // 2, :, 0] > 128).all()


def test_shrinking_does_not_alias():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than a pixel of the picture
    (picture,) = cropper(stripes, "box").cut(packed(np.ones((256, 256), bool)))[:, 0]
    assert np.abs(picture[2:-2, 2:-2].astype(int) - 128).max() < 12


def test_nothing_but_the_mask_decides_what_the_masked_views_show():
    rgb, disc = scene()
    other = rgb.copy()
    other[~disc] = (9, 90, 200)
    for view in ("black", "mean"):
        first, second = (cropper(image, view).cut(packed(disc)) for image in (rgb, other))
        np.testing.assert_array_equal(first, second)


@given(arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))), st.floats(0, 4))
def test_any_mask_gives_a_whole_picture_in_every_view(mask, margin):
    rgb = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    views = ("black", "mean", "dimmed", "box")
    pictures = cropper(rgb, *views, margin=margin, size=8).cut(packed(mask, ~mask))
    assert pictures.shape == (2, 4, 8, 8, 3)
    if not mask.any():  # an object of no pixel shows nothing but the fill
        assert close(pictures[0, 0], (0, 0, 0))
        assert close(pictures[0, 1], FILL)


def test_rows_choose_segments():
    rgb, disc = scene()
    both = packed(disc, ~disc)
    all_of_them = cropper(rgb, "mean").cut(both)
    np.testing.assert_array_equal(cropper(rgb, "mean").cut(both, [1]), all_of_them[1:])
    assert cropper(rgb, "mean").cut(both, []).shape == (0, 1, SIZE, SIZE, 3)


def test_the_plane_is_left_as_it_was_and_may_be_read_only():
    rgb, disc = scene()
    before = rgb.copy()
    rgb.setflags(write=False)
    cropper(rgb, "black", "mean", "dimmed", "box").cut(packed(disc, np.ones_like(disc)))
    np.testing.assert_array_equal(rgb, before)


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 4)])
def test_a_plane_that_is_no_rgb_picture_is_refused(shape):
    with pytest.raises(InputError, match=r"\(height, width, 3\) and uint8 are expected"):
        cropper(np.zeros(shape, np.uint8), "mean")
