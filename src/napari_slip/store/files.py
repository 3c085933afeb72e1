"""Segments as one file, which is written whole or not at all and read with distrust."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.atomic import replacing
from napari_slip.segments import PackedMasks, Segments

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1
"""Number of the format; files of another are no use and are made again."""

_ARRAYS = ("predicted_iou", "stability_score", "mean_intensity", "area", "roundness", "parent", "background")
_DIGEST = 32


class Unreadable(Exception):
    """A file that is not, or no longer, what was written."""


def write(path: Path, segments: Segments) -> None:
    """Write segments so that the file appears whole or not at all, whoever else writes or reads it."""
    buffer = io.BytesIO()
    arrays: dict[str, NDArray[Any]] = {name: getattr(segments, name) for name in _ARRAYS}
    arrays |= {name: getattr(segments.masks, name) for name in ("boxes", "bits", "starts")}
    if segments.embedding is not None:
        arrays["embedding"] = segments.embedding
    about = {"format": FORMAT, "shape": list(segments.shape), "origin": segments.origin}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(buffer, allow_pickle=False, **arrays)
    content = buffer.getvalue()
    with replacing(path) as unfinished:
        unfinished.write_bytes(hashlib.sha256(content).digest() + content)


def read(path: Path) -> Segments:
    """Read what `write` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    Unreadable
        If it is damaged, or was written by another version.
    """
    content = path.read_bytes()
    if hashlib.sha256(memoryview(content)[_DIGEST:]).digest() != content[:_DIGEST]:
        raise Unreadable(f"{path} is damaged.")
    with np.load(io.BytesIO(memoryview(content)[_DIGEST:]), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].tobytes())
        if about["format"] != FORMAT:
            raise Unreadable(f"{path} is of another version.")
        return Segments(
            shape=(about["shape"][0], about["shape"][1]),
            masks=PackedMasks(arrays["boxes"], arrays["bits"], arrays["starts"]),
            embedding=arrays["embedding"] if "embedding" in arrays else None,
            origin=about["origin"],
            **{name: arrays[name] for name in _ARRAYS},
        )
