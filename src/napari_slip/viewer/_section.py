"""A part of the dock that can be folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from superqt import QCollapsible

from napari_slip.viewer._qt import present

if TYPE_CHECKING:
    from qtpy.QtCore import QEvent, QObject
    from qtpy.QtWidgets import QWidget

UNLIMITED = 2**24 - 1
"""Qt's QWIDGETSIZE_MAX."""


class Section(QCollapsible):
    """Opens at once, and grows and shrinks with what it holds.

    Parameters
    ----------
    title : str
        Stands above it.
    panel : QWidget
        What it holds.
    is_open : bool
        Whether it begins unfolded.
    """

    def __init__(self, title: str, panel: QWidget, is_open: bool) -> None:
        super().__init__(title)
        self.setDuration(0)
        present(self.layout()).setContentsMargins(0, 0, 0, 4)
        present(self.layout()).setSpacing(0)
        self.addWidget(panel)
        self.toggled.connect(self._make_room)
        if is_open:
            self.expand(animate=False)

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """Leave the height alone, which superqt holds at that of the moment."""
        return False

    def _make_room(self, is_open: bool) -> None:
        """Give what is shown the height that it asks for, also for rows that come and lines that wrap."""
        if is_open:
            self.content().setMaximumHeight(UNLIMITED)
