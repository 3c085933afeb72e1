"""The evaluation from one call: pictures in, report out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_slip.errors import InputError
from napari_slip.evaluation.collages.asking import Contestant, ask_all, look, with_outlines
from napari_slip.evaluation.collages.figures import CollageReport, collage_report
from napari_slip.evaluation.collages.making import make_collages
from napari_slip.evaluation.collages.page import write_report
from napari_slip.evaluation.collages.taught import so_many, teach_from_examples
from napari_slip.models import load_clip
from napari_slip.progress import Progress
from napari_slip.segmentation.engines import load_segmenter
from napari_slip.settings import CropSettings, FilterSettings
from napari_slip.training.own.beginning import learnt_by
from napari_slip.training.own.examples import class_names
from napari_slip.training.own.judge import train_judge
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_slip.training.own.examples import Example
    from napari_slip.training.own.splitting import Split


def evaluate_collages(
    data: Split,
    encoders: Sequence[tuple[str, str]],
    folder: Path,
    *,
    sam: str = "mini",
    n: int = 100,
    tile: int = 448,
    seed: int = 0,
    paper_filter: bool = False,
    taught: Sequence[int] = (),
    judge: Path | None = None,
    judge_epochs: int = 12,
    grid: str = "",
    curve: Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> CollageReport:
    """Make collages of validation pictures, ask every model, and write the report.

    Parameters
    ----------
    data : Split
        The split that the models were trained with: collages come from its validation pictures, heads and
        judge learn from its training pictures.
    encoders : sequence of (title, name or path)
        The models; taught heads stand on the first of them.
    folder : Path
        Gets the report.
    sam : str
        Whose segments all of them see.
    n, tile, seed : int
        Of the collages.
    paper_filter : bool
        Whether only segments that the paper's filter keeps may be an answer.
    taught : sequence of int
        How many examples of each class heads are taught with, as far as there are so many.
    judge : Path, optional
        Folder of the judge, which is trained there if it is not there yet; no judge if not given.
    judge_epochs : int
        Of its training.
    grid, curve
        Of a training, for the report.
    device : str
        Where the models run.
    progress : Progress, optional
        Hears of each step, and can stop the work.

    Returns
    -------
    CollageReport

    Raises
    ------
    InputError
        If there is no model, two have one title, one has learnt from validation pictures, or there are too
        few classes.
    """
    if not encoders:
        raise InputError("There is no model to ask: name at least one, such as mini.")
    progress = progress or Progress()
    for title, model in encoders:
        _check(title, model, [title for title, _ in encoders], data.validation, progress)
    collages = make_collages(data.validation, n, tile=tile, seed=seed)
    segmenter = load_segmenter(sam, device=device, progress=progress)
    filters = FilterSettings.paper() if paper_filter else FilterSettings()
    seen = look(collages, segmenter, filters=filters, progress=progress)
    contestants = [
        Contestant(title, load_clip(model, device=device, progress=progress)) for title, model in encoders
    ]
    first = contestants[0]
    for used, examples in {so_many(data.training, examples): examples for examples in taught}.items():
        head = teach_from_examples(first.encoder, data.training, examples, CropSettings())
        contestants.append(Contestant(f"{first.name}, taught with {used}", first.encoder, head))
    answers = ask_all(seen, contestants, progress=progress)
    outlined = None
    if any(collage.labels.any() for collage in collages):
        helped = with_outlines(seen, filters)
        outlined = helped, ask_all(helped, contestants, progress=progress)
    referee = train_judge(data, judge, epochs=judge_epochs, progress=progress) if judge else None
    facts: dict[str, Any] = {
        "collages": n,
        "classes": len(class_names(data.validation)),
        "training pictures": len(data.training),
        "validation pictures": len(data.validation),
        "tile": tile,
        "seed": seed,
        "SAM": f"{sam}, {segmenter.hash}",
        "segments on a collage": round(sum(len(one.segments) for one in seen) / n, 1),
        "filter": "the paper's" if paper_filter else "default",
        "models": "; ".join(f"{c.name}: {c.encoder.card.hash[:19]}" for c in contestants),
    }
    report = collage_report(seen, answers, referee, facts, outlined)
    write_report(report, seen, answers, folder, outlined=outlined, grid=grid, curve=curve)
    return report


def _check(
    title: str, model: str, titles: Sequence[str], validation: Sequence[Example], progress: Progress
) -> None:
    """See that a model has a title of its own, and has learnt from none of the collages' pictures."""
    if titles.count(title) > 1:
        raise InputError(
            f"Two models are called {title!r}: give each a title of its own, as in --clip one=A --clip two=B."
        )
    learnt = learnt_by(model, validation, progress)
    if learnt:
        raise InputError(
            f"{model}, or its base, was trained with {counted(len(learnt), 'picture')} that the collages "
            f"would be made of, such as {learnt[0].path.name}: name the --seed and the --test-share that it "
            "was trained with, or pictures that neither has seen."
        )
