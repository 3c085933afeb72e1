"""The dock in napari: the only room that knows napari and Qt."""

from __future__ import annotations

from napari_slip.viewer._dock import SlipDock

__all__ = ["SlipDock"]
