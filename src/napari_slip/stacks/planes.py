"""An nD array as planes that are read one at a time, whatever keeps it: numpy, dask, zarr, several scales."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray


PLAIN_AXES = "tzabdefghijklmn"
"""How the axes along which planes lie are called where nobody has named them."""


def plane_key(
    ndim: int, plane_axes: tuple[int, int], channel_axis: int | None, index: Sequence[int]
) -> tuple[int | slice, ...]:
    """Return what to index an array with to cut out a plane, with its channels.

    Parameters
    ----------
    ndim : int
        Axes of the array; a last axis of colours does not count.
    plane_axes : (int, int)
        The axes that are rows and columns.
    channel_axis : int, optional
        The axis of the channels.
    index : sequence of int
        Of the plane, along all other axes in their order.
    """
    steps, whole = iter(index), (*plane_axes, channel_axis)
    return tuple(slice(None) if axis in whole else next(steps) for axis in range(ndim))


@dataclass(frozen=True, eq=False)
class Stack:
    """Planes of an nD array.

    Parameters
    ----------
    data : array-like
        Anything with a shape that is indexed as a numpy array: only single planes of it are ever read.
    axes : tuple of str
        A lower-case letter for each axis: ``y`` and ``x`` are the planes', ``c`` the channels', a last ``s``
        the colours'; the planes lie along all others, such as ``t`` and ``z``.
    sizes : mapping of str to (float, str)
        Step from plane to plane and its unit, such as "um", along the axes that tell it, by letter.

    Examples
    --------
    >>> stack = Stack.of(np.zeros((5, 2, 64, 64)), axes="tcyx")
    >>> stack.steps, stack.read((3,)).shape
    ((5,), (2, 64, 64))
    """

    data: Any
    axes: tuple[str, ...]
    sizes: Mapping[str, tuple[float, str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: Any,
        axes: str | Sequence[str] | None = None,
        sizes: Mapping[str, tuple[float, str]] | None = None,
    ) -> Stack:
        """Take an array as a stack.

        Parameters
        ----------
        data : array-like, or a sequence of them
            Of several scales the first, which is the finest, is taken.
        axes : str, optional
            As the class has it; without it, the last two axes are the planes'.
        sizes : mapping of str to (float, str), optional
            As the class has it.

        Raises
        ------
        InputError
            If the axes do not fit the array.
        """
        data = data if hasattr(data, "shape") else data[0]
        shape = tuple(int(n) for n in data.shape)
        names = tuple(letter.lower() for letter in axes) if axes is not None else _plain_axes(len(shape))
        if len(names) != len(shape):
            raise InputError(
                f"The axes {''.join(names)!r} are {len(names)}, but the array has {len(shape)}: {shape}."
            )
        if names.count("y") != 1 or names.count("x") != 1 or names.count("c") > 1 or "s" in names[:-1]:
            raise InputError(
                f"The axes {''.join(names)!r} do not tell the planes: expected one y, one x, at most one c "
                "for channels, and s for colours only as the last."
            )
        if 0 in shape:
            raise InputError(f"The array of shape {shape} is empty: check that it was read whole.")
        return cls(data, names, dict(sizes or {}))

    @property
    def rgb(self) -> bool:
        """Whether the last axis holds colours."""
        return self.axes[-1] == "s"

    @property
    def plane_axes(self) -> tuple[int, int]:
        """The axes that are rows and columns, in the array's order."""
        first, second = sorted((self.axes.index("y"), self.axes.index("x")))
        return first, second

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels."""
        return self.axes.index("c") if "c" in self.axes else None

    @property
    def plane_channel_axis(self) -> int | None:
        """The axis of the channels once a plane is cut out."""
        channel = self.channel_axis
        return None if channel is None else sum(axis < channel for axis in self.plane_axes)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of each plane, in pixels."""
        rows, columns = self.plane_axes
        return int(self.data.shape[rows]), int(self.data.shape[columns])

    @property
    def step_axes(self) -> tuple[str, ...]:
        """The letters of the axes along which the planes lie."""
        return tuple(letter for letter in self.axes if letter not in "yxcs")

    @property
    def steps(self) -> tuple[int, ...]:
        """Planes along each of these axes; empty for a single plane."""
        sizes = zip(self.axes, self.data.shape, strict=True)
        return tuple(int(n) for letter, n in sizes if letter not in "yxcs")

    def __len__(self) -> int:
        return int(np.prod(self.steps, dtype=np.int64))

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of every plane, the last axis the fastest."""
        return product(*map(range, self.steps))

    def read(self, index: Sequence[int]) -> NDArray[Any]:
        """Read one plane, with its channels or colours.

        Raises
        ------
        InputError
            If whatever keeps the array cannot read it.
        """
        ndim = len(self.axes) - self.rgb
        try:
            return np.asarray(self.data[plane_key(ndim, self.plane_axes, self.channel_axis, index)])
        except Exception as error:  # whatever stands behind a lazy array
            said = " ".join(str(error).split())
            raise InputError(
                f"The pixels of plane {tuple(index)} could not be read ({type(error).__name__}: {said}): "
                "check that the file behind it is whole and still there."
            ) from error


def _plain_axes(ndim: int) -> tuple[str, ...]:
    """Name the axes of an array that nobody has named."""
    if ndim < 2:
        raise InputError(f"The array has {ndim} axes, but at least two are needed for a plane.")
    return (*PLAIN_AXES[: ndim - 2], "y", "x")
