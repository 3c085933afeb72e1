"""Small things that Qt asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from qtpy.QtCore import QObject, QTimer
from qtpy.QtGui import QPolygonF
from qtpy.QtWidgets import QLabel, QMainWindow, QToolButton, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QPointF
    from qtpy.QtGui import QPainter, QResizeEvent

T = TypeVar("T")

BRIEF_MS = 100
"""How long a run goes on before the dock shows it: a text on a plane that is known is done by then, and
each change of the dock repaints the whole window, canvas included."""


def timer(parent: QObject, milliseconds: int, action: Callable[[], None], *, once: bool = True) -> QTimer:
    """Make a timer that is not started yet."""
    made = QTimer(parent)
    made.setInterval(milliseconds)
    made.setSingleShot(once)
    made.timeout.connect(action)
    return made


def tool_button(text: str, tip: str, action: Callable[[], object]) -> QToolButton:
    """Make a small button that does something."""
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tip)
    made.clicked.connect(action)
    return made


def main_window(widget: QWidget) -> QMainWindow | None:
    """Return the main window that a widget belongs to, also from within a dock that floats."""
    above: QObject | None = widget
    while above is not None and not isinstance(above, QMainWindow):
        above = above.parent()
    return above


class Words(QLabel):
    """Lines that wrap, and never get less height than they need, as they do deep within a scrolled dock."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)

    def setText(self, text: str | None) -> None:
        """Show a text."""
        super().setText(text)
        self._make_room()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Wrap anew."""
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))  # -1 without a text


def line(painter: QPainter, points: list[QPointF], radius: float) -> None:
    """Draw a line through points; a single one is a dot."""
    if len(points) == 1:
        painter.drawEllipse(points[0], radius, radius)
    elif points:
        painter.drawPolyline(QPolygonF(points))


def present(thing: T | None) -> T:
    """Return what is always there, whatever Qt's types say."""
    assert thing is not None
    return thing
