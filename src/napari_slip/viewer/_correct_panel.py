"""The Correct section: tools, the objects of the plane, what can be done to them, and how many there are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QRadioButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_slip.viewer._qt import Words, present, tool_button
from napari_slip.viewer._table import SIGNS

if TYPE_CHECKING:
    from napari_slip.objects import Object
    from napari_slip.viewer._correction import Tool
    from napari_slip.viewer._desk import Desk

TITLES = ("object", "class", "status", "score", "area", "clicks")

TOOLS: tuple[tuple[Tool, str, str], ...] = (
    ("look", "Look", "A click chooses what lies there; with Shift, beside what was chosen before."),
    ("pick", "Pick", "A click makes the segment there a match of the class in front."),
    (
        "refine",
        "Refine",
        "A click says what belongs to the chosen object, a right or Alt click what does not; a drag makes a "
        "box. Points and the box can be moved and deleted in their layers.",
    ),
    ("split", "Split", "Click once in each part of an object."),
)


class ObjectModel(QAbstractTableModel):
    """The objects of one plane."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.things: list[Object] = []

    def show(self, things: list[Object]) -> None:
        """Show these."""
        if len(things) == len(self.things):
            self.things = things
            if things:
                self.dataChanged.emit(self.index(0, 0), self.index(len(things) - 1, len(TITLES) - 1))
            return
        self.beginResetModel()
        self.things = things
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of objects."""
        return 0 if parent is not None and parent.isValid() else len(self.things)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return len(TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Return the columns' titles."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return TITLES[section]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what stands in a cell."""
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() not in (1, 2):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole or not index.isValid():
            return None
        o = self.things[index.row()]
        return (
            str(o.label),
            o.class_name,
            f"{SIGNS[o.status]} {o.status}",
            "" if o.score is None else f"{o.score:.2f}",
            str(o.area),
            "" if o.pointing is None else str(len(o.pointing.points) or "box"),
        )[index.column()]


class CorrectPanel(QWidget):
    """Tools and edits for the objects of the image in front."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._correction = correction = desk.correction
        self._quiet = False
        self.tools: dict[Tool, QRadioButton] = {}
        for tool, text, tip in TOOLS:
            self.tools[tool] = button = QRadioButton(text)
            button.setToolTip(tip)
            button.setProperty("tool", tool)
            button.clicked.connect(self._take_up)
        self.new = tool_button("New", "Begin another object with the next click.", correction.new)
        decisions = desk.decisions
        self.edits = [
            tool_button("Merge", "Make the chosen objects one.", decisions.merge),
            tool_button("Fill", "Fill the holes of the chosen objects.", decisions.fill_holes),
            tool_button("Smooth", "Even out the outlines of the chosen objects.", decisions.smooth),
            tool_button("Remove", "Delete the chosen objects.", decisions.remove),
        ]
        self.apply = tool_button("Apply", "Do what is shown.", decisions.apply)
        self.discard = tool_button("Discard", "Put away what is shown.", decisions.discard)
        self.review = tool_button(
            "Review", "Walk through what is predicted, the least sure first.", decisions.review
        )
        self.review.setCheckable(True)
        self._tips: list[tuple[QWidget, str, str]] = [
            (widget, action, widget.toolTip())
            for widget, action in (
                *((self.tools[tool], tool) for tool in ("refine", "split")),
                *zip(self.edits, ("merge", "fill_holes", "smooth", "remove"), strict=True),
                (self.apply, "apply"),
                (self.discard, "discard"),
                (self.review, "review"),
            )
        ]
        self.model = ObjectModel(self)
        self.table = _table(self.model)
        self.counts = Words()
        self._lay_out()
        present(self.table.selectionModel()).selectionChanged.connect(self._picked)
        desk.keys.changed.connect(self._tell_keys)
        self._tell_keys()
        correction.changed.connect(self.refresh)  # which also follows sheet, plane and objects
        self.refresh()

    def refresh(self) -> None:
        """Show what is there now."""
        correction, sheet = self._correction, self._desk.sheet
        for tool, button in self.tools.items():
            button.setChecked(tool == correction.tool)
            button.setEnabled(sheet is not None)
        self.review.setChecked(correction.reviewing)
        for action in (*self.edits, self.review, self.new):
            action.setEnabled(sheet is not None)
        self.apply.setEnabled(correction.preview is not None)
        self.discard.setEnabled(correction.preview is not None)
        objects = {} if sheet is None else sheet.workspace.session.objects
        plane = None if sheet is None else sheet.workspace.plane
        self._quiet = True
        try:
            self.model.show([o for o in objects.values() if o.plane == plane])
            self._select()
        finally:
            self._quiet = False
        self.counts.setText(self._count())

    def _tell_keys(self) -> None:
        for widget, action, tip in self._tips:
            key = self._desk.keys.of(action, "layer")
            widget.setToolTip(f"{tip} ({key})" if key else tip)

    def _select(self) -> None:
        selection = present(self.table.selectionModel())
        wanted = set(self._correction.chosen)
        if {self.model.things[i.row()].id for i in selection.selectedRows()} == wanted:
            return
        selection.clearSelection()
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        rows = [row for row, o in enumerate(self.model.things) if o.id in wanted]
        for row in rows:
            selection.select(self.model.index(row, 0), flags)
        if rows:
            self.table.scrollTo(self.model.index(rows[-1], 0))

    def _count(self) -> str:
        sheet = self._desk.sheet
        if sheet is None or not sheet.workspace.session.objects:
            return "No objects yet."
        counts, plane, lines = sheet.workspace.session.counts(), sheet.workspace.plane, []
        for name in dict.fromkeys(name for name, _ in counts):
            planes = [counted for (other, _), counted in counts.items() if other == name]
            here = counts.get((name, plane), Counter())
            text = ", ".join(f"{n} {status}" for status, n in sorted(here.items())) or "none here"
            whole = f"; {sum(map(Counter.total, planes))} on {len(planes)} planes" if len(planes) > 1 else ""
            lines.append(f"{name}: {text}{whole}")
        return "\n".join(lines)

    def _picked(self) -> None:
        if not self._quiet:
            rows = present(self.table.selectionModel()).selectedRows()
            self._correction.choose([self.model.things[index.row()].id for index in rows])
            things = self._correction.things
            if len(things) == 1 and self._desk.sheet is not None:
                self._desk.sheet.go_to(things[0])

    def _take_up(self) -> None:
        tool: Tool = present(self.sender()).property("tool")
        if tool != self._correction.tool:
            self._correction.take_up(tool)
        else:
            self.refresh()  # a click on the tool in the hand leaves it there

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(_row(*self.tools.values(), self.new))
        layout.addLayout(_row(*self.edits))
        layout.addLayout(_row(self.apply, self.discard, self.review))
        layout.addWidget(self.table)
        layout.addWidget(self.counts)


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row


def _table(model: ObjectModel) -> QTableView:
    table = QTableView()
    table.setModel(model)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    table.setFixedHeight(140)
    table.setToolTip("The objects of this plane, the rejected ones too; choose several with Ctrl or Shift.")
    present(table.verticalHeader()).setVisible(False)
    present(table.verticalHeader()).setDefaultSectionSize(20)
    header = present(table.horizontalHeader())
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    return table
