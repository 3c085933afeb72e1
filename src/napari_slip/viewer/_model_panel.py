"""Which models run, what each of them costs, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_slip.models import known_models
from napari_slip.viewer._engine import ModelChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_slip.models import Preset
    from napari_slip.viewer._desk import Desk

OWN = "my own files"
DEVICES = {"auto": "the best there is", "cpu": "CPU", "cuda": "CUDA (NVIDIA)", "mps": "MPS (Apple)"}


class ModelPanel(QWidget):
    """A preset or files of one's own, and a device. Nothing is loaded before it is needed."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.preset = QComboBox()
        self.preset.addItems([*known_models().presets, OWN])
        self.preset.setToolTip("A SAM and a CLIP that go together; annotations stay when it is changed.")
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.sam = QLineEdit()
        self.sam.setPlaceholderText("mini, vit_b, ... or a checkpoint")
        self.sam.setToolTip("Name of a SAM, or the path of a checkpoint (.pth, .safetensors).")
        self.clip = QLineEdit()
        self.clip.setPlaceholderText("mini, a hub name, or a folder")
        self.clip.setToolTip("Name of a CLIP on the hub, or the path of a folder as transformers writes it.")
        self.device = QComboBox()
        for name, title in DEVICES.items():
            self.device.addItem(title, name)
        self.device.setToolTip("Where the models run.")
        self.again = QPushButton("Look again with it")
        self.again.setToolTip("Run the ticked classes on the plane with this model.")
        self._lay_out()
        self._show()
        self.preset.currentIndexChanged.connect(self._changed)
        self.device.currentIndexChanged.connect(self._changed)
        self.sam.editingFinished.connect(self._changed)
        self.clip.editingFinished.connect(self._changed)
        self.again.clicked.connect(self._look_again)

    @property
    def choice(self) -> ModelChoice:
        """What the panel says; an empty name of one's own means mini."""
        device = str(self.device.currentData())
        if self.preset.currentText() != OWN:
            return ModelChoice(self.preset.currentText(), device=device)
        sam, clip = self.sam.text().strip() or "mini", self.clip.text().strip() or "mini"
        return ModelChoice("", sam, clip, device)

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Model", self.preset)
        form.addRow(self.cost)
        self._own = QWidget()
        own = QFormLayout(self._own)
        own.setContentsMargins(0, 0, 0, 0)
        own.addRow("SAM", _with_button(self.sam, self._browse_sam, "Choose a checkpoint."))
        own.addRow("CLIP", _with_button(self.clip, self._browse_clip, "Choose a folder."))
        form.addRow(self._own)
        form.addRow("Device", self.device)
        form.addRow(self.again)

    def _show(self) -> None:
        chosen = self._desk.memory.model
        self.preset.setCurrentText(chosen.preset if chosen.preset in known_models().presets else OWN)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen.device)))
        self.sam.setText(chosen.sam)
        self.clip.setText(chosen.clip)
        self._say()

    def _say(self) -> None:
        preset = known_models().presets.get(self.preset.currentText())
        self._own.setVisible(preset is None)
        self.cost.setText("" if preset is None else describe(preset))
        self.cost.setVisible(preset is not None)

    def _changed(self) -> None:
        self._say()
        self._desk.show(model=self.choice)

    def _look_again(self) -> None:
        self._desk.rerun()

    def _browse_sam(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "A checkpoint of SAM", "", "SAM (*.pth *.pt *.safetensors)"
        )
        if path:
            self.sam.setText(path)
            self._changed()

    def _browse_clip(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "A folder with a CLIP"):
            self.clip.setText(path)
            self._changed()


def describe(preset: Preset) -> str:
    """Say what a preset costs."""
    fetched = "downloaded when first used" if preset.needs_download else "no download"
    return f"{preset.title}. {preset.size_mb} MB, {fetched}. Licence: {preset.licence}."


def _with_button(line: QLineEdit, browse: Callable[[], None], tip: str) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    button = QToolButton()
    button.setText("...")
    button.setToolTip(tip)
    button.clicked.connect(browse)
    layout.addWidget(line, 1)
    layout.addWidget(button)
    return row
