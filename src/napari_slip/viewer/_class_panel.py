"""The classes: what is looked for, under which name and colour, by which phrases; and what must be beaten."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_slip.session import ClassList
from napari_slip.viewer._qt import present, timer, tool_button

if TYPE_CHECKING:
    from napari_slip.session import SlipClass
    from napari_slip.viewer._desk import Desk

KIND = "Classes (*.json)"


class ClassPanel(QWidget):
    """A table of classes; tick what is looked for, double-click a name or the phrases to change them."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._changes = desk.class_changes
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Class", "Phrases, with commas", "Objects"])
        self.table.setToolTip(
            "Ticked classes are looked for. Double-click a name or the phrases to change them."
        )
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        present(self.table.verticalHeader()).setVisible(False)
        header = present(self.table.horizontalHeader())
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setColumnWidth(0, 120)
        self.table.setFixedHeight(130)
        self.negatives = QLineEdit(", ".join(desk.memory.negatives))
        self.negatives.setPlaceholderText("background, debris, ...")
        self.negatives.setToolTip("Texts that a match must beat, with commas between them.")
        self._lay_out()
        self.table.itemChanged.connect(self._edited)
        self.table.currentCellChanged.connect(self._picked)
        self.negatives.editingFinished.connect(self._negatives_edited)
        self._typed = timer(self, 0, self._follow)
        present(self.table.itemDelegate()).closeEditor.connect(self._typed.start)
        desk.classes_changed.connect(self._follow)
        self.refresh()

    def _follow(self) -> None:
        """Show what has changed, unless that would take away what is being typed."""
        if self.table.state() != QAbstractItemView.State.EditingState:
            self.refresh()

    def refresh(self) -> None:
        """Show the classes of the session, or those that the next one begins with."""
        blocked = self.table.blockSignals(True)
        classes = self._desk.classes
        self.table.setRowCount(len(classes))
        counts = self._desk.counts
        for row, each in enumerate(classes):
            name = QTableWidgetItem(_swatch(each.colour), each.name)
            name.setCheckState(_state(each.name in self._desk.ticked))
            name.setData(Qt.ItemDataRole.UserRole, each.name)
            number = QTableWidgetItem(str(counts.get(each.name, 0)))
            number.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            for column, item in enumerate((name, QTableWidgetItem(", ".join(each.phrases)), number)):
                self.table.setItem(row, column, item)
            if each.name == self._desk.active:
                self.table.selectRow(row)
        self.table.blockSignals(blocked)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        buttons = QHBoxLayout()
        for text, tip, action in (
            ("\N{UPWARDS ARROW}", "Move the class up.", self._up),
            ("\N{DOWNWARDS ARROW}", "Move the class down.", self._down),
            ("Colour", "Choose another colour.", self._recolour),
            (
                "Remove",
                "Take the class out of the list with its predictions; one with accepted objects has to stay.",
                self._remove,
            ),
            ("Import", "Read a list of classes from a file.", self._import),
            ("Export", "Write the list of classes to a file.", self._export),
        ):
            buttons.addWidget(tool_button(text, tip, action))
        buttons.addStretch(1)
        layout.addLayout(buttons)
        line = QHBoxLayout()
        line.addWidget(QLabel("Not"))
        line.addWidget(self.negatives, 1)
        layout.addLayout(line)

    def _current(self) -> SlipClass | None:
        row = self.table.currentRow()
        classes = list(self._desk.classes)
        return classes[row] if 0 <= row < len(classes) else None

    def _picked(self, row: int, column: int, before: int, _: int) -> None:
        if row != before and (each := self._current()) is not None:
            self._desk.activate(each.name)

    def _edited(self, item: QTableWidgetItem) -> None:
        each = self._current_of(item)
        if item.column() == 0:
            ticked = item.checkState() == Qt.CheckState.Checked
            if ticked != (each.name in self._desk.ticked):
                self._changes.tick(each.name, ticked)
            else:
                self._changes.rename(each.name, item.text())
        elif item.column() == 1:
            phrases = _phrases(item.text())
            self._changes.change(lambda classes: classes.change(each.name, phrases=phrases))
            self._desk.rerun()
        self.refresh()

    def _current_of(self, item: QTableWidgetItem) -> SlipClass:
        return list(self._desk.classes)[item.row()]

    def _move(self, by: int) -> None:
        names = [each.name for each in self._desk.classes]
        row = self.table.currentRow()
        if 0 <= row < len(names) and 0 <= row + by < len(names):
            names[row], names[row + by] = names[row + by], names[row]
            self._changes.change(lambda classes: classes.reorder(names))

    def _up(self) -> None:
        self._move(-1)

    def _down(self) -> None:
        self._move(1)

    def _recolour(self) -> None:
        if (each := self._current()) is None:
            return
        colour = QColorDialog.getColor(QColor(each.colour), self, f"Colour of {each.name}")
        if colour.isValid():
            self._changes.change(lambda classes: classes.change(each.name, colour=colour.name()))

    def _remove(self) -> None:
        if (each := self._current()) is not None:
            self._changes.change(lambda classes: classes.remove(each.name))

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import classes", "", KIND)
        if path:
            self._changes.change(lambda classes: _merged(classes, ClassList.read(Path(path))))

    def _export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export classes", "classes.json", KIND)
        if path:
            self._changes.export(Path(path))

    def _negatives_edited(self) -> None:
        negatives = _phrases(self.negatives.text())
        if negatives != self._desk.memory.negatives:
            self._desk.show(negatives=negatives)
            self._desk.rerun()


def _phrases(text: str) -> tuple[str, ...]:
    """Read phrases with commas between them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _merged(classes: ClassList, read: ClassList) -> ClassList:
    """Add what is new and take over the phrases and colours of what is known; nothing is lost by it."""
    for each in read:
        if each.name in classes:
            classes = classes.change(each.name, colour=each.colour, phrases=each.phrases)
        else:
            classes = classes.add(each.name, each.phrases, each.colour)
    return classes


def _state(checked: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(colour))
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else the selection tints it
    return icon
