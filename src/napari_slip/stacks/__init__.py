"""Planes of nD data, read one at a time; what was found on each, ranked by a text and linked to tracks."""

from __future__ import annotations

from napari_slip.stacks.linking import Linker, LinkEvent, Links, link_objects
from napari_slip.stacks.planes import PLAIN_AXES, Stack, plane_key
from napari_slip.stacks.results import PlaneResult
from napari_slip.stacks.scanning import rank_planes, scan

__all__ = [
    "PLAIN_AXES",
    "LinkEvent",
    "Linker",
    "Links",
    "PlaneResult",
    "Stack",
    "link_objects",
    "plane_key",
    "rank_planes",
    "scan",
]
