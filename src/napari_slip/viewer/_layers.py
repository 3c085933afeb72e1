"""The two layers that an image gets: every segment, and the annotation that grows."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.layers import Labels

from napari_slip.viewer._palette import Palette
from napari_slip.viewer._volume import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import napari
    import pandas as pd
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

    from napari_slip.viewer._source import Place

    Colours = dict[int | None, tuple[float, ...]]

Role = Literal["segments", "matches"]
ROLES: tuple[Role, ...] = ("segments", "matches")

OURS = "napari-slip"
"""Key of the metadata that tells our layers from others."""

# Told apart by lightness alone, so that no eye needs the hues: dark veil, bright match, white cursor.
DIMMED = (0.10, 0.16, 0.32, 0.50)
BRIGHT = (1.00, 0.86, 0.10, 0.72)
POINTED = (1.00, 1.00, 1.00, 0.55)
PLAIN = (0.34, 0.71, 0.91, 0.40)
CLEAR = (0.0, 0.0, 0.0, 0.0)
FILL = 0.5

MOVES = ("scale", "translate", "rotate", "shear", "affine", "units")
"""Events of a layer that lies elsewhere now."""

# napari draws narrow labels several times faster than wide ones
_TYPES = (np.uint8, np.uint16, np.uint32)


class ResultLayers:
    """The layers of one image in one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    image : napari.layers.Image
        What they belong to.
    key : str
        Of the image's session; with it a dock that is opened again finds the layers of the last.
    """

    def __init__(self, viewer: napari.Viewer, image: Image, key: str) -> None:
        self._viewer = viewer
        self._image = image
        self._mark = f"{key} {image.unique_id}"
        self._layers: dict[Role, Labels] = {}
        self._places: dict[Role, Place] = {}
        self._colours: dict[Role, Colours] = {}
        self._volume: Volume | None = None
        self._painted: set[tuple[int, ...]] = set()
        self._written: dict[Role, NDArray[Any]] = {}
        self._clean = np.zeros(0, np.uint8)
        self._free = 0
        when_moved(image, self._follow)

    def get(self, role: Role) -> Labels | None:
        """Return our layer, if it is in the viewer."""
        known = self._layers.get(role)
        if known is not None and known in self._viewer.layers:
            return known
        for memory in (self._layers, self._places, self._colours, self._written):
            memory.pop(role, None)
        for layer in self._viewer.layers:
            if isinstance(layer, Labels) and layer.metadata.get(OURS) == (role, self._mark):
                self._layers[role] = layer
                return layer
        return None

    def owns(self, layer: Layer) -> bool:
        """Whether a layer is one of this image's, the preview too."""
        return bool(layer.metadata.get(OURS, ("", ""))[1] == self._mark)

    def find(self, place: Place) -> list[Labels]:
        """Take over layers that an earlier dock has left, and return them."""
        left = []
        for role in ROLES:
            if role not in self._layers and (layer := self.get(role)) is not None:
                left.append(layer)
                self._places[role] = place
                self._written[role] = layer.data
                if role == "matches" and place.steps:
                    layer.events.paint.connect(self._note_stroke)
                elif role == "matches":  # only what is painted from now on is a person's
                    self._clean = np.array(layer.data)
        return left

    def show_segments(self, picture: NDArray[np.uint32], place: Place, table: pd.DataFrame) -> Labels:
        """Show the segments of a plane, with one row of features for each."""
        layer = self._put("segments", picture, place, len(table))
        layer.features = _features(table)
        return layer

    def describe_segments(self, table: pd.DataFrame) -> None:
        """Give the segments on show other features: of another text, say."""
        layer, features = self.get("segments"), _features(table)
        if layer is not None and len(layer.features) == len(features) and not layer.features.equals(features):
            layer.features = features

    def draw_segments(self, picture: NDArray[np.uint32], place: Place) -> None:
        """Show others of the segments; a layer that was removed is not brought back by it."""
        if (layer := self.get("segments")) is not None:
            self._put("segments", picture, place, len(layer.features) - 1)

    def highlight(self, bright: Iterable[int], pointed: int | None, *, scored: bool, contour: bool) -> None:
        """Let some labels stand out of the segments."""
        if (layer := self.get("segments")) is None:
            return
        colours: Colours = {None: DIMMED if scored else PLAIN, 0: CLEAR}
        colours.update((int(label), BRIGHT) for label in bright)
        if pointed is not None:
            colours[pointed] = POINTED
        self._paint(layer, "segments", colours, redraw=False)
        width = max(1, _outline(self._places["segments"].shape)) if contour else 0
        if layer.contour != width:
            layer.contour = width

    def show_matches(
        self,
        picture: NDArray[np.uint32],
        place: Place,
        colours: Mapping[int, tuple[float, ...]],
        free: int,
        others: Mapping[tuple[int, ...], NDArray[np.uint32]] | None = None,
    ) -> Labels:
        """Show the Objects of a plane in their colours; the brush paints with the id `free`.

        Of a stack the layer holds all planes; `others` are those whose Objects have changed, too.
        """
        before = self.get("matches")
        contour = _outline(place.shape) if before is None else before.contour
        painted: Colours = {None: PLAIN, 0: CLEAR}
        faint = 1.0 if contour else FILL  # so that the picture is seen beneath what is filled
        painted.update((label, (*rgba[:3], faint * rgba[3])) for label, rgba in colours.items())
        repainted = self._colours.get("matches") != painted  # which draws the new data too
        if place.steps:
            pictures = {**(others or {}), place.index: picture}
            layer = self._put_planes(pictures, place, free, drawn=not repainted)
        else:
            layer = self._put("matches", picture, place, free, drawn=not repainted)
        if before is None:
            layer.contour = contour
        self._paint(layer, "matches", painted)
        if before is None or not self._free or layer.selected_label == self._free:  # else a person's choice
            layer.selected_label = free
        self._free = free
        return layer

    def add_preview(self, picture: NDArray[np.uint32], place: Place) -> Labels:
        """Show what would be, in bright outlines over everything else, and leave the active layer active."""
        active = self._viewer.layers.selection.active
        layer = Labels(
            _narrow(place.lift(picture)),
            name=f"{self._image.name} preview",
            metadata={OURS: ("preview", self._mark)},
            opacity=0.9,
            **place.transform(self._image),
        )
        layer.contour = 2
        self._viewer.layers.append(layer)
        self._viewer.layers.selection.active = active
        return layer

    def painted(self, shape: tuple[int, int]) -> dict[tuple[int, ...], NDArray[np.uint32]]:
        """Return the planes of the matches layer that may have been painted on, as they are now."""
        layer, place = self.get("matches"), self._places.get("matches")
        if layer is None or place is None or place.shape != shape:
            return {}
        if not place.steps:
            same = np.size(layer.data) == np.prod(shape)
            if not same or (self._is_ours("matches", layer) and np.array_equal(layer.data, self._clean)):
                return {}
            return {place.index: np.asarray(layer.data).reshape(shape)}
        if self._volume is None or layer.data is not self._volume.array:  # somebody has put in other data
            return {}
        touched, self._painted = self._painted | {place.index}, set()
        return {index: self._volume.read(index) for index in sorted(touched)}

    def _put_planes(
        self, pictures: Mapping[tuple[int, ...], NDArray[np.uint32]], place: Place, most: int, *, drawn: bool
    ) -> Labels:
        """Write planes into the layer of a whole stack; `most` and `drawn` as in `_put`."""
        layer = self.get("matches")
        if self._volume is None or layer is None:
            ours = layer is not None and layer.data.shape == Volume.shape_of(place)
            self._volume = Volume(place, layer.data if ours and layer is not None else None)
        self._volume.make_room(most)  # what is drawn may all be narrower: tracks have the first of their ids
        changed = [index for index, picture in pictures.items() if self._volume.write(index, picture)]
        if layer is None:
            layer = self._add("matches", self._volume.array, _lying("matches", place))
            layer.events.paint.connect(self._note_stroke)
        elif layer.data is not self._volume.array:  # of a wider type now, or of another program
            layer.data = self._volume.array
        elif drawn and (place.index in changed or self._viewer.dims.ndisplay == 3):
            layer.refresh()
        self._places["matches"] = place
        return layer

    def _note_stroke(self, event: Any) -> None:
        """Remember which planes a stroke has touched."""
        place = self._places.get("matches")
        if place is None:
            return
        for indices, *_ in event.value:  # along each axis an array, a number or a slice
            steps = [np.unique(np.arange(place.full[axis])[indices[axis]]) for axis in place.step_axes]
            self._painted |= {tuple(map(int, index)) for index in product(*steps)}

    def _put(
        self, role: Role, picture: NDArray[np.uint32], place: Place, most: int, *, drawn: bool = True
    ) -> Labels:
        """Show a picture, with room for labels up to `most`; not yet `drawn` if new colours follow."""
        data = _narrow(place.lift(picture), most)
        layer = self.get(role)
        if layer is None:
            layer = self._add(role, data, place)
        elif layer.data.shape != data.shape or layer.data.dtype != data.dtype:
            layer.data = data
        elif not np.array_equal(layer.data, data):
            if self._is_ours(role, layer):  # half of what new data cost: napari asks nobody for their extent
                layer.data[...] = data
                if drawn:
                    layer.refresh(extent=False, highlight=False)
            else:
                layer.data = data
        if layer.data is data:
            self._written[role] = data
        if role == "matches":
            self._clean = data.copy()
        if self._places.get(role) != place:
            lay(layer, place, self._image)
            self._places[role] = place
        return layer

    def _is_ours(self, role: Role, layer: Labels) -> bool:
        """Whether a layer still has the array that we gave to it, which may be painted over."""
        return layer.data is self._written.get(role)

    def _follow(self) -> None:
        """Lie on the image again, which a person has moved, turned or scaled."""
        for role, place in self._places.copy().items():
            if (layer := self.get(role)) is not None:
                lay(layer, _lying(role, place), self._image)

    def _add(self, role: Role, data: NDArray[Any], place: Place) -> Labels:
        layers = self._viewer.layers
        layer = Labels(
            data,
            name=f"{self._image.name} {role}",
            metadata={OURS: (role, self._mark)},
            opacity=1.0,
            **place.transform(self._image),
        )
        self._layers[role], self._places[role] = layer, place
        self._paint(layer, role, {None: PLAIN, 0: CLEAR})
        below = self.get("segments") if role == "matches" else None
        layers.insert(layers.index(self._image if below is None else below) + 1, layer)
        return layer

    def _paint(self, layer: Labels, role: Role, colours: Colours, *, redraw: bool = True) -> None:
        """Give a layer its colours; what it shows is drawn anew, too, if it may have changed."""
        if self._colours.get(role) == colours:
            return
        self._colours[role] = colours
        palette = Palette(color_dict={k: np.asarray(v) for k, v in colours.items()})
        if redraw or layer.data.dtype.itemsize > 2:  # of wide types napari draws the numbers of colours
            layer.colormap = palette
        else:
            with layer.events.set_data.blocker():
                layer.colormap = palette


