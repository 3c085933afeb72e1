"""Grid search over the head's learning rate and size: the paper's table 1."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_slip.progress import Progress
from napari_slip.training.own.loop import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_slip.training.own.settings import TrainSettings
    from napari_slip.training.own.splitting import Split

RATES = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5)
SIZES = (128, 512)
RESULT = "result.json"


@dataclass(frozen=True)
class Grid:
    """Best validation losses by rate and size.

    Parameters
    ----------
    rates : tuple of float
        Of the heads.
    sizes : tuple of int
        Of the common space.
    losses : dict
        (rate, size) to the lowest validation loss.
    folder : Path
        Holds ``best``, the best model, ``grid.md`` and ``grid.png``.
    """

    rates: tuple[float, ...]
    sizes: tuple[int, ...]
    losses: dict[tuple[float, int], float]
    folder: Path

    @property
    def best(self) -> tuple[float, int]:
        """Rate and size with the lowest loss."""
        return min(self.losses, key=lambda key: (self.losses[key] != self.losses[key], self.losses[key]))

    def table(self) -> str:
        """Return the paper's table 1 in Markdown, the best in bold."""
        lines = [
            "| learning rate | " + " | ".join(f"dim {size}" for size in self.sizes) + " |",
            "|---" * (len(self.sizes) + 1) + "|",
        ]
        for rate in self.rates:
            cells = []
            for size in self.sizes:
                loss = f"{self.losses[rate, size]:.4g}"
                cells.append(f"**{loss}**" if (rate, size) == self.best else loss)
            lines.append(f"| {rate:g} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        rows = [
            {"rate": rate, "size": size, "validation_loss": loss}
            for (rate, size), loss in self.losses.items()
        ]
        return {"cells": rows, "best": {"rate": self.best[0], "size": self.best[1]}}


def grid_search(
    data: Split,
    settings: TrainSettings,
    folder: Path,
    *,
    rates: Sequence[float] = RATES,
    sizes: Sequence[int] = SIZES,
    device: str = "auto",
    progress: Progress | None = None,
    hear: Callable[[float, int, float], None] | None = None,
) -> Grid:
    """Train one model for each rate and size, or go on where an earlier call was stopped.

    Parameters
    ----------
    data : Split
        What is learnt from.
    settings : TrainSettings
        Of all trainings, but for the two that vary. Losses are compared, so the soft targets of the paper,
        which come from the model itself, make the table hard to read; CLIP's own loss does not.
    folder : Path
        Gets a folder for each cell.
    rates, sizes : sequences
        The cells.
    device : str
        Where they are trained.
    progress : Progress, optional
        Hears of each training, and can stop the work.
    hear : callable, optional
        Called with rate, size and loss of each cell.

    Returns
    -------
    Grid

    Raises
    ------
    InputError
        If the folder holds other trainings.
    Cancelled
        If `progress` was cancelled.
    """
    progress = progress or Progress()
    losses: dict[tuple[float, int], float] = {}
    for rate in rates:
        for size in sizes:
            cell = folder / f"rate-{rate:g}-dim-{size}"
            wanted = replace(settings, head_rate=rate, projection=size)
            trained = train(data, wanted, cell, device=device, progress=progress)
            losses[rate, size] = trained.best.validation_loss
            if hear is not None:
                hear(rate, size, losses[rate, size])
    grid = Grid(tuple(rates), tuple(sizes), losses, folder)
    shutil.copytree(
        folder / "rate-{:g}-dim-{}".format(*grid.best),
        folder / "best",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("checkpoint.pt"),
    )
    (folder / "grid.md").write_text(grid.table() + "\n", encoding="utf-8")
    (folder / RESULT).write_text(json.dumps(grid.to_dict(), indent=1) + "\n", encoding="utf-8")
    _draw(grid, folder / "grid.png")
    return grid


def _draw(grid: Grid, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for size in grid.sizes:
        axes.semilogx(grid.rates, [grid.losses[r, size] for r in grid.rates], "o-", label=f"dim {size}")
    axes.set_xlabel("learning rate of the heads")
    axes.set_ylabel("lowest validation loss")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
