"""``napari-slip models``: what can be named, what of it is here, and how it comes here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_slip.cli._sentences import SOME_FAILED, fail, say, sentences
from napari_slip.cli.recommend import recommend
from napari_slip.hashing import file_hash

if TYPE_CHECKING:
    from rich.table import Table

    from napari_slip.models.registry import Entry

app = typer.Typer(help="Models: list them, fetch them, check them, carry them to another machine.")

Names = Annotated[list[str], typer.Argument(help="Presets, models, or names on the hub.", metavar="NAME...")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


app.command()(recommend)


@app.callback(invoke_without_command=True)
@sentences
def models(context: typer.Context, json: Json = False) -> None:
    """List the presets and models, if nothing else is asked."""
    if context.invoked_subcommand is None:
        _list(json)


@app.command("list")
@sentences
def list_(json: Json = False) -> None:
    """List the presets and models with their size and licence, and say which are on this machine."""
    _list(json)


@app.command()
@sentences
def info(name: Annotated[str, typer.Argument(help="A preset or a model.")], json: Json = False) -> None:
    """Say all that is known of a model or of the two of a preset."""
    from json import dumps

    told = [_told(entry) for entry in _named([name])]
    if json:
        typer.echo(dumps(told, indent=2))
        return
    for each in told:
        for key, value in each.items():
            if value not in ("", None, []):
                typer.echo(f"{key:>12}  {', '.join(value) if isinstance(value, list) else value}")
        typer.echo()


@app.command()
@sentences
def fetch(names: Names) -> None:
    """Fetch models, or go on where an earlier fetch stopped; what is here already is left alone."""
    from napari_slip.cli._bar import Bar
    from napari_slip.models import fetching

    for entry in _named(names):
        if entry.shipped:
            typer.echo(f"{entry.name} is part of napari-slip.")
            continue
        here, known = fetching.find(entry), fetching.known_hash(entry)
        with Bar() as bar:
            place = fetching.fetch(entry, bar.progress)
        if here and known:
            fetching.check(entry, file_hash(fetching.weights_of(entry, place)))
        typer.echo(f"{entry.name} {'was here already' if here else 'was fetched'}: {place}")
        if not here and not known:
            say(
                f"No hash of {entry.name} is published, so that its first download could not be compared; "
                f"its SHA-256 is {fetching.known_hash(entry)}, and is compared from now on."
            )


@app.command()
@sentences
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="All that are here, if none.")] = None,
) -> None:
    """Compare the weights that are on this machine with their hashes. Exit code 1 if one is another."""
    from napari_slip.errors import ModelError
    from napari_slip.models import fetching, known_models

    known = known_models().models.values()
    entries = _named(names) if names else [*known, *fetching.fetched_from_the_hub()]
    bad = 0
    for entry in entries:
        place = None if entry.shipped else fetching.find(entry)
        if place is None:
            if names:
                where = "part of napari-slip" if entry.shipped else "not on this machine"
                typer.echo(f"{entry.name} is {where}.")
            continue
        weights = fetching.weights_of(entry, place)
        if not weights.is_file():
            bad += 1
            say(f"{entry.name} has no weights at {weights}: copy them there, or remove the name.")
            continue
        try:
            fetching.check(entry, file_hash(weights))
        except ModelError as error:
            bad += 1
            say(str(error))
        else:
            first = "as at its first download" if fetching.known_hash(entry) else "nothing to compare with"
            typer.echo(f"{entry.name}: {'as published' if entry.sha256 else first}")
    if bad:
        raise typer.Exit(SOME_FAILED)


@app.command()
@sentences
def remove(names: Names) -> None:
    """Delete models from this machine, and forget names that were added; files of your own stay."""
    from napari_slip.models import fetching

    for entry in _named(names, whole=False):
        if entry.shipped:
            fail(f"{entry.name} is part of napari-slip: it cannot be removed.")
        typer.echo(f"{entry.name} was removed, {fetching.remove(entry) / 1e6:.1f} MB freed.")


@app.command()
@sentences
def add(
    name: Annotated[str, typer.Argument(help="By which it shall be asked for.")],
    source: Annotated[str, typer.Argument(help="A path, an address, or owner/name on the hub.")],
    kind: Annotated[str, typer.Option(help="sam (finds segments) or clip (compares with texts).")],
    sha256: Annotated[str, typer.Option(help="Of the weights, if you know it.")] = "",
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "not stated",
    title: Annotated[str, typer.Option(help="For people, in a few words.")] = "",
) -> None:
    """Give a model of your own a name, in models.toml in the folder of models."""
    from napari_slip.models.adding import describe
    from napari_slip.models.registry import add_entry

    path = add_entry(describe(name, source, kind=kind, sha256=sha256, licence=licence, title=title))
    typer.echo(f"{name} was added to {path}.")


@app.command()
@sentences
def export(
    names: Names,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file; NAME.zip here if none.")] = None,
) -> None:
    """Pack models that are on this machine into one file, for a machine without a network."""
    from napari_slip.cli._bar import Bar
    from napari_slip.models.packs import export_pack

    path = out or Path(f"{names[0].replace('/', '-')}.zip")
    with Bar() as bar:
        export_pack(_named(names), path, bar.progress)
    typer.echo(f"{path} holds {', '.join(names)}; there: napari-slip models import {path.name}")


@app.command("import")
@sentences
def import_(path: Annotated[Path, typer.Argument(help="A file of napari-slip models export.")]) -> None:
    """Unpack models that came from another machine."""
    from napari_slip.cli._bar import Bar
    from napari_slip.models.packs import import_pack

    with Bar() as bar:
        entries = import_pack(path, bar.progress)
    typer.echo(f"{', '.join(entry.name for entry in entries)} can be used now.")


def _named(names: list[str], *, whole: bool = True) -> list[Entry]:
    from napari_slip.models.fetching import fetched_from_the_hub
    from napari_slip.models.hub import is_hub_name
    from napari_slip.models.registry import known_models, of_the_hub

    known = known_models()
    found = []
    for name in names:
        if is_hub_name(name):
            found += fetched_from_the_hub(name) or [of_the_hub("clip", name)]
        else:
            found += known.named(name, whole=whole)
    return list(dict.fromkeys(found))


def _list(json: bool) -> None:
    import dataclasses
    from json import dumps

    from napari_slip.models import known_models

    known = known_models()
    if json:
        presets = {name: dataclasses.asdict(preset) for name, preset in known.presets.items()}
        typer.echo(dumps({"presets": presets, "models": [_told(e) for e in known.models.values()]}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("preset", "what it is", "MB", "licence"):
        _add_column(table, column)
    for name, preset in known.presets.items():
        table.add_row(name, preset.title, str(preset.size_mb), preset.licence)
    console = Console(markup=False, emoji=False)  # titles are what people have written
    console.print(table)
    typer.echo()
    table = Table(box=None, pad_edge=False)
    for column in ("model", "for", "good at", "MB", "licence", "here"):
        _add_column(table, column)
    for entry in known.models.values():
        job = "--sam" if entry.kind == "sam" else "--clip"
        here = "part of it" if entry.shipped else "yes" if _place(entry) else "gated" if entry.gated else ""
        good_at, megabytes = entry.good_at or entry.title, str(entry.megabytes)
        table.add_row(entry.name, job, good_at, megabytes, entry.licence, here)
    console.print(table)
    typer.echo("Also: --sam a checkpoint or a folder, --clip a hub name or a folder. More: models info NAME.")


def _add_column(table: Table, title: str) -> None:
    """Add a column; in a narrow window names stay as they must be typed, and all else is folded."""
    name = title in ("preset", "model")
    table.add_column(title, justify="right" if title == "MB" else "left", no_wrap=name, overflow="fold")


def _told(entry: Entry) -> dict[str, object]:
    from napari_slip.models.fetching import known_hash

    published = "published" if entry.sha256 else "seen at the first download" if known_hash(entry) else ""
    return {
        "name": entry.name,
        "kind": entry.kind,
        "title": entry.title,
        "good at": entry.good_at,
        "size": entry.size,
        "licence": entry.licence,
        "paper": entry.paper,
        "source": entry.source,
        "revision": entry.revision,
        "sha256": known_hash(entry),
        "hash is": published,
        "gated": entry.gated,
        "lies in": _place(entry),
    }


def _place(entry: Entry) -> str:
    from napari_slip.models.fetching import find

    place = None if entry.shipped else find(entry)
    return "napari-slip itself" if entry.shipped else str(place) if place else ""
