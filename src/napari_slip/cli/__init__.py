"""The command line: one module per command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated

import typer

from napari_slip import __version__
from napari_slip.cli import (
    batch,
    cache,
    creatures,
    demo,
    evaluate,
    experiment,
    files,
    grid,
    models,
    replay,
    segment,
    train,
)

app = typer.Typer(
    name="napari-slip",
    help="Type what you look for, and the matching object lights up: SAM's segments scored by CLIP.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
app.command()(segment.segment)
app.command()(batch.batch)
app.command()(demo.demo)
app.command()(replay.replay)
app.command()(files.export)
app.command("import")(files.import_)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="models")
app.command()(creatures.creatures)
app.command()(train.train)
app.command("grid-search")(grid.grid_search)
app.command()(experiment.experiment)
app.add_typer(cache.app, name="cache")

__all__ = ["app"]


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-slip {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and stop."),
    ] = False,
) -> None:
    """Hold what all commands share."""
    # it reports in its own words what is told in a sentence here
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    if isinstance(sys.stdout, io.TextIOWrapper):  # no name or prompt is too strange for a console
        sys.stdout.reconfigure(errors="backslashreplace")
