"""Fine-tune: a full training in the background, its curve, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_slip.viewer._fine_tuning import FineTuning
from napari_slip.viewer._loss_curve import LossCurve
from napari_slip.viewer._qt import Words
from napari_slip.viewer._telling import telling

if TYPE_CHECKING:
    from napari_slip.viewer._desk import Desk

OBJECTS = "accepted and corrected objects"
FOLDER = "a folder by class..."


class FineTunePanel(QWidget):
    """Train the model of the dock further, beside whatever else is done."""

    listed = Signal(str)
    """A new model has come into the list."""
    wanted = Signal(str)
    """A new model shall be used."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.job = FineTuning(desk)
        self.data: Path | None = None
        self.examples = QComboBox()
        self.examples.addItems([OBJECTS, FOLDER])
        self.examples.setToolTip(
            "What is learnt from: the objects of all images in this dock, or a folder with one folder of "
            "pictures for each class."
        )
        self.name = QLineEdit("my-model")
        self.name.setToolTip("The new model is listed under this name, if it is better than the old one.")
        self.epochs = QSpinBox()
        self.epochs.setRange(1, 1000)
        self.epochs.setValue(40)
        self.epochs.setToolTip("Passes over the examples, at most; training ends when nothing is gained.")
        self.begin = QPushButton("Fine-tune")
        self.begin.setToolTip(
            "Train the whole model further, beside your work; minutes to hours. The old one stays as it is."
        )
        self.use = QPushButton("Use it")
        self.use.setToolTip("Choose the new model and look at the plane again.")
        self.state = Words()
        self.curve = LossCurve()
        self._lay_out()
        self._show()
        self.examples.activated.connect(self._chosen)
        self.begin.clicked.connect(self._begin_or_stop)
        self.use.clicked.connect(self._use)
        self.job.changed.connect(self._show)
        self.job.trained.connect(self.listed.emit)

    def dispose(self) -> None:
        """Stop a training; it can be gone on with."""
        self.job.dispose()

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 6, 0, 0)
        form.addRow("Learn from", self.examples)
        line = QHBoxLayout()
        line.addWidget(self.name, 1)
        line.addWidget(QLabel("passes"))
        line.addWidget(self.epochs)
        form.addRow("New model", line)
        row = QHBoxLayout()
        row.addWidget(self.begin)
        row.addWidget(self.use)
        row.addStretch(1)
        form.addRow(row)
        form.addRow(self.state)
        form.addRow(self.curve)

    def _show(self) -> None:
        running = self.job.running
        self.begin.setText("Stop" if running else "Fine-tune")
        self.begin.setEnabled(not self.job.preparing)
        for part in (self.examples, self.name, self.epochs):
            part.setEnabled(not running)
        self.use.setVisible(bool(self.job.better) and not running)
        self.state.setText(self.job.sentence)
        self.state.setVisible(bool(self.job.sentence))
        self.curve.show_passes(self.job.passes)
        self.curve.setVisible(bool(self.job.passes))

    def _chosen(self) -> None:
        if self.examples.currentIndex() == 0:
            self.data = None
            return
        path = QFileDialog.getExistingDirectory(self, "One folder of pictures for each class")
        if not path:
            self.examples.setCurrentIndex(0 if self.data is None else 1)
            return
        self.data = Path(path)
        self.examples.setItemText(1, f"{self.data.name}, a folder by class...")

    def _begin_or_stop(self) -> None:
        if self.job.running:
            self.job.cancel()
            return
        with telling(self._desk):
            self.job.begin(self.name.text(), self.data, self.epochs.value())

    def _use(self) -> None:
        self.wanted.emit(self.job.better)
