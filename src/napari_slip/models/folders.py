"""Where models lie on this machine, and what is remembered of them."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from napari_slip.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER_VARIABLE = "NAPARI_SLIP_MODELS"
"""Environment variable that names the folder of models."""

RECORDS = "fetched.json"
"""What was fetched, with the hashes that were seen at the first download."""


def models_folder() -> Path:
    """Return the folder where models are kept: ``$NAPARI_SLIP_MODELS``, or one in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    return own_path(named) if named else platformdirs.user_cache_path("napari-slip") / "models"


def own_path(path: str) -> Path:
    """Return a path that a person wrote, with ``~`` for a home; where there is none, as it was written."""
    return Path(os.path.expanduser(path))  # Path's own fails for a user that does not exist


@contextmanager
def changing() -> Iterator[None]:
    """Let no other process read and write the lists of this folder meanwhile, so that none loses a line."""
    from filelock import FileLock

    models_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(models_folder() / "lists.lock"):
        yield


def recorded(kind: str, name: str) -> dict[str, Any]:
    """Return what is remembered of a model that was fetched: ``sha256`` and ``size`` of its weights."""
    found = _records().get(f"{kind}.{name}", {})
    return found if isinstance(found, dict) else {}


def record(kind: str, name: str, values: dict[str, Any] | None) -> None:
    """Remember something of a model, or forget it."""
    if values is None and not recorded(kind, name):
        return
    with changing(), replacing(models_folder() / RECORDS) as unfinished:
        records = _records()
        records.pop(f"{kind}.{name}", None)
        if values is not None:
            records[f"{kind}.{name}"] = values
        unfinished.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def names_recorded() -> list[tuple[str, str]]:
    """Return the kinds and names of which something is remembered."""
    return [(kind, name) for kind, _, name in (key.partition(".") for key in _records())]


def _records() -> dict[str, Any]:
    try:
        found = json.loads((models_folder() / RECORDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # without it hashes are recorded anew
        return {}
    return found if isinstance(found, dict) else {}