def when_moved(image: Image, follow: Callable[[], None]) -> None:
    """Have a method called whenever an image is moved, turned or scaled, as long as its owner lives."""
    for name in MOVES:
        getattr(image.events, name).connect(follow)


def lay(layer: Layer, place: Place, image: Image) -> None:
    """Put a layer where a plane of an image is."""
    for name, value in place.transform(image).items():
        setattr(layer, name, value)


def _lying(role: Role, place: Place) -> Place:
    """Return where a layer begins that shows a plane: the matches of a stack hold all of its planes."""
    return replace(place, index=(0,) * len(place.index)) if role == "matches" else place


def _outline(shape: tuple[int, int]) -> int:
    """Choose the width of outlines; none on large planes, where napari takes a second to find them."""
    size = shape[0] * shape[1]
    return 2 if size < 500_000 else 1 if size < 1_500_000 else 0


def _narrow(picture: NDArray[Any], most: int = 0) -> NDArray[Any]:
    """Choose the smallest type that holds a picture's labels, and others up to `most`."""
    most = max(most, int(picture.max(initial=0)))  # a track's number may be above every id
    return picture.astype(next(kind for kind in _TYPES if most < np.iinfo(kind).max))


def _features(table: pd.DataFrame) -> pd.DataFrame:
    """Put a row for the background in front, so that row and label agree."""
    rows = table.reindex(range(-1, len(table))).reset_index(drop=True)
    rows["index"] = np.arange(len(rows))
    return rows
