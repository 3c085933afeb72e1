"""Sessions of the first version: npz files without a history, read to be written in today's format."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError
from napari_slip.objects import Object
from napari_slip.session.history import State

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.session.saving import Contents

FORMAT = "napari-slip session 1"


def read_first_version(path: Path) -> Contents:
    """Read a session as the first version wrote it.

    Raises
    ------
    InputError
        If the file is damaged or no session.
    """
    from napari_slip.session.saving import Contents, read_classes

    try:
        # opened here, because numpy leaves a damaged file open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            bits = file["bits"]
        if header["format"] != FORMAT:
            raise KeyError("format")
        height, width = header["shape"]
        state = State(read_classes(header["classes"]), _objects(header["objects"], bits))
        return Contents((height, width), state, int(header["next_id"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} holds no session that can be read: choose a file that a session wrote."
        ) from error


def _objects(entries: list[dict[str, Any]], bits: NDArray[np.uint8]) -> dict[int, Object]:
    objects, start = {}, 0
    for entry in entries:
        height, width = entry["size"]
        length = -(-height * width // 8)
        part = np.unpackbits(bits[start : start + length], count=height * width)
        start += length
        objects[entry["id"]] = Object(
            entry["id"],
            entry["class_name"],
            entry["status"],
            part.view(bool).reshape(height, width),
            tuple(entry["origin"]),
            tuple(entry["plane"]),
            entry["segment"],
            entry["score"],
            entry.get("track"),
        )
    return objects
