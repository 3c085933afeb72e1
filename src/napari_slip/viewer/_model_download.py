"""Models on their way to this machine, beside whatever else the dock does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_slip.models import fetching
from napari_slip.viewer._runner import Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slip.models import Entry
    from napari_slip.progress import Progress

# A download waits for the network, and nobody should wait for it: it has a thread of its own.
_thread = ThreadPoolExecutor(1, thread_name_prefix="napari-slip-download")

PARTS = 1000
"""Steps of the bar; bytes are too many for Qt's 32 bits."""


def missing(entries: Sequence[Entry]) -> list[Entry]:
    """Return those of some models that are not on this machine."""
    return [entry for entry in entries if not entry.shipped and fetching.find(entry) is None]


class DownloadRow(QWidget):
    """A button that fetches models and stops fetching them, and how far they have come.

    What has arrived of a download that was stopped is kept, and a later one goes on from there.
    """

    ended = Signal()
    """All that was asked for is here, or the download was stopped or has failed."""
    failed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runner = Runner(self, _thread)
        self.button = QPushButton()
        self.bar = QProgressBar()
        self.bar.setRange(0, PARTS)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.bar, 1)
        self._entries: list[Entry] = []
        self._title = ""
        self.button.clicked.connect(self._clicked)
        self.runner.progressed.connect(self._progressed)
        self.runner.state_changed.connect(self._state_changed)
        self.runner.failed.connect(self.failed)
        self._show()

    @property
    def running(self) -> bool:
        """Whether something is on its way."""
        return self.runner.state == "running"

    def offer(self, entries: Sequence[Entry]) -> None:
        """Offer what of some models is not here yet; what is on its way goes on."""
        if not self.running:
            self._entries = missing(entries)
            self._show()

    def dispose(self) -> None:
        """Stop; what has arrived is kept."""
        self.runner.dispose()

    def _clicked(self) -> None:
        if self.running:
            self.runner.cancel()
            return
        entries = list(self._entries)
        self.bar.setValue(0)
        self.runner.submit(lambda progress: _fetch(entries, progress), lambda _: None)

    def _progressed(self, step: str, done: int, total: int) -> None:
        self.bar.setValue(PARTS * done // max(1, total))
        self.bar.setFormat(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

    def _state_changed(self, state: str) -> None:
        if state == "idle":
            self._entries = missing(self._entries)
            self.ended.emit()
        self._show()

    def _show(self) -> None:
        self.setVisible(bool(self._entries) or self.running)
        self.bar.setVisible(self.running)
        megabytes = sum(entry.megabytes for entry in self._entries)
        names = " and ".join(entry.name for entry in self._entries)
        words = {
            "idle": f"Download {megabytes} MB",
            "running": "Stop the download",
            "cancelling": "Stopping...",
        }
        self.button.setText(words[self.runner.state])
        self.button.setEnabled(self.runner.state != "cancelling")
        self.button.setToolTip(
            f"Fetch {names} to this machine; other models can be used meanwhile, and what was stopped goes "
            "on where it stopped."
        )


def _fetch(entries: Sequence[Entry], progress: Progress) -> None:
    for entry in entries:
        fetching.fetch(entry, progress)
