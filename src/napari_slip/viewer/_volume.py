"""The labels of a whole stack, of which only the planes that were written take memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

from napari_slip.stacks import plane_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.viewer._source import Place


class Volume:
    """An nD array of labels in memory, compressed and plane by plane, that napari can draw and paint on.

    Parameters
    ----------
    place : Place
        Any plane of the stack.
    array : zarr.Array, optional
        One that is there already; a new one if not given.
    """

    def __init__(self, place: Place, array: Any = None) -> None:
        self._place = place
        self.array: Any = self._make(np.uint16) if array is None else array
        self._written: set[tuple[int, ...]] | None = set() if array is None else None

    @staticmethod
    def shape_of(place: Place) -> tuple[int, ...]:
        """Return the shape of the labels of a stack: that of the image, with one thick channel."""
        return tuple(1 if axis == place.channel_axis else n for axis, n in enumerate(place.full))

    def read(self, index: tuple[int, ...]) -> NDArray[np.uint32]:
        """Return the labels of a plane, (H, W)."""
        picture: NDArray[np.uint32] = np.asarray(self.array[self._key(index)]).reshape(self._place.shape)
        return picture.astype(np.uint32)

    def make_room(self, most: int) -> None:
        """Take a wider type if labels up to `most` need one."""
        if most >= np.iinfo(self.array.dtype).max:
            self._widen()

    def write(self, index: tuple[int, ...], picture: NDArray[np.uint32]) -> bool:
        """Write the labels of a plane; returns whether they have changed."""
        self.make_room(int(picture.max(initial=0)))
        known = self._written is None or index in self._written
        if not (self.read(index) != picture).any() if known else not picture.any():
            return False
        self.array[self._key(index)] = self._lift(picture)
        if self._written is not None:
            self._written.add(index)
        return True

    def _key(self, index: tuple[int, ...]) -> tuple[int | slice, ...]:
        place = self._place
        return plane_key(len(place.full), place.axes, place.channel_axis, index)

    def _lift(self, picture: NDArray[np.uint32]) -> NDArray[Any]:
        channel = self._place.plane_channel_axis
        narrow = picture.astype(self.array.dtype)
        return narrow if channel is None else np.expand_dims(narrow, channel)

    def _make(self, kind: type) -> Any:
        shape = self.shape_of(self._place)
        chunks = tuple(n if axis in self._place.axes else 1 for axis, n in enumerate(shape))
        return zarr.create_array(MemoryStore(), shape=shape, chunks=chunks, dtype=kind, fill_value=0)

    def _widen(self) -> None:
        old, self.array = self.array, self._make(np.uint32)
        for index in np.ndindex(*self._place.steps) if self._written is None else self._written:
            self.array[self._key(index)] = old[self._key(index)]
