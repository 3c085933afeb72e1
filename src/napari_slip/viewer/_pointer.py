"""A click on the canvas puts the segment there under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari

    from napari_slip.viewer._desk import Desk


class Pointer:
    """Listens to clicks while the image or one of its layers is active and the mouse does nothing else.

    Parameters
    ----------
    desk : Desk
        Whose image is clicked on.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        desk.viewer.mouse_drag_callbacks.append(self._pressed)

    def dispose(self) -> None:
        """Listen no more."""
        callbacks = self._desk.viewer.mouse_drag_callbacks
        if self._pressed in callbacks:
            callbacks.remove(self._pressed)

    def _pressed(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            self.click(event.position)

    def click(self, position: Any) -> None:
        """Point at what lies at a position in world coordinates."""
        sheet = self._desk.sheet
        if sheet is None or not sheet.alive:
            return
        active = self._desk.viewer.layers.selection.active
        ours = (sheet.image, sheet.layers.get("segments"), sheet.layers.get("matches"))
        if not any(active is layer for layer in ours) or str(active.mode) != "pan_zoom":
            return
        label = sheet.label_at("segments", position)
        row = label - 1 if label else sheet.workspace.row_of(sheet.label_at("matches", position))
        sheet.workspace.point_at(row)
