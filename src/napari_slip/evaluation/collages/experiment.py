"""The paper's whole experiment in one call, as small as it is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_slip.errors import InputError
from napari_slip.evaluation.collages.running import evaluate_collages
from napari_slip.progress import Progress
from napari_slip.synthesis.creatures import write_creatures
from napari_slip.training.own.examples import MASK, read_examples
from napari_slip.training.own.fine_tuning import small_network
from napari_slip.training.own.grid import Grid, grid_search
from napari_slip.training.own.history import draw_curve
from napari_slip.training.own.loop import train
from napari_slip.training.own.settings import TrainSettings
from napari_slip.training.own.splitting import split
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_slip.evaluation.collages.figures import CollageReport

NUMBERS = "experiment.json"
"""Of the creatures that an experiment was begun with."""

SMALL_TEXT = "distilbert:dim=64,n_layers=2,n_heads=4,hidden_dim=128"
"""DistilBERT's architecture at a hundredth of its size."""


def run_experiment(
    folder: Path,
    *,
    classes: int,
    images: int,
    collages: int,
    epochs: int,
    grid_epochs: int,
    judge_epochs: int,
    image_size: int = 48,
    tile: int = 256,
    device: str = "auto",
    progress: Progress | None = None,
    say: Callable[[str], None] = print,
) -> tuple[Grid, CollageReport]:
    """Draw creatures, search the grid, train mini further, teach it, and ask all of them on collages.

    Parameters
    ----------
    folder : Path
        Gets ``creatures``, ``grid``, ``tuned`` and ``report``; what is there is not made again.
    classes, images : int
        Kinds of creatures, and pictures of each.
    collages : int
        How many.
    epochs, grid_epochs, judge_epochs : int
        Of mini's further training, of each cell of the 2 x 2 grid, and of the judge.
    image_size : int
        Of the dual encoder in the grid, in pixels.
    tile : int
        Side of the collages' tiles.
    device : str
        Where it is trained.
    progress : Progress, optional
        Hears of each step, and can stop the work.
    say : callable
        Hears a sentence at the beginning of each step.

    Returns
    -------
    Grid
        Table 1.
    CollageReport
        Table 2.

    Raises
    ------
    InputError
        If the folder holds an experiment with other pictures.
    """
    progress = progress or Progress()
    _same_numbers(folder, classes, images)
    say(f"1 of 4: drawing {classes} x {images} creatures")
    write_creatures(folder / "creatures", classes=classes, images=images, progress=progress)
    examples = read_examples(folder / "creatures")
    data = split(examples)
    say("2 of 4: a 2 x 2 grid of ResNet-50 with a small DistilBERT, from random numbers")
    small = TrainSettings(text_model=SMALL_TEXT, image_size=image_size, epochs=grid_epochs, batch=32)
    grid = grid_search(
        data, small, folder / "grid", rates=(1e-4, 1e-3), sizes=(128, 512), device=device, progress=progress
    )
    say("3 of 4: mini, trained further")
    tuned = train(data, small_network(epochs), folder / "tuned", device=device, progress=progress)
    draw_curve(tuned.epochs, folder / "tuned" / "curve.png")
    say("4 of 4: collages, and the judge")
    report = evaluate_collages(
        data,
        [
            ("mini", "mini"),
            ("mini, trained further", str(tuned.folder)),
            ("best dual encoder of the grid", str(folder / "grid" / "best")),
        ],
        folder / "report",
        n=collages,
        tile=tile,
        taught=(5,),
        judge=folder / "judge",
        judge_epochs=judge_epochs,
        grid=grid.table(),
        curve=folder / "tuned" / "curve.png",
        device=device,
        progress=progress,
    )
    return grid, report


def _same_numbers(folder: Path, classes: int, images: int) -> None:
    """Write down how many creatures there are, or see that it is as many as before, ere any is drawn."""
    path, numbers = folder / NUMBERS, [classes, images]
    drawn = sum(not each.name.endswith(MASK) for each in (folder / "creatures").glob("*/*.png"))
    if path.is_file() and drawn:
        other = json.loads(path.read_text(encoding="utf-8")) != numbers
    else:  # nothing is drawn, or it was begun before numbers were written down; drawing may have been stopped
        other = drawn > classes * images or ((folder / "grid").exists() and drawn != classes * images)
    if other:
        raise InputError(
            f"{folder / 'creatures'} holds {counted(drawn, 'picture')} of an earlier experiment, not "
            f"{classes} x {images}: name another folder for the new one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(numbers) + "\n", encoding="utf-8")
