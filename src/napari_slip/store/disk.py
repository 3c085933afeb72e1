"""A folder of results with a quota."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from napari_slip.atomic import UNFINISHED
from napari_slip.errors import InputError
from napari_slip.store.files import Unreadable, read, write
from napari_slip.store.keys import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.segments import Segments

SUFFIX = ".segments"

QUOTA = 2 * 1024**3
"""Bytes that the store may take unless told otherwise."""


@dataclass(frozen=True)
class StoreInfo:
    """What a store holds.

    Parameters
    ----------
    folder : Path
        Where it is.
    entries : int
        Planes whose segments are kept.
    size : int
        In bytes.
    quota : int
        In bytes.
    """

    folder: Path
    entries: int
    size: int
    quota: int


class DiskStore:
    """Keeps segments in a folder; implements `napari_slip.pipeline.Store`.

    Several processes may use one folder: a file appears whole or not at all, its last use is its modification
    time, and what one process has thrown out is simply not there for the other. A file that is damaged is
    thrown out when it is met, and its plane segmented again. A disk that is full or may not be written to is
    no reason to lose a result: it is then not kept.

    Parameters
    ----------
    folder : path, optional
        The user's cache folder if not given.
    quota : int
        Bytes; when there are more, what was not used for the longest time goes first.

    Raises
    ------
    InputError
        If the quota is not positive.
    """

    def __init__(self, folder: Path | str | None = None, *, quota: int = QUOTA) -> None:
        if quota <= 0:
            raise InputError(f"quota is {quota!r}, but a positive number of bytes is expected.")
        self.folder = (
            Path(folder) if folder is not None else platformdirs.user_cache_path("napari-slip") / "segments"
        )
        self.quota = quota

    def load(self, rgb: NDArray[np.uint8], origin: Mapping[str, str]) -> Segments | None:
        """Return the segments of a plane made by what `origin` names, if they are kept."""
        path = self._path(rgb, origin)
        try:
            segments = read(path)
        except Unreadable:
            with contextlib.suppress(OSError):  # others may not take away what they may read
                path.unlink(missing_ok=True)
            return None
        except OSError:  # not there, or not readable
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return segments

    def save(self, rgb: NDArray[np.uint8], segments: Segments) -> None:
        """Keep segments, which say their own origin, for a plane; throws out others if there is no room."""
        path = self._path(rgb, segments.origin)
        with contextlib.suppress(OSError):
            write(path, segments)
            self._evict(keep=path)

    def info(self) -> StoreInfo:
        """Tell how much the store holds."""
        files = list(self._files())
        return StoreInfo(self.folder, len(files), sum(size for _, size, _ in files), self.quota)

    def clear(self) -> int:
        """Throw everything out; returns the number of bytes that this set free."""
        freed = 0
        for path, size, _ in list(self._files()):
            path.unlink(missing_ok=True)
            freed += size
        for part in self.folder.glob(f"*{UNFINISHED}"):  # what a killed process has left
            part.unlink(missing_ok=True)
        return freed

    def _path(self, rgb: NDArray[np.uint8], origin: Mapping[str, str]) -> Path:
        return self.folder / f"{key_of(rgb, origin)}{SUFFIX}"

    def _files(self) -> Iterator[tuple[Path, int, int]]:
        """Yield path, size and last use of each entry; another process may throw some out meanwhile."""
        for path in self.folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                yield path, status.st_size, status.st_mtime_ns

    def _evict(self, keep: Path) -> None:
        """Throw out what was not used for the longest time, down to the quota, but not what has just come."""
        files = sorted(self._files(), key=lambda file: file[2])
        excess = sum(size for _, size, _ in files) - self.quota
        for path, size, _ in files:
            if excess <= 0:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                excess -= size
