"""What each pass of a training gave, as numbers, table and curve."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass.

    Parameters
    ----------
    number : int
        From 1.
    training_loss, validation_loss : float
        Means over pictures.
    accuracy : float
        Share of validation pictures whose best class is their own.
    held_out_accuracy : float
        The same for classes that were never shown, among all classes; nan without any.
    head_rate : float
        Of learning, during the pass.
    seconds : float
        It took.
    """

    number: int
    training_loss: float
    validation_loss: float
    accuracy: float
    held_out_accuracy: float
    head_rate: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def write_log(epochs: Sequence[Epoch], most: int, path: Path) -> None:
    """Write one row for each pass, with the seconds that the rest would take, as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*epochs[0].to_dict(), "remaining_seconds"])
        writer.writeheader()
        for k, epoch in enumerate(epochs, start=1):
            mean = sum(e.seconds for e in epochs[:k]) / k
            writer.writerow(epoch.to_dict() | {"remaining_seconds": round(mean * (most - k), 1)})


def read_log(path: Path) -> list[Epoch]:
    """Read what `write_log` wrote; an empty list if there is nothing."""
    if not path.is_file():
        return []
    names = [field.name for field in dataclasses.fields(Epoch)]
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{name: float(row[name]) for name in names} for row in csv.DictReader(file)]
    return [Epoch(**(row | {"number": int(row["number"])})) for row in rows]  # type: ignore[arg-type]


def draw_curve(epochs: Sequence[Epoch], path: Path) -> None:
    """Draw losses and accuracy over the passes, as the paper's figure 3, into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    x = [epoch.number for epoch in epochs]
    axes.plot(x, [epoch.training_loss for epoch in epochs], label="training loss")
    axes.plot(x, [epoch.validation_loss for epoch in epochs], label="validation loss")
    axes.set_xlabel("pass over the pictures")
    axes.set_ylabel("loss")
    right = axes.twinx()
    right.plot(x, [epoch.accuracy for epoch in epochs], "k:", label="accuracy (right)")
    right.set_ylim(0, 1)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
