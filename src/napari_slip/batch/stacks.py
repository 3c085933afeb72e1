"""The run over many images and stacks: what is done is kept, whatever ends it."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_slip.atomic import replacing
from napari_slip.batch.finishing import (
    OBJECTS,
    WORK,
    Image,
    drop_parts,
    finish_image,
    is_done,
    labels_path,
    plane_columns,
)
from napari_slip.batch.parts import done_path, part_path, read_part, write_part
from napari_slip.batch.work import Task, describe_models, do_plane
from napari_slip.errors import InputError, SlipError
from napari_slip.io import (
    as_json,
    current_versions,
    finite,
    is_ome_zarr,
    peek_steps,
    prepare_folder,
    read_ome_zarr,
)
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from napari_slip.batch.finishing import Form
    from napari_slip.batch.inputs import Source
    from napari_slip.batch.work import Orders, Recipe
    from napari_slip.io import ModelRecord

FORMAT = "napari-slip batch 1"


class Workers(Protocol):
    """Who does the planes."""

    def describe(self, recipe: Recipe) -> tuple[ModelRecord, dict[str, Any]]:
        """Return what the models are, and their own proposal settings."""

    def work(
        self, recipe: Recipe, orders: Orders, tasks: Iterable[Task], progress: Progress
    ) -> Iterator[tuple[Task, str]]:
        """Do planes; yields each with the sentence that says why it failed, if it did."""


class ThisProcess:
    """Does planes one after the other; see `Cluster` for many processes."""

    def describe(self, recipe: Recipe) -> tuple[ModelRecord, dict[str, Any]]:
        """Return what the models are, and their own proposal settings."""
        return describe_models(recipe)

    def work(
        self, recipe: Recipe, orders: Orders, tasks: Iterable[Task], progress: Progress
    ) -> Iterator[tuple[Task, str]]:
        """Do planes; yields each with the sentence that says why it failed, if it did."""
        for task in tasks:
            progress.check()
            yield task, do_plane(recipe, orders, task, progress)


@dataclass
class Report:
    """What came of a run.

    Parameters
    ----------
    out : Path
        The folder of the results.
    planes, images : int
        How many are done.
    failures : list of str
        One sentence for each image or plane without a result.
    """

    out: Path
    planes: int = 0
    images: int = 0
    failures: list[str] = field(default_factory=list)


def run_stacks(
    sources: Sequence[Source],
    out: Path,
    recipe: Recipe,
    orders: Orders,
    *,
    form: Form = "zarr",
    workers: Workers | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    planned: Callable[[int, int], None] | None = None,
    heard: Callable[[], None] | None = None,
) -> Report:
    """Segment, match and link images and stacks, and write labels and tables.

    Parameters
    ----------
    sources : sequence of Source
        The images.
    out : Path
        Folder of the results: for each image its labels, as OME-Zarr or TIFF; ``objects.csv``, ``planes.csv``
        and ``batch.json`` over all.
    recipe : Recipe
        How the models are loaded.
    orders : Orders
        What is looked for, and how.
    form : {"zarr", "tiff"}
        Of the labels.
    workers : Workers, optional
        Who does the planes; this process if not given.
    resume : bool
        Whether to go on with a run that lies in `out`: what it has done is kept, what failed is tried again.
    progress : Progress, optional
        Can stop the run.
    planned : callable, optional
        Told once how many planes there are and how many of them are done already.
    heard : callable, optional
        Called after each plane.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If `out` holds another run or something else under the name of a result, or cannot be written to.
    Cancelled
        If `progress` was cancelled; what is done is kept.
    """
    progress, report = progress or Progress(), Report(out)
    who: Workers = workers or ThisProcess()
    out = Path(os.path.abspath(out))  # workers are at home in other folders
    prepare_folder(out)
    stamp = _stamp(recipe, orders, form)
    story = _begin(out, stamp, resume)
    images = _plan(sources, out, stamp, form, report)
    for image, _ in images:
        target = labels_path(out, image.name, form)
        if target.exists() and not (resume and image.parts.is_dir()):  # what this run has made has parts
            raise InputError(f"{target} is there already: choose another folder.")
    _write_story(out, story)
    open_images = {}
    for image, source in images:
        if is_done(image, out, form):
            drop_parts(image)  # the process may have ended while it was at this
        else:
            done_path(image.parts).unlink(missing_ok=True)
            open_images[image.name] = image, source
    missing = {name: _missing(image, source) for name, (image, source) in open_images.items()}
    total = sum(1 for image, _ in images for _ in image.indices)
    if planned is not None:
        planned(total, total - sum(map(len, missing.values())))
    story |= {"orders": _plain(orders), "form": form}
    tasks = (task for name in missing for task in missing[name])
    left = {name: {task.index for task in todo} for name, todo in missing.items()}

    lost: list[str] = []

    def close(name: str) -> None:
        lost.extend(finish_image(open_images[name][0], orders, out, form))

    for name in [name for name, todo in left.items() if not todo]:
        close(name)
    if any(left.values()):
        record, proposals = who.describe(recipe)
        _same_models(story.get("models", {}), record, out)
        story |= {"models": asdict(record), "proposals": {**proposals, **orders.proposals}}
        _write_story(out, story)
        for task, why in who.work(recipe, orders, tasks, progress):
            if why and read_part(task.part, task.stamp) is None:  # nobody was left to write it down
                write_part(task.part, task.stamp, why)
            left[task.source.name].discard(task.index)
            if heard is not None:
                heard()
            if not left[task.source.name]:
                close(task.source.name)
    report.failures += lost
    _join(out / "objects.csv", OBJECTS, [image.parts / "objects.csv" for image, _ in images])
    _join(out / "planes.csv", plane_columns(orders), [image.parts / "planes.csv" for image, _ in images])
    story["images"] = [
        {"name": image.name, "path": str(Path(source.path).absolute()), "steps": dict(image.steps)}
        for image, source in images
    ]
    story |= {"failures": report.failures, "complete": True}
    _write_story(out, story)
    report.planes, report.images = total - len(lost), len(images)
    return report


def _begin(out: Path, stamp: str, resume: bool) -> dict[str, Any]:
    """Open a run's story, or go on with the one that is there."""
    path = out / "batch.json"
    if not path.exists():
        story = {"format": FORMAT, "stamp": stamp, "complete": False, "versions": current_versions()}
        return story | {"created": datetime.now(UTC).isoformat(timespec="seconds")}
    if not resume:
        raise InputError(f"{out} holds a run already: go on with it by --resume, or choose another folder.")
    try:
        story = json.loads(path.read_bytes())
        if story["format"] != FORMAT:
            raise KeyError("format")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: choose another folder for the results.") from error
    if story["stamp"] != stamp:
        raise InputError(
            f"The run in {out} was begun with other texts, settings or models: repeat it exactly to go on, "
            "or choose another folder."
        )
    return dict(story)


