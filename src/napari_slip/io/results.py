"""What a run leaves on disk for each image, whole or not at all, and never in place of anything."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from napari_slip.errors import InputError
from napari_slip.io.labels import write_labels
from napari_slip.io.overlay import draw_overlay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_slip.matching import Match

RESULTS = {
    "segments": ".segments.tif",
    "matches": ".matches.tif",
    "table": ".segments.csv",
    "overlay": ".overlay.png",
}
"""The files of one image and how their names end."""


def prepare_folder(folder: Path) -> None:
    """Make a folder for results and try whether it can be written to.

    Raises
    ------
    InputError
        If it is a file or cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder} is a file or lies in one, but a folder for the results is expected."
        ) from error
    except OSError as error:
        raise InputError(f"Results cannot be written to {folder}: {error.strerror or error}.") from error


def claim(folder: Path, stem: str, endings: Mapping[str, str]) -> dict[str, Path]:
    """Reserve free names by making empty files: ``stem``, or ``stem-2``, ``stem-3`` ... where one is taken.

    Parameters
    ----------
    folder : Path
        Where.
    stem : str
        How the names begin.
    endings : mapping
        How they end; all of them get the same number.

    Returns
    -------
    dict
        The reserved files, with the keys of `endings`.
    """
    for number in itertools.count(1):
        name = stem if number == 1 else f"{stem}-{number}"
        claimed: dict[str, Path] = {}
        try:
            for kind, ending in endings.items():
                path = folder / f"{name}{ending}"
                path.touch(exist_ok=False)
                claimed[kind] = path
        except FileExistsError:
            release(claimed)
        except BaseException:
            release(claimed)
            raise
        else:
            return claimed
    raise AssertionError  # there is always a next number


def release(claimed: Mapping[str, Path]) -> None:
    """Take reserved names back."""
    for path in claimed.values():
        path.unlink(missing_ok=True)


def write_results(folder: Path, stem: str, rgb: NDArray[Any], match: Match) -> dict[str, Path]:
    """Write the labels, the table and the overlay of one image.

    Parameters
    ----------
    folder : Path
        Must exist.
    stem : str
        Of the image's name.
    rgb : (H, W, 3) uint8 array
        The plane as the models saw it.
    match : Match
        The result.

    Returns
    -------
    dict
        The files, with the keys of `RESULTS`.

    Raises
    ------
    InputError
        If they cannot be written; then none of them is there.
    """
    try:
        # they are written aside, and appear under their names only when all are whole
        with tempfile.TemporaryDirectory(dir=folder, prefix=".napari-slip-") as aside:
            parts = {kind: Path(aside) / f"result{ending}" for kind, ending in RESULTS.items()}
            write_labels(parts["segments"], match.segments.labels())
            write_labels(parts["matches"], match.labels())
            match.table().to_csv(parts["table"], index=False)
            Image.fromarray(draw_overlay(rgb, match)).save(parts["overlay"])
            paths = claim(folder, stem, RESULTS)
            try:
                for kind, path in paths.items():
                    os.replace(parts[kind], path)
            except BaseException:
                release(paths)
                raise
    except OSError as error:
        raise InputError(f"The results of {stem} cannot be written to {folder}: {_reason(error)}.") from error
    return paths


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no space left; make room and run again"
    return error.strerror or str(error)
