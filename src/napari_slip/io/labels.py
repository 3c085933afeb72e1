"""Label pictures as TIFF files that every program reads."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
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
    write_label_planes(path, [labels], {}, labels.shape, int(labels.max(initial=0)))


def write_label_planes(
    path: Path,
    planes: Iterable[NDArray[Any]],
    steps: Mapping[str, int],
    shape: tuple[int, ...],
    highest: int,
    *,
    info: str = "",
    imagej: bool = False,
    pixel_size: tuple[float, float] | None = None,
    unit: str = "px",
    spacing: float | None = None,
) -> None:
    """Write label pictures as one TIFF, one plane in memory at a time, with 16 bits where the ids allow it.

    Parameters
    ----------
    path : Path
        Ends in ``.tif``.
    planes : iterable of (H, W) unsigned integer arrays
        The last of the axes of `steps` runs the fastest.
    steps : mapping of str to int
        Letters and lengths of the axes along which the planes lie, in their order.
    shape : (H, W)
        Of each plane.
    highest : int
        The highest id.
    info : str
        Is kept in the file.
    imagej : bool
        Whether ImageJ shall know the axes and show the info; such files are not compressed. Those of more ids
        or other axes than ImageJ has are written as without this.
    pixel_size : (height, width), optional
        Of a pixel in `unit`, for ImageJ.
    unit : str
        Of length.
    spacing : float, optional
        From slice to slice in `unit`, for ImageJ.
    """
    kind = np.uint16 if highest < 2**16 else np.uint32
    letters = "".join(steps)
    about: dict[str, Any] = {"axes": letters.upper() + "YX", **({"Info": info} if info else {})}
    options: dict[str, Any]
    if imagej and kind is np.uint16 and letters in ("", "t", "z", "tz"):
        options = {"imagej": True}
        if pixel_size is not None:
            about["unit"] = unit
            about |= {} if spacing is None else {"spacing": spacing}
            options["resolution"] = (1 / pixel_size[1], 1 / pixel_size[0])
    else:
        options = {"compression": "zlib", "photometric": "minisblack", "software": "napari-slip"}
        # what compression saves is not known before; few programs read the larger form
        options["bigtiff"] = math.prod((*steps.values(), *shape)) * kind().itemsize > 2**32 - 2**25
    tifffile.imwrite(
        path,
        (plane.astype(kind, copy=False) for plane in planes),
        shape=(*steps.values(), *shape),
        dtype=kind,
        metadata=about,
        **options,
    )


def pixel_hash(labels: NDArray[Any]) -> str:
    """``sha256:...`` of the shape and the ids of a label picture, whatever its integer type."""
    ids = np.ascontiguousarray(labels, np.uint32)
    digest = hashlib.sha256(repr(ids.shape).encode())
    digest.update(ids.astype("<u4", copy=False).tobytes())
    return "sha256:" + digest.hexdigest()
