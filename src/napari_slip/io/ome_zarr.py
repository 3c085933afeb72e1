"""Labels of a stack as OME-Zarr (NGFF 0.4, https://ngff.openmicroscopy.org/0.4), plane by plane."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError
from napari_slip.io.units import UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CHUNK = 1024
"""Longest side of a chunk, in pixels."""

SMALLEST = 512
"""Longest side at which no coarser scale is added."""

_ORDER = "tczyx"


def is_ome_zarr(path: Path) -> bool:
    """Whether a path is a folder that zarr has written."""
    return any((path / name).is_file() for name in (".zgroup", ".zattrs", "zarr.json", ".zarray"))


@dataclass(frozen=True, eq=False)
class Scales:
    """An image or labels in an OME-Zarr, lazily.

    Parameters
    ----------
    levels : tuple of zarr arrays
        The finest first; only what is indexed is read.
    axes : str
        One letter for each axis.
    scale : tuple of float
        Of the finest level's pixels, in the file's units.
    units : mapping of str to str
        Of the scale, for the axes for which they are told, by letter.
    attributes : dict
        All that the group says of itself.
    """

    levels: tuple[Any, ...]
    axes: str
    scale: tuple[float, ...]
    units: dict[str, str]
    attributes: dict[str, Any]


def read_ome_zarr(path: Path, group: str = "") -> Scales:
    """Open an image of an OME-Zarr (version 0.4 or 0.5), or one of its groups, without reading pixels.

    Parameters
    ----------
    path : Path
        The folder.
    group : str
        Such as ``"labels/matches"``.

    Raises
    ------
    InputError
        If it is none, or damaged.
    """
    import zarr

    try:
        root: Any = zarr.open_group(path, mode="r", path=group or None)
        attributes: dict[str, Any] = dict(root.attrs)
        told: dict[str, Any] = attributes.get("ome", attributes)["multiscales"][0]
        levels = tuple(root[dataset["path"]] for dataset in told["datasets"])
        about = [axis if isinstance(axis, dict) else {"name": axis} for axis in told["axes"]]
        names = [axis["name"] for axis in about]
        scale = next(
            (t["scale"] for t in told["datasets"][0]["coordinateTransformations"] if t["type"] == "scale"),
            [1.0] * len(names),
        )
        if not levels or levels[0].ndim != len(names):
            raise KeyError("axes")
    except Exception as error:  # zarr has many ways to say that something is not there
        said = " ".join(str(error).split())
        raise InputError(
            f"{path}{'/' + group if group else ''} is no OME-Zarr image that can be read "
            f"({type(error).__name__}: {said}): expected a folder with multiscales of version 0.4 or 0.5."
        ) from error
    axes = "".join(name[0].lower() for name in names)
    units = {letter: axis["unit"] for letter, axis in zip(axes, about, strict=True) if axis.get("unit")}
    return Scales(levels, axes, tuple(float(n) for n in scale), units, attributes)


class LabelsWriter:
    """Writes the labels of a stack into the ``labels`` group of an OME-Zarr, one plane in memory at a time.

    Parameters
    ----------
    path : Path
        Of the OME-Zarr; it is made if it is not there, and other labels in it stay.
    name : str
        Of the labels.
    steps : mapping of str to int
        Letters and lengths of the axes along which the planes lie, in the order of their indices.
    shape : (H, W)
        Of each plane.
    scale : mapping of str to float
        Size of a pixel along each axis, by letter; 1 where none is given.
    dtype : type
        Of the labels.
    units : mapping of str to str
        Of those sizes, such as "um", by letter; "px" or none where it is not known.

    Raises
    ------
    InputError
        If it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        steps: Mapping[str, int],
        shape: tuple[int, int],
        scale: Mapping[str, float] | None = None,
        dtype: type = np.uint32,
        units: Mapping[str, str] | None = None,
    ) -> None:
        import zarr

        self.path, self.name = path, name
        told = (units or {}).items()
        self._units = {letter: UNITS.get(unit, unit) for letter, unit in told if unit not in ("", "px")}
        letters = list(steps)
        # NGFF wants the time first and the planes' axes last
        self._order = sorted(range(len(letters)), key=lambda i: (_ORDER + letters[i]).index(letters[i]))
        self.axes = "".join(letters[i] for i in self._order) + "yx"
        sizes = {"y": 1.0, "x": 1.0, **(scale or {})}
        self._scale = [float(sizes.get(letter, 1.0)) for letter in self.axes]
        try:
            root: Any = zarr.open_group(path, mode="a", zarr_format=2)
            labels = root.require_group("labels")
            if name in labels:
                raise InputError(f"{path} has labels {name!r} already: choose another name.")
            self._labels, self._group = labels, labels.create_group(name)
            self._levels = [
                self._group.create_array(
                    str(level),
                    shape=(*(steps[letters[i]] for i in self._order), *size),
                    chunks=(*[1] * len(steps), *(min(CHUNK, n) for n in size)),
                    dtype=dtype,
                    fill_value=0,
                    chunk_key_encoding={"name": "v2", "separator": "/"},
                )
                for level, size in enumerate(_sizes(shape))
            ]
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error

    def write(self, index: Sequence[int], picture: NDArray[Any]) -> None:
        """Write a plane, (H, W) of ids, at its index; coarser scales take every other pixel."""
        place = tuple(index[i] for i in self._order)
        for level, array in enumerate(self._levels):
            step = 2**level
            array[place] = picture[::step, ::step].astype(array.dtype, copy=False)

    def finish(
        self,
        colours: Mapping[int, tuple[int, int, int, int]],
        properties: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """Write what the labels are.

        Parameters
        ----------
        colours : mapping
            From a label to red, green, blue and opacity, 0..255.
        properties : iterable of mappings
            One for each label, with its ``label-value``.
        """
        with warnings.catch_warnings():  # of ome-zarr about itself
            warnings.simplefilter("ignore")
            from ome_zarr.format import FormatV04
            from ome_zarr.writer import write_label_metadata, write_multiscales_metadata

        datasets = [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {
                        "type": "scale",
                        "scale": [
                            n * (2**level if letter in "yx" else 1)
                            for n, letter in zip(self._scale, self.axes, strict=True)
                        ],
                    }
                ],
            }
            for level in range(len(self._levels))
        ]
        axes: list[Any] = [
            {"name": letter, "type": "time" if letter == "t" else "space", "unit": self._units[letter]}
            if letter in self._units
            else letter
            for letter in self.axes
        ]
        version = FormatV04()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_multiscales_metadata(self._group, datasets, fmt=version, axes=axes, name=self.name)
            write_label_metadata(
                self._labels,
                self.name,
                colors=[{"label-value": label, "rgba": list(rgba)} for label, rgba in colours.items()],
                properties=[dict(entry) for entry in properties],
                fmt=version,
            )


def _sizes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the shapes of the scales, each half of the last."""
    sizes = [shape]
    while max(sizes[-1]) > 2 * SMALLEST:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes
