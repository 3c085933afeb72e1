"""``napari-slip models recommend``: which preset suits this machine and these images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from napari_slip.cli import _options as o  # noqa: TC001 - typer reads the annotations
from napari_slip.cli._sentences import say, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slip.recommending import Advice


@sentences
def recommend(
    kind: Annotated[
        str,
        typer.Option(
            "--for", metavar="KIND", help="everyday, light, electron or medical images, or other languages."
        ),
    ] = "everyday",
    patience: Annotated[
        float, typer.Option("--patience", metavar="S", help="Seconds that one picture may take.")
    ] = 60,
    device: o.Device = "auto",
    json: o.Json = False,
) -> None:
    """Propose a preset for this machine and a kind of image; the speed is measured on the spot.

    Presets that are on this machine are run over a drawn picture; for the others the time follows from the
    machine's speed, which is measured too, and from what each model is known to cost.
    """
    from dataclasses import asdict
    from json import dumps

    from napari_slip import recommending
    from napari_slip.cli._bar import Bar
    from napari_slip.loading import load

    with Bar() as bar:
        machine = recommending.measure(device)
        advice = recommending.advise(machine)
        recommending.choose(advice, kind, patience)  # says what is no kind of image before anything runs
        timed = recommending.time_presets(
            advice,
            lambda name: load(name, device=device, progress=bar.progress),
            bar.progress,
            patience,
        )
    for name in (name for name, seconds in timed.items() if seconds is None):
        say(f"{name} is left out because it cannot be run: compare it with napari-slip models verify {name}.")
    advice = recommending.advise(machine, timed)
    chosen = recommending.choose(advice, kind, patience)
    if json:
        every = [asdict(each) for each in advice]
        typer.echo(dumps({"machine": asdict(machine), "chosen": chosen.preset, "presets": every}, indent=2))
        return
    _table(advice, chosen)
    typer.echo(recommending.in_words(chosen, machine, kind))
    fetch = "" if chosen.here else f"napari-slip models fetch {chosen.preset}, then "
    typer.echo(f"Take it with: {fetch}--model {chosen.preset}")


def _table(advice: Sequence[Advice], chosen: Advice) -> None:
    from rich.console import Console
    from rich.table import Table

    from napari_slip.models import known_models
    from napari_slip.recommending import seconds_in_words

    table = Table(box=None, pad_edge=False)
    for column in ("", "preset", "a picture", "", "MB", "here", "suits"):
        table.add_column(column, justify="right" if column in ("a picture", "MB") else "left")
    presets = known_models().presets
    for each in advice:
        preset = presets[each.preset]
        how = "measured" if each.measured else "expected"
        table.add_row(
            "*" if each == chosen else "",
            each.preset,
            seconds_in_words(each.seconds),
            how if each.fits else f"{how}; too large for the free memory",
            str(preset.size_mb),
            "yes" if each.here else "",
            ", ".join(preset.suits),
        )
    Console(markup=False, emoji=False).print(table)
