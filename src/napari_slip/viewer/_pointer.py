"""A click on the canvas puts the segment there under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.viewer._layers import ROLES

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
        began, dragged = event.position, False
        signs = {2: 0} if "Alt" not in event.modifiers else {1: 0, 2: 0}
        sign, more = signs.get(event.button, 1), "Shift" in event.modifiers
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            self.click(event.position, sign=sign, more=more)
        else:
            self.drag(began, event.position)

    def click(self, position: Any, *, sign: int = 1, more: bool = False) -> None:
        """Point at what lies at a position in world coordinates, or do there what the tool does.

        Parameters
        ----------
        position : sequence of float
            In world coordinates.
        sign : {1, 0}
            Whether the click says "this" or "not this".
        more : bool
            Whether what is there is chosen beside what was chosen before.
        """
        sheet, correction = self._desk.sheet, self._desk.correction
        if sheet is None or not self._listens():
            return
        at = self._place(position)
        if at is None:
            return
        if correction.tool in ("refine", "split"):
            correction.click(*at, sign)
            return
        work = sheet.workspace
        ids = sheet.ids_at(*at)
        label = sheet.label_at("segments", position)
        row = label - 1 if label else work.row_of(sheet.label_at("matches", position))
        if not more:
            work.point_at(row)
        if correction.tool == "pick" and row is not None:
            self._desk.decisions.accept([row])
            ids = sheet.ids_at(*at)
        if ids or not more:
            correction.choose(ids, more=more)

    def drag(self, began: Any, ended: Any) -> None:
        """Draw a box between two positions in world coordinates, if the tool takes boxes."""
        one, other = self._place(began, inside=False), self._place(ended, inside=False)
        if one is None or other is None or not self._listens():
            return
        (x0, x1), (y0, y1) = sorted((one[0], other[0])), sorted((one[1], other[1]))
        if x1 - x0 > 1 and y1 - y0 > 1:
            self._desk.correction.box((x0, y0, x1, y1))

    def _listens(self) -> bool:
        sheet, marks = self._desk.sheet, self._desk.correction.marks
        if sheet is None or not sheet.alive:
            return False
        active = self._desk.viewer.layers.selection.active
        ours = (sheet.image, *map(sheet.layers.get, ROLES), *(() if marks is None else marks.layers))
        return any(active is layer for layer in ours) and str(active.mode) == "pan_zoom"

    def _place(self, position: Any, inside: bool = True) -> tuple[float, float] | None:
        """Return the (x, y) in pixels of the plane, None outside of it."""
        sheet = self._desk.sheet
        if sheet is None:
            return None
        missing = len(position) - len(sheet.place.full)
        data = np.asarray(sheet.image.world_to_data(position[missing:]))[list(sheet.place.axes)] + 0.5
        if inside and ((data < 0) | (data >= sheet.place.shape)).any():
            return None
        y, x = data.clip(0, sheet.place.shape).tolist()
        return x, y
