"""Pictures of objects, a folder for each class: what image classifiers and fine-tuning read."""

from __future__ import annotations

import json
import re
from glob import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from napari_slip.errors import InputError
from napari_slip.io.whole import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.session import Session

MARGIN = 0.1
"""Room around an object, in its longer side."""

PHRASES = "phrases.json"
"""File beside the folders that says by which phrases each class is looked for, its name in full."""


def write_crops(
    folder: Path, session: Session, pictures: Callable[[tuple[int, ...]], NDArray[np.uint8]], stem: str
) -> list[Path]:
    """Write one PNG for each accepted or corrected object: the picture around it, its mask as the opacity.

    A program that knows no opacity sees the plain picture, because the colours outside are kept. The names of
    one track's files begin alike, ``STEM-track7-``, so that training keeps them together. Crops of
    `stem` that were written before and are no objects any more go. What a folder's name cannot say about its
    class stands in `PHRASES`.

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
    here = {path.parent.name for path in written}
    if here:
        write_phrases(folder, {c.name: c.phrases for c in session.classes if safe_name(c.name) in here})
    return written


def write_phrases(folder: Path, phrases: Mapping[str, tuple[str, ...]]) -> None:
    """Say by which phrases classes are looked for, beside what is said of other classes already."""
    known = {name: list(told) for name, told in (read_phrases(folder) | dict(phrases)).items()}
    with whole_file(folder / PHRASES) as part:
        part.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_phrases(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the phrases of the classes whose pictures a folder holds; of none if nothing is said.

    Raises
    ------
    InputError
        If the file that says it holds something else.
    """
    path = folder / PHRASES
    if not path.is_file():
        return {}
    try:
        return {str(name): _texts(told) for name, told in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f'{path} does not hold the phrases of each class, as {{"cell": ["cell", "round cell"]}}: '
            "mend it, or remove it so that the folders' names count."
        ) from error


def _texts(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not told or not all(isinstance(t, str) and t.strip() for t in told):
        raise TypeError("expected texts")
    return tuple(told)


def safe_name(name: str) -> str:
    """Return a class's name as a folder can be called everywhere."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).strip(" .") or "_"
