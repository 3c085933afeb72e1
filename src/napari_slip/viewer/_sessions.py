"""Sessions on disk: saved by themselves, and found again by the picture that they belong to."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
import platformdirs

from napari_slip.errors import SlipError
from napari_slip.session import Autosave, Contents, Session, State
from napari_slip.viewer._source import layer_data

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_slip.session import ClassList
    from napari_slip.viewer._source import Place

LOOKED_AT = 2**24
"""Bytes of a picture that tell it from others; all of a smaller one."""

SIDE = 2048
"""Pixels along each side of what is looked at of a lazy picture."""

# Two docks that work on one picture work on one session, and on one file.
_open: WeakValueDictionary[str, Autosave] = WeakValueDictionary()


def session_key(layer: Image, place: Place) -> str:
    """Tell pictures apart by their pixels: alike after a restart, and whatever the layer is called."""
    data = layer_data(layer)
    sums = hashlib.blake2b(digest_size=12)
    sums.update(repr((tuple(data.shape), str(data.dtype), place.axes, place.channel_axis)).encode())
    if not isinstance(data, np.ndarray):
        path = layer.source.path
        sums.update(str(path and Path(path).resolve()).encode())
        # what cannot be read is told apart by its file, and says so itself when it is looked at
        data = np.empty(0)
        with contextlib.suppress(Exception):
            data = _middle(layer)
    sums.update(_rows(data, 2 if layer.rgb else 1).tobytes())
    return sums.hexdigest()


def folder() -> Path:
    """Where sessions are kept."""
    return Path(platformdirs.user_data_dir("napari-slip", appauthor=False)) / "sessions"


def open_session(key: str, shape: tuple[int, int], classes: ClassList) -> Autosave:
    """Return the session of a picture with what saves it: one that is open, one on disk, or a new one.

    A file of an earlier version is taken over and stays where it is; of a damaged one a copy is kept, and the
    session says what is lost.

    Parameters
    ----------
    key : str
        Of the picture.
    shape : (H, W)
        Of its planes.
    classes : ClassList
        What a new session begins with.

    Raises
    ------
    SlipError
        If the file holds nothing of a session; it is then kept under another name, and the next call begins
        anew. Or if a later version wrote it; then it stays as it is.
    """
    if (known := _open.get(key)) is not None and known.session.shape == shape:
        return known
    path = folder() / f"{key}.slip"
    before = path if path.is_file() else path.with_suffix(".npz")
    if before.is_file():
        try:
            session = Session.load(before)
        except SlipError as error:
            if "later version" not in str(error):
                before.replace(_damaged(before))
            raise
        if session.damage:
            shutil.copy2(before, _damaged(before))
    else:
        session = Session.of(Contents(shape, State(classes)))
    opened = Autosave(session, path)
    _open[key] = opened
    return opened


def save_session(opened: Autosave) -> None:
    """Write a session to its place if anything has changed.

    Raises
    ------
    SlipError
        If it cannot be written.
    """
    try:
        opened.flush()
    except OSError as error:
        raise SlipError(
            f"The session could not be saved to {opened.path} ({error.strerror or error}): make room and go "
            "on; it is tried again with the next change."
        ) from error


def session_of(mark: str) -> Session | None:
    """Return the open session that a layer of ours belongs to, by the mark in its metadata."""
    opened = _open.get(mark.split()[0])
    return None if opened is None else opened.session


def _damaged(path: Path) -> Path:
    """Return a free name for what is kept of a damaged file."""
    names = (path.with_suffix(f".damaged{n or ''}{path.suffix}") for n in itertools.count())
    return next(name for name in names if not name.exists())


def _rows(data: np.ndarray[Any, Any], axes: int) -> np.ndarray[Any, Any]:
    """Return a small array as it is, and of a larger one rows from everywhere, of so many axes each."""
    if data.nbytes <= LOOKED_AT:
        return data
    row = math.prod(data.shape[-axes:]) * data.itemsize
    where = np.linspace(0, data.nbytes // row - 1, max(1, LOOKED_AT // row)).astype(int)
    return data[np.unravel_index(where, data.shape[:-axes])]


def _middle(layer: Image) -> np.ndarray[Any, Any]:
    """Read the middle of the plane that napari shows first of a lazy picture, as coarse as it comes."""
    data = layer.data[-1] if layer.multiscale else layer.data
    steps = len(data.shape) - (3 if layer.rgb else 2)
    where = [slice((n - 1) // 2, (n + 1) // 2) for n in data.shape[:steps]]
    where += [slice(max(0, (n - SIDE) // 2), (n + SIDE) // 2) for n in data.shape[steps : steps + 2]]
    return np.asarray(data[tuple(where)])
