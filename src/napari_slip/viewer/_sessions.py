"""Sessions on disk: saved by themselves, and found again by the picture that they belong to."""

from __future__ import annotations

import hashlib
import itertools
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

SAMPLE = 4096
"""Pixels of an array in memory that tell it from others."""

# Two docks that work on one picture work on one session, and on one file.
_open: WeakValueDictionary[str, Autosave] = WeakValueDictionary()


def session_key(layer: Image, place: Place) -> str:
    """Tell pictures apart, cheaply and in the same way after a restart."""
    data = layer_data(layer)
    sums = hashlib.blake2b(digest_size=12)
    sums.update(repr((tuple(data.shape), str(data.dtype), place.axes, place.channel_axis)).encode())
    if isinstance(data, np.ndarray):
        sums.update(_sample(data).tobytes())
    else:  # to look into a lazy array may take its time; the channels of one file have names of their own
        sums.update(repr((layer.source.path, layer.name)).encode())
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


def _sample(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = (
        data.reshape(-1)
        if data.flags.c_contiguous
        else data[tuple(slice(None, None, max(1, n // 64)) for n in data.shape)].ravel()
    )
    return flat[:: flat.size // SAMPLE | 1]  # an odd step, which does not stay in one column
