"""Taught heads on disk: one file each, found by their names, to be given to others."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote, unquote

import platformdirs

from napari_slip.errors import InputError
from napari_slip.matching.teaching import Head
from napari_slip.models.folders import own_path

SUFFIX = ".head"


def folder() -> Path:
    """Where heads are kept."""
    return Path(platformdirs.user_data_dir("napari-slip", appauthor=False)) / "heads"


def names() -> list[str]:
    """Return the names of the heads that are kept, sorted."""
    return sorted(unquote(path.name.removesuffix(SUFFIX)) for path in folder().glob(f"*{SUFFIX}"))


def load(name: str) -> Head:
    """Read a head by its name."""
    return Head.load(_path(name))


def place_of(name_or_path: str | Path) -> Path:
    """Return the file of a head: a path as it is, or where the head of a name is kept.

    Raises
    ------
    InputError
        If there is neither.
    """
    path = own_path(str(name_or_path))
    for place in (path, _path(str(name_or_path))):
        if place.is_file():
            return place.resolve()
    known = ", ".join(map(repr, names())) or "none yet"
    raise InputError(
        f"There is no taught head called {str(name_or_path)!r}, and no such file: expected a file, or one of "
        f"those that are kept: {known}."
    )


def save(head: Head) -> None:
    """Keep a head under its name, in place of an earlier one of that name.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        head.save(_path(head.name))
    except OSError as error:
        raise InputError(
            f"What was taught could not be saved to {folder()} ({error.strerror or error}): choose a "
            "shorter name or make room, and press Teach again; until napari ends it is used all the same."
        ) from error


def delete(name: str) -> None:
    """Take a head away."""
    _path(name).unlink(missing_ok=True)


def export(name: str, path: Path) -> None:
    """Copy a head to a file of any name."""
    shutil.copyfile(_path(name), path)


def take_in(path: Path) -> Head:
    """Keep a head that somebody else has taught; where the name is taken, it gets a number."""
    from dataclasses import replace

    head = Head.load(path)
    taken, name, number = set(names()), head.name, 2
    while name in taken:
        name, number = f"{head.name} {number}", number + 1
    head = replace(head, name=name)
    save(head)
    return head


def _path(name: str) -> Path:
    return folder() / f"{quote(name, safe=' ')}{SUFFIX}"
