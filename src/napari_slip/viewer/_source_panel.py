"""What of the image is looked at: region, channels, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels, Shapes
from qtpy.QtWidgets import QComboBox, QFormLayout, QMenu, QToolButton, QWidget

from napari_slip.viewer._layers import OURS
from napari_slip.viewer._source import layer_data

if TYPE_CHECKING:
    from napari_slip.viewer._desk import Desk

PLANE, VIEW, BY_SAM = "the whole plane", "the field of view", "by SAM"


class SourcePanel(QWidget):
    """Region, channels and contrast of the chosen image; what does not apply to it is not shown."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._shapes: list[Shapes] = []
        self._image: Image | None = None
        self._axes: WeakKeyDictionary[Image, int] = WeakKeyDictionary()
        self._seen: list[Image | None] = []
        self.region = QComboBox()
        self.region.setToolTip(
            "What is segmented: the plane on screen, the part that is seen, or a drawn region."
        )
        self.labels = QComboBox()
        self.labels.setToolTip(
            "Who makes the segments: SAM, or another program or a person, whose labels texts are then "
            "matched against."
        )
        self._labels: list[Labels] = []
        self.axis = QComboBox()
        self.axis.setToolTip("Which axis of the layer holds its channels; it is never guessed.")
        self.others = QToolButton()
        self.others.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.others.setToolTip("Single-channel layers of the same shape that make one picture with this one.")
        self._menu = QMenu(self.others)
        self.others.setMenu(self._menu)
        self.sees = QComboBox()
        self.sees.setToolTip("What CLIP looks at: all channels together, or one of them.")
        self.contrast = QComboBox()
        self.contrast.addItems(["by percentiles", "as displayed"])
        self.contrast.setToolTip("Which pixel values are black and white to the models.")
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        for title, widget in (
            ("Segments", self.labels),
            ("Region", self.region),
            ("Channels", self.axis),
            ("Together with", self.others),
            ("CLIP sees", self.sees),
            ("Contrast", self.contrast),
        ):
            self._form.addRow(title, widget)
        self.labels.currentIndexChanged.connect(self._changed)
        self.region.currentIndexChanged.connect(self._changed)
        self.sees.currentIndexChanged.connect(self._changed)
        self.contrast.currentIndexChanged.connect(self._changed)
        self.axis.currentIndexChanged.connect(self._axis_changed)
        events = desk.viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed):
            emitter.connect(self._list)

    def dispose(self) -> None:
        """Let go of the viewer."""
        events = self._desk.viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed):
            emitter.disconnect(self._list)

    def show_image(self, image: Image | None) -> None:
        """Offer what applies to an image."""
        self._image = image
        source = self._desk.source
        source.others, source.clip_sees = (), None
        source.channel_axis = None if image is None else self._axes.get(image)
        blocked = self.axis.blockSignals(True)
        self.axis.clear()
        self.axis.addItem("none", None)
        shape = () if image is None else layer_data(image).shape
        if image is not None and not image.rgb and image.ndim > 2:
            for axis, n in enumerate(shape):
                self.axis.addItem(f"axis {axis} ({n})", axis)
            self.axis.setCurrentIndex(max(0, self.axis.findData(source.channel_axis)))
        self.axis.blockSignals(blocked)
        self._form.setRowVisible(self.axis, self.axis.count() > 1)
        self._list()

    def _list(self, event: Any = None) -> None:
        """List the Shapes layers and the layers that may be channels."""
        chosen, layers = self._desk.source.region, self._desk.viewer.layers
        self._shapes = [layer for layer in layers if isinstance(layer, Shapes)]
        blocked = self.region.blockSignals(True)
        self.region.clear()
        self.region.addItems([PLANE, VIEW, *(f"inside {layer.name!r}" for layer in self._shapes)])
        regions = ["plane", "view", *self._shapes]
        self.region.setCurrentIndex(
            next((i for i, each in enumerate(regions) if each is chosen or each == chosen), 0)
        )
        self.region.blockSignals(blocked)
        if chosen not in regions:
            self._desk.said.emit("The shapes of the region are gone: the whole plane is segmented now.")
        self._desk.source.region = regions[self.region.currentIndex()]
        self._list_labels()
        self._menu.clear()
        for layer in self._possible():
            action = self._menu.addAction(layer.name)
            if action is not None:
                action.setCheckable(True)
                action.setChecked(layer in self._desk.source.others)
                action.setData(layer.unique_id)
                action.toggled.connect(self._others_changed)
        self._form.setRowVisible(self.others, bool(self._menu.actions()))
        self._others_changed()

    def _list_labels(self) -> None:
        """List the Labels layers that are not ours."""
        chosen = self._desk.source.labels
        self._labels = [
            layer
            for layer in self._desk.viewer.layers
            if isinstance(layer, Labels) and OURS not in layer.metadata
        ]
        blocked = self.labels.blockSignals(True)
        self.labels.clear()
        self.labels.addItems([BY_SAM, *(f"labels {layer.name!r}" for layer in self._labels)])
        self.labels.setCurrentIndex(
            1 + next((n for n, layer in enumerate(self._labels) if layer is chosen), -1)
        )
        self.labels.blockSignals(blocked)
        if chosen is not None and chosen not in self._labels:
            self._desk.said.emit("The labels that were segments are gone: SAM makes them now.")

    def _possible(self) -> list[Image]:
        image = self._image
        if image is None or image.rgb or image not in self._desk.viewer.layers:
            return []
        return [
            layer
            for layer in self._desk.viewer.layers
            if isinstance(layer, Image)
            and layer is not image
            and not layer.rgb
            and layer_data(layer).shape == layer_data(image).shape
        ]

    def _others_changed(self) -> None:
        chosen = {action.data() for action in self._menu.actions() if action.isChecked()}
        others = tuple(layer for layer in self._possible() if layer.unique_id in chosen)
        self._desk.source.others = others
        self.others.setText(", ".join(layer.name for layer in others) or "no other layer")
        at = self.sees.currentIndex()
        seen = self._seen[at] if 0 <= at < len(self._seen) else None
        blocked = self.sees.blockSignals(True)
        self.sees.clear()
        self._seen = [] if self._image is None else [None, self._image, *others]
        self.sees.addItems(["all together" if layer is None else layer.name for layer in self._seen])
        self.sees.setCurrentIndex(self._seen.index(seen) if seen in self._seen else 0)
        self.sees.blockSignals(blocked)
        self._form.setRowVisible(self.sees, bool(others))
        self._changed()

    def _changed(self) -> None:
        source = self._desk.source
        source.region = ["plane", "view", *self._shapes][max(0, self.region.currentIndex())]
        source.labels = [None, *self._labels][max(0, self.labels.currentIndex())]
        source.clip_sees = self.sees.currentIndex() - 1 if self.sees.currentIndex() > 0 else None
        source.displayed_contrast = self.contrast.currentIndex() == 1

    def _axis_changed(self) -> None:
        self.choose_axis(self.axis.currentData())

    def choose_axis(self, axis: int | None) -> None:
        """Say which axis of the image holds its channels; it is remembered for this image."""
        if self._image is not None and axis is not None:
            self._axes[self._image] = axis
        elif self._image is not None:
            self._axes.pop(self._image, None)
        self.show_image(self._image)
        self._desk.choose(self._image)
