"""Which part of a plane is looked at: all of it, what the canvas shows, or what a person has drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from napari.layers import Image, Shapes
    from numpy.typing import NDArray

    from napari_slip.viewer._source import Place

    Window = tuple[slice, slice]


@dataclass(frozen=True)
class Region:
    """A part of a plane.

    Parameters
    ----------
    window : (slice, slice), optional
        Rows and columns; the whole plane if None.
    outlines : tuple of (K, 2) array
        Polygons in (row, column) of the plane, within the window.
    """

    window: Window | None = None
    outlines: tuple[NDArray[np.float64], ...] = ()

    def __repr__(self) -> str:
        return f"Region({self.window}, {[outline.tolist() for outline in self.outlines]})"


def region_of(choice: Literal["plane", "view"] | Shapes, layer: Image, place: Place) -> Region:
    """Return what was chosen of a plane: all of it, what is seen, or what a Shapes layer encloses.

    Raises
    ------
    InputError
        If that is nothing of it.
    """
    if choice == "plane":
        return Region()
    return visible(layer, place) if choice == "view" else drawn(choice, layer, place)


def visible(layer: Image, place: Place) -> Region:
    """Return what the canvas shows of a plane.

    Raises
    ------
    InputError
        If it shows nothing of it.
    """
    low, high = in_sight(layer, place)
    rows, columns = (
        slice(max(0, int(a)), min(n, int(np.ceil(b)) + 1))
        for a, b, n in zip(low, high, place.shape, strict=True)
    )
    if rows.stop - rows.start < 2 or columns.stop - columns.start < 2:
        raise InputError(
            f"Nothing of {layer.name!r} is in the field of view: move or zoom the canvas back to it."
        )
    return Region((rows, columns))


def in_sight(layer: Image, place: Place) -> NDArray[np.float64]:
    """Return the first and the last (row, column) of a plane that the canvas shows, (2, 2)."""
    corners = np.asarray(layer.corner_pixels, float)
    if layer.multiscale:
        corners = corners * layer.downsample_factors[layer.data_level]
    return corners[:, list(place.axes)]


def drawn(shapes: Shapes, layer: Image, place: Place) -> Region:
    """Return what the shapes of a Shapes layer enclose of a plane.

    Raises
    ------
    InputError
        If they enclose nothing of it.
    """
    found = []
    for kind, corners in zip(shapes.shape_type, shapes.data, strict=True):
        if kind in ("line", "path"):
            continue
        points = _ellipse(corners) if kind == "ellipse" else np.asarray(corners, float)
        outline = _on_plane(points, shapes, layer, place)
        if (outline.max(axis=0) > 0).all() and (outline.min(axis=0) < place.shape).all():
            found.append(outline)
    if not found:
        raise InputError(
            f"No shape of {shapes.name!r} lies on {layer.name!r}: draw a rectangle, an ellipse or a polygon "
            "on it."
        )
    corners = np.concatenate(found)
    low = np.floor(corners.min(axis=0)).astype(int).clip(0)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    rows, columns = (slice(int(a), min(int(b), n)) for a, b, n in zip(low, high, place.shape, strict=True))
    return Region((rows, columns), tuple(found))


def _on_plane(points: NDArray[Any], shapes: Shapes, layer: Image, place: Place) -> NDArray[np.float64]:
    """Carry points from one layer to (row, column) on another's plane, by way of the world."""
    n = len(place.full)
    world = np.asarray([shapes.data_to_world(point) for point in points])
    same = np.pad(world, ((0, 0), (max(0, n - world.shape[1]), 0)))[:, -n:]
    local = np.asarray([layer.world_to_data(point) for point in same], float)
    return local[:, list(place.axes)]


def _ellipse(corners: NDArray[Any]) -> NDArray[np.float64]:
    """Turn the four corners of an ellipse's box into points on the ellipse."""
    box = np.asarray(corners, float)
    centre, a, b = box.mean(axis=0), (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    return np.asarray(centre + np.cos(turn) * a + np.sin(turn) * b)
