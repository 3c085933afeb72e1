from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_slip.errors import InputError
from napari_slip.images import WHITE, brightness_of, to_rgb
from napari_slip.settings import Contrast

NUMERIC = [
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
]


def ramp(dtype: str, low: float, high: float) -> np.ndarray:
    """Return a 16 x 16 plane that rises evenly."""
    return np.linspace(low, high, 256).reshape(16, 16).astype(dtype)


planes = st.sampled_from(NUMERIC).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12))
)


@given(planes)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_any_plane_of_numbers_becomes_a_picture(plane):
    rgb = to_rgb(plane)
    assert rgb.shape == (*plane.shape, 3)
    assert rgb.dtype == np.uint8
    assert (rgb == rgb[..., :1]).all()


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("uint8", 0, 255),
        ("uint16", 100, 1200),
        ("int16", -500, 500),
        ("int32", 0, 10**9),
        ("uint64", 2**40, 2**41),
        ("float16", 0, 1),
        ("float32", -1e-3, 1e-3),
        ("float64", 1e12, 1e12 + 1),
    ],
)
def test_the_range_of_any_type_is_used_and_order_is_kept(dtype, low, high):
    grey = to_rgb(ramp(dtype, low, high), contrast=Contrast(percentiles=(0, 100)))[..., 0].ravel().astype(int)
    assert (grey[0], grey[-1]) == (0, 255)
    assert (np.diff(grey) >= 0).all()


def test_percentiles_that_are_asked_for_hold_for_photographs_too():
    photograph = np.repeat(ramp("uint8", 0, 255)[..., None], 3, axis=2)
    np.testing.assert_array_equal(to_rgb(photograph), photograph)
    asked = to_rgb(photograph, contrast=Contrast(percentiles=(20, 60)))
    assert (asked == 0).mean() > 0.15 and (asked == 255).mean() > 0.35


@given(st.floats(0.01, 1e4), st.floats(-1e4, 1e4))
def test_units_do_not_matter(gain, offset):
    plane = ramp("float64", 0, 1)
    difference = to_rgb(plane * gain + offset).astype(int) - to_rgb(plane)
    assert np.abs(difference).max() <= 1


def test_outliers_do_not_take_the_contrast():
    plane = ramp("float32", 0, 1).repeat(8, axis=0).repeat(8, axis=1)
    hot = plane.copy()
    hot[3, 4] = 1e6
    others = (plane < 0.9) & (hot < 2)
    assert np.abs(to_rgb(hot).astype(int) - to_rgb(plane))[others].max() <= 2


def test_nan_is_black_and_infinities_are_the_ends():
    plane = ramp("float32", 1, 2)
    plane[2, 2], plane[3, 3], plane[4, 4] = np.nan, np.inf, -np.inf
    grey = to_rgb(plane)[..., 0]
    assert (grey[2, 2], grey[3, 3], grey[4, 4]) == (0, 255, 0)
    others = np.isfinite(plane)
    assert grey[others].max() == 255
    assert len(np.unique(grey[others])) > 200


@pytest.mark.parametrize("value", [np.nan, np.inf, 0, 7])
def test_a_flat_plane_is_a_picture_too(value):
    assert len(np.unique(to_rgb(np.full((4, 5), value)))) == 1


def test_a_sparse_plane_is_seen():
    plane = np.zeros((100, 100), np.uint16)
    plane[50, 50] = 900
    assert to_rgb(plane)[50, 50].tolist() == [255, 255, 255]


def test_given_limits_win():
    grey = to_rgb(ramp("uint16", 0, 255), contrast=Contrast(limits=(100, 200)))[..., 0].ravel()
    assert (grey[:100] == 0).all()
    assert (grey[201:] == 255).all()
    assert grey[150] == pytest.approx(128, abs=2)


def test_bool_is_black_and_white():
    mask = np.eye(4, dtype=bool)
    np.testing.assert_array_equal(to_rgb(mask)[..., 0], mask * 255)


def test_a_photograph_is_left_as_it_is():
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_rgb(photo), photo)


