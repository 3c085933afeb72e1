"""From what a person names to the files that are worked on: files, folders, patterns and lists."""

from __future__ import annotations

import csv
import glob
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slip.batch.finishing import is_result
from napari_slip.errors import InputError
from napari_slip.io import PICTURES, is_ome_zarr, picture_name
from napari_slip.models.folders import own_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Source:
    """One image of a run.

    Parameters
    ----------
    path : Path
        A file, or the folder of an OME-Zarr.
    name : str
        Of its results; no two of a run are alike.
    channel_axis : int, optional
        Of the file's array; the file's own word if not given.
    """

    path: Path
    name: str
    channel_axis: int | None = None

    @property
    def stamp(self) -> str:
        """Tell whether the file has changed since, without reading all of it; empty if it is not there."""
        told = self.path
        if self.path.is_dir():
            told = next((p for n in (".zattrs", "zarr.json") if (p := self.path / n).is_file()), self.path)
        try:
            status = told.stat()
        except OSError:
            return ""
        return f"{status.st_size} {status.st_mtime_ns}"


def find_sources(
    named: Sequence[str | Path], channel_axis: int | None = None, out: Path | None = None
) -> list[Source]:
    """Find the images that a person means.

    Parameters
    ----------
    named : sequence of str or Path
        Files; folders, whose pictures and OME-Zarrs are taken, but not those of folders within; patterns such
        as ``"day1/*.tif"``, where ``**`` stands for folders within folders; and CSV files with a column
        ``path`` and, if wanted, ``name`` and ``channel_axis``, whose paths begin where the list lies. What no
        file can be called becomes an underscore in a name.
    channel_axis : int, optional
        For all that no list names one for.
    out : Path, optional
        Folder of the results; those that a run has made there are left out of folders and patterns.

    Returns
    -------
    list of Source
        Each image once, in the order of the names; numbers count as numbers.

    Raises
    ------
    InputError
        If a name finds nothing, or a list cannot be read.
    """
    found: dict[str, Source] = {}
    for each in named:
        for source in _found(str(each), channel_axis, out):
            found.setdefault(str(source.path), source)
    taken: Counter[str] = Counter()
    unique = []
    for source in found.values():
        name = source.name
        while taken[name]:
            taken[source.name] += 1
            name = f"{source.name}-{taken[source.name]}"
        taken[name] += 1
        unique.append(Source(source.path, name, source.channel_axis))
    return unique


def _found(named: str, channel_axis: int | None, out: Path | None) -> Iterator[Source]:
    path = own_path(named)
    if path.suffix.lower() == ".csv" and path.is_file():
        yield from _listed(path, channel_axis)
    elif path.is_dir() and not is_ome_zarr(path):
        inside = [p for p in path.iterdir() if _is_picture(p) and not (out and is_result(p, out))]
        if not inside:
            raise InputError(
                f"The folder {path} holds no picture: expected {', '.join(PICTURES)} or OME-Zarr."
            )
        yield from (_source(p, channel_axis) for p in sorted(inside, key=_natural))
    elif glob.has_magic(named) and not path.exists():
        matching = [Path(p) for p in glob.glob(str(path), recursive=True)]
        chosen = [p for p in matching if p.is_file() or is_ome_zarr(p)]
        chosen = [p for p in chosen if not (out and is_result(p, out))]
        if not chosen:
            raise InputError(f"Nothing is called {named}: check the folder and the pattern.")
        yield from (_source(p, channel_axis) for p in sorted(chosen, key=_natural))
    else:  # what is wrong with a file is told when its turn comes
        yield _source(path, channel_axis)


def _listed(path: Path, channel_axis: int | None) -> Iterator[Source]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"The list {path} cannot be read ({error}): expected a CSV file in UTF-8."
        ) from error
    if not rows or "path" not in rows[0]:
        raise InputError(f"The list {path} names no images: expected a column 'path' and a row for each.")
    for number, row in enumerate(rows, start=2):
        axis = (row.get("channel_axis") or "").strip()
        if axis and not re.fullmatch(r"-?\d+", axis):
            raise InputError(f"Line {number} of {path} has the channel_axis {axis!r}, which is no number.")
        if not (row["path"] or "").strip():
            raise InputError(f"Line {number} of {path} has no path: name an image or take the line out.")
        image = path.parent / own_path(row["path"].strip())
        source = _source(image, int(axis) if axis else channel_axis)
        wanted = (row.get("name") or "").strip()
        yield Source(source.path, _safe(wanted) if wanted else source.name, source.channel_axis)


def _source(path: Path, channel_axis: int | None) -> Source:
    return Source(Path(os.path.abspath(path)), _safe(picture_name(path.name)), channel_axis)


def _safe(name: str) -> str:
    """Return a name that is one of a file, whatever the system, and leads to no other folder."""
    return re.sub(r"[^\w.+ -]", "_", name).strip(" .") or "image"


def _is_picture(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return is_ome_zarr(path) if path.is_dir() else path.suffix.lower() in PICTURES


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort frame2 before frame10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]
