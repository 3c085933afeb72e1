"""Sessions on disk: saved by themselves, and found again by the picture that they belong to."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
import platformdirs

from napari_slip.errors import SlipError
from napari_slip.session import Session
from napari_slip.viewer._source import layer_data

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_slip.session import ClassList
    from napari_slip.viewer._source import Place

SAMPLE = 4096
"""Pixels of an array in memory that tell it from others."""

log = logging.getLogger(__name__)

# Two docks that work on one picture work on one session.
_open: WeakValueDictionary[str, Session] = WeakValueDictionary()


def session_key(layer: Image, place: Place) -> str:
    """Tell pictures apart, cheaply and in the same way after a restart."""
    data = layer_data(layer)
    sums = hashlib.blake2b(digest_size=12)
    sums.update(repr((tuple(data.shape), str(data.dtype), place.axes, place.channel_axis)).encode())
    if isinstance(data, np.ndarray):
        sums.update(_sample(data).tobytes())
    else:  # to look into a lazy array may take its time
        sums.update(str(layer.source.path or layer.name).encode())
    return sums.hexdigest()


def folder() -> Path:
    """Where sessions are kept."""
    return Path(platformdirs.user_data_dir("napari-slip", appauthor=False)) / "sessions"


def open_session(key: str, shape: tuple[int, int], classes: ClassList) -> Session:
    """Return the session of a picture: the one that is open, the one on disk, or a new one with `classes`.

    Raises
    ------
    SlipError
        If the file is damaged; it is then kept under another name, and the next call begins anew.
    """
    if (known := _open.get(key)) is not None and known.shape == shape:
        return known
    path = folder() / f"{key}.npz"
    if path.is_file():
        try:
            session = Session.load(path)
        except SlipError:
            path.replace(path.with_suffix(".damaged.npz"))
            raise
    else:
        session = Session(shape)
        if len(classes):
            session.classes = classes
    _open[key] = session
    return session


def save_session(key: str, session: Session) -> None:
    """Write a session to its place, unless there is nothing in it.

    Raises
    ------
    SlipError
        If it cannot be written.
    """
    path = folder() / f"{key}.npz"
    if not session.objects and not path.exists():
        return
    try:
        session.save(path)
    except OSError as error:
        raise SlipError(
            f"The session could not be saved to {path} ({error.strerror or error}): make room and go on; "
            "it is tried again with the next change."
        ) from error


def _sample(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = (
        data.reshape(-1)
        if data.flags.c_contiguous
        else data[tuple(slice(None, None, max(1, n // 64)) for n in data.shape)].ravel()
    )
    return flat[:: max(1, flat.size // SAMPLE)]
