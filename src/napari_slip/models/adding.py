"""A name for a model of one's own."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_slip.errors import InputError
from napari_slip.models.folders import own_path
from napari_slip.models.hub import WEIGHT_FILES, is_hub_name
from napari_slip.models.registry import KINDS, Entry

if TYPE_CHECKING:
    from pathlib import Path


def describe(
    name: str, source: str, *, kind: str, sha256: str = "", licence: str = "not stated", title: str = ""
) -> Entry:
    """Describe a model of one's own, for `napari_slip.models.registry.add_entry`.

    Parameters
    ----------
    name : str
        By which it shall be asked for.
    source : str
        A path, an address, or ``owner/name`` on the hub.
    kind : str
        ``"sam"`` or ``"clip"``.
    sha256 : str
        Of the weights, 64 hexadecimal digits; if empty it is recorded at the first download.
    licence, title : str
        For people.

    Returns
    -------
    Entry

    Raises
    ------
    InputError
        If the source is nothing of these, or holds no weights.
    """
    wanted = next((each for each in KINDS if each == kind), None)
    if wanted is None:
        raise InputError(f"{kind!r} is no kind of model: expected {' or '.join(KINDS)}.")
    sha256 = sha256.lower().removeprefix("sha256:")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise InputError(f"{sha256!r} is no SHA-256: expected 64 hexadecimal digits.")
    path, file, size = own_path(source), "", 0
    if path.exists():
        _refuse_empty(path, wanted)
        source = str(path.resolve())
        size = path.stat().st_size if path.is_file() else 0
    elif re.match("https?://", source):
        ending = PurePosixPath(urlsplit(source).path).suffix
        if kind == "clip" or ending not in (".pth", ".pt", ".safetensors"):
            raise InputError(
                f"{source} is no address of a checkpoint: expected a SAM that ends in .pth, .pt or "
                ".safetensors; a CLIP comes from the hub or from a folder."
            )
        file = name + ending
    elif is_hub_name(source):
        source = f"hub:{source}"
    else:
        raise InputError(
            f"{source!r} is no source of a model: expected a path that exists, an address that begins with "
            "https://, or owner/name on the hub."
        )
    return Entry(
        name=name,
        kind=wanted,
        source=source,
        title=title,
        file=file,
        sha256=sha256,
        size=size,
        licence=licence,
    )


def _refuse_empty(path: Path, kind: str) -> None:
    if not (path.is_file() and kind == "sam") and not any((path / file).is_file() for file in WEIGHT_FILES):
        checkpoint = "a checkpoint, or " if kind == "sam" else ""
        raise InputError(
            f"{path} holds no weights of a {kind.upper()}: expected {checkpoint}a folder with "
            f"{' or '.join(WEIGHT_FILES)}, as transformers writes it."
        )
