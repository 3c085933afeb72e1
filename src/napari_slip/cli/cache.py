"""``napari-slip cache``: segments that are kept from earlier runs."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_slip.cli._sentences import SOME_FAILED, fail, sentences
from napari_slip.wording import counted

app = typer.Typer(
    help="Segments that are kept, so that an image seen before is not segmented again.", no_args_is_help=True
)


@app.command()
@sentences
def info(json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False) -> None:
    """Say where the segments are kept and how much room they take."""
    from dataclasses import asdict
    from json import dumps

    from napari_slip.store import DiskStore

    held = DiskStore().info()
    if json:
        typer.echo(dumps({**asdict(held), "folder": str(held.folder)}, indent=2))
        return
    room = f"{_megabytes(held.size)} of at most {_megabytes(held.quota)}"
    typer.echo(f"Segments of {counted(held.entries, 'image')}, {room}\nin {held.folder}")


@app.command()
@sentences
def clear() -> None:
    """Delete all kept segments; they are made again when they are needed."""
    from napari_slip.store import DiskStore

    store = DiskStore()
    try:
        freed = store.clear()
    except OSError as error:
        fail(f"{store.folder} could not be cleared: {error.strerror or error}.", SOME_FAILED)
    typer.echo(f"{_megabytes(freed)} freed in {store.folder}.")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
