"""Figures with the bars that they are held against, for people and for machines."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_slip.evaluation.metrics import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure.

    Parameters
    ----------
    name : str
        What was measured.
    value : float
        The figure.
    n : int
        Over how many pictures, objects or questions.
    unit : str
        ``""`` for shares and scores.
    interval : (low, high), optional
        95 %, where the figure is a share of questions.
    bar : float, optional
        What it should reach; none if the figure is only for comparison.
    better : {"higher", "lower"}
        On which side of the bar it should lie.
    """

    name: str
    value: float
    n: int
    unit: str = ""
    interval: tuple[float, float] | None = None
    bar: float | None = None
    better: Literal["higher", "lower"] = "higher"

    @property
    def reached(self) -> bool | None:
        """Whether the bar is reached; None if there is none."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar


@dataclass(frozen=True)
class Report:
    """All figures of one model."""

    model: str
    rows: tuple[Row, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them; what could not be measured is None."""
        rows = [{**asdict(row), "reached": row.reached} for row in self.rows]
        for row in rows:
            row["value"] = None if math.isnan(row["value"]) else row["value"]
        return {"model": self.model, "rows": rows}

    def table(self) -> str:
        """Return a table in Markdown."""
        lines = ["| measure | value | bar | n |", "|---|---|---|---|"]
        for row in self.rows:
            value = "not measured" if math.isnan(row.value) else f"{row.value:.3g}{_unit(row)}"
            if row.interval:
                value += f" ({row.interval[0]:.2f} to {row.interval[1]:.2f})"
            lines.append(f"| {row.name} | {value} | {_bar(row)} | {row.n} |")
        return "\n".join(lines)


def share(name: str, right: Iterable[bool], bar: float | None = None) -> Row:
    """Make a row of answers that are right or wrong, with its Wilson interval."""
    answers = list(right)
    value = sum(answers) / len(answers) if answers else math.nan
    return Row(name=name, value=value, n=len(answers), interval=wilson(sum(answers), len(answers)), bar=bar)


def mean(name: str, values: Sequence[float], bar: float | None = None) -> Row:
    """Make a row of the mean of some values."""
    return Row(name=name, value=float(np.mean(values)) if len(values) else math.nan, n=len(values), bar=bar)


def _unit(row: Row) -> str:
    return f" {row.unit}" if row.unit else ""


def _bar(row: Row) -> str:
    if row.bar is None:
        return ""
    verdict = "reached" if row.reached else "missed"
    return f"{'>=' if row.better == 'higher' else '<='} {row.bar:g}{_unit(row)}, {verdict}"
