"""``napari-slip grid-search``: the paper's table 1 on one's own pictures."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_slip.cli import _training as option
from napari_slip.cli._bar import Bar
from napari_slip.cli._options import Device, Json  # noqa: TC001 - typer reads them
from napari_slip.cli._sentences import STOPPED, fail, say, sentences


@sentences
def grid_search(
    data: option.Data,
    out: option.ModelOut,
    rate: Annotated[
        list[float] | None,
        typer.Option("--rate", help="Learning rate of the heads; repeatable. Default: the paper's six."),
    ] = None,
    size: Annotated[
        list[int] | None,
        typer.Option("--size", help="Of the common space; repeatable. Default: 128 and 512."),
    ] = None,
    image_model: option.ImageModel = "resnet50",
    text_model: option.TextModel = "distilbert",
    pretrained: option.Pretrained = False,
    image_size: option.ImageSize = 224,
    template: option.Template = None,
    view: option.TrainViews = None,
    test_share: option.TestShare = 0.2,
    hold_out: option.HoldOut = 0,
    paper: option.Paper = False,
    loss: option.Loss = None,
    image_rate: option.ImageRate = 1e-4,
    text_rate: option.TextRate = 1e-5,
    batch: option.Batch = 64,
    epochs: option.Epochs = 100,
    stop_after: option.StopAfter = None,
    precision: option.Precision = "float32",
    device: Device = "auto",
    seed: option.Seed = 42,
    json: Json = False,
) -> None:
    """Train a dual encoder for each learning rate and size of the heads, and keep the best.

    Ctrl-C stops; the same command goes on. The folder gets grid.md, grid.png, and best, a model.
    """
    from json import dumps

    from napari_slip.errors import Cancelled
    from napari_slip.io import prepare_folder
    from napari_slip.training.own import grid_search as search
    from napari_slip.training.own import read_examples, split
    from napari_slip.training.own.grid import RATES, SIZES

    settings = option.train_settings(
        paper=paper,
        loss=loss,
        views=view,
        image_model=image_model,
        text_model=text_model,
        pretrained=pretrained,
        image_size=image_size,
        templates=template,
        test_share=test_share,
        hold_out=hold_out,
        image_rate=image_rate,
        text_rate=text_rate,
        batch=batch,
        epochs=epochs,
        stop_after=stop_after,
        precision=precision,
        seed=seed,
    )
    prepare_folder(out)
    try:
        with Bar() as bar:
            grid = search(
                split(read_examples(data), test_share, seed, hold_out),
                settings,
                out,
                rates=tuple(rate or RATES),
                sizes=tuple(size or SIZES),
                device=device,
                progress=bar.progress,
                hear=lambda r, s, loss: say(f"rate {r:g}, dim {s}: validation loss {loss:.4f}"),
            )
    except (KeyboardInterrupt, Cancelled):
        fail(f"Stopped; the same command goes on with what lies in {out}.", STOPPED)
    typer.echo(dumps(grid.to_dict(), indent=2) if json else grid.table())
    say(f"The best model: {(out / 'best').resolve()}")
