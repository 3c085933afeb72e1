"""Which files an export may replace: those that this project wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tifffile

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 4096
"""Bytes at the beginning of a text file among which its mark lies."""

MARKS = {
    "coco": b'"contributor": "napari-slip',
    "table": b"object,track,class,",
    "provenance": b'"napari-slip"',
}
"""What the texts of this project have near their beginning, by kind of file."""


def is_ours(kind: str, path: Path) -> bool:
    """Tell whether a file is one of this project's, so that an export may take its place.

    Another program's annotations may well have the name that an export would choose, and nobody may have a
    copy.

    Parameters
    ----------
    kind : str
        Key of `napari_slip.io.KINDS`. Of sessions, and of folders, which are asked about where they are
        written, it is not asked.
    path : Path
        A file that exists.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if kind == "labels":
        return _marked_tiff(path)
    if kind not in MARKS:
        return True
    with path.open("rb") as file:
        return MARKS[kind] in file.read(HEAD)


def _marked_tiff(path: Path) -> bool:
    try:
        with tifffile.TiffFile(path) as file:
            told = str((file.imagej_metadata or {}).get("Info", ""))
            return file.pages.first.software == "napari-slip" or "napari-slip" in told
    except tifffile.TiffFileError:
        return False
