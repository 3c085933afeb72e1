"""One file from a plain address: resumed where it stopped, and taken only when it is whole."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from napari_slip.errors import Cancelled
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from requests import Response

MIRROR_VARIABLE = "NAPARI_SLIP_MIRROR"
"""Environment variable with an address whose files are tried before the published ones: ``MIRROR/FILE``."""

TRIES = 5
"""How often a connection that breaks, or a server that is busy, is asked again."""

PIECE = 1 << 16
"""Bytes between two looks at the stop button."""

HASHED = 1 << 22
"""Bytes that are hashed between two looks at it."""

_BUSY = (408, 425, 429, 500, 502, 503, 504)


def download(
    address: str, path: Path, *, sha256: str = "", size: int = 0, progress: Progress | None = None
) -> None:
    """Fetch a file.

    What has arrived lies in ``PATH.part`` until it is whole, so that a later call goes on from there. The
    file takes its name only then, and only if its hash is the known one.

    Parameters
    ----------
    address : str
        Where it is published.
    path : Path
        Where it shall lie.
    sha256 : str
        64 hexadecimal digits; empty if they are not known.
    size : int
        In bytes; 0 if it is not known for sure.
    progress : Progress, optional
        Hears ``("download", done, total)`` in bytes, and can stop it.

    Raises
    ------
    Cancelled
        If `progress` was cancelled.
    Exception
        Whatever the network, the server and the disk can do; `told` makes words of it.
    """
    from filelock import FileLock, Timeout

    progress = progress or Progress()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_beside(path, ".lock"))
    while True:  # another process may be fetching the same
        progress.check()
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            continue
    try:
        if not path.is_file():
            _download(address, path, sha256, size, progress)
    finally:
        lock.release()


def _download(address: str, path: Path, sha256: str, size: int, progress: Progress) -> None:
    part = _Part(path, sha256, size, progress)
    mirror = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    addresses = [*([f"{mirror}/{path.name}"] if mirror else []), address]
    once_more = True
    while addresses:
        try:
            part.fetch(addresses[0])
            return
        except Cancelled:
            raise
        except _Other as error:
            if not (part.pieced and once_more):  # what was pieced together may have been of two files
                addresses.pop(0)
            once_more = not part.pieced
            problem: Exception = error
        except Exception as error:  # whatever the network, the server and the disk can do
            addresses.pop(0)
            problem = error
    raise problem


class _Wrong(Exception):
    """What the server has is not what is known, however often it is asked."""


class _Other(Exception):
    """What has arrived is not what is known."""


class _Part:
    """A download that goes on from what an earlier one left in ``PATH.part``."""

    def __init__(self, path: Path, sha256: str, size: int, progress: Progress) -> None:
        self.whole = path
        self.path = _beside(path, ".part")
        self.tag = _beside(path, ".part.tag")
        self.sha256 = sha256
        self.size = size
        self.progress = progress
        self.pieced = False

    def fetch(self, url: str) -> None:
        """Fetch what lies at `url`, and give it its name if it is what is known."""
        from requests import ConnectionError, Timeout
        from requests.exceptions import ChunkedEncodingError, ContentDecodingError

        left = TRIES
        self.pieced = self.done() > 0
        # of a file of unknown size only its hash tells that nothing is left to ask for
        unsure = self.sha256 and self.pieced and not self.size
        whole = unsure and self._hash() == self.sha256
        while not whole:
            before = self.done()
            try:
                if not self.size or before != self.size:
                    self._go_on(url)
                break
            except (ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError, _Busy) as error:
                self.pieced = True
                left = TRIES if self.done() > before else left - 1  # bytes that came are worth another try
                if left <= 0:
                    raise
                self._wait(error.seconds if isinstance(error, _Busy) else 0.2 * (TRIES - left))
        if self.sha256 and not whole and self._hash() != self.sha256:
            self.path.unlink()
            self.tag.unlink(missing_ok=True)
            raise _Other("it is another file: its hash is not the known one")
        os.replace(self.path, self.whole)
        self.tag.unlink(missing_ok=True)

    def _hash(self) -> str:
        """Hash what has arrived; who stops this finds it still there."""
        found = hashlib.sha256()
        with self.path.open("rb") as file:
            while piece := file.read(HASHED):
                self.progress.check()
                found.update(piece)
        return found.hexdigest()

    def done(self) -> int:
        """Return how many bytes have arrived."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def _go_on(self, url: str) -> None:
        import requests

        done, tag = self.done(), self.tag.read_text("utf-8") if self.tag.is_file() else ""
        headers = {"Accept-Encoding": "identity"}
        if done and (self.sha256 or tag):  # without either, nobody could tell that it is still the same file
            headers["Range"] = f"bytes={done}-"
            if tag:
                headers["If-Range"] = tag
        with requests.get(url, headers=headers, stream=True, timeout=(10, 30)) as response:
            self._check(response, done)
            if response.status_code != 206:
                done = 0
            total = done + int(response.headers.get("Content-Length") or 0)
            if self.size and total > done and total != self.size:
                raise _Wrong(f"it has {total} bytes, but {self.size} are expected")
            new = response.headers.get("ETag", "")
            if new and not new.startswith("W/"):
                self.tag.write_text(new, "utf-8")
            else:
                self.tag.unlink(missing_ok=True)
            self._write(response, done, total)

    def _check(self, response: Response, done: int) -> None:
        if response.status_code == 416:  # there is nothing after what has arrived
            self.path.unlink()
            raise _Busy(0)
        if response.status_code in _BUSY:
            raise _Busy(_seconds(response.headers.get("Retry-After", "")))
        response.raise_for_status()
        starts = response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        if response.status_code == 206 and not starts:
            self.path.unlink()
            raise _Busy(0)

    def _write(self, response: Response, done: int, total: int) -> None:
        from requests import ConnectionError

        most = self.size or (total if response.headers.get("Content-Length") else 0)
        with self.path.open("ab" if done else "wb") as file:
            for piece in response.iter_content(PIECE):
                file.write(piece)
                done += len(piece)
                if most and done > most:
                    break
                self.progress("download", done, max(most, done))
        if most and done > most:
            self.path.unlink()
            raise _Wrong(f"it has more than the {most} bytes that are expected")
        if done < most:
            raise ConnectionError(f"the connection broke after {done} of {most} bytes")

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.progress.check()
            time.sleep(min(0.05, seconds))


class _Busy(Exception):
    """The server asks to be asked again."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the server is busy")
        self.seconds = seconds


def _seconds(text: str) -> float:
    """Read a server's Retry-After; at most half a minute, a second where it says nothing of use."""
    try:
        return min(max(float(text), 0.0), 30.0)
    except ValueError:
        return 1.0


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def told(error: Exception) -> str:
    """Return what went wrong with a download, in a few words that fit into a sentence."""
    from requests import ConnectionError, HTTPError, Timeout

    if isinstance(error, HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code}"
    if isinstance(error, Timeout):
        return "the server does not answer in time"
    if "onnection broke" in str(error):
        return "the connection broke again and again"
    if isinstance(error, ConnectionError):
        return "there is no connection to the server"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    line = (str(error).splitlines() or [""])[0]
    return line[:120] or type(error).__name__
