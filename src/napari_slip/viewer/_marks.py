"""Clicks and boxes on the canvas: two ordinary layers that a person can also move and delete things in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Shapes
from psygnal import Signal

from napari_slip.objects import Pointing
from napari_slip.viewer._layers import OURS, lay, when_moved

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from napari_slip.viewer._source import Place

THIS, NOT_THIS = "#21c7a8", "#ff6b4a"
"""Colours of clicks, told apart by lightness and symbol too."""


class Marks:
    """The layers of clicks and boxes of one plane.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    image : napari.layers.Image
        What is clicked at.
    place : Place
        The plane.
    """

    edited = Signal(object)
    """What is pointed at, after a person has moved or deleted something in the layers."""

    def __init__(self, viewer: napari.Viewer, image: Image, place: Place) -> None:
        self._viewer = viewer
        self._image = image
        self._place = place
        self._quiet = False
        common: dict[str, Any] = {"ndim": len(place.full), **place.transform(image)}
        size = max(3.0, min(place.shape) / 60)
        self.points = Points(
            name=f"{image.name} clicks", metadata={OURS: ("clicks", "")}, size=size, **common
        )
        self.points.features = {"this": np.zeros(0, int)}
        self.boxes = Shapes(
            name=f"{image.name} box",
            metadata={OURS: ("box", "")},
            edge_width=max(1.0, size / 5),
            edge_color=THIS,
            face_color="transparent",
            **common,
        )
        for layer in (self.boxes, self.points):
            viewer.layers.append(layer)
        # a drag makes a box here; the space bar and the wheel move about as ever
        self.points.mouse_pan = self.boxes.mouse_pan = False
        self.points.events.data.connect(self._changed)
        self.boxes.events.data.connect(self._changed)
        when_moved(image, self._follow)

    @property
    def layers(self) -> tuple[Points, Shapes]:
        """Both of them."""
        return self.points, self.boxes

    def close(self) -> None:
        """Take the layers away."""
        for layer in self.layers:
            layer.events.data.disconnect(self._changed)
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def show(self, pointing: Pointing | None) -> None:
        """Show what an object was pointed at with."""
        pointing = pointing or Pointing()
        if pointing == self.read():
            return
        self._quiet = True
        try:
            self.points.selected_data = set()
            self.points.data = np.array([self._lift(x, y) for x, y, _ in pointing.points]).reshape(
                -1, len(self._place.full)
            )
            signs = np.array([sign for *_, sign in pointing.points], int)
            self.points.features = {"this": signs}
            if len(signs):
                self.points.face_color = [THIS if sign else NOT_THIS for sign in signs]
                self.points.symbol = ["disc" if sign else "cross" for sign in signs]
            self.boxes.data = []
            if pointing.box is not None:
                x0, y0, x1, y1 = pointing.box
                corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
                self.boxes.add_rectangles(np.array([self._lift(x, y) for x, y in corners]), edge_color=THIS)
        finally:
            self._quiet = False

    def read(self) -> Pointing:
        """Return what the layers hold."""
        height, width = self._place.shape
        places = np.asarray(self.points.data).reshape(-1, len(self._place.full))[:, list(self._place.axes)]
        places = np.round((places + 0.5).clip(0, (height - 0.01, width - 0.01)), 3)
        signs = self.points.features.get("this", np.ones(len(places)))
        signs = np.nan_to_num(np.asarray(signs, float), nan=1.0)  # one that was added with napari's tool
        box = None
        if len(self.boxes.data):
            corners = np.asarray(self.boxes.data[-1])[:, list(self._place.axes)] + 0.5
            (y0, x0), (y1, x1) = (
                np.round(edge.clip(0, (height, width)), 3).tolist()
                for edge in (corners.min(axis=0), corners.max(axis=0))
            )
            box = (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
        points = tuple(
            (x, y, int(sign > 0)) for (y, x), sign in zip(places.tolist(), signs.tolist(), strict=True)
        )
        return Pointing(points, box)

    def _follow(self) -> None:
        for layer in self.layers:
            lay(layer, self._place, self._image)

    def _lift(self, x: float, y: float) -> list[float]:
        lifted = [0.0] * len(self._place.full)
        lifted[self._place.axes[0]], lifted[self._place.axes[1]] = y - 0.5, x - 0.5
        return lifted

    def _changed(self, event: Any) -> None:
        # napari tells of a change before and after it, and all the while something is being dragged
        action = str(getattr(event, "action", "changed")).rsplit(".", 1)[-1].lower()
        if not self._quiet and action in ("added", "removed", "changed"):
            self.edited.emit(self.read())
