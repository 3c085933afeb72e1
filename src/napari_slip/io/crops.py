"""Pictures of objects, a folder for each class: what image classifiers and fine-tuning read."""

from __future__ import annotations

import re
from glob import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from napari_slip.io.whole import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.session import Session

MARGIN = 0.1
"""Room around an object, in its longer side."""


def write_crops(
    folder: Path, session: Session, pictures: Callable[[tuple[int, ...]], NDArray[np.uint8]], stem: str
) -> list[Path]:
    """Write one PNG for each accepted or corrected object: the picture around it, its mask as the opacity.

    A program that knows no opacity sees the plain picture, because the colours outside are kept. The names of
    one track's files begin alike, ``STEM-track7-``, so that training keeps them together. Crops of
    `stem` that were written before and are no objects any more go.

    Parameters
    ----------
    folder : Path
        Gets a folder for each class.
    session : Session
        Its objects.
    pictures : callable
        Returns a plane, (H, W, 3) uint8, by its index.
    stem : str
        How the files' names begin.

    Returns
    -------
    list of Path
        The files.
    """
    written: list[Path] = []
    planes: dict[tuple[int, ...], NDArray[np.uint8]] = {}
    height, width = session.shape
    for o in sorted(session.objects.values(), key=lambda o: o.plane):
        if o.status not in ("accepted", "corrected"):
            continue
        if o.plane not in planes:
            planes = {o.plane: pictures(o.plane)}  # one at a time: stacks can be long
        rows, columns = o.window
        room = max(1, round(MARGIN * max(o.crop.shape)))
        window = (
            slice(max(0, rows.start - room), min(height, rows.stop + room)),
            slice(max(0, columns.start - room), min(width, columns.stop + room)),
        )
        opacity = np.where(o.mask(session.shape)[window], 255, 0).astype(np.uint8)
        crop: NDArray[Any] = np.dstack([planes[o.plane][window], opacity])
        thing = stem if o.track is None else f"{stem}-track{o.track}"
        place = "-".join(map(str, (*o.plane, o.id)))
        path = folder / safe_name(o.class_name) / f"{thing}-{place}.png"
        with whole_file(path) as part:
            Image.fromarray(crop).save(part, "png")
        written.append(path)
    current = set(written)
    for path in folder.glob(f"*/{escape(stem)}-*.png"):
        if path not in current:
            path.unlink()
    return written


def safe_name(name: str) -> str:
    """Return a class's name as a folder can be called everywhere."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).strip(" .") or "_"
