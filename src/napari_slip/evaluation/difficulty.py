"""What makes an object hard to find: thin parts, and a ground that has nearly its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.measure import perimeter_crofton

if TYPE_CHECKING:
    from numpy.typing import NDArray

THIN = 2.5
"""Perimeter squared over 4 pi areas from which on an object is thin; a disc has 1, a fork 8."""

FAINT = 25.0
"""Difference of colours (CIE76) below which an object is faint."""

RIM = 4
"""Pixels on both sides of an outline whose colours are compared."""


def is_thin(mask: NDArray[np.bool_]) -> bool:
    """Return whether an object, (H, W), has thin parts, or a ragged outline."""
    # Crofton's, since skimage's other perimeter counts both sides of a line of two pixels as one
    return bool(perimeter_crofton(mask) ** 2 > THIN * 4 * np.pi * np.count_nonzero(mask))


def is_faint(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> bool:
    """Return whether an object of an (H, W, 3) image has, along its outline, nearly the colour of its ground.

    The pixels next to the outline are left out on its outer side, since blur mixes the two there. An object
    that fills its image is not faint.
    """
    (place,) = ndimage.find_objects(mask.astype(np.uint8))
    around = tuple(slice(max(side.start - RIM, 0), side.stop + RIM) for side in place)
    inside, colour = mask[around], rgb2lab(image[around])
    rim = inside & ~ndimage.binary_erosion(inside, iterations=RIM)
    ring = ndimage.binary_dilation(inside, iterations=RIM) & ~ndimage.binary_dilation(inside)
    if not ring.any():
        return False
    return bool(np.linalg.norm(colour[rim].mean(axis=0) - colour[ring].mean(axis=0)) < FAINT)
