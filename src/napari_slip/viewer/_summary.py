"""What a run has found, in a sentence or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slip.viewer._workspace import Workspace


def summary(work: Workspace) -> str:
    """Say what the class in front has matched on the plane on screen, and why nothing if nothing."""
    if work.segments is None:
        return ""
    n = len(work.segments)
    if not n:
        return "No segment was found: try another contrast, lower thresholds, or another model."
    if work.match is None or work.column is None:
        return f"{n} segments. Type what you look for."
    rows, name = work.matched(), work.match.names[work.column]
    best = f"{work.match.calibrated[rows, work.column].max():.2f}" if len(rows) else ""
    found = f"{name!r}: {len(rows)} of {n} segments, best score {best}." if best else ""
    strange = ", ".join(map(repr, work.match.unknown.get(name, ())))
    hint = f"The model {work.match.model} has never seen {strange}." if best and strange else ""
    return " ".join(part for part in (found, hint, work.why()) if part)