def _same_models(then: Mapping[str, Any], now: ModelRecord, out: Path) -> None:
    """Refuse to go on with weights that are others by now, under whatever name."""
    for what, key in (("SAM", "sam_hash"), ("CLIP", "clip_hash")):
        before, after = then.get(key), getattr(now, key)
        if before not in (None, after):
            raise InputError(
                f"The run in {out} was begun with other weights of the {what} model ({before[:15]} then, "
                f"{after[:15]} now): put those back to go on, or choose another folder."
            )


def _plan(
    sources: Sequence[Source], out: Path, stamp: str, form: Form, report: Report
) -> list[tuple[Image, Source]]:
    """Look at the headers of all images; what cannot be used is reported and left out."""
    images = []
    for source in sources:
        try:
            steps = peek_steps(source.path, channel_axis=source.channel_axis)
            scale: dict[str, float] = {}
            units: dict[str, str] = {}
            if source.path.is_dir() and is_ome_zarr(source.path):
                found = read_ome_zarr(source.path)
                scale, units = dict(zip(found.axes, found.scale, strict=True)), found.units
        except SlipError as error:
            report.failures.append(str(error))
            continue
        except OSError as error:
            report.failures.append(f"{source.path} cannot be reached: {error.strerror or error}.")
            continue
        if form == "zarr" and len(nameless := [letter for letter in steps if letter not in "tz"]) > 1:
            report.failures.append(
                f"{source.path} has the axes {', '.join(nameless)} beside time and depth, and OME-Zarr has a "
                "name for one such axis: use --format tiff."
            )
            continue
        told = f"{stamp} {source.path} {source.channel_axis} {source.stamp}"
        own = hashlib.blake2b(os.fsencode(told), digest_size=12).hexdigest()
        images.append((Image(source.name, steps, out / WORK / source.name, own, scale, units), source))
    return images


def _missing(image: Image, source: Source) -> list[Task]:
    """Return the planes that have not been done, or had failed."""
    tasks = [Task(source, index, part_path(image.parts, index), image.stamp) for index in image.indices]
    return [task for task in tasks if not _is_there(task)]


def _is_there(task: Task) -> bool:
    part = read_part(task.part, task.stamp)
    return part is not None and not isinstance(part, str)


def _stamp(recipe: Recipe, orders: Orders, form: Form) -> str:
    told = json.dumps([recipe.wanted, _plain(orders), form], sort_keys=True)
    return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()


def _plain(orders: Orders) -> dict[str, Any]:
    """Return orders as JSON has them."""
    plain = {
        "prompts": {name: list(phrases) for name, phrases in orders.prompts.items()},
        "negatives": list(orders.negatives),
        "settings": orders.settings.to_dict(),
        "proposals": dict(orders.proposals),
        "link": orders.link,
        "linking": orders.linking.to_dict(),
    }
    return dict(json.loads(json.dumps(finite(plain), default=str)))


def _join(path: Path, columns: Sequence[str], tables: Iterable[Path]) -> None:
    """Put the tables of all images below one another."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for table in tables:
        if table.exists():
            with table.open(encoding="utf-8", newline="") as file:
                writer.writerows(itertools.islice(csv.reader(file), 1, None))
    with replacing(path) as unfinished:
        unfinished.write_bytes(text.getvalue().encode("utf-8", "backslashreplace"))


def _write_story(out: Path, story: dict[str, Any]) -> None:
    try:
        with replacing(out / "batch.json") as unfinished:
            unfinished.write_text(as_json(story) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written to: {error.strerror or error}.") from error
