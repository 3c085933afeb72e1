"""What the answers come to: the paper's table 2 with intervals, and beside it what bounds it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.evaluation.collages.asking import judged
from napari_slip.evaluation.metrics import auroc, wilson
from napari_slip.training.own.pictures import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slip.evaluation.collages.asking import Answers, Seen
    from napari_slip.training.own.judge import Judge


@dataclass(frozen=True, kw_only=True)
class Line:
    """One contestant's figures.

    Parameters
    ----------
    name : str
        Of the contestant.
    asked : int
        Prompts that are there.
    geometry : float
        Share of answers in the asked tile and on the object.
    interval : (low, high)
        95 %, by Wilson.
    iou : float
        Mean with the silhouettes, over all answers; nan without masks.
    auroc : float
        Of the best scores of prompts that are there against those that are not.
    judge : float
        Share of answers that the judge names as the prompt: the paper's figure; nan without a judge.
    slipped : float
        The paper's indentation slip: the judge is asked about every fourth answer, and all are counted, so
        that 0.25 is the most. For comparison with the published 0.1525 only.
    """

    name: str
    asked: int
    geometry: float
    interval: tuple[float, float]
    iou: float
    auroc: float
    judge: float
    slipped: float


@dataclass(frozen=True)
class CollageReport:
    """Everything that was measured.

    Parameters
    ----------
    lines : tuple of Line
        One for each contestant.
    chance : float
        What a segment chosen at random would get.
    oracle : float
        What the best of the segments would get, which is the ceiling of every answer: of how many objects
        there is a right segment.
    judge_accuracy : float
        The judge's own, on validation pictures; nan without one.
    facts : dict
        Sizes, seeds, models.
    outlined : CollageReport, optional
        The same questions with the true outlines among the segments; None without masks.
    """

    lines: tuple[Line, ...]
    chance: float
    oracle: float
    judge_accuracy: float
    facts: dict[str, Any]
    outlined: CollageReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them; what was not measured is None."""
        values = {
            "lines": [asdict(line) for line in self.lines],
            "chance": self.chance,
            "oracle": self.oracle,
            "judge_accuracy": self.judge_accuracy,
            "facts": self.facts,
            "outlined": None if self.outlined is None else self.outlined.to_dict(),
        }
        plain_values: dict[str, Any] = _without_nan(values)
        return plain_values

    def table(self) -> str:
        """Return the paper's table 2 in Markdown, made sound."""
        sides = [self] if self.outlined is None else [self, self.outlined]
        names = ("SAM's segments", "with the true outlines")[: len(sides)]
        titles = [
            f"{name}: {what}" for name in names for what in ("geometry (95 %)", "judge (legacy)", "AUROC")
        ]
        rows = [["model", *titles, "with the paper's slip"]]
        for k, line in enumerate(self.lines):
            cells = [cell for side in sides for cell in _cells(side.lines[k])]
            rows.append([line.name, *cells, _number(sides[-1].lines[k].slipped)])
        for name, values in (
            ("a segment at random", [[f"{side.chance:.3f}", "", "0.500"] for side in sides]),
            ("objects that have a right segment", [[f"{side.oracle:.3f}", "", ""] for side in sides]),
            ("ResNet-18, the judge itself", [["", _number(self.judge_accuracy), ""] for _ in sides]),
        ):
            rows.append([name, *(cell for side in values for cell in side), ""])
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|---" * len(rows[0]) + "|")
        return "\n".join(lines)


def collage_report(
    seen: Sequence[Seen],
    answers: Sequence[Answers],
    judge: Judge | None,
    facts: dict[str, Any],
    outlined: tuple[Sequence[Seen], Sequence[Answers]] | None = None,
) -> CollageReport:
    """Count what was answered.

    Parameters
    ----------
    seen : sequence of Seen
        The collages.
    answers : sequence of Answers
        Of each contestant, to the same questions.
    judge : Judge, optional
        For the legacy figure.
    facts : dict
        What the report shall say of how it was made.
    outlined : (seen, answers), optional
        The same with the true outlines among the segments.

    Returns
    -------
    CollageReport
    """
    measured = _measured(seen, answers, judge, facts)
    if outlined is None:
        return measured
    return replace(measured, outlined=_measured(*outlined, judge, {}))


def _measured(
    seen: Sequence[Seen], answers: Sequence[Answers], judge: Judge | None, facts: dict[str, Any]
) -> CollageReport:
    good = [
        [[judged(one, tile, int(row)) for row in np.flatnonzero(one.shown)] for tile in range(4)]
        for one in seen
    ]
    chance = [float(np.mean(own)) if own else 0.0 for tiles in good for own in tiles]
    oracle = [
        any(judged(one, tile, int(row)) for row in np.flatnonzero(one.shown))
        for one in seen
        for tile in range(4)
    ]
    return CollageReport(
        tuple(_line(seen, answer, judge) for answer in answers),
        float(np.mean(chance)),
        float(np.mean(oracle)),
        judge.accuracy if judge else math.nan,
        facts,
    )


def _line(seen: Sequence[Seen], answer: Answers, judge: Judge | None) -> Line:
    n = len(answer.right)
    named = _named(seen, answer, judge) if judge else []
    masks = any(np.isfinite(one.iou).any() for one in seen)
    return Line(
        name=answer.name,
        asked=n,
        geometry=sum(answer.right) / n,
        interval=wilson(sum(answer.right), n),
        iou=float(np.mean(answer.iou)) if masks else math.nan,
        auroc=auroc(answer.present, answer.absent),
        judge=sum(named) / n if judge else math.nan,
        slipped=sum(named[3::4]) / n if judge else math.nan,
    )


def _named(seen: Sequence[Seen], answer: Answers, judge: Judge) -> list[bool]:
    from napari_slip.models.dual import MEAN

    right = []
    for k, tile, row in answer.rows:
        one = seen[k]
        if row < 0:
            right.append(False)
            continue
        mask = one.segments.mask(row + 1)
        picture = cut(one.collage.image, [mask], ("mean",), judge.size, MEAN)[0]
        right.append(judge.name(picture)[0] == one.collage.names[tile])
    return right


def _cells(line: Line) -> list[str]:
    low, high = line.interval
    return [f"{line.geometry:.3f} ({low:.2f} to {high:.2f})", _number(line.judge), _number(line.auroc)]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _without_nan(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _without_nan(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_without_nan(value) for value in values]
    return None if isinstance(values, float) and math.isnan(values) else values
