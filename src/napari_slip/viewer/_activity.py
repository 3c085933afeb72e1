"""Progress in words and bars: in the dock and in napari's activity area."""

from __future__ import annotations

from napari.utils import progress as napari_progress
from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_slip.viewer._qt import main_window, timer
from napari_slip.viewer._still import Sentence

STEPS = {
    "model": "Loading the model",
    "download": "Downloading the model",
    "speed": "Measuring how fast this machine is",
    "picture": "Reading the picture",
    "encode": "SAM looks at the picture",
    "prompts": "SAM asks for masks",
    "closer": "SAM looks closer at small objects",
    "crops": "CLIP looks at segments",
    "text": "CLIP reads the text",
    "planes": "Planes of the stack",
    "cluster": "Starting the cluster",
    "link": "Linking objects",
    "examples": "CLIP looks at examples",
    "teach": "Learning from the examples",
    "scores": "Scoring planes again",
    "export": "Writing files",
}


NAPARI_MS = 2000
"""How often napari's area is told; each time it repaints the window and lets events through."""


class Activity(QWidget):
    """One line of text and a bar, doubled in napari's activity area where a run takes its time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = Sentence("Choose an image, type what you look for, and press Enter.")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setRange(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.bar)
        layout.addWidget(self.text)
        self._running = False
        self._report = ("", 0, 0)
        self._napari: napari_progress | None = None
        self._telling = False
        self._stilled: list[QMovie] = []
        self._timer = timer(self, NAPARI_MS, self._tell_napari, once=False)

    def say(self, sentence: str) -> None:
        """Show a sentence."""
        self.text.setText(sentence)

    def begin(self) -> None:
        """Show that work goes on."""
        self._running = True
        self._report = ("", 0, 0)
        self._timer.start()
        self.say("Waiting for its turn.")

    def report(self, step: str, done: int, total: int) -> None:
        """Show how far a step is; a step of a single unit has no measure."""
        self._report = (step, done, total)
        words = STEPS.get(step, step)
        shown = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if step == "download" else f"{done} of {total}"
        self.say(f"{words}: {shown}." if total > 1 else f"{words}.")
        scale = 1_000_000 if total > 2**30 else 1  # Qt counts in 32 bits
        # never a busy bar, which repaints the window all the time
        self._move(max(1, total // scale), done // scale if total > 1 else 0)

    def end(self) -> None:
        """Show that nothing goes on."""
        self._running = False
        self._timer.stop()
        self._move(1, 0)
        if not self._telling:
            self._close_napari()

    def _move(self, top: int, value: int) -> None:
        """Move the bar with the next painting: by itself it has the whole window painted at once, twice."""
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, top)
        self.bar.setValue(value)
        self.bar.setUpdatesEnabled(True)

    def _tell_napari(self) -> None:
        if self._telling:  # napari's bars let events through, this timer's among them
            return
        self._telling = True
        try:
            step, done, total = self._report
            words, total = STEPS.get(step, step), max(1, total)
            if self._napari is None:
                self._napari = napari_progress(desc="SLIP", total=total)
                self._still()
            if self._napari.total != total:
                self._napari.reset(total=total)
            self._napari.set_description(f"SLIP: {words}" if words else "SLIP")
            self._napari.update(min(done, total - (total == 1)) - self._napari.n)
        finally:
            self._telling = False
        if not self._running:
            self._close_napari()

    def _close_napari(self) -> None:
        if self._napari is not None:
            bar, self._napari = self._napari, None
            bar.close()
        for movie in self._stilled:
            movie.setPaused(False)
        self._stilled.clear()

    def _still(self) -> None:
        """Pause the wheel beside napari's bars: each of its frames repaints the whole window.

        Turning, it made the work behind it take 2.5 to 3 times as long (OpenGL in software, two cores).
        """
        window = main_window(self)
        for label in [] if window is None else window.findChildren(QLabel):
            movie = label.movie()
            if movie is not None and movie.state() == QMovie.MovieState.Running:
                movie.setPaused(True)
                self._stilled.append(movie)
