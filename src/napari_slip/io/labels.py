"""Label pictures as TIFF files that every program reads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write_labels(path: Path, labels: NDArray[Any]) -> None:
    """Write a label picture, compressed without loss.

    Parameters
    ----------
    path : Path
        Ends in ``.tif``.
    labels : (H, W) unsigned integer array
        Written with 16 bits where the ids allow it, because more programs read those than 32.
    """
    ids = labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)
    tifffile.imwrite(
        path,
        ids,
        compression="zlib",
        photometric="minisblack",
        metadata={"axes": "YX"},
        software="napari-slip",
    )


def pixel_hash(labels: NDArray[Any]) -> str:
    """``sha256:...`` of the shape and the ids of a label picture, whatever its integer type."""
    ids = np.ascontiguousarray(labels, np.uint32)
    digest = hashlib.sha256(repr(ids.shape).encode())
    digest.update(ids.astype("<u4", copy=False).tobytes())
    return "sha256:" + digest.hexdigest()
