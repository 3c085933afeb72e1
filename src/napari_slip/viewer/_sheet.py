"""One image with its workspace and layers: what is seen follows from what is known, painting flows back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from psygnal import Signal

from napari_slip.objects import draw_objects
from napari_slip.session import red_green_blue
from napari_slip.viewer._drawing import Drawing
from napari_slip.viewer._layers import OURS, ROLES, ResultLayers
from napari_slip.viewer._regions import in_sight
from napari_slip.viewer._workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

    import napari
    from napari.layers import Labels, Layer
    from numpy.typing import NDArray

    from napari_slip.objects import Object
    from napari_slip.session import Autosave, Edit
    from napari_slip.viewer._layers import Role
    from napari_slip.viewer._source import Place

STRENGTH = {"predicted": 0.6, "accepted": 1.0, "corrected": 1.0}
"""Opacity of an Object by its status; what was rejected is not drawn."""


class Sheet:
    """Keeps the two layers of an image as its workspace says, and takes over what is painted.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the image is.
    image : napari.layers.Image
        The image.
    place : Place
        The plane on screen.
    key : str
        Of the session.
    opened : Autosave
        Saves its session.
    """

    drawn = Signal(object)
    """One of our layers, after it was drawn."""

    def __init__(self, viewer: napari.Viewer, image: Image, place: Place, key: str, opened: Autosave) -> None:
        self.viewer = viewer
        self.image = image
        self.place = place
        self.contour = False
        self._preview: Labels | None = None
        self._drawn: dict[tuple[int, ...], list[Object]] = {}
        self.opened = opened
        self.workspace = Workspace(opened.session)
        self.workspace.plane = place.index
        self.layers = ResultLayers(viewer, image, key)
        self._drawing = Drawing()
        self.workspace.plane_changed.connect(self._show_plane)
        self.workspace.shown_changed.connect(self._show_selection)
        self.workspace.current_changed.connect(self._show_current)
        opened.session.changed.connect(self._show_objects)

    @property
    def pixel_size(self) -> tuple[tuple[float, float], str]:
        """Height and width of a pixel and their unit; ``((1, 1), "px")`` without a unit of length."""
        axes = list(self.place.axes)
        units = [self.image.units[axis] for axis in axes]
        if str(units[0]) == "pixel" or units[0] != units[1]:
            return (1.0, 1.0), "px"
        height, width = np.asarray(self.image.scale, float)[axes].tolist()
        return (height, width), f"{units[0]:~}"

    @property
    def alive(self) -> bool:
        """Whether the image is still in the viewer."""
        return self.image in self.viewer.layers

    def close(self) -> None:
        """Take over what was painted and let go of the session, which others may be using."""
        self.absorb()
        self.workspace.session.changed.disconnect(self._show_objects, missing_ok=True)

    def turn_to(self, place: Place) -> None:
        """Show another plane of the stack."""
        self.absorb()
        self.place = place
        self.workspace.turn_to(place.index)

    def absorb(self) -> None:
        """Take over what a person has painted into the matches layer."""
        session = self.workspace.session
        name = self.workspace.active if self.workspace.active in session.classes else None
        for plane, picture in self.layers.painted(session.shape).items():
            session.absorb(picture, plane, class_name=name)

    def highlight(self) -> None:
        """Let the matches stand out of the segments."""
        work = self.workspace
        if work.segments is None:
            return
        self.layers.highlight(
            work.bright() + 1,
            None if work.current is None else work.current + 1,
            scored=work.match is not None or work.like is not None,
            contour=self.contour,
        )

    def describe(self) -> None:
        """Tell napari of each segment what is known of it by now."""
        if self.workspace.match is not None and self.alive:
            self.layers.describe_segments(self.workspace.match.table())

    def show_alone(self, others: Iterable[Layer]) -> None:
        """Hide the other images and their layers, but for some, and see this one whole."""
        own = (self.image, *others, *map(self.layers.get, ROLES))
        for layer in self.viewer.layers:
            if isinstance(layer, Image) or OURS in layer.metadata:
                layer.visible = any(layer is mine for mine in own)
        self.viewer.reset_view(layers=[self.image])

    def turn_to_volume(self) -> None:
        """Show the Objects of all planes in their colours: the viewer draws the whole stack."""
        if self.layers.get("matches") is not None:
            self.absorb()
            self._draw_objects()

    def bring_back(self) -> None:
        """Make the layers that are not there: at first, and after a person has removed them."""
        left = self.layers.find(self.place)
        if self.alive and self.layers.get("segments") is None:
            self._show_plane()
        if self.layers.get("matches") is None or (left and self.workspace.session.objects):
            self._draw_objects()
        for layer in left:
            self.drawn.emit(layer)

    def _show_objects(self) -> None:
        if self.layers.get("matches") is not None:
            self._draw_objects()
        if self.alive:
            self.highlight()

    def _draw_objects(self) -> None:
        """Show the Objects of the plane in their classes' colours."""
        session, plane = self.workspace.session, self.workspace.plane
        by_plane: dict[tuple[int, ...], list[Object]] = {}
        for thing in session.objects.values():
            by_plane.setdefault(thing.plane, []).append(thing)
        new = self.layers.get("matches") is None
        if not self.alive or (new and not by_plane):
            return
        if new:
            self._drawn = {}
        here = by_plane.get(plane, [])
        others = {
            index: session.picture(index)
            for index in {*by_plane, *self._drawn} - {plane}
            if not _same(by_plane.get(index, []), self._drawn.get(index, []))
        }
        self._drawn = by_plane
        by_class = {c.name: rgb(c.colour) for c in session.classes}
        seen = session.objects.values() if self.viewer.dims.ndisplay == 3 else here
        colours = {
            o.label: (*by_class[o.class_name], STRENGTH[o.status]) for o in seen if o.status in STRENGTH
        }
        free = 1 + max(session.objects, default=0)
        layer = self.layers.show_matches(session.picture(plane), self.place, colours, free, others)
        self.drawn.emit(layer)

    def label_at(self, role: Role, position: Any) -> int:
        """Return the label of one of our layers at a position in world coordinates, 0 if there is none."""
        layer: Labels | None = self.layers.get(role)
        if layer is None:
            return 0
        value = layer.get_value(position, world=True)
        return int(value or 0)

    def ids_at(self, x: float, y: float) -> list[int]:
        """Return the id of the object in front at a place of the plane, if there is one."""
        session, plane = self.workspace.session, self.workspace.plane
        label = int(session.picture(plane)[int(y), int(x)])
        return [o.id for o in session.objects.values() if o.plane == plane and o.label == label]

    def go_to(self, thing: Object) -> None:
        """Turn to the plane of an object, and bring it into the field of view."""
        self.go_to_plane(thing.plane)
        rows, columns = thing.window
        self._centre(np.array([[rows.start + rows.stop - 1, columns.start + columns.stop - 1]]) / 2)

    def go_to_plane(self, index: tuple[int, ...]) -> None:
        """Turn the viewer to a plane of the stack."""
        world = replace(self.place, index=index).to_world(self.image, np.zeros(2))
        missing = self.viewer.dims.ndim - len(world)
        for axis, here, wanted in zip(self.place.step_axes, self.place.index, index, strict=True):
            if here != wanted:
                self.viewer.dims.set_point(axis + missing, float(world[axis]))

    def show_preview(self, edit: Edit | None) -> None:
        """Show what would become of objects, or put it away."""
        layer, self._preview = self._preview, None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        if edit is None or not self.alive:
            return
        objects = self.workspace.session.objects
        after = [replace(thing, id=i, track=None) for i, thing in enumerate(edit.changed, 1)]
        gone = [replace(objects[i], id=len(after) + 1, track=None, status="accepted") for i in edit.removed]
        if edit.changed:  # what goes is told by what stays
            gone = []
        self._preview = self.layers.add_preview(draw_objects([*after, *gone], self.place.shape), self.place)

    def _show_plane(self) -> None:
        if not self.alive:
            return
        work = self.workspace
        if work.segments is not None:
            table = work.segments.table() if work.match is None else work.match.table()
            layer = self.layers.show_segments(
                self._drawing.of(work.segments, work.selection), self.place, table
            )
            self.highlight()
            self.drawn.emit(layer)
        self._draw_objects()

    def _show_selection(self) -> None:
        work = self.workspace
        if self.alive and work.segments is not None:
            before = self._drawing.drawn
            picture = self._drawing.of(work.segments, work.selection)
            if self._drawing.drawn != before:
                self.layers.draw_segments(picture, self.place)
            self.highlight()

    def _show_current(self) -> None:
        self.highlight()
        if self.alive and self.workspace.current is not None:
            self._centre(self._middles(np.array([self.workspace.current])))

    def seek(self) -> None:
        """Bring the best of what stands out into sight, as a search does, if none of it is."""
        rows = self.workspace.bright()
        if self.alive and len(rows) and self.viewer.dims.ndisplay == 2:
            self._centre(self._middles(rows))

    def _middles(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the middles (row, column) of segments' boxes, (n, 2)."""
        assert self.workspace.segments is not None
        boxes = self.workspace.segments.boxes[rows].astype(float)
        middles: NDArray[np.float64] = (boxes[:, [1, 0]] + boxes[:, [3, 2]] - 1) / 2
        return middles

    def _centre(self, middles: NDArray[np.float64]) -> None:
        """Move the camera to the first of some (row, column) of the plane if all of them are out of sight."""
        low, high = in_sight(self.image, self.place)
        if ((middles < low) | (middles > high)).any(axis=1).all():
            centre = middles[0]
            world = self.place.to_world(self.image, centre)
            missing = self.viewer.dims.ndim - len(world)
            on_screen = [world[axis - missing] for axis in self.viewer.dims.displayed]
            camera = self.viewer.scene.camera
            camera.center = (*camera.center[:-2], *on_screen)


def _same(ones: list[Object], others: list[Object]) -> bool:
    """Whether these are the very same Objects."""
    return len(ones) == len(others) and all(a is b for a, b in zip(ones, others, strict=True))


def rgb(colour: str) -> tuple[float, float, float]:
    """Read ``#rrggbb`` as three numbers within 0..1."""
    red, green, blue = red_green_blue(colour)
    return red / 255, green / 255, blue / 255
