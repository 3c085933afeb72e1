"""What is known of each plane while a run goes on: one small file each, there whole or not at all."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.atomic import replacing
from napari_slip.segments import PackedMasks
from napari_slip.stacks import PlaneResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ARRAYS = ("classes", "segments", "scores", "predicted_iou", "embedding", "best")


def part_path(folder: Path, index: Sequence[int]) -> Path:
    """Return where a plane's part lies."""
    return folder / f"{'-'.join(map(str, index)) or 'plane'}.part"


def done_path(folder: Path) -> Path:
    """Return the file that says that an image is done; no part is wanted any more."""
    return folder / "done.json"


def write_part(path: Path, stamp: str, result: PlaneResult | str) -> None:
    """Write what came of a plane: a result, or the sentence that says why there is none.

    A cluster that lost a worker may do a plane twice, the second time when its image is done already: that is
    not written.
    """
    if done_path(path.parent).exists():
        return
    about: dict[str, object] = {"stamp": stamp}
    arrays: dict[str, np.ndarray] = {}
    if isinstance(result, str):
        about["error"] = result
    else:
        about |= {
            "index": list(result.index),
            "shape": list(result.shape),
            "names": list(result.names),
            "n_segments": result.n_segments,
        }
        arrays = {name: getattr(result, name) for name in _ARRAYS}
        arrays |= {name: getattr(result.masks, name) for name in ("boxes", "bits", "starts")}
    buffer = io.BytesIO()
    told = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, about=told, **arrays)
    with replacing(path) as unfinished:
        unfinished.write_bytes(buffer.getvalue())


def read_part(path: Path, stamp: str) -> PlaneResult | str | None:
    """Return what `write_part` wrote; None if there is nothing, or of another file or run."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            if about["stamp"] != stamp:
                return None
            if "error" in about:
                return str(about["error"])
            return PlaneResult(
                index=tuple(about["index"]),
                shape=(about["shape"][0], about["shape"][1]),
                names=tuple(about["names"]),
                n_segments=about["n_segments"],
                masks=PackedMasks(file["boxes"], file["bits"], file["starts"]),
                **{name: file[name] for name in _ARRAYS},
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
