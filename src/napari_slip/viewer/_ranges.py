"""A range slider with the distribution of what it filters drawn behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget
from superqt import QDoubleRangeSlider

from napari_slip.viewer._qt import present

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BINS = 48


class _HistogramSlider(QDoubleRangeSlider):
    """A range slider on a histogram."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)  # type: ignore[no-untyped-call]
        self._bars = np.zeros(BINS)
        self.setMinimumHeight(30)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def ends(self) -> tuple[float, float]:
        """The two ends of the range."""
        ends: Any = self.value()
        return float(ends[0]), float(ends[1])

    def set_values(self, values: NDArray[np.floating]) -> None:
        """Draw how `values` are spread over the slider's range."""
        counts = np.histogram(values, bins=BINS, range=(self.minimum(), self.maximum()))[0]
        self._bars = np.sqrt(counts / max(1, counts.max()))  # so that few among many are still seen
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bars, and the slider over them."""
        painter = QPainter(self)
        margin = 8.0
        wide, high = (self.width() - 2 * margin) / BINS, self.height() - 2.0
        low, top = self.ends
        span = max(self.maximum() - self.minimum(), 1e-9)
        ink = self.palette().text().color()
        for i, bar in enumerate(self._bars):
            at = self.minimum() + (i + 0.5) / BINS * span
            colour = QColor(ink)
            colour.setAlpha(150 if low <= at <= top else 50)
            painter.fillRect(
                QRectF(margin + i * wide, 1 + high * (1 - bar), max(wide - 0.5, 1), high * bar), colour
            )
        painter.end()
        super().paintEvent(present(event))


class RangeRow(QWidget):
    """A named range: label, slider on a histogram, and the two ends in words.

    Parameters
    ----------
    title, tip : str
        For people.
    logarithmic : bool
        Whether the slider moves in powers of ten; its top end then means "no limit".
    words : callable, optional
        Writes the two ends.
    """

    changed = Signal()

    def __init__(
        self,
        title: str,
        tip: str,
        *,
        logarithmic: bool = False,
        words: Callable[[float, float], str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._log = logarithmic
        self._words = words or (lambda low, high: f"{low:.2f} \N{EN DASH} {high:.2f}")
        self.slider = _HistogramSlider()
        self.slider.setRange(0.0, 1.0)
        self.slider.setValue((0.0, 1.0))
        self.ends = QLabel()
        self.ends.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        label = QLabel(title)
        for widget in (self, label, self.slider, self.ends):
            widget.setToolTip(tip)
        self.slider.setAccessibleName(title)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(0)
        layout.addWidget(label, 0, 0)
        layout.addWidget(self.ends, 0, 1)
        layout.addWidget(self.slider, 1, 0, 1, 2)
        self.value = self._read()
        """The two ends, exactly as they were set, also where the slider does not reach them."""
        self._seen = self.slider.ends
        self.slider.valueChanged.connect(self._moved)
        self._write()

    def _read(self) -> tuple[float, float]:
        """Return what the slider says; an end at the rim of a logarithmic one is no limit."""
        low, high = self.slider.ends
        if not self._log:
            return min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
        bottom, top = self.slider.minimum(), self.slider.maximum()
        return (0.0 if low <= bottom + 1e-9 else 10**low), (np.inf if high >= top - 1e-9 else 10**high)

    def set_value(self, value: tuple[float, float]) -> None:
        """Move the slider without telling anybody."""
        self.value = value
        bottom, top = self.slider.minimum(), self.slider.maximum()
        if self._log:
            low = bottom if value[0] <= 0 else np.log10(value[0])
            high = top if not np.isfinite(value[1]) else np.log10(max(value[1], 1e-9))
        else:
            low, high = value
        blocked = self.slider.blockSignals(True)
        self.slider.setValue((float(np.clip(low, bottom, top)), float(np.clip(high, bottom, top))))
        self.slider.blockSignals(blocked)
        self._seen = self.slider.ends
        self._write()

    def set_values(self, values: NDArray[np.floating]) -> None:
        """Show the distribution of `values`, and let a logarithmic slider reach over all of them."""
        if self._log and len(values):
            positive = np.maximum(values, 1)
            blocked = self.slider.blockSignals(True)
            self.slider.setRange(float(np.floor(np.log10(positive.min()) * 10) / 10), _upper(positive))
            self.slider.blockSignals(blocked)
            self.set_value(self.value)
        self.slider.set_values(np.log10(np.maximum(values, 1)) if self._log else values)
        self._write()

    def _moved(self) -> None:
        """Take over the end that was moved; the other stays what it was set to."""
        pairs = zip(self.slider.ends, self._seen, self._read(), self.value, strict=True)
        low, high = (kept if end == before else new for end, before, new, kept in pairs)
        self.value, self._seen = (low, high), self.slider.ends
        self._write()
        self.changed.emit()

    def _write(self) -> None:
        self.ends.setText(self._words(*self.value))


def _upper(values: NDArray[np.floating]) -> float:
    return float(np.ceil(np.log10(values.max()) * 10) / 10 + 0.1)
