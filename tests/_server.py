"""A server of files on this machine that can misbehave, for tests of downloads."""

from __future__ import annotations

import contextlib
import http.server
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Reply = Callable[["Handler", bytes], None]


@dataclass
class Site:
    """What the server has, and how it answers the next requests; beyond those it behaves."""

    root: str
    files: dict[str, bytes] = field(default_factory=dict)
    next: list[Reply] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves files, also from a byte on, as web servers do."""

    site: Site

    def do_GET(self) -> None:
        """Answer."""
        name = self.path.strip("/")
        self.site.asked.append((name, self.headers.get("Range", "")))
        data = self.site.files.get(name)
        with contextlib.suppress(ConnectionError):
            if data is None:
                self.send_error(404)
            elif self.site.next:
                self.site.next.pop(0)(self, data)
            else:
                whole(self, data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def whole(handler: Handler, data: bytes, stop: int | None = None, tag: str = '"one"') -> None:
    """Send the file, or what is asked of it; with `stop` cut the connection after so many bytes."""
    start = 0
    wanted = handler.headers.get("Range", "")
    if wanted and handler.headers.get("If-Range", tag) == tag:
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
    if start and start >= len(data):
        handler.send_error(416)
        return
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Length", str(len(data) - start))
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    if tag:
        handler.send_header("ETag", tag)
    handler.end_headers()
    handler.wfile.write(data[start:] if stop is None else data[start : start + stop])
    handler.close_connection = True


def cut(after: int) -> Reply:
    """Return a reply that breaks the connection after some bytes."""
    return lambda handler, data: whole(handler, data, stop=after)


def reset(after: int) -> Reply:
    """Return a reply that ends as where a machine on the way gives up: with a reset, not with a farewell."""

    def reply(handler: Handler, data: bytes) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        whole(handler, data, stop=after)

    return reply


def status(code: int, **headers: str) -> Reply:
    """Return a reply without a file."""

    def reply(handler: Handler, data: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return reply


def other(data: bytes) -> Reply:
    """Return a reply with other bytes than the file's, under the file's length."""
    return lambda handler, real: whole(
        handler, (data * (len(real) // len(data) + 1))[: len(real)], tag='"two"'
    )


@contextlib.contextmanager
def serving() -> Iterator[Site]:
    """Serve on a free port for as long as the context lasts."""
    site = Site("")

    class Bound(Handler):
        pass

    Bound.site = site
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bound) as server:
        server.daemon_threads = True
        site.root = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield site
        server.shutdown()
        thread.join(5)
