"""The line in which one types what one looks for, with history and completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtWidgets import QCompleter, QLineEdit, QWidget

from napari_slip.viewer._qt import BRIEF_MS, timer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtGui import QKeyEvent


class PromptLine(QLineEdit):
    """A line of text; Enter asks, Up and Down bring back what was asked before."""

    asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history: list[str] = []
        self._at = 0
        self._words = QStringListModel(self)
        completer = QCompleter(self._words, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchStartsWith)
        self.setCompleter(completer)
        self.setPlaceholderText("What are you looking for?")
        self.setClearButtonEnabled(True)
        self.returnPressed.connect(self._ask)
        self._painted_again = timer(self, BRIEF_MS, lambda: self.setUpdatesEnabled(True))

    def set_history(self, history: list[str]) -> None:
        """Set what Up and Down bring back, the latest last."""
        self._history = list(history)
        self._at = len(self._history)

    def set_words(self, words: Iterable[str]) -> None:
        """Set what may be completed."""
        self._words.setStringList(sorted({*words, *self._history}))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Walk through the history."""
        if event is not None and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            if self._history and event.modifiers() == Qt.KeyboardModifier.NoModifier:
                step = -1 if event.key() == Qt.Key.Key_Up else 1
                self._at = min(max(self._at + step, 0), len(self._history))
                self.setText(self._history[self._at] if self._at < len(self._history) else "")
                return
        super().keyPressEvent(event)

    def _ask(self) -> None:
        self.asked.emit(self.text())
        self.setUpdatesEnabled(False)  # until the run is shown
        self._painted_again.start()
        self.selectAll()  # the next text takes its place
