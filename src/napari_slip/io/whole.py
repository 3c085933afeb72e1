"""Results that appear whole or not at all, or end in a sentence."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_slip.atomic import UNFINISHED, replacing
from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; what is written takes the place of `path` once it is complete.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    with _told(path), replacing(path) as part:
        yield part


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write to; what is written takes the place of `path` once it is complete.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    part = path.with_name(f".{path.name}{UNFINISHED}")
    with _told(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(part, ignore_errors=True)
            yield part
            if path.exists():
                shutil.rmtree(path)
            os.replace(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error
