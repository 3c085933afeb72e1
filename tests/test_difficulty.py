from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import disk

from napari_slip.evaluation.difficulty import is_faint, is_thin

SIDE = 120


def drawn(radius: float) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[disk((SIDE / 2, SIDE / 2), radius)] = True
    return mask


@given(st.floats(5, 55))
def test_a_disc_is_not_thin_but_its_outline_is(radius):
    disc = drawn(radius)
    assert not is_thin(disc)
    assert is_thin(disc & ~drawn(radius - 2))


@given(st.integers(3, 100), st.integers(2, 20))
def test_a_stick_is_thin_when_it_is_much_longer_than_wide(length, width):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[5 : 5 + length, 5 : 5 + width] = True
    elongation = max(length / width, width / length)
    if elongation > 9:
        assert is_thin(mask)
    if elongation < 3:
        assert not is_thin(mask)


@given(st.floats(8, 40), st.integers(0, 255), st.integers(0, 255))
def test_what_has_the_colour_of_its_ground_is_faint(radius, ground, colour):
    mask = drawn(radius)
    image = np.where(mask, colour, ground).astype(np.uint8)[..., None].repeat(3, axis=2)
    # a level of grey is at most 0.5 in the lightness of CIELAB, and 90 levels are at least 30
    if abs(colour - ground) < 50:
        assert is_faint(image, mask)
    if abs(colour - ground) > 90:
        assert not is_faint(image, mask)


def test_only_the_ground_at_hand_counts():
    mask = drawn(20)
    image = np.full((SIDE, SIDE, 3), 40, np.uint8)
    image[drawn(35)] = 220
    image[mask] = 40
    assert not is_faint(image, mask)
    assert is_faint(image, drawn(50))


def test_what_fills_its_image_is_not_faint():
    assert not is_faint(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), bool))
