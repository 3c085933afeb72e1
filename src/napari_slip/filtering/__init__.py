"""From segments to a selection: nothing here ever deletes a segment or looks at a text."""

from __future__ import annotations

from napari_slip.filtering.background import background
from napari_slip.filtering.containment import containment, parents
from napari_slip.filtering.selection import select
from napari_slip.filtering.separation import separate

__all__ = ["background", "containment", "parents", "select", "separate"]
