"""``napari-slip creatures``: pictures of little monsters, to try teaching with."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from napari_slip.cli._bar import Bar
from napari_slip.cli._sentences import sentences
from napari_slip.wording import counted


@sentences
def creatures(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="One folder for each kind.")],
    classes: Annotated[int, typer.Option("--classes", help="How many kinds, up to 72.")] = 60,
    images: Annotated[int, typer.Option("--images", min=1, help="Pictures of each kind.")] = 40,
    side: Annotated[int, typer.Option("--side", min=16, help="Of the pictures, in pixels.")] = 224,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Other pictures of the same kinds.")] = 0,
) -> None:
    """Draw creatures, which no model here has been trained on: a folder by class for train and evaluate."""
    from napari_slip.io import prepare_folder
    from napari_slip.synthesis.creatures import write_creatures

    prepare_folder(out)
    with Bar() as bar:
        write_creatures(out, classes=classes, images=images, side=side, seed=seed, progress=bar.progress)
    drawn, kinds = counted(classes * images, "picture"), counted(classes, "kind")
    typer.echo(f"{drawn} of {kinds} of creatures lie in {out.resolve()}.")
