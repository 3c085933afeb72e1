"""How well each plane of a stack shows what is looked for, as a curve to click on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_slip.viewer._qt import line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtGui import QMouseEvent, QPaintEvent

HEIGHT = 90
EDGE = 6
"""Pixels left free on each side."""


class PlaneCurve(QWidget):
    """One line for each class: planes from left to right, scores from 0 to 1 upwards; NaN leaves a gap."""

    chosen = Signal(int)
    """The plane that was clicked on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.planes = 1
        self.current = 0
        self.front = ""
        self.scores: dict[str, dict[int, float]] = {}
        self.colours: dict[str, str] = {}

    def show_scores(
        self,
        scores: Mapping[str, Mapping[int, float]],
        colours: Mapping[str, str],
        planes: int,
        current: int,
        front: str,
    ) -> None:
        """Draw the best scores by class and plane; the class in front is drawn boldly."""
        self.scores = {name: dict(sorted(known.items())) for name, known in scores.items()}
        self.colours, self.planes, self.current, self.front = dict(colours), max(1, planes), current, front
        self.update()

    def plane_at(self, x: float) -> int:
        """Return the plane at a distance from the left edge, in pixels."""
        share = (x - EDGE) / max(1, self.width() - 2 * EDGE)
        return round(min(1.0, max(0.0, share)) * (self.planes - 1))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        pale = QColor(ink)
        pale.setAlpha(60)
        painter.fillRect(self.rect(), self.palette().base())
        painter.setPen(QPen(pale, 1, Qt.PenStyle.DotLine))
        middle = self._point(0, 0.5).y()
        painter.drawLine(QPointF(EDGE, middle), QPointF(self.width() - EDGE, middle))
        painter.setPen(QPen(ink, 1))
        here = self._point(self.current, 0).x()
        painter.drawLine(QPointF(here, 0), QPointF(here, self.height()))
        for name in sorted(self.scores, key=lambda name: name == self.front):
            colour = QColor(self.colours.get(name, "#999999"))
            if name != self.front:
                colour.setAlpha(120)
            painter.setPen(QPen(colour, 2.5 if name == self.front else 1.2))
            points: list[QPointF] = []
            before = None
            for plane, score in self.scores[name].items():
                if (before is not None and plane > before + 1) or score != score:
                    line(painter, points, 1)
                    points = []
                if score == score:
                    points.append(self._point(plane, score))
                before = plane
            line(painter, points, 1)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Go to the plane under the mouse."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self.plane_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Say what is under the mouse; with the button down, go along."""
        if event is None:
            return
        plane = self.plane_at(event.position().x())
        if event.buttons() & Qt.MouseButton.LeftButton and plane != self.current:
            self.chosen.emit(plane)
        said = [f"{name}: {known[plane]:.2f}" for name, known in self.scores.items() if plane in known]
        QToolTip.showText(event.globalPosition().toPoint(), "\n".join([f"plane {plane}", *said]), self)

    def _point(self, plane: int, score: float) -> QPointF:
        share = plane / max(1, self.planes - 1)
        height = self.height() - 2 * EDGE
        return QPointF(EDGE + share * (self.width() - 2 * EDGE), EDGE + (1 - score) * height)
