"""The list of keys, which follows the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_slip.viewer._qt import Words

if TYPE_CHECKING:
    from napari_slip.viewer._keys import Keys


class KeysPanel(QWidget):
    """Keys on our layers and in the dock, and where they can be changed."""

    def __init__(self, keys: Keys, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys = keys
        words = keys.in_words()
        self.labels = [[QLabel() for _ in row] for row in words]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        grid = QGridLayout()
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(2, 1)
        for row, labels in enumerate(self.labels):
            for column, label in enumerate(labels):
                grid.addWidget(label, row, column)
        layout.addLayout(grid)
        where = Words("To change them: napari's Preferences, napari-slip.")
        where.setToolTip("An empty key is none; a key that two things have belongs to the first.")
        layout.addWidget(where)
        keys.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the keys as they are now."""
        for labels, words in zip(self.labels, self._keys.in_words(), strict=True):
            for label, word in zip(labels, words, strict=True):
                label.setText(word)
