"""The report as a page: tables, curve and pictures, in one HTML file and one JSON file."""

from __future__ import annotations

import base64
import importlib.resources
import io
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_slip.evaluation.collages.asking import Answers, Seen
    from napari_slip.evaluation.collages.figures import CollageReport

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231")


def write_report(
    report: CollageReport,
    seen: Sequence[Seen],
    answers: Sequence[Answers],
    folder: Path,
    *,
    outlined: tuple[Sequence[Seen], Sequence[Answers]] | None = None,
    grid: str = "",
    curve: Path | None = None,
) -> None:
    """Write ``report.html``, ``report.json``, ``answers.json`` and the pictures.

    Parameters
    ----------
    report : CollageReport
        The figures.
    seen : sequence of Seen
        The collages, for the pictures and the list of their files.
    answers : sequence of Answers
        Of each contestant.
    folder : Path
        Made if it is not there.
    outlined : (seen, answers), optional
        The same with the true outlines among the segments.
    grid : str
        Table 1 in Markdown, if there was a grid search.
    curve : Path, optional
        The training curve of one of the models.
    """
    from jinja2 import Environment

    folder.mkdir(parents=True, exist_ok=True)
    sides = {"comparison": ("The same questions, answered by each with SAM's segments", seen, answers)}
    if outlined is not None:
        sides["outlines"] = ("The same with the true outlines among the segments", *outlined)
    pictures = []
    if curve is not None and curve.is_file():
        pictures.append(("Training curve", _base64(curve)))
    for name, (title, looked, answered) in sides.items():
        (folder / f"{name}.png").write_bytes(compare(looked, answered))
        pictures.append((title, _base64(folder / f"{name}.png")))
    template = (importlib.resources.files(__package__) / "page.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(template)
    tables = {"answers": _cells(report.table()), "grid": _cells(grid)}
    text = page.render(facts=report.facts, pictures=pictures, **tables)
    (folder / "report.html").write_text(text, encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    collages = [{"tiles": one.collage.paths, "absent": one.collage.absent} for one in seen]
    told = {
        name: {answer.name: {"rows": answer.rows, "right": answer.right} for answer in answered}
        for name, (_, _, answered) in sides.items()
    }
    (folder / "answers.json").write_text(
        json.dumps({"collages": collages, "answers": told}) + "\n", encoding="utf-8"
    )


def compare(seen: Sequence[Seen], answers: Sequence[Answers], most: int = 3) -> bytes:
    """Draw some collages with what each contestant chose, as PNG; where they differ most comes first."""
    from matplotlib.figure import Figure

    n = len(seen)
    rights = np.array([answer.right for answer in answers]).reshape(len(answers), n, 4).sum(axis=2)
    order = np.argsort(-(rights.max(axis=0) - rights.min(axis=0)), kind="stable")[:most]
    figure = Figure(figsize=(3.1 * len(answers), 3.5 * len(order)), layout="constrained")
    axes = figure.subplots(len(order), len(answers), squeeze=False)
    for line, k in zip(axes, order, strict=True):
        for place, answer in zip(line, answers, strict=True):
            place.imshow(seen[k].collage.image)
            place.set_axis_off()
            place.set_title(f"{answer.name}: {sum(answer.right[4 * k : 4 * k + 4])} of 4", fontsize=9)
            for (_, tile, row), colour in zip(answer.rows[4 * k : 4 * k + 4], COLOURS, strict=True):
                name = seen[k].collage.names[tile]
                rows, columns = seen[k].collage.tile_of(tile)
                box = {"facecolor": colour, "edgecolor": "none", "pad": 1}
                x, y = columns.start + 4, rows.start + 4
                place.text(x, y, name, color="white", va="top", fontsize=7, bbox=box)
                if row >= 0:
                    mask = seen[k].segments.mask(row + 1)
                    place.contour(mask, [0.5], colors=[colour], linewidths=2)
    held = io.BytesIO()
    figure.savefig(held, dpi=80)
    return held.getvalue()


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _cells(table: str) -> list[list[str]]:
    """Take a Markdown table of ours apart, row by row."""
    return [
        [cell.strip().strip("*") for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if not line.startswith("|---")
    ]
