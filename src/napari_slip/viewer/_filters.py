"""The filter panel: what is shown of the segments, and which of them a text accepts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_slip.settings import FilterSettings, MatchSettings, Select
from napari_slip.viewer._ranges import RangeRow

if TYPE_CHECKING:
    from napari_slip.viewer._desk import Desk

RANGES = {
    "predicted_iou": ("Predicted IoU", "How well SAM itself thinks that the mask fits its object."),
    "stability_score": ("Stability", "How little the mask changes when SAM's threshold is moved."),
    "area": ("Area", "Pixels of the mask; in the layer's units where it has a scale."),
    "roundness": ("Roundness", "4 pi area / perimeter squared: 1 is a disc."),
    "mean_intensity": ("Brightness", "Mean brightness under the mask, 0 black to 1 white."),
    "score": ("Score", "Best calibrated score of all classes that are looked for."),
}


class FilterPanel(QWidget):
    """Sliders and switches; moving one shows what follows at once and deletes nothing."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.rows = {
            name: RangeRow(
                title, tip, logarithmic=name == "area", words=self._area if name == "area" else None
            )
            for name, (title, tip) in RANGES.items()
        }
        self.edge = _check("At the edge", "Keep segments that touch the border of the picture.")
        self.background = _check("Background", "Keep the segment that is recognised as the background.")
        self.nested = _check(
            "Inside others", "Keep segments that lie by more than 80 % inside a larger one that is shown."
        )
        self.paper = QPushButton("Paper's filter")
        self.paper.setToolTip(
            "The annotation filter of the SLIP paper: IoU of at least 0.9, nothing inside others."
        )
        self.everything = QPushButton("Show all")
        self.everything.setToolTip("Take all filters off.")
        self._lay_out()
        for row in self.rows.values():
            row.changed.connect(self._changed)
        for box in (self.edge, self.background, self.nested):
            box.toggled.connect(self._changed)
        self.paper.clicked.connect(self._set_paper)
        self.everything.clicked.connect(self._set_everything)
        desk.plane_changed.connect(self._show_distributions)
        desk.shown_changed.connect(self._show_scores)
        desk.sheet_changed.connect(self._show_distributions)
        self._show_settings()

    @property
    def settings(self) -> FilterSettings:
        """What the panel says."""
        return FilterSettings(
            **{name: row.value for name, row in self.rows.items()},
            touching_edge=self.edge.isChecked(),
            background=self.background.isChecked(),
            containment=None if self.nested.isChecked() else 0.8,
        )

    def set_settings(self, filters: FilterSettings) -> None:
        """Set every control, and show what follows."""
        self._desk.show(filters=filters)
        self._show_settings()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for row in self.rows.values():
            layout.addWidget(row)
        switches, buttons = QHBoxLayout(), QHBoxLayout()
        for box in (self.edge, self.background, self.nested):
            switches.addWidget(box)
        for button in (self.paper, self.everything):
            buttons.addWidget(button)
        layout.addLayout(switches)
        layout.addLayout(buttons)

    def _changed(self) -> None:
        self._desk.show(filters=self.settings)

    def _set_paper(self) -> None:
        self.set_settings(FilterSettings.paper())

    def _set_everything(self) -> None:
        self.set_settings(FilterSettings(background=True))

    def _show_settings(self) -> None:
        filters = self._desk.memory.filters
        for name, row in self.rows.items():
            row.set_value(getattr(filters, name))
        shown = (filters.touching_edge, filters.background, filters.containment is None)
        for box, checked in zip((self.edge, self.background, self.nested), shown, strict=True):
            blocked = box.blockSignals(True)
            box.setChecked(checked)
            box.blockSignals(blocked)

    def _show_distributions(self) -> None:
        work = None if self._desk.sheet is None else self._desk.sheet.workspace
        if work is None or work.segments is None:
            return
        for name, row in self.rows.items():
            if name != "score":
                row.set_values(np.asarray(getattr(work.segments, name), float))
        self._show_scores()
        self._show_settings()

    def _show_scores(self) -> None:
        work = None if self._desk.sheet is None else self._desk.sheet.workspace
        if work is not None and work.match is not None:
            self.rows["score"].set_values(work.match.calibrated.max(axis=1, initial=0))

    def _area(self, low: float, high: float) -> str:
        sheet = self._desk.sheet
        (height, width), unit = ((1.0, 1.0), "px") if sheet is None else sheet.pixel_size
        pixel, unit = height * width, unit if unit == "px" else f"{unit}\N{SUPERSCRIPT TWO}"
        ends = [
            "0" if low == 0 else _short(low * pixel),
            "\N{INFINITY}" if high == np.inf else _short(high * pixel),
        ]
        return f"{ends[0]} \N{EN DASH} {ends[1]} {unit}"


BUTTONS = 80
"""Room that the buttons of a spin box take."""


class RulePanel(QWidget):
    """Which segments a text accepts: the best, the k best, or all above a score."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.rule = QComboBox()
        self.rule.addItems(["the best", "the k best", "all above"])
        self.rule.setToolTip("Which segments each class takes as its matches.")
        self.count = QSpinBox()
        self.count.setRange(1, 9999)
        self.count.setToolTip("How many of the best.")
        self.floor = _score("Calibrated score that a match must reach, 0 to 1.")
        self.least = _score("Score that also the best must reach; at 0 it is always shown, with its score.")
        self.least.setPrefix("from ")
        # napari's style puts a button at each end, of which Qt's hint knows nothing
        for number, widest in ((self.count, "9999"), (self.least, "from 0.00")):
            number.setFixedWidth(number.fontMetrics().horizontalAdvance(widest) + BUTTONS)
        self.outlines = _check(
            "Outlines", "Draw the segments as outlines, so that the picture is seen beneath."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Match"))
        for widget in (self.rule, self.count, self.floor, self.least):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self.outlines)
        self.floor.setValue(0.5)
        self.count.setValue(5)
        self.choose(desk.memory.settings)
        self.outlines.setChecked(desk.memory.contour)
        self.rule.currentIndexChanged.connect(self._changed)
        for number in (self.count, self.floor, self.least):
            number.valueChanged.connect(self._changed)
        self.outlines.toggled.connect(self._contour)

    def choose(self, settings: MatchSettings) -> None:
        """Set the rule to that of some settings, as if by hand."""
        chosen = Select.parse(settings.select)
        if chosen.rule == "top":
            self.count.setValue(int(chosen.number))
        elif chosen.rule == "above":
            self.floor.setValue(chosen.number)
        self.least.setValue(settings.min_score)
        self.rule.setCurrentIndex(["best", "top", "above"].index(chosen.rule))
        self._show_numbers()

    def _changed(self) -> None:
        self._show_numbers()
        at = self.rule.currentIndex()
        select = ("best", f"top:{self.count.value()}", f"above:{self.floor.value():.2f}")[at]
        settings = dataclasses.replace(
            self._desk.memory.settings, select=select, min_score=round(self.least.value(), 2)
        )
        self._desk.show(settings=settings)

    def _show_numbers(self) -> None:
        self.count.setVisible(self.rule.currentIndex() == 1)
        self.floor.setVisible(self.rule.currentIndex() == 2)
        self.least.setVisible(self.rule.currentIndex() != 2)

    def _contour(self, on: bool) -> None:
        self._desk.show(contour=on)


def _check(text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    return box


def _score(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0, 1)
    box.setSingleStep(0.05)
    box.setToolTip(tip)
    return box


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
