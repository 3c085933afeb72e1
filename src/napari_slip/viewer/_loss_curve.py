"""How a training goes: losses and accuracy over its passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_slip.viewer._qt import line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtGui import QPaintEvent

HEIGHT = 130
EDGE = 6
KEY = 16
"""Pixels for the words above."""

LINES = (
    ("training_loss", "training loss", "#7f7f7f"),
    ("validation_loss", "validation loss", "#ff7f0e"),
    ("accuracy", "accuracy, 0 to 1", "#2ca02c"),
)


class LossCurve(QWidget):
    """Passes from left to right; both losses from 0 to the highest of them, the accuracy from 0 to 1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Losses shall fall, accuracy shall rise. Where the validation loss rises while the training "
            "loss falls, the model learns its examples by heart; the best pass is the one that is kept."
        )
        self.passes: list[Mapping[str, Any]] = []

    def show_passes(self, passes: Sequence[Mapping[str, Any]]) -> None:
        """Draw some passes, each with ``training_loss``, ``validation_loss`` and ``accuracy``."""
        self.passes = list(passes)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.palette().base())
        small = painter.font()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        painter.setFont(small)
        top = self._highest()
        x = float(EDGE)
        for name, words, colour in LINES:
            said = words if name == "accuracy" else f"{words} {self._last(name)}"
            painter.setPen(QColor(colour))
            painter.drawText(QPointF(x, KEY - 4), said)
            x += painter.fontMetrics().horizontalAdvance(said) + 2 * EDGE
            points = [
                self._point(n, p[name] / (1 if name == "accuracy" else top))
                for n, p in enumerate(self.passes)
                if p[name] is not None
            ]
            painter.setPen(QPen(QColor(colour), 2))
            line(painter, points, 1.5)
        pale = QColor(self.palette().windowText().color())
        pale.setAlpha(60)
        painter.setPen(QPen(pale, 1, Qt.PenStyle.DotLine))
        for share in (0.0, 0.5, 1.0):
            y = self._point(0, share).y()
            painter.drawLine(QPointF(EDGE, y), QPointF(self.width() - EDGE, y))
        painter.end()

    def _highest(self) -> float:
        losses = [p[name] for p in self.passes for name in ("training_loss", "validation_loss")]
        return max([loss for loss in losses if loss is not None], default=1.0) or 1.0

    def _last(self, name: str) -> str:
        value = self.passes[-1][name] if self.passes else None
        return "" if value is None else f"{value:.2f}"

    def _point(self, n: int, share: float) -> QPointF:
        across = n / max(1, len(self.passes) - 1)
        height = self.height() - KEY - 2 * EDGE
        return QPointF(EDGE + across * (self.width() - 2 * EDGE), KEY + EDGE + (1 - min(1.0, share)) * height)
