"""One image's work: classes, Objects, decisions, undo and saving; no Qt."""

from __future__ import annotations

from napari_slip.session.autosave import Autosave
from napari_slip.session.classes import PALETTE, ClassList, SlipClass, red_green_blue
from napari_slip.session.editing import Edit
from napari_slip.session.history import State
from napari_slip.session.predicting import object_of
from napari_slip.session.saving import Contents
from napari_slip.session.session import Session

__all__ = [
    "PALETTE",
    "Autosave",
    "ClassList",
    "Contents",
    "Edit",
    "Session",
    "SlipClass",
    "State",
    "object_of",
    "red_green_blue",
]
