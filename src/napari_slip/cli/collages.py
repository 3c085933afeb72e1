"""``napari-slip evaluate collages``: the SLIP paper's experiment, made sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_slip.cli import _training as option  # noqa: TC001 - typer reads it
from napari_slip.cli._bar import Bar
from napari_slip.cli._options import Device, Json  # noqa: TC001 - typer reads them
from napari_slip.cli._sentences import fail, say, sentences


@sentences
def collages(
    data: option.Data,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the report.")],
    clip: Annotated[
        list[str] | None,
        typer.Option(
            "--clip",
            metavar="[TITLE=]C",
            help="mini, a name on the hub or a folder; repeatable. Default: mini.",
        ),
    ] = None,
    sam: Annotated[str, typer.Option("--sam", help="Whose segments all models see.")] = "mini",
    n: Annotated[int, typer.Option("--collages", min=1, help="How many.")] = 100,
    tile: Annotated[int, typer.Option("--tile", min=16, help="Side of a tile in pixels.")] = 448,
    teach: Annotated[
        list[int] | None,
        typer.Option(
            "--teach", min=1, metavar="N", help="Teach the first model with N examples of each class too."
        ),
    ] = None,
    paper_filter: Annotated[bool, typer.Option("--paper-filter", help="The paper's filter.")] = False,
    judge: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Train the paper's ResNet-18 as judge too.")
    ] = True,
    judge_epochs: Annotated[int, typer.Option("--judge-epochs", min=1, help="Of its training.")] = 12,
    test_share: option.TestShare = 0.2,
    hold_out: option.HoldOut = 0,
    seed: option.Seed = 42,
    collage_seed: Annotated[int, typer.Option("--collage-seed", min=0, help="Other collages.")] = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Ask models which segment of a 2 x 2 collage a text means, all of them on the same segments.

    Collages are made of pictures that napari-slip train keeps back with the same seed and share.
    """
    from json import dumps

    from napari_slip.evaluation.collages import evaluate_collages
    from napari_slip.io import prepare_folder
    from napari_slip.training.own import read_examples, split

    models = [_titled(model) for model in clip or ["mini"]]
    prepare_folder(out)
    with Bar() as bar:
        report = evaluate_collages(
            split(read_examples(data), test_share, seed, hold_out),
            models,
            out,
            sam=sam,
            n=n,
            tile=tile,
            seed=collage_seed,
            paper_filter=paper_filter,
            taught=tuple(teach or ()),
            judge=out / "judge" if judge else None,
            judge_epochs=judge_epochs,
            curve=_curve(clip or []),
            device=device,
            progress=bar.progress,
        )
    typer.echo(dumps(report.to_dict(), indent=2) if json else report.table())
    say(f"The report with pictures: {(out / 'report.html').resolve()}")


def _titled(model: str) -> tuple[str, str]:
    title, equals, rest = model.partition("=")
    if not (title and (rest or not equals)):
        fail(
            f"--clip {model!r} names no model: expected mini, a hub name or a folder, perhaps as TITLE=MODEL."
        )
    return (title, rest) if equals else (Path(model).name, model)


def _curve(models: list[str]) -> Path | None:
    """Return the training curve that lies in the folder of a model that was trained here."""
    from napari_slip.models.folders import own_path

    curves = [own_path(_titled(model)[1]) / "curve.png" for model in models]
    return next((path for path in curves if path.is_file()), None)
