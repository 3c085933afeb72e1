"""``napari-slip batch``: folders and stacks in, linked labels and one table out, on one machine or many."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_slip.cli import _options as o
from napari_slip.cli._bar import Bar
from napari_slip.cli._sentences import DONE, SOME_FAILED, STOPPED, fail, say, sentences
from napari_slip.settings import LinkSettings
from napari_slip.wording import counted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from napari_slip.batch import Cluster, Report

_WHERE = "Where it runs"
_LINK = "Objects over planes"

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE...",
        show_default=False,
        help="Pictures, TIFF stacks, OME-Zarrs; folders of them; patterns in quotes; CSV lists.",
    ),
]
Format = Annotated[
    Literal["zarr", "tiff"],
    typer.Option(
        "--format", help="Of the labels: zarr is OME-Zarr, one folder for each image; tiff a stack."
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the run in DIR; what is done is kept, what failed is tried."),
]
Link = Annotated[
    Literal["auto", "t", "z", "none"],
    typer.Option(
        "--link",
        rich_help_panel=_LINK,
        help="Along which axis an object keeps its id; auto: time, or depth where there is none.",
    ),
]
Gap = Annotated[
    int,
    typer.Option("--gap", rich_help_panel=_LINK, help="Planes in a row on which an object may be missing."),
]
NumberOfWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, rich_help_panel=_WHERE, help="Start so many dask processes on this machine."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        rich_help_panel=_WHERE,
        help="Use the dask cluster at this address, such as tcp://host:8786.",
    ),
]


@sentences
def batch(
    images: Inputs,
    out: o.Out,
    prompt: o.Prompts = None,
    negative: o.Negatives = None,
    select: o.Select = "best",
    min_score: o.MinScore = None,
    format: Format = "zarr",
    resume: Resume = False,
    link: Link = "auto",
    gap: Gap = 2,
    workers: NumberOfWorkers = None,
    scheduler: Scheduler = None,
    model: o.Model = None,
    sam: o.Sam = None,
    clip: o.Clip = None,
    head: o.HeadFile = None,
    device: o.Device = "auto",
    channel_axis: o.ChannelAxis = None,
    contrast_limits: o.Limits = None,
    percentiles: o.Percentiles = None,
    no_store: o.NoStore = False,
    json: o.Json = False,
    template: o.Templates = None,
    view: o.Views = None,
    margin: o.Margin = None,
    paper_filter: o.PaperFilter = False,
    predicted_iou: o.PredictedIou = None,
    stability_score: o.Stability = None,
    area: o.Area = None,
    roundness: o.Roundness = None,
    mean_intensity: o.MeanIntensity = None,
    containment: o.Containment = None,
    drop_touching_edge: o.DropEdge = False,
    keep_background: o.KeepBackground = False,
    points_per_side: o.Points = None,
    pred_iou_thresh: o.IouThresh = None,
    stability_score_thresh: o.StabilityThresh = None,
    box_nms_thresh: o.BoxNms = None,
    min_area: o.MinArea = None,
    grid: o.Grid = False,
    exact: o.Exact = False,
) -> None:
    """Label folders and stacks: every plane of every image, objects linked over the planes.

    Writes for each image its labels with the ids of the linked objects, and over all images objects.csv (one
    row for each object on each plane), planes.csv (the best score of each text on each plane) and batch.json.
    What is done is kept whatever ends the run, and --resume goes on from there. Exit code 0: done; 1: some
    images failed; 2: wrong usage.
    """
    from napari_slip.batch import ModelRecipe, Orders, find_sources, run_stacks, whole_path
    from napari_slip.io import RunSettings

    if workers is not None and scheduler is not None:
        fail("--workers starts a cluster and --scheduler names one: give one or the other.")
    crops = o.crops(view, margin)
    filters = o.filters(
        paper=paper_filter,
        drop_touching_edge=drop_touching_edge,
        keep_background=keep_background,
        predicted_iou=predicted_iou,
        stability_score=stability_score,
        area=area,
        roundness=roundness,
        mean_intensity=mean_intensity,
        containment=containment,
    )
    orders = Orders(
        prompts=o.prompts(prompt, negative, head),
        negatives=tuple(negative or ()),
        settings=RunSettings(
            contrast=o.contrast(contrast_limits, percentiles),
            crops=crops,
            filters=filters,
            match=o.match(select, min_score, template),
        ),
        proposals=o.proposals(
            grid=grid,
            exact=exact,
            points_per_side=points_per_side,
            pred_iou_thresh=pred_iou_thresh,
            stability_score_thresh=stability_score_thresh,
            box_nms_thresh=box_nms_thresh,
            min_area=min_area,
        ),
        link=link,
        linking=LinkSettings(gap=gap),
    )
    recipe = ModelRecipe(
        name=model,
        sam=whole_path(sam),
        clip=whole_path(clip),
        device=device,
        crops=crops,
        store=not no_store,
        **o.taught(head),
    )
    sources = find_sources(images, channel_axis, out)
    try:
        with _workers(workers, scheduler) as who, Bar(0, units="planes") as bar:
            report = run_stacks(
                sources,
                out,
                recipe,
                orders,
                form=format,
                workers=who,
                resume=resume,
                progress=bar.progress,
                planned=bar.plan,
                heard=bar.image_done,
            )
    except KeyboardInterrupt:
        fail(f"Stopped: what is done is kept in {out}; the same command with --resume goes on.", STOPPED)
    _tell(report, json=json)
    raise typer.Exit(SOME_FAILED if report.failures else DONE)


def _workers(workers: int | None, scheduler: str | None) -> AbstractContextManager[Cluster | None]:
    if workers is None and scheduler is None:
        return nullcontext()
    from napari_slip.batch import Cluster

    return Cluster(workers, scheduler)


def _tell(report: Report, *, json: bool) -> None:
    from napari_slip.io import as_json

    if json:
        summary = {
            "out": str(report.out),
            "images": report.images,
            "planes": report.planes,
            "failures": report.failures,
        }
        typer.echo(as_json(summary))
    else:
        done = f"{counted(report.planes, 'plane')} of {counted(report.images, 'image')} done"
        typer.echo(f"{done}; the tables and labels lie in {report.out}.")
    for sentence in report.failures:
        say(f"Failed: {sentence}")
