"""``napari-slip segment``: images and texts in, labels and pictures out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from napari_slip.cli import _options as o
from napari_slip.cli._run import Run
from napari_slip.cli._sentences import sentences

if TYPE_CHECKING:
    from napari_slip.io import RunSettings
    from napari_slip.pipeline import Slip


@sentences
def segment(
    images: o.Images,
    out: o.Out,
    prompt: o.Prompts = None,
    negative: o.Negatives = None,
    select: o.Select = "best",
    min_score: o.MinScore = None,
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
    ask: o.Ask = False,
) -> None:
    """Segment images and find what texts say.

    Writes for each image <stem>.segments.tif and <stem>.matches.tif (ids), <stem>.segments.csv and
    <stem>.overlay.png, and one provenance.json from which napari-slip replay makes the same again. Nothing is
    overwritten: taken names get a number. Exit code 0: done; 1: some images failed; 2: wrong usage.
    """
    from napari_slip.batch import Job, ModelRecipe

    # all that can be wrong with the words is said before any model is loaded
    texts = o.prompts(prompt, negative, head)
    contrast = o.contrast(contrast_limits, percentiles)
    crops = o.crops(view, margin)
    match = o.match(select, min_score, template)
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
    proposals = o.proposals(
        grid=grid,
        exact=exact,
        texts=tuple(phrase for phrases in texts.values() for phrase in phrases) if ask else None,
        points_per_side=points_per_side,
        pred_iou_thresh=pred_iou_thresh,
        stability_score_thresh=stability_score_thresh,
        box_nms_thresh=box_nms_thresh,
        min_area=min_area,
    )

    def settings(slip: Slip) -> RunSettings:
        from napari_slip.io import RunSettings

        return RunSettings(
            contrast=contrast,
            proposals=replace(slip.segmenter.proposals, **proposals),
            crops=crops,
            filters=filters,
            match=match,
        )

    jobs = [
        Job(path=path, prompts=texts, negatives=tuple(negative or ()), channel_axis=channel_axis)
        for path in images
    ]
    run = Run(jobs=jobs, out=out)
    recipe = ModelRecipe(
        name=model, sam=sam, clip=clip, device=device, crops=crops, store=not no_store, **o.taught(head)
    )
    run.go(recipe, settings)
    if json:
        run.print_json()
    else:
        run.print_summary()
        if len(run.failures) < len(run.outcomes):
            typer.echo(
                f"The results lie in {Path(out)}; the overlays are pictures, the .tif files hold the ids."
            )
    raise typer.Exit(run.exit_code)
