"""``napari-slip models``: what can be named after ``--model``."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_slip.cli._sentences import sentences


@sentences
def models(
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """List the presets with their size, licence, and whether they must be downloaded."""
    import dataclasses
    from json import dumps

    from napari_slip.models import PRESETS

    if json:
        typer.echo(dumps({name: dataclasses.asdict(preset) for name, preset in PRESETS.items()}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "what it is", "MB", "licence", "download"):
        table.add_column(column, justify="right" if column == "MB" else "left")
    for name, preset in PRESETS.items():
        needed = "at first use" if preset.needs_download else "none"
        table.add_row(name, preset.title, str(preset.size_mb), preset.licence, needed)
    Console().print(table)
    typer.echo(
        "Any other pair is named by its parts: --sam vit_b or a checkpoint, --clip a hub name or a folder."
    )
