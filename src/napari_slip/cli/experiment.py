"""``napari-slip experiment``: the SLIP paper's whole experiment, small, from nothing to both tables."""

from __future__ import annotations

import os
import time
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from napari_slip.cli._bar import Bar
from napari_slip.cli._options import Device  # noqa: TC001 - typer reads it
from napari_slip.cli._sentences import STOPPED, fail, say, sentences
from napari_slip.wording import counted


@sentences
def experiment(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for everything.")],
    classes: Annotated[int, typer.Option("--classes", min=4, max=72, help="Kinds of creatures.")] = 8,
    images: Annotated[int, typer.Option("--images", min=2, help="Pictures of each.")] = 15,
    n: Annotated[int, typer.Option("--collages", min=1, help="How many collages.")] = 10,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Of mini's further training.")] = 12,
    grid_epochs: Annotated[int, typer.Option("--grid-epochs", min=1, help="Of each cell of the grid.")] = 2,
    judge_epochs: Annotated[int, typer.Option("--judge-epochs", min=1, help="Of the judge.")] = 12,
    device: Device = "auto",
) -> None:
    """Draw creatures, search the grid, train mini further, teach it, and ask all of them on collages.

    The defaults are a rehearsal of a few minutes: few classes, few pictures, a 2 x 2 grid of a small dual
    encoder. The steps can be stopped, and the same command goes on.
    """
    from napari_slip.errors import Cancelled
    from napari_slip.evaluation.collages.experiment import run_experiment
    from napari_slip.io import prepare_folder

    prepare_folder(out)
    begun = time.monotonic()
    try:
        with Bar() as bar:
            grid, report = run_experiment(
                out,
                classes=classes,
                images=images,
                collages=n,
                epochs=epochs,
                grid_epochs=grid_epochs,
                judge_epochs=judge_epochs,
                device=device,
                progress=bar.progress,
                say=say,
            )
    except (KeyboardInterrupt, Cancelled):
        fail(f"Stopped; the same command goes on with what lies in {out}.", STOPPED)
    typer.echo(f"Table 1: lowest validation loss of a new dual encoder\n\n{grid.table()}\n")
    typer.echo(f"Table 2: answers on {counted(n, 'collage')}\n\n{report.table()}")
    say(f"The report with pictures: {(out / 'report' / 'report.html').resolve()}")
    minutes, seconds = divmod(round(time.monotonic() - begun), 60)
    say(
        f"The whole experiment took {minutes} minutes {seconds} seconds by the clock, on a machine with "
        f"{os.cpu_count()} cores."
    )
