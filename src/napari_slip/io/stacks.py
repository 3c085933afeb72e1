"""Files as stacks: TIFF, OME-Zarr and plain pictures, of which planes are read one at a time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import tifffile

from napari_slip.errors import InputError, SlipError
from napari_slip.io.ome_zarr import is_ome_zarr, read_ome_zarr
from napari_slip.io.reading import is_tiff, read_image
from napari_slip.io.units import step_sizes
from napari_slip.stacks import PLAIN_AXES, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
"""What is taken for a picture in a folder, by its name."""


@dataclass(frozen=True, eq=False)
class OpenStack:
    """A stack in a file.

    Parameters
    ----------
    stack : Stack
        Its planes.
    scale : dict
        Size of a pixel along the axes for which the file tells it, by letter.
    """

    stack: Stack
    scale: dict[str, float]


@contextlib.contextmanager
def open_stack(path: Path, *, channel_axis: int | None = None) -> Iterator[OpenStack]:
    """Open a picture, a TIFF stack or an OME-Zarr; no plane is read before it is asked for.

    Axes are the file's own. Pages of a TIFF that nobody has named are taken for times, then for depths;
    channels are never guessed.

    Parameters
    ----------
    path : Path
        A file, or the folder of an OME-Zarr.
    channel_axis : int, optional
        Which axis of the file's array holds the channels, in place of the file's own word.

    Raises
    ------
    InputError
        If it is none of these, damaged, or has no such axis.
    """
    if path.is_dir() and is_ome_zarr(path):
        found = read_ome_zarr(path)
        scale = dict(zip(found.axes, found.scale, strict=True))
        named = _named(path, found.levels[0], found.axes, channel_axis)
        steps = [letter for letter in named.step_axes if letter in found.units]
        sizes = step_sizes(steps, [scale[a] for a in steps], [found.units[a] for a in steps])
        yield OpenStack(replace(named, sizes=sizes), scale)
        return
    if is_tiff(path):
        with _tiff(path, channel_axis) as stack:
            if stack is not None:
                yield OpenStack(stack, {})
                return
    picture = read_image(path, channel_axis=channel_axis)
    yield OpenStack(Stack.of(picture.pixels, picture.axes), {})


def peek_steps(path: Path, *, channel_axis: int | None = None) -> dict[str, int]:
    """Return letters and lengths of the axes along which the planes of a file lie; a picture has none.

    Reads no more than the header of a stack, and nothing of a picture.

    Raises
    ------
    InputError
        As `open_stack` does.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: check the name and the folder.")
    if path.is_dir() and not is_ome_zarr(path):
        raise InputError(f"{path} is a folder, but an image is expected.")
    if path.is_dir():
        with open_stack(path, channel_axis=channel_axis) as opened:
            return dict(zip(opened.stack.step_axes, opened.stack.steps, strict=True))
    if is_tiff(path):
        with _tiff(path, channel_axis) as stack:
            return {} if stack is None else dict(zip(stack.step_axes, stack.steps, strict=True))
    return {}


@contextlib.contextmanager
def _tiff(path: Path, channel_axis: int | None) -> Iterator[Stack | None]:
    """Open a TIFF with more than one plane; None for a single one, which `read_image` reads."""
    import zarr

    with contextlib.ExitStack() as files:
        try:
            file = files.enter_context(tifffile.TiffFile(path))
            series = file.series[0]
            coloured = series.keyframe.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
            if len(file.series) != 1 or len(series.shape) < 3:
                yield None
                return
            axes = series.axes.lower()
            if not coloured or not axes.endswith("s"):
                axes = axes.replace("s", "c")
            stack = _named(
                path, zarr.open_array(files.enter_context(series.aszarr()), mode="r"), axes, channel_axis
            )
        except SlipError:
            raise
        except Exception as error:  # a broken file can break a parser anywhere
            said = " ".join(str(error).split())
            raise InputError(
                f"{path.name} is a damaged TIFF file ({said}): write or copy it again."
            ) from error
        yield stack if len(stack) > 1 else None


def _named(path: Path, data: object, axes: str, channel_axis: int | None) -> Stack:
    """Give every axis its letter."""
    letters = list(axes)
    if channel_axis is not None:
        if not -len(letters) <= channel_axis < len(letters) or letters[channel_axis] in "yxs":
            raise InputError(
                f"{path.name} has the axes {axes}, of which axis {channel_axis} holds no channels: expected "
                f"one from 0 to {len(letters) - 1} that is not y or x."
            )
        letters = ["q" if letter == "c" else letter for letter in letters]
        letters[channel_axis] = "c"
    free = iter([letter for letter in PLAIN_AXES if letter not in letters])
    known: list[str] = []
    for letter in letters:
        known.append(letter if letter in "tczyxs" and letter not in known else next(free))
    return Stack.of(data, known)
