"""Saving beside the work: a session is on disk soon after each change, and the work never waits for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slip.session.session import Session

WAIT_S = 0.5
"""From a change to its saving, so that a row of quick decisions is one file."""


class Autosave:
    """Writes a session to its file after each change, from a thread of its own.

    Parameters
    ----------
    session : Session
        What is saved.
    path : Path
        Where.
    wait : float
        Seconds from a change to its saving.
    """

    def __init__(self, session: Session, path: Path, wait: float = WAIT_S) -> None:
        self.session = session
        self.path = path
        self.error: OSError | None = None
        """Why the last saving failed, if it did; it is tried again with the next change."""
        self._wait = wait
        self._waiting: threading.Timer | None = None
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        session.changed.connect(self.note)

    def note(self) -> None:
        """Save soon; what is waiting already is not put off by it."""
        with self._lock:
            if self._waiting is None:
                self._waiting = threading.Timer(self._wait, self._late)
                self._waiting.daemon = True
                self._waiting.start()

    def flush(self) -> None:
        """Save now what is waiting to be saved.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        if waiting is not None or self.error is not None:
            self._write()
        if self.error is not None:
            raise self.error
        with self._writing:  # a file that is being written is finished first
            pass

    def close(self) -> None:
        """Save what is waiting, and listen no more."""
        self.session.changed.disconnect(self.note, missing_ok=True)
        self.flush()

    def _late(self) -> None:
        with self._lock:
            if self._waiting is None:  # overtaken by `flush`
                return
            self._waiting = None
        self._write()

    def _write(self) -> None:
        with self._writing:
            if not self.session.objects and not self.path.exists():
                return  # an image that was only looked at leaves no file
            try:
                self.session.save(self.path)
                self.error = None
            except OSError as error:
                self.error = error
