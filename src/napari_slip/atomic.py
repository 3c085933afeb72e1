"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


UNFINISHED = ".part"
"""Ending of files that are not whole; what a killed process has left can be told by it."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a file that takes the name `path` when it is whole.

    Until then, everybody else reads what stood under that name. Of several that write at once, the last
    one to end is kept.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.

    Yields
    ------
    Path
        A name in the same folder, for the caller to write to.

    Raises
    ------
    OSError
        If nothing can be written there; then `path` is what it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # made by the writer, not by tempfile, whose files nobody but their owner may read
    unfinished = path.with_name(f".{uuid.uuid4().hex}{UNFINISHED}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())  # else the name may reach the disk before the content, and the power fail
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
