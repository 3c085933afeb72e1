"""Tables taken out of a file of TOML, of which the rest stays as a person wrote it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def without(text: str, gone: Sequence[tuple[str, str]]) -> str | None:
    """Take tables out of a file.

    Parameters
    ----------
    text : str
        Of the file.
    gone : sequence of (str, str)
        Their names: ``("sam", "lab")`` for ``[sam.lab]``, however its quotes are set.

    Returns
    -------
    str, optional
        None if they cannot be taken out without changing anything else.
    """
    wanted = tomllib.loads(text)
    for kind, name in gone:
        del wanted[kind][name]
    parts = re.split(r"(?m)^(?=[ \t]*\[)", text)
    kept = "".join(_remarks(part) if _heading(part) in gone else part for part in parts)
    try:
        found = tomllib.loads(kept)
    except tomllib.TOMLDecodeError:
        return None
    return kept if _filled(found) == _filled(wanted) else None


def _heading(part: str) -> tuple[str, ...]:
    """Return what a part of a file that begins with a table is the table of."""
    names: list[str] = []
    try:
        found: Any = tomllib.loads(part.partition("\n")[0])
    except tomllib.TOMLDecodeError:
        return ()
    while isinstance(found, dict) and len(found) == 1:
        name, found = next(iter(found.items()))
        names.append(name)
    return tuple(names)


def _remarks(part: str) -> str:
    """Return the comments at the end of a table's part of a file, which speak of the next table."""
    found = re.search(r"(?m)^[ \t]*#.*\n?(?:^[ \t]*(?:#.*)?\n)*\Z", part)
    return found[0] if found else ""


def _filled(tables: dict[str, Any]) -> dict[str, Any]:
    return {kind: named for kind, named in tables.items() if named}
