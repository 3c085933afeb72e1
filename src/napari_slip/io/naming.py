"""How files are called after the picture that they are about."""

from __future__ import annotations

import re

_PICTURE = re.compile(r"(\.ome)?\.(tiff?|zarr|png|jpe?g|bmp|gif|webp)$", re.IGNORECASE)
_WORK = re.compile(r"(\.coco)?\.json$|\.labels\.tif$|\.slip$|\.npz$", re.IGNORECASE)


def picture_name(file: str) -> str:
    """Return a picture's name without its ending: ``plate1.A01`` of ``plate1.A01.ome.tif``."""
    return _PICTURE.sub("", file) or file


def work_name(file: str) -> str:
    """Return the picture's name in that of a file of objects: ``plate1.A01`` of ``plate1.A01.coco.json``."""
    shorter = _WORK.sub("", file) or file
    return shorter if shorter != file else picture_name(file)
