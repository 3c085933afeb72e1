"""Sessions on disk: one npz file, written whole or not at all, without pickles."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError
from napari_slip.objects import Object
from napari_slip.session.classes import ClassList, SlipClass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = "napari-slip session 1"


def write_session(
    path: Path, shape: tuple[int, int], classes: ClassList, objects: Mapping[int, Object], next_id: int
) -> None:
    """Write a session; the file that was there stays until the new one is complete."""
    header = {
        "format": FORMAT,
        "shape": shape,
        "next_id": next_id,
        "classes": [asdict(c) for c in classes],
        "objects": [_describe(thing) for thing in objects.values()],
    }
    bits = [np.packbits(thing.crop) for thing in objects.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(
                file,
                header=np.frombuffer(json.dumps(header).encode(), np.uint8),
                bits=np.concatenate(bits) if bits else np.zeros(0, np.uint8),
            )
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


def read_session(path: Path) -> tuple[tuple[int, int], ClassList, dict[int, Object], int]:
    """Read what `write_session` wrote: shape, classes, objects and the next free id.

    Raises
    ------
    InputError
        If the file is missing, damaged or no session.
    """
    try:
        # opened here, because numpy leaves a damaged file open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            bits = file["bits"]
        if header["format"] != FORMAT:
            raise KeyError("format")
        classes = ClassList(
            tuple(SlipClass(c["name"], c["colour"], tuple(c["phrases"])) for c in header["classes"])
        )
        objects = _objects(header["objects"], bits)
        height, width = header["shape"]
        return (height, width), classes, objects, int(header["next_id"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} holds no session that can be read: choose a file that a session wrote."
        ) from error


def _describe(thing: Object) -> dict[str, Any]:
    return {
        "id": thing.id,
        "class_name": thing.class_name,
        "status": thing.status,
        "size": thing.crop.shape,
        "origin": thing.origin,
        "plane": thing.plane,
        "segment": thing.segment,
        "score": thing.score,
        "track": thing.track,
    }


def _objects(entries: list[dict[str, Any]], bits: np.ndarray) -> dict[int, Object]:
    objects, start = {}, 0
    for entry in entries:
        height, width = entry["size"]
        length = -(-height * width // 8)
        crop = (
            np.unpackbits(bits[start : start + length], count=height * width)
            .view(bool)
            .reshape(height, width)
        )
        start += length
        objects[entry["id"]] = Object(
            entry["id"],
            entry["class_name"],
            entry["status"],
            crop,
            tuple(entry["origin"]),
            tuple(entry["plane"]),
            entry["segment"],
            entry["score"],
            entry.get("track"),
        )
    return objects
