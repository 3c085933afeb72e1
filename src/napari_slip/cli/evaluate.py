"""``napari-slip evaluate``: how good a model is, on pictures whose truth is known."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from napari_slip.cli._bar import Bar
from napari_slip.cli._options import Clip, Device, Sam  # noqa: TC001 - typer reads them
from napari_slip.cli._sentences import fail, sentences
from napari_slip.cli.collages import collages


class _ModelUnlessCollages(TyperGroup):
    """``evaluate mini`` measures a model, as it does without the word ``model``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word in where no command is named."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["model", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ModelUnlessCollages,
    help="Measure a model (evaluate [MODEL]), or compare models on collages of your classes.",
)
app.command()(collages)


@app.command("model")
@sentences
def evaluate(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A preset: see napari-slip models.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Folder with bbbc038 and emoji; without it, drawn scenes only."
        ),
    ] = None,
    sam: Sam = None,
    clip: Clip = None,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Measure a model: masks on real nuclei and drawn scenes, answers to texts, and time."""
    from json import dumps

    from napari_slip import evaluation, load

    if data is not None and not data.is_dir():
        fail(f"{data} is no folder: expected one that holds bbbc038 and emoji.")
    with Bar() as bar:
        # without the store: a result that was kept takes no time
        slip = load(model, sam=sam, clip=clip, device=device, progress=bar.progress)
        report = evaluation.evaluate(slip, data, bar.progress)
    typer.echo(dumps(report.to_dict(), indent=2) if json else report.table())
