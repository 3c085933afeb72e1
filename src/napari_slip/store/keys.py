"""Under which name a result is kept: everything that decides what it is."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from napari_slip import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def key_of(rgb: NDArray[np.uint8], origin: Mapping[str, str]) -> str:
    """Name the segments of a plane made by some models and settings.

    The contrast needs no word of its own: it has gone into the pixels. Another version of this program may
    find other segments, so that none is given what an earlier one has kept.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 array
        The plane as the models see it. It is hashed where it lies, without a copy, if it is contiguous, as
        what `napari_slip.images.to_rgb` makes is.
    origin : mapping of str to str
        Models and settings, as `Slip.origin` tells them.

    Returns
    -------
    str
        40 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=20)
    told = {"shape": list(rgb.shape), "type": str(rgb.dtype), "origin": dict(origin), "by": __version__}
    digest.update(json.dumps(told, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()
