"""The dock in napari: the only room that knows napari and Qt."""

from __future__ import annotations

from napari_slip.viewer._imports import import_beside_opengl

import_beside_opengl()  # whoever opens the dock has a window already, and the dock brings torch

from napari_slip.viewer._dock import SlipDock  # noqa: E402

__all__ = ["SlipDock"]
