"""The options of a training, and the settings that they fill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from napari_slip.training.own import TrainSettings

_MODEL, _LEARN, _DATA = "What is trained", "How it learns", "What it learns from"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A folder with one folder of pictures for each class, or a CSV with image and caption or class.",
    ),
]
ModelOut = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the trained model.")]
Base = Annotated[
    str,
    typer.Option(
        "--base",
        rich_help_panel=_MODEL,
        help="dual (a new dual encoder), mini, a CLIP on the hub, or the folder of a model.",
    ),
]
ImageModel = Annotated[str, typer.Option("--image-model", rich_help_panel=_MODEL, help="A name in timm.")]
TextModel = Annotated[
    str,
    typer.Option(
        "--text-model",
        rich_help_panel=_MODEL,
        help="distilbert, perhaps with settings (distilbert:dim=64,n_layers=2), or a name on the hub.",
    ),
]
Pretrained = Annotated[
    bool, typer.Option("--pretrained", rich_help_panel=_MODEL, help="Fetch published weights to begin with.")
]
Projection = Annotated[int, typer.Option("--projection", rich_help_panel=_MODEL, help="Size of the space.")]
ImageSize = Annotated[int, typer.Option("--image-size", rich_help_panel=_MODEL, help="Of a new model.")]
What = Annotated[
    str,
    typer.Option("--train", metavar="all|last:N|heads|lora", rich_help_panel=_MODEL, help="What learns."),
]
Template = Annotated[
    list[str] | None,
    typer.Option(
        "--template",
        rich_help_panel=_DATA,
        help="Caption with {} for the class, such as 'This is an image of {}'; repeatable. Default: {}.",
    ),
]
TrainViews = Annotated[
    list[str] | None,
    typer.Option(
        "--view",
        metavar="whole|mean|dimmed|black",
        rich_help_panel=_DATA,
        help="How pictures are shown; repeatable. Default: whole; with masks mean and dimmed too.",
    ),
]
TestShare = Annotated[
    float,
    typer.Option(
        "--test-share", min=0.01, max=0.9, rich_help_panel=_DATA, help="Kept back to check, of each class."
    ),
]
HoldOut = Annotated[
    int, typer.Option("--hold-out", min=0, rich_help_panel=_DATA, help="Classes never shown.")
]
Paper = Annotated[
    bool,
    typer.Option(
        "--paper",
        rich_help_panel=_LEARN,
        help="As the SLIP paper: soft targets, whole pictures, no variation.",
    ),
]
Loss = Annotated[str | None, typer.Option("--loss", metavar="clip|soft", rich_help_panel=_LEARN)]
HeadRate = Annotated[float, typer.Option("--head-rate", rich_help_panel=_LEARN, help="Of the projections.")]
ImageRate = Annotated[float, typer.Option("--image-rate", rich_help_panel=_LEARN, help="Of the image model.")]
TextRate = Annotated[float, typer.Option("--text-rate", rich_help_panel=_LEARN, help="Of the text model.")]
Batch = Annotated[int, typer.Option("--batch", rich_help_panel=_LEARN, help="Pictures in a step.")]
Epochs = Annotated[int, typer.Option("--epochs", rich_help_panel=_LEARN, help="Most passes.")]
StopAfter = Annotated[
    int | None,
    typer.Option(
        "--stop-after",
        rich_help_panel=_LEARN,
        help="Passes without a gain that end it. Default: 15; as the paper 100.",
    ),
]
Keep = Annotated[
    float,
    typer.Option("--keep", rich_help_panel=_LEARN, help="Weight of what the base knew; 0 lets it forget."),
]
Precision = Annotated[str, typer.Option("--precision", metavar="float32|bfloat16", rich_help_panel=_LEARN)]
Seed = Annotated[int, typer.Option("--seed", min=0, rich_help_panel=_LEARN, help="Same seed, same numbers.")]


def train_settings(
    *, paper: bool, loss: str | None, views: list[str] | None, stop_after: int | None, **given: Any
) -> TrainSettings:
    """Training settings from what was given."""
    from napari_slip.training.own import TrainSettings

    templates = given.pop("templates")
    choices = given | ({"templates": tuple(templates)} if templates else {})
    choices |= {"loss": loss} if loss else {}
    choices |= {"stop_after": stop_after} if stop_after is not None else {}
    choices |= {"views": tuple(views)} if views else {}
    return TrainSettings.paper(**choices) if paper else TrainSettings(**choices)
