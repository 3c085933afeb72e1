"""Which image is looked at: a list that knows the layers by themselves, not by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

if TYPE_CHECKING:
    import napari


class LayerChooser(QComboBox):
    """Lists the images; keeps its choice while layers are renamed, moved, added and removed.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose images are listed.
    """

    chosen = Signal()
    """Another layer, or none."""

    def __init__(self, viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layers: list[Image] = []
        self._before: Image | None = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered):
            emitter.connect(self._list)
        self._list()
        self.currentIndexChanged.connect(self._notice)

    @property
    def layer(self) -> Any:
        """The chosen layer, None if there is none."""
        at = self.currentIndex()
        return self._layers[at] if 0 <= at < len(self._layers) else None

    def choose(self, layer: Image) -> None:
        """Choose a layer that is in the list."""
        self.setCurrentIndex(self._layers.index(layer))

    def step(self, by: int) -> None:
        """Choose the next (1) or the previous (-1) layer."""
        if self._layers:
            self.setCurrentIndex((self.currentIndex() + by) % len(self._layers))

    def dispose(self) -> None:
        """Let go of the viewer."""
        events = self._viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered):
            emitter.disconnect(self._list)
        for layer in self._layers:
            layer.events.name.disconnect(self._rename)

    def _list(self, event: Any = None) -> None:
        chosen = self.layer
        for layer in self._layers:
            layer.events.name.disconnect(self._rename)
        self._layers = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        blocked = self.blockSignals(True)
        self.clear()
        for layer in self._layers:
            layer.events.name.connect(self._rename)
            self.addItem(layer.name)
        if chosen in self._layers:
            self.setCurrentIndex(self._layers.index(chosen))
        self.blockSignals(blocked)
        self._notice()

    def _rename(self, event: Any = None) -> None:
        for at, layer in enumerate(self._layers):
            self.setItemText(at, layer.name)

    def _notice(self) -> None:
        if self.layer is not self._before:
            self._before = self.layer
            self.chosen.emit()
