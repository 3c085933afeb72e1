"""Objects: what a person has, made from matches, corrected by hand, and kept whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, cast, get_args

import numpy as np
from scipy.ndimage import find_objects

from napari_slip.segments import mask_extent, shared_pixels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

Status = Literal["predicted", "accepted", "corrected", "rejected"]


@dataclass(frozen=True)
class Pointing:
    """What a person pointed at to shape a mask, in pixels of the plane.

    Parameters
    ----------
    points : tuple of (x, y, sign)
        In the order of the clicks; the sign is 1 for "this" and 0 for "not this".
    box : (x0, y0, x1, y1), optional
        Around the object.
    """

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"points": self.points, "box": self.box}

    @classmethod
    def found_in(cls, plain: Mapping[str, Any]) -> Pointing | None:
        """Read what `to_dict` gave among other values; None if there is nothing of it."""
        if "points" not in plain:
            return None
        box = None if plain["box"] is None else tuple(plain["box"])
        return cls(tuple((x, y, sign) for x, y, sign in plain["points"]), box)


@dataclass(frozen=True, eq=False)
class Object:
    """One thing in the image.

    Parameters
    ----------
    id : int
        Unique in its session and never used again.
    class_name : str
        The class that it belongs to.
    status : {"predicted", "accepted", "corrected", "rejected"}
        A prediction goes when its class is matched again; what a person decided or drew stays.
    crop : (h, w) bool array
        The whole mask inside its bounding box, also where a smaller object lies in front.
    origin : (x, y)
        Of the box, in pixels of the plane.
    plane : tuple of int
        Index of the plane in the stack; empty for a single plane.
    segment : int, optional
        Label of the segment that it came from; None if it was drawn by hand.
    score : float, optional
        Calibrated score of the match, 0..1; None if it was drawn by hand.
    track : int, optional
        Of linked objects, one on each plane, that are the same thing; None for an object that stands alone.
    pointing : Pointing, optional
        The clicks and the box that made the mask what it is.
    """

    id: int
    class_name: str
    status: Status
    crop: NDArray[np.bool_]
    origin: tuple[int, int]
    plane: tuple[int, ...] = ()
    segment: int | None = None
    score: float | None = None
    track: int | None = None
    pointing: Pointing | None = None

    @property
    def label(self) -> int:
        """What is drawn into pictures and files: the track, or the id of an object that stands alone."""
        return self.id if self.track is None else self.track

    @property
    def area(self) -> int:
        """Pixels of the whole mask."""
        return int(self.crop.sum())

    @property
    def window(self) -> tuple[slice, slice]:
        """The bounding box as slices (rows, columns) of the plane."""
        (x, y), (height, width) = self.origin, self.crop.shape
        return slice(y, y + height), slice(x, x + width)

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the whole mask on a plane of `shape`, (H, W) bool."""
        full = np.zeros(shape, bool)
        full[self.window] = self.crop
        return full

    def with_mask(self, mask: NDArray[np.bool_]) -> Self:
        """Return the object with a mask on the plane, (H, W) bool, in place of its own."""
        x0, y0, x1, y1 = mask_extent(mask)
        return replace(self, crop=mask[y0:y1, x0:x1].copy(), origin=(x0, y0))


def read_status(said: object) -> Status:
    """Return the status that another program's file gives to an object; "accepted" for words of its own."""
    return cast("Status", said) if said in get_args(Status) else "accepted"


def in_common(one: Object, other: Object) -> int:
    """Return how many pixels two objects of one plane share, also where one hides the other."""
    return shared_pixels(one.crop, one.origin, other.crop, other.origin)


def draw_objects(objects: Iterable[Object], shape: tuple[int, int]) -> NDArray[np.uint32]:
    """Draw objects into one disjoint picture of labels, the smaller in front, without the rejected ones.

    Of two equally large ones, such as one segment that two classes accept, the better score is in front.

    Parameters
    ----------
    objects : iterable of Object
        Of one plane.
    shape : (H, W)
        Of the plane.

    Returns
    -------
    (H, W) uint32 array
    """
    picture = np.zeros(shape, np.uint32)
    shown = [thing for thing in objects if thing.status != "rejected"]
    for thing in sorted(shown, key=_depth):
        picture[thing.window][thing.crop] = thing.label
    return picture


def _depth(thing: Object) -> tuple[int, float, int]:
    return -thing.area, 1.0 if thing.score is None else thing.score, thing.id


def plane_steps(objects: Iterable[Object]) -> tuple[int, ...]:
    """Return the lengths of the shortest stack that has a plane for each object; () for single planes."""
    planes = {thing.plane for thing in objects}
    depth = max(map(len, planes), default=0)
    return tuple(1 + max(plane[axis] for plane in planes) for axis in range(depth))


def read_objects(
    labels: NDArray[Any], class_name: str, status: Status = "accepted", plane: tuple[int, ...] = ()
) -> list[Object]:
    """Make an object of each label of a picture, (H, W) of integers; 0 and less is background.

    Their ids are 0, for a session to number them; they stand in the order of their labels.
    """
    return list(objects_by_label(labels, class_name, status, plane).values())


def objects_by_label(
    labels: NDArray[Any], class_name: str, status: Status = "accepted", plane: tuple[int, ...] = ()
) -> dict[int, Object]:
    """Make the objects of `read_objects` and tell which label each had in the picture."""
    things = {}
    values, dense = np.unique(labels, return_inverse=True)  # ids of other programs can be far apart
    dense = dense.reshape(labels.shape)
    for n, window in enumerate(find_objects(dense + 1)):
        if values[n] > 0:
            rows, columns = window
            corner = columns.start, rows.start
            things[int(values[n])] = Object(0, class_name, status, dense[window] == n, corner, plane)
    return things
