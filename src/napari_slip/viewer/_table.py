"""The results table: one row per segment that is shown, tied to the canvas both ways."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_slip.viewer._qt import present

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._engine import Looked
    from napari_slip.viewer._workspace import Workspace

SIDE = 36
"""Of a thumbnail, in pixels."""

KEPT = 2000
"""How many thumbnails stay made."""

CLASS, FIRST = 1, 2
"""The column of the class, and the first of the numbers."""

SIGNS = {
    "predicted": "?",
    "accepted": "\N{CHECK MARK}",
    "corrected": "\N{LOWER RIGHT PENCIL}",
    "rejected": "\N{MULTIPLICATION X}",
}


class ResultModel(QAbstractTableModel):
    """Rows of a workspace in the order of a column; makes thumbnails only of what is looked at."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._work: Workspace | None = None
        self._rows = np.zeros(0, np.intp)
        self._columns: list[tuple[str, NDArray[Any]]] = []
        self._sorted: tuple[str, bool] | None = None
        self._states: dict[int, tuple[str, str]] = {}
        self._pictures: OrderedDict[int, QPixmap] = OrderedDict()
        self._of: Looked | None = None

    def show(self, work: Workspace | None) -> None:
        """Read everything anew."""
        self.beginResetModel()
        self._work = work
        looked = None if work is None or work.outcome is None else work.outcome.looked
        if looked is not self._of:
            self._pictures.clear()
            self._of = looked
        self._columns = [] if work is None else _columns(work)
        self._states = {} if work is None else work.states()
        self._arrange()
        self.endResetModel()

    def show_states(self) -> None:
        """Read again which rows are Objects."""
        if self._work is None or not len(self._rows):
            return
        self._states = self._work.states()
        self.dataChanged.emit(self.index(0, CLASS), self.index(len(self._rows) - 1, CLASS))

    def row_of(self, segment: int) -> int | None:
        """Return where a segment stands in the table."""
        at = np.flatnonzero(self._rows == segment)
        return int(at[0]) if len(at) else None

    def segment(self, row: int) -> int:
        """Return the segment that stands in a row."""
        return int(self._rows[row])

    @property
    def titles(self) -> list[str]:
        """The columns' titles; none before there are segments."""
        return ["", "class", *(name for name, _ in self._columns)] if self._columns else []

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of segments that are shown."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return 0 if not self._columns else len(self._columns) + FIRST

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Return the columns' titles."""
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return self.titles[section] if section < len(self.titles) else None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what stands in a cell."""
        if not index.isValid() or self._work is None:
            return None
        segment, column = int(self._rows[index.row()]), index.column()
        if column == 0:
            return self._picture(segment) if role == Qt.ItemDataRole.DecorationRole else None
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= FIRST:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole and column == CLASS:
            return self._states.get(segment, ("", ""))[1]
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if column == CLASS:
            name, status = self._states.get(segment, ("", ""))
            return f"{SIGNS[status]} {name}" if name else ""
        value = self._columns[column - FIRST][1][segment]
        return str(int(value)) if np.issubdtype(type(value), np.integer) else f"{value:.2f}"

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        if not FIRST <= column < self.columnCount():
            return
        self.layoutAboutToBeChanged.emit()
        self._sorted = (self._columns[column - FIRST][0], order == Qt.SortOrder.DescendingOrder)
        self._arrange()
        self.layoutChanged.emit()

    def _arrange(self) -> None:
        if self._work is None or self._work.segments is None:
            self._rows = np.zeros(0, np.intp)
            return
        by_name = dict(self._columns)
        if self._sorted is None or self._sorted[0] not in by_name:
            self._rows = self._work.order()
            return
        name, descending = self._sorted
        values = by_name[name].astype(float)
        order = np.argsort(-values if descending else values, kind="stable")
        self._rows = order[self._work.selection[order]]

    def _picture(self, segment: int) -> QPixmap:
        if segment not in self._pictures and self._of is not None:
            self._pictures[segment] = thumbnail(self._of, segment)
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)
        return self._pictures[segment]


class ResultTable(QTableView):
    """The table itself; its selection is the segment under the cursor."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.results = ResultModel(self)
        self.setModel(self.results)
        self.setToolTip("One row per segment. Click a row to go there; click a title to sort.")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setIconSize(QSize(SIDE, SIDE))
        present(self.verticalHeader()).setVisible(False)
        present(self.verticalHeader()).setDefaultSectionSize(SIDE + 4)
        header = present(self.horizontalHeader())
        header.setResizeContentsPrecision(4)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.sortIndicatorChanged.connect(self._sort)
        self.setMinimumHeight(180)
        self._following = False
        present(self.selectionModel()).currentRowChanged.connect(self._picked)
        desk.sheet_changed.connect(self.refresh)
        desk.plane_changed.connect(self.refresh)
        desk.shown_changed.connect(self.refresh)
        desk.current_changed.connect(self.follow)
        desk.objects_changed.connect(self.results.show_states)

    @property
    def chosen(self) -> list[int]:
        """Segments of the selected rows; the one under the cursor if there is none."""
        rows = [self.results.segment(index.row()) for index in present(self.selectionModel()).selectedRows()]
        sheet = self._desk.sheet
        if not rows and sheet is not None and sheet.workspace.current is not None:
            rows = [sheet.workspace.current]
        return rows

    def refresh(self) -> None:
        """Read everything anew."""
        self._following = True
        titles = self.results.titles
        self.results.show(None if self._desk.sheet is None else self._desk.sheet.workspace)
        self._following = False
        for column, title in enumerate(self.results.titles):
            if titles[column : column + 1] != [title]:  # to measure a column takes longer than all the rest
                self.resizeColumnToContents(column)
        self.follow()

    def follow(self) -> None:
        """Select the segment under the cursor."""
        sheet = self._desk.sheet
        current = None if sheet is None else sheet.workspace.current
        row = None if current is None else self.results.row_of(current)
        self._following = True
        if row is None:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())  # so that a click on the same row is one on another
        elif self.results.segment(self.currentIndex().row()) != current or not self.currentIndex().isValid():
            self.selectRow(row)
            self.scrollTo(self.results.index(row, 0))
        self._following = False

    def _picked(self, index: QModelIndex, before: QModelIndex) -> None:
        if not self._following and index.isValid() and self._desk.sheet is not None:
            self._desk.sheet.workspace.point_at(self.results.segment(index.row()))

    def _sort(self, column: int, order: Qt.SortOrder) -> None:
        self._following = True
        self.results.sort(column, order)
        self._following = False
        self.follow()


def thumbnail(looked: Looked, segment: int) -> QPixmap:
    """Cut a segment out of the picture, its surroundings dimmed."""
    rows, columns = looked.segments.window(segment)
    top, left = looked.corner
    crop = looked.rgb[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left].copy()
    mask = looked.segments.masks.crop(segment)
    crop[~mask] = crop[~mask] // 3
    height, width = crop.shape[:2]
    image = QImage(
        np.ascontiguousarray(crop).tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888
    )
    return QPixmap.fromImage(image).scaled(
        SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def _columns(work: Workspace) -> list[tuple[str, NDArray[Any]]]:
    segments = work.segments
    if segments is None:
        return []
    columns: list[tuple[str, NDArray[Any]]] = []
    if work.like is not None and work.likeness is not None:
        columns.append((f"like {work.like + 1}", work.likeness))
    if work.match is not None:
        scores = [(name, work.match.calibrated[:, i]) for i, name in enumerate(work.match.names)]
        front = work.column or 0
        columns += [scores[front], *scores[:front], *scores[front + 1 :]]
    ids = np.arange(1, len(segments) + 1)
    return [*columns, ("area", segments.area), ("IoU", segments.predicted_iou), ("id", ids)]