def test_colours_keep_their_balance():
    dull = np.random.default_rng(0).integers(0, 60, (32, 32, 3), dtype=np.uint8)
    dull[..., 2] //= 4
    rgb = to_rgb(dull).astype(float)
    assert rgb.max() == 255
    assert rgb[..., 2].mean() / rgb[..., 0].mean() == pytest.approx(
        dull[..., 2].mean() / dull[..., 0].mean(), abs=0.05
    )


@pytest.mark.parametrize(("dtype", "full"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_alpha_shows_black_behind(dtype, full):
    photo = np.zeros((16, 16, 4), dtype)
    photo[..., :3] = ramp("float64", 0, full)[..., None]
    photo[..., 3] = full
    photo[:8, :, 3] = 0
    rgb = to_rgb(photo)
    assert (rgb[:8] == 0).all()
    assert rgb[-1, -1].min() == 255


def test_channels_are_stretched_one_by_one_and_each_has_its_hue():
    faint, strong = np.zeros((8, 8)), np.zeros((8, 8))
    faint[:, :4], strong[:, 4:] = 0.1, 5000
    for axis in (0, 1, 2, -1):
        rgb = to_rgb(np.stack([faint, strong], axis=axis), channel_axis=axis)
        assert rgb[0, 0].tolist() == [0, 255, 0]
        assert rgb[0, 7].tolist() == [255, 0, 255]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_any_number_of_channels_blends(n):
    channels = np.zeros((n, 8, 8 * n))
    for i in range(n):
        channels[i, :, 8 * i : 8 * i + 8] = 1
    rgb = to_rgb(channels, channel_axis=0)
    hues = {tuple(rgb[0, 8 * i + 4]) for i in range(n)}
    assert len(hues) == n


def test_three_rows_are_channels_only_when_it_is_said():
    with pytest.raises(InputError, match=r"shape \(3, 20, 20\), but one plane is expected"):
        to_rgb(np.zeros((3, 20, 20)))
    assert to_rgb(np.zeros((3, 20, 20)), channel_axis=0).shape == (20, 20, 3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((5, 20, 20)), "choose one plane of the stack"),
        (np.zeros((2, 3, 20, 20)), "choose one plane of the stack"),
        (np.zeros(20), "but one plane is expected"),
        (np.zeros((20, 20, 2)), "channel_axis"),
        (np.zeros((0, 20)), "0 x 20 pixels"),
        (np.zeros((1, 1)), "1 x 1 pixels, but at least 2 x 2"),
        (np.zeros((1, 20, 3)), "1 x 20 pixels"),
        (np.zeros((4, 4), complex), "type complex128"),
        (np.full((4, 4), "a"), "type <U1"),
        (np.full((4, 4), None), "type object"),
    ],
)
def test_what_is_no_picture_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        to_rgb(image)


@pytest.mark.parametrize(
    ("shape", "axis"), [((20, 20), 0), ((20, 20, 3), 3), ((2, 3, 20, 20), 0), ((0, 20, 20), 0)]
)
def test_a_channel_axis_that_is_none(shape, axis):
    with pytest.raises(InputError, match="channel"):
        to_rgb(np.zeros(shape), channel_axis=axis)


def test_the_image_is_not_changed():
    plane = ramp("float32", 0, 1)
    plane[0, 0] = np.nan
    before = plane.copy()
    to_rgb(plane)
    np.testing.assert_array_equal(plane, before)


def test_a_photograph_is_its_own_picture_unless_it_is_to_be_kept():
    photograph = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.shares_memory(to_rgb(photograph, copy=False), photograph)
    kept = to_rgb(photograph)
    assert not np.shares_memory(kept, photograph)
    np.testing.assert_array_equal(kept, photograph)
    assert not np.shares_memory(to_rgb(photograph // 4, copy=False), photograph)


def test_brightness():
    rgb = np.array([[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [30, 60, 90]]], np.uint8)
    np.testing.assert_allclose(brightness_of(rgb) / WHITE, [[0, 1], [1 / 3, 60 / 255]])
