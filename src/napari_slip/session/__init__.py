"""One image's work: classes, Objects, decisions, undo and saving; no Qt."""

from __future__ import annotations

from napari_slip.session.classes import PALETTE, ClassList, SlipClass
from napari_slip.session.session import Session

__all__ = ["PALETTE", "ClassList", "Session", "SlipClass"]
