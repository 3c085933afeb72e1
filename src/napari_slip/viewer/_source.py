"""What is segmented: the plane on screen, taken down in the main thread and read in the worker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from weakref import ref

import numpy as np
from napari.utils.transforms import Affine

from napari_slip.errors import InputError
from napari_slip.images import to_rgb
from napari_slip.settings import Contrast
from napari_slip.stacks import plane_key
from napari_slip.viewer._regions import Region

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import napari
    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Place:
    """Where a plane lies in a layer.

    Parameters
    ----------
    axes : (int, int)
        The layer's axes that are rows and columns, in the layer's order.
    index : tuple of int
        Of the plane along all other axes but the channels'.
    shape : (H, W)
        In pixels.
    full : tuple of int
        Shape of the layer's data, without a last axis of colours.
    channel_axis : int, optional
        The layer's axis of channels.
    """

    axes: tuple[int, int]
    index: tuple[int, ...]
    shape: tuple[int, int]
    full: tuple[int, ...]
    channel_axis: int | None = None

    @property
    def key(self) -> tuple[int | slice, ...]:
        """What to index the layer's data with."""
        return plane_key(len(self.full), self.axes, self.channel_axis, self.index)

    @property
    def step_axes(self) -> tuple[int, ...]:
        """The layer's axes along which its planes lie."""
        whole = (*self.axes, self.channel_axis)
        return tuple(axis for axis in range(len(self.full)) if axis not in whole)

    @property
    def steps(self) -> tuple[int, ...]:
        """Planes along each of them."""
        return tuple(self.full[axis] for axis in self.step_axes)

    @property
    def plane_channel_axis(self) -> int | None:
        """The axis of the channels once the plane is cut out."""
        if self.channel_axis is None:
            return None
        return sum(axis < self.channel_axis for axis in self.axes)

    def lift(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Give an (H, W) picture as many axes as the layer has; a view of the same pixels."""
        return picture.reshape([n if axis in self.axes else 1 for axis, n in enumerate(self.full)])

    def transform(self, layer: Image) -> dict[str, Any]:
        """Return the scale, translation and so on that put a lifted picture where the plane is."""
        scale = np.array(layer.scale, float)
        corner = np.zeros(len(self.full))
        steps = iter(self.index)
        for axis in range(len(self.full)):
            if axis == self.channel_axis:  # one thick pixel, so that the labels are seen on every channel
                corner[axis] = (self.full[axis] - 1) / 2
            elif axis not in self.axes:
                corner[axis] = next(steps)
        linear = Affine(scale=layer.scale, rotate=layer.rotate, shear=layer.shear).linear_matrix
        if self.channel_axis is not None:
            scale[self.channel_axis] *= self.full[self.channel_axis]
        return {
            "scale": scale,
            "translate": np.asarray(layer.translate) + linear @ corner,
            "rotate": layer.rotate,
            "shear": layer.shear,
            "affine": layer.affine.affine_matrix,
            "units": layer.units,
            "axis_labels": layer.axis_labels,
        }

    def to_world(self, layer: Image, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the world coordinates of a (row, column) of the plane."""
        steps = iter(self.index)
        position = [
            point[self.axes.index(axis)]
            if axis in self.axes
            else 0
            if axis == self.channel_axis
            else next(steps)
            for axis in range(len(self.full))
        ]
        return np.asarray(layer.data_to_world(position), float)


@dataclass(frozen=True)
class Snapshot:
    """What the worker needs to know of the viewer.

    Parameters
    ----------
    data : tuple of arrays
        Of one layer, or of several single-channel layers that make one picture.
    place : Place
        The plane in each of them.
    contrasts : tuple of Contrast
        For each layer.
    region : Region
        The part of the plane that is segmented.
    clip_sees : int, optional
        Which of several layers CLIP sees; all together if None.
    labels : (H, W) array, optional
        Another program's segments, in place of SAM's.
    stack_labels : array, optional
        Those of all planes, for a run over a stack.
    layers : tuple of weak references
        To the layers behind the data, and to the one behind the labels if there is one.
    """

    data: tuple[Any, ...]
    place: Place
    contrasts: tuple[Contrast, ...]
    region: Region = field(default_factory=Region)
    clip_sees: int | None = None
    labels: NDArray[Any] | None = None
    stack_labels: Any = None
    layers: tuple[ref[Image | Labels], ...] = field(default=(), repr=False)

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the plane that is segmented."""
        return self.region.window or (slice(0, self.place.shape[0]), slice(0, self.place.shape[1]))

    @cached_property
    def look(self) -> str:
        """How the pixels are looked at, in a text that tells one way from another."""
        adopted = ""
        if self.labels is not None:
            adopted = hashlib.blake2b(np.ascontiguousarray(self.labels).data, digest_size=16).hexdigest()
        return repr((self.contrasts, self.region, self.clip_sees, self.place.plane_channel_axis, adopted))

    @property
    def lazy(self) -> bool:
        """Whether some of the pixels have yet to be read."""
        return not all(isinstance(array, _Plane | _Memory) for array in self.data)

    def of_stack(self, there: Collection[Layer]) -> Snapshot:
        """Return what reads any plane of the same layers; those in memory are copied when their turn comes.

        Raises
        ------
        InputError
            If one of them is not `there` any more.
        """
        layers = [layer() for layer in self.layers]
        if any(layer is None or layer not in there for layer in layers):
            raise InputError(
                "A layer that the first plane was looked at with is gone: choose the layers and run again."
            )
        found = [layer_data(layer) for layer in layers]
        labels = found.pop() if self.labels is not None else None
        data = tuple(_Memory(data) if isinstance(data, np.ndarray) else data for data in found)
        return replace(self, data=data, stack_labels=labels)

    def at(self, index: tuple[int, ...]) -> Snapshot:
        """Return what reads one plane of the stack."""
        place = replace(self.place, index=index)
        labels = self.labels if self.stack_labels is None else _cut_labels(self.stack_labels, place)
        return replace(self, place=place, labels=labels)

    def read(self) -> tuple[NDArray[Any], ...]:
        """Read the pixels; for the worker, because lazy arrays may take their time.

        Raises
        ------
        InputError
            If the array cannot be read.
        """
        try:
            return tuple(np.asarray(array[self.place.key]) for array in self.data)
        except Exception as error:  # whatever stands behind a lazy array
            raise InputError(
                f"The pixels of the plane could not be read ({type(error).__name__}: {error}): check that "
                "the file behind the layer is still there."
            ) from error

    def pictures(self, pixels: tuple[NDArray[Any], ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the window as SAM and as CLIP see it, (H, W, 3) uint8 each; often one and the same."""
        axis = self.place.plane_channel_axis
        if len(pixels) == 1:
            rgb = to_rgb(pixels[0], channel_axis=axis, contrast=self.contrasts[0])[self.window]
            return rgb, rgb
        greys = [
            to_rgb(p, channel_axis=axis, contrast=c) for p, c in zip(pixels, self.contrasts, strict=True)
        ]
        whole = Contrast(limits=(0, 255))  # each layer has been stretched by its own limits
        together = to_rgb(np.stack([grey[..., 0] for grey in greys]), channel_axis=0, contrast=whole)[
            self.window
        ]
        return together, together if self.clip_sees is None else greys[self.clip_sees][self.window]

    def digest(self, pixels: tuple[NDArray[Any], ...]) -> str:
        """Tell pictures apart by their pixels and by how they are looked at."""
        sums = hashlib.blake2b(digest_size=16)
        for array in pixels:
            sums.update(repr((array.shape, array.dtype.str)).encode())
            sums.update(np.ascontiguousarray(array).data)
        sums.update(self.look.encode())
        return sums.hexdigest()


@dataclass
class SourceChoice:
    """What of the image is segmented."""

    others: tuple[Image, ...] = ()
    clip_sees: int | None = None
    channel_axis: int | None = None
    displayed_contrast: bool = False
    region: Literal["plane", "view"] | Any = "plane"
    """The plane, the field of view, or a Shapes layer."""
    labels: Labels | None = None
    """Another program's segments; SAM's if there are none."""


def locate(viewer: napari.Viewer, layer: Image, channel_axis: int | None = None) -> Place:
    """Find the plane of a layer that is on screen, whatever the order of the dimensions.

    Raises
    ------
    InputError
        If the viewer shows a volume, or the channels' axis is on screen itself.
    """
    if viewer.dims.ndisplay != 2:
        raise InputError(
            "The viewer shows a volume, but a plane is segmented: switch to 2D with the cube button."
        )
    full = tuple(int(n) for n in layer_data(layer).shape)
    full = full[:-1] if layer.rgb else full
    missing = viewer.dims.ndim - len(full)
    shown = sorted(axis - missing for axis in viewer.dims.displayed)
    if shown[0] < 0 or len(full) < 2:
        raise InputError(
            f"{layer.name!r} is not spread out on screen: roll the dimensions until it is a picture."
        )
    if channel_axis in shown:
        raise InputError(
            f"Axis {channel_axis} of {layer.name!r} was named as its channels, but it is on screen: choose "
            "another."
        )
    point = np.asarray(layer.world_to_data(viewer.dims.point[missing:]))
    others = [axis for axis in range(len(full)) if axis not in shown and axis != channel_axis]
    index = tuple(int(np.clip(np.round(point[axis]), 0, full[axis] - 1)) for axis in others)
    rows, columns = shown
    return Place((rows, columns), index, (full[rows], full[columns]), full, channel_axis)


def layer_data(layer: Image | Labels) -> Any:
    """Return a layer's pixels at full resolution, as they are kept."""
    return layer.data[0] if layer.multiscale else layer.data


def take(
    viewer: napari.Viewer,
    layers: Sequence[Image],
    *,
    channel_axis: int | None = None,
    displayed_contrast: bool = False,
    region: Region | None = None,
    clip_sees: int | None = None,
    labels: Labels | None = None,
) -> Snapshot:
    """Take down what is to be segmented; the first layer says where it lies.

    Raises
    ------
    InputError
        If the plane cannot be told, or the layers do not make one picture.
    """
    first = layers[0]
    place = locate(viewer, first, channel_axis)
    for other in layers[1:]:
        if other.rgb or first.rgb or layer_data(other).shape != layer_data(first).shape:
            raise InputError(
                f"{other.name!r} cannot be a channel of {first.name!r}: layers of one shape, without colours "
                "of their own, are expected."
            )
    limits = [
        tuple(float(v) for v in layer.contrast_limits) if displayed_contrast else None for layer in layers
    ]
    return Snapshot(
        tuple(_kept(layer_data(layer), place) for layer in layers),
        place,
        tuple(Contrast(limits=pair) for pair in limits),  # type: ignore[arg-type]
        region=region or Region(),
        clip_sees=clip_sees,
        labels=None if labels is None else labels_on(labels, place),
        layers=tuple(map(ref, layers if labels is None else (*layers, labels))),
    )


def labels_on(layer: Labels, place: Place) -> NDArray[Any]:
    """Return what a Labels layer shows on a plane, (H, W); a copy, because it may be painted on meanwhile.

    Raises
    ------
    InputError
        If it has another shape than the image.
    """
    shape = tuple(layer_data(layer).shape)
    full = tuple(n for axis, n in enumerate(place.full) if axis != place.channel_axis)
    if shape not in (place.shape, full):
        raise InputError(
            f"The labels {layer.name!r} are {shape}, but the image is {full}: choose labels of the same "
            "pixels."
        )
    return _cut_labels(layer_data(layer), place)


def _cut_labels(data: Any, place: Place) -> NDArray[Any]:
    """Copy the labels of a plane out of those of all planes, or of the one picture that lies on each."""
    if tuple(data.shape) == place.shape:
        return np.array(data)
    return np.array(data[tuple(k for axis, k in enumerate(place.key) if axis != place.channel_axis)])


def _kept(data: Any, place: Place) -> Any:
    """Copy a plane in memory, which the user may edit during the run; leave lazy arrays as they are."""
    if not isinstance(data, np.ndarray):
        return data
    return _Plane(data[place.key].copy())


class _Memory:
    """A whole array in memory, of which planes are copied while its owner may be editing it."""

    def __init__(self, pixels: NDArray[Any]) -> None:
        self.pixels = pixels

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        return self.pixels[key].copy()


class _Plane:
    """A plane that has been cut out already."""

    def __init__(self, pixels: NDArray[Any]) -> None:
        self.pixels = pixels

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        return self.pixels
