"""``napari-slip train``: a model for one's own classes."""

from __future__ import annotations

import typer

from napari_slip.cli import _training as option
from napari_slip.cli._bar import Bar
from napari_slip.cli._options import Device  # noqa: TC001 - typer reads it
from napari_slip.cli._sentences import STOPPED, fail, say, sentences
from napari_slip.wording import counted


@sentences
def train(
    data: option.Data,
    out: option.ModelOut,
    base: option.Base = "dual",
    image_model: option.ImageModel = "resnet50",
    text_model: option.TextModel = "distilbert",
    pretrained: option.Pretrained = False,
    projection: option.Projection = 128,
    image_size: option.ImageSize = 224,
    what: option.What = "all",
    template: option.Template = None,
    view: option.TrainViews = None,
    test_share: option.TestShare = 0.2,
    hold_out: option.HoldOut = 0,
    paper: option.Paper = False,
    loss: option.Loss = None,
    head_rate: option.HeadRate = 1e-4,
    image_rate: option.ImageRate = 1e-4,
    text_rate: option.TextRate = 1e-5,
    batch: option.Batch = 64,
    epochs: option.Epochs = 100,
    stop_after: option.StopAfter = None,
    keep: option.Keep = 4.0,
    precision: option.Precision = "float32",
    device: Device = "auto",
    seed: option.Seed = 42,
) -> None:
    """Train a dual encoder, or a CLIP further, on pictures of your classes.

    The folder of the result is a model like any other: napari-slip segment --clip DIR. Ctrl-C stops; the same
    command goes on after the last pass that was completed.
    """
    from napari_slip.errors import Cancelled
    from napari_slip.io import prepare_folder
    from napari_slip.training.own import read_examples, split
    from napari_slip.training.own import train as run
    from napari_slip.training.own.history import Epoch, draw_curve

    settings = option.train_settings(
        paper=paper,
        loss=loss,
        views=view,
        base=base,
        image_model=image_model,
        text_model=text_model,
        pretrained=pretrained,
        projection=projection,
        image_size=image_size,
        train=what,
        templates=template,
        test_share=test_share,
        hold_out=hold_out,
        head_rate=head_rate,
        image_rate=image_rate,
        text_rate=text_rate,
        batch=batch,
        epochs=epochs,
        stop_after=stop_after,
        keep=keep,
        precision=precision,
        seed=seed,
    )
    prepare_folder(out)
    parts = split(read_examples(data), test_share, seed, hold_out)
    say(
        f"{counted(len(parts.training), 'picture')} to learn from, {len(parts.validation)} to check with, "
        f"{len(parts.held_out)} of classes that are never shown."
    )
    shown = (*parts.training, *parts.validation)
    bare = sum(example.mask is None for example in shown)
    if 0 < bare < len(shown):
        say(f"{counted(bare, 'picture')} without a mask, of {len(shown)}, will be seen whole alone.")

    def tell(epoch: Epoch) -> None:
        left = (epochs - epoch.number) * epoch.seconds
        say(
            f"pass {epoch.number:3d}  loss {epoch.training_loss:.4f}  "
            f"validation {epoch.validation_loss:.4f}  accuracy {epoch.accuracy:.3f}  "
            f"{epoch.seconds:.0f} s, at most {left / 60:.0f} min left"
        )

    try:
        with Bar() as bar:
            trained = run(parts, settings, out, device=device, progress=bar.progress, hear=tell)
    except (KeyboardInterrupt, Cancelled):
        fail(f"Stopped; the same command goes on with what lies in {out}.", STOPPED)
    draw_curve(trained.epochs, out / "curve.png")
    best = trained.best
    typer.echo(
        f"The best pass was {best.number}: validation loss {best.validation_loss:.4f}, accuracy "
        f"{best.accuracy:.3f}. The model: {out.resolve()}"
    )
