"""From the axes that a file names to one plane with known axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORDS = {"C": "channels", "S": "samples", "T": "times", "Z": "depth", "Y": "height", "X": "width"}


def arrange(
    name: str, pixels: NDArray[Any], axes: str, channel_axis: int | None
) -> tuple[NDArray[Any], int | None, str]:
    """Drop axes of length 1, put colours last, and say where the channels are.

    Parameters
    ----------
    name : str
        Of the file, for errors.
    pixels : array
        As stored.
    axes : str
        One letter for each axis, as tifffile names them.
    channel_axis : int, optional
        The user's word, which wins over the file's.

    Returns
    -------
    pixels : array
        A view.
    channel_axis : int or None
        Of the returned pixels.
    axes : str
        Of the returned pixels.

    Raises
    ------
    InputError
        If more than one plane would remain, or there is no such channel axis.
    """
    if channel_axis is not None and not -pixels.ndim <= channel_axis < pixels.ndim:
        raise InputError(
            f"{name} has {pixels.ndim} axes ({_described(axes, pixels.shape)}), so there is no channel axis "
            f"{channel_axis}: expected one from 0 to {pixels.ndim - 1}."
        )
    told = None if channel_axis is None else channel_axis % pixels.ndim
    kept = [i for i, a in enumerate(axes) if a in "YX" or i == told or pixels.shape[i] > 1]
    channels = [i for i in kept if (axes[i] in "CS" if told is None else i == told)]
    if len(kept) - len(channels) != 2 or len(channels) > 1:
        raise InputError(_stack_sentence(name, axes, pixels.shape, told))
    plane = pixels[tuple(slice(None) if i in kept else 0 for i in range(pixels.ndim))]
    letters = "".join(axes[i] for i in kept)
    if not channels:
        return plane, None, letters
    position = kept.index(channels[0])
    if told is None and axes[channels[0]] == "S" and plane.shape[position] in (3, 4):
        return np.moveaxis(plane, position, -1), None, "YXS"
    return plane, position, letters[:position] + "C" + letters[position + 1 :]


def _stack_sentence(name: str, axes: str, shape: tuple[int, ...], told: int | None) -> str:
    found = f"{name} is a stack ({_described(axes, shape)}), but one plane is expected: "
    if told is None and len([n for n in shape if n > 1]) == 3:
        return found + "choose one plane, or name the axis of the channels if it is one (0 is the first)."
    return found + "save the plane you want as a file of its own."


def _described(axes: str, shape: tuple[int, ...]) -> str:
    return ", ".join(f"{_WORDS.get(a, 'axis')} {n}" for a, n in zip(axes, shape, strict=True))
