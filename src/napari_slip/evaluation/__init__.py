"""How good a model is: the figures of the model card, made by one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.evaluation.attributes import attribute_rows
from napari_slip.evaluation.bbbc038 import nuclei_rows
from napari_slip.evaluation.clicks import click_rows
from napari_slip.evaluation.coins import coin_rows
from napari_slip.evaluation.report import Report, Row
from napari_slip.evaluation.scenes import scene_rows
from napari_slip.evaluation.shipping import size_row, time_rows
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slip.pipeline import Slip

__all__ = ["Report", "Row", "evaluate"]


def evaluate(slip: Slip, data: Path | None, progress: Progress | None = None) -> Report:
    """Measure everything that the model card reports.

    Parameters
    ----------
    slip : Slip
        What is measured; without a store, since a kept result takes no time.
    data : Path, optional
        Folder that holds ``bbbc038`` and ``emoji``. Without it real nuclei are left out, and scenes hold
        drawn things only.
    progress : Progress, optional
        Hears of each part, and can stop the work.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If `data` lacks the images.
    Cancelled
        If `progress` was cancelled.
    """
    progress = progress or Progress()
    rows = [*time_rows(slip, progress), *coin_rows(slip, progress)]
    if data is not None:
        rows = [*nuclei_rows(slip, data, progress), *rows]
    rows += [
        *click_rows(slip, data, progress),
        *scene_rows(slip, data, progress),
        *attribute_rows(slip, progress),
    ]
    return Report(
        slip.encoder.card.name, (*rows, *([size_row()] if slip.encoder.card.name == "mini" else ()))
    )
