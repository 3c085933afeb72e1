"""Words that change without moving anything: a new layout has a window with a canvas painted once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QRect, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QPushButton, QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

TALLEST = 10_000
"""Pixels that a text may need at most."""

NARROW = 200
"""Pixels along a line that a text would like to have at least."""

WRAPPED = int(Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)


class Sentence(QWidget):
    """A text in lines, as a label shows it, which asks for room only if it needs more or fewer of them.

    Parameters
    ----------
    text : str
        What it says at first.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def text(self) -> str:
        """Return what it says."""
        return self._text

    def setText(self, text: str) -> None:
        """Say something else."""
        before = self.heightForWidth(self.width())
        self._text = text
        self.setAccessibleName(text)
        if self.heightForWidth(self.width()) != before:
            self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:
        """Return the pixels that its lines need."""
        letters = self.fontMetrics()
        needed = letters.boundingRect(QRect(0, 0, width, TALLEST), WRAPPED, self._text)
        return max(letters.height(), needed.height())

    def sizeHint(self) -> QSize:
        """Return the size that it would like to have."""
        return QSize(NARROW, self.heightForWidth(max(NARROW, self.width())))

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size: one line, however narrow."""
        return QSize(0, self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the lines."""
        painter = QPainter(self)
        painter.drawText(self.rect(), WRAPPED, self._text)


class StillButton(QPushButton):
    """A button as wide as the widest of the words that it will ever bear.

    Parameters
    ----------
    words : sequence of str
        All of them, the first one first.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(words[0])
        self._words = words

    def event(self, event: QEvent | None) -> bool:
        """Measure the words once it is known how they will look."""
        handled = super().event(event)
        if event is not None and event.type() in (QEvent.Type.Polish, QEvent.Type.StyleChange):
            self._fit()
        return handled

    def _fit(self) -> None:
        shown, hints = self.text(), []
        for word in self._words:
            self.setText(word)
            hints.append(self.sizeHint())
        self.setText(shown)
        size = QSize(max(hint.width() for hint in hints), max(hint.height() for hint in hints))
        if size != self.minimumSize():
            self.setFixedSize(size)
