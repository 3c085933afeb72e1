"""The options that commands share, and the settings that they fill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_slip.errors import InputError
from napari_slip.settings import Contrast, CropSettings, FilterSettings, MatchSettings, ProposalSettings

Pair = tuple[float, float] | None

Images = Annotated[
    list[Path],
    typer.Argument(metavar="IMAGE", show_default=False, help="PNG, JPEG or TIFF; one plane each."),
]
Prompts = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt",
        "-p",
        metavar="TEXT",
        help="What to look for; repeatable. With --head, all that was taught if none.",
    ),
]
Negatives = Annotated[
    list[str] | None,
    typer.Option("--negative", "-n", metavar="TEXT", help="A text that a match must beat; repeatable."),
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the results.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")]

Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="A preset: see napari-slip models. Default: mini."),
]
Sam = Annotated[
    str | None,
    typer.Option(
        "--sam", metavar="S", help="A name of napari-slip models, a checkpoint, a folder, or labels:FILE."
    ),
]
Clip = Annotated[str | None, typer.Option("--clip", metavar="C", help="mini, a name on the hub or a folder.")]
HeadFile = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME|FILE",
        help="Score with what was taught in the dock: its name, or an exported file.",
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
NoStore = Annotated[
    bool, typer.Option("--no-store", help="Neither use nor keep segments of images that were seen before.")
]

ChannelAxis = Annotated[
    int | None,
    typer.Option(
        "--channel-axis", metavar="N", help="Axis of the channels, if the file does not name it; 0 is first."
    ),
]
Limits = Annotated[
    Pair, typer.Option("--contrast-limits", metavar="LO HI", help="Pixel values that become black and white.")
]
Percentiles = Annotated[
    Pair,
    typer.Option("--percentiles", metavar="LO HI", help="The same, in percent. Default: 0.5 99.8."),
]

_FILTER, _PROPOSAL, _CLIP = "Filter (hides segments)", "Proposals (what exists)", "CLIP"

Select = Annotated[
    str, typer.Option("--select", metavar="best|top:K|above:S", help="Which segments a text accepts.")
]
MinScore = Annotated[
    float | None,
    typer.Option("--min-score", metavar="S", help="Score from 0 to 1 that best and top:K ask for."),
]
Templates = Annotated[
    list[str] | None,
    typer.Option(
        "--template",
        metavar="TEXT",
        rich_help_panel=_CLIP,
        help="A sentence with {} for the prompt; repeatable.",
    ),
]
Views = Annotated[
    list[str] | None,
    typer.Option(
        "--view",
        metavar="black|mean|dimmed|box",
        rich_help_panel=_CLIP,
        help="How CLIP sees a segment; repeatable. Default: mean, dimmed.",
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        "--margin", rich_help_panel=_CLIP, help="Border in the views dimmed and box, as a share of the box."
    ),
]

PaperFilter = Annotated[
    bool, typer.Option("--paper-filter", rich_help_panel=_FILTER, help="The filter of the SLIP paper.")
]
PredictedIou = Annotated[
    Pair,
    typer.Option(
        "--predicted-iou", metavar="LO HI", rich_help_panel=_FILTER, help="Range of SAM's predicted IoU."
    ),
]
Stability = Annotated[
    Pair,
    typer.Option(
        "--stability-score", metavar="LO HI", rich_help_panel=_FILTER, help="Range of SAM's stability score."
    ),
]
Area = Annotated[
    Pair,
    typer.Option("--area", metavar="LO HI", rich_help_panel=_FILTER, help="Range in pixels; HI may be inf."),
]
Roundness = Annotated[
    Pair,
    typer.Option("--roundness", metavar="LO HI", rich_help_panel=_FILTER, help="Range from 0 to 1 (a disc)."),
]
MeanIntensity = Annotated[
    Pair,
    typer.Option("--mean-intensity", metavar="LO HI", rich_help_panel=_FILTER, help="Range from 0 to 1."),
]
Containment = Annotated[
    float | None,
    typer.Option(
        "--containment",
        rich_help_panel=_FILTER,
        help="Hide what lies with more than this share inside another.",
    ),
]
DropEdge = Annotated[
    bool, typer.Option("--drop-touching-edge", rich_help_panel=_FILTER, help="Hide what touches the border.")
]
KeepBackground = Annotated[
    bool, typer.Option("--keep-background", rich_help_panel=_FILTER, help="Do not hide the background.")
]

Points = Annotated[
    int | None,
    typer.Option("--points-per-side", rich_help_panel=_PROPOSAL, help="Grid of SAM's point prompts."),
]
IouThresh = Annotated[
    float | None,
    typer.Option("--pred-iou-thresh", rich_help_panel=_PROPOSAL, help="Floor of the predicted IoU."),
]
StabilityThresh = Annotated[
    float | None,
    typer.Option("--stability-score-thresh", rich_help_panel=_PROPOSAL, help="Floor of the stability score."),
]
BoxNms = Annotated[
    float | None,
    typer.Option(
        "--box-nms-thresh",
        rich_help_panel=_PROPOSAL,
        help="Box IoU above which the worse of two masks is dropped.",
    ),
]
MinArea = Annotated[
    int | None, typer.Option("--min-area", rich_help_panel=_PROPOSAL, help="Smallest mask, in pixels.")
]
Grid = Annotated[
    bool,
    typer.Option(
        "--grid", rich_help_panel=_PROPOSAL, help="Ask SAM at every point, not only where it helps."
    ),
]
Exact = Annotated[
    bool, typer.Option("--exact", rich_help_panel=_PROPOSAL, help="Exactly segment-anything's masks; slower.")
]
Ask = Annotated[
    bool,
    typer.Option(
        "--ask", rich_help_panel=_PROPOSAL, help="Let SAM 3 find just what the prompts say, not everything."
    ),
]


def taught(head: str | None) -> dict[str, str]:
    """Return the file of a head and its hash, as a recipe takes them."""
    if head is None:
        return {}
    from napari_slip.hashing import file_hash
    from napari_slip.matching import heads

    path = heads.place_of(head)
    return {"head": str(path), "head_hash": file_hash(path)}


def prompts(
    texts: list[str] | None, negatives: list[str] | None, head: str | None
) -> dict[str, tuple[str, ...]]:
    """Return the classes with their phrases: what is asked for, or all that was taught.

    Raises
    ------
    InputError
        If there is neither, or nothing of what is asked for was taught.
    """
    from napari_slip.matching.prompts import Prompts as Read

    if head is None:
        if not texts:
            raise InputError(
                "Nothing is looked for: say it with --prompt TEXT, or use what was taught, --head."
            )
        return Read.read(texts, negatives or (), ()).by_name()
    from napari_slip.matching import Head, heads

    taught = Head.load(heads.place_of(head)).classes
    found = Read.read(texts or list(taught), negatives or (), ()).by_name()
    if not set(found) & set(taught):
        raise InputError(
            f"The head {head!r} was taught {', '.join(map(repr, taught))}, but none of these is asked for: "
            "ask for one of them, or leave out --head."
        )
    return found


def contrast(limits: Pair, percentiles: Pair) -> Contrast:
    """Contrast from what was given."""
    return Contrast(**_given(limits=limits, percentiles=percentiles))


def crops(views: list[str] | None, margin: float | None) -> CropSettings:
    """Crop settings from what was given."""
    return CropSettings(**_given(views=tuple(views) if views else None, margin=margin))


def match(select: str, min_score: float | None, templates: list[str] | None) -> MatchSettings:
    """Match settings from what was given."""
    return MatchSettings(
        select=select, **_given(min_score=min_score, templates=tuple(templates) if templates else None)
    )


def filters(*, paper: bool, drop_touching_edge: bool, keep_background: bool, **ranges: Any) -> FilterSettings:
    """Filter settings: the paper's or the default ones, with what was given in their place."""
    base = FilterSettings.paper() if paper else FilterSettings()
    return replace(base, touching_edge=not drop_touching_edge, background=keep_background, **_given(**ranges))


def proposals(
    *, grid: bool, exact: bool, texts: tuple[str, ...] | None = None, **thresholds: Any
) -> dict[str, Any]:
    """Check the changes to a model's own proposal settings."""
    changes = _given(prompts="grid" if grid else None, exact=exact or None, texts=texts, **thresholds)
    ProposalSettings(**changes)
    return changes


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
