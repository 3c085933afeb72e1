"""Teach: what is learnt from the decisions, how good it is, and where it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QWidget,
)

from napari_slip.errors import InputError
from napari_slip.matching import heads
from napari_slip.viewer._fine_tune_panel import FineTunePanel
from napari_slip.viewer._qt import Words, tool_button
from napari_slip.viewer._teaching import in_words
from napari_slip.viewer._telling import telling

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_slip.viewer._desk import Desk

TEXTS = "the texts alone"
KIND = "Taught classes (*.head)"


class TeachPanel(QWidget):
    """Learn classes from what was accepted, corrected and rejected; use it, share it, switch it off."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._teaching = desk.teaching
        self.examples = Words()
        self.examples.setToolTip("What the next Teach learns from: all that was decided in this dock.")
        self.name = QLineEdit("taught")
        self.name.setToolTip("Under this name it is kept; an earlier one of that name is replaced.")
        self.teach = QPushButton("Teach")
        self.teach.setToolTip(
            "Learn the classes from their examples, within seconds, and score everything again."
        )
        self.used = QComboBox()
        self.used.setToolTip("What scores the classes: the texts alone, or something that was taught.")
        self.worth = Words()
        self.worth.setToolTip(
            "How often the class of an example was right; each was asked of a head that had not seen it."
        )
        self.buttons = {
            text: tool_button(text, tip, action)
            for text, tip, action in (
                ("Import...", "Use what somebody else has taught, from a file.", self._import),
                ("Export...", "Write it to a file, for others; they need the same model.", self._export),
                ("Delete...", "Forget it for good.", self._delete),
            )
        }
        self.further = FineTunePanel(desk)
        self._lay_out()
        self.refresh()
        self.teach.clicked.connect(self._teach)
        self.name.returnPressed.connect(self._teach)
        self.used.activated.connect(self._chosen)
        for signal in (self._teaching.changed, desk.sheet_changed):
            signal.connect(self.refresh)
        self._teaching.noted.connect(self._show_worth)  # without a look at the folder of what is kept

    def dispose(self) -> None:
        """Stop a training that is going on."""
        self.further.dispose()

    def refresh(self) -> None:
        """Show what is kept and in use, what it is worth, and the examples."""
        head = self._teaching.head
        names = heads.names()
        if head is not None and head.name not in names:
            names.append(head.name)
        self.used.clear()
        self.used.addItems([TEXTS, *names])
        self.used.setCurrentText(TEXTS if head is None else head.name)
        for text in ("Export...", "Delete..."):
            self.buttons[text].setEnabled(head is not None)
        self._show_worth()

    def _show_worth(self) -> None:
        counts = self._teaching.counts
        told = [f"{name} {counts[name]}" for name in sorted(n for n in counts if n is not None)]
        told += [f"none of them {counts[None]}"] if counts[None] else []
        self.examples.setText(
            f"Examples: {', '.join(told)}."
            if told
            else "No examples yet: accept or correct a few objects of each class, and reject what is none."
        )
        head = self._teaching.head
        words = "" if head is None else in_words(head)
        if self._teaching.foreign:
            words += " The model on this plane is another one, so it does nothing: teach again."
        self.worth.setText(words)
        self.worth.setVisible(bool(words))

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(self.examples)
        line = QHBoxLayout()
        line.addWidget(self.name, 1)
        line.addWidget(self.teach)
        form.addRow("Name", line)
        form.addRow("Scores by", self.used)
        form.addRow(self.worth)
        row = QHBoxLayout()
        for button in self.buttons.values():
            row.addWidget(button)
        row.addStretch(1)
        form.addRow(row)
        form.addRow(self.further)

    def _teach(self) -> None:
        self._told(lambda: self._teaching.teach(self.name.text()))

    def _chosen(self) -> None:
        name = self.used.currentText()
        head = self._teaching.head
        if name == (TEXTS if head is None else head.name):
            return
        self._told(lambda: self._teaching.use(None if name == TEXTS else heads.load(name)))
        self.refresh()

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Something taught", "", KIND)
        if path:
            self._told(lambda: self._teaching.use(heads.take_in(Path(path))))

    def _export(self) -> None:
        head = self._teaching.head
        if head is None:
            return
        path, _ = QFileDialog.getSaveFileName(self, "For others", f"{head.name}.head", KIND)
        if path:
            self._told(lambda: heads.export(head.name, Path(path)))

    def _delete(self) -> None:
        head = self._teaching.head
        if head is None:
            return
        yes = QMessageBox.StandardButton.Yes
        if QMessageBox.question(self, "Teach", f"Delete {head.name!r} for good?") == yes:
            heads.delete(head.name)
            self._teaching.use(None)

    def _told(self, action: Callable[[], object]) -> None:
        """Do something, and say in a sentence what went wrong with it."""
        with telling(self._desk):
            try:
                action()
            except OSError as error:
                raise InputError(
                    f"The file could not be written ({error.strerror or error}): choose another place."
                ) from error
