"""From the parts of an image to its labels and table rows, one plane in memory at a time."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_slip.atomic import replacing
from napari_slip.batch.parts import done_path, part_path, read_part
from napari_slip.errors import InputError
from napari_slip.io import LabelsWriter, write_label_planes
from napari_slip.objects import draw_objects
from napari_slip.session import ClassList, red_green_blue
from napari_slip.stacks import Linker, PlaneResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.batch.work import Orders

Form = Literal["zarr", "tiff"]

WORK = ".napari-slip"
"""Folder, among the results, of what ``--resume`` needs: for each image a folder of its parts."""

LABELS = {"zarr": ".ome.zarr", "tiff": ".labels.tif"}
"""How the names of an image's labels end."""

OBJECTS = (
    *("image", "plane", "t", "z", "label", "parent", "class", "score", "area", "x", "y"),
    *("bbox_x0", "bbox_y0", "bbox_x1", "bbox_y1", "predicted_iou", "segment"),
)
"""Columns of the table of objects."""


@dataclass(frozen=True)
class Image:
    """One image of a run, whose planes have all been worked on.

    Parameters
    ----------
    name : str
        Of its results.
    steps : dict
        Letters and lengths of the axes along which its planes lie.
    parts : Path
        Folder of its parts.
    stamp : str
        Of its parts.
    scale : dict
        Size of a pixel along the axes for which it is known, by letter.
    units : dict
        Of those sizes, where they are known.
    """

    name: str
    steps: Mapping[str, int]
    parts: Path
    stamp: str
    scale: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def indices(self) -> Iterator[tuple[int, ...]]:
        """Index of every plane."""
        return itertools.product(*map(range, self.steps.values()))

    def read(self, index: tuple[int, ...]) -> PlaneResult | str:
        """Read the part of a plane."""
        part = read_part(part_path(self.parts, index), self.stamp)
        if part is None:
            return f"What was found on plane {index} of {self.name} is gone: run again with --resume."
        return part


@dataclass
class _Links:
    """Numbers of all objects, and what is known of each number."""

    numbers: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    properties: dict[int, dict[str, Any]] = field(default_factory=dict)


def finish_image(image: Image, orders: Orders, out: Path, form: Form) -> list[str]:
    """Link what was found on the planes of an image and write its labels and tables.

    Everything is made aside and put in its place whole, the note that it is done last.

    Returns
    -------
    list of str
        Sentences on the planes without a result.

    Raises
    ------
    InputError
        If the results cannot be written.
    """
    links = _link(image, orders)
    errors = [part for index in image.indices if isinstance(part := image.read(index), str)]
    target = labels_path(out, image.name, form)
    aside = labels_path(image.parts, "unfinished", form)
    try:
        _remove(aside)
        if len(errors) < sum(1 for _ in image.indices):
            (_write_zarr if form == "zarr" else _write_tiff)(image, links, orders, aside)
            _remove(target)
            os.replace(aside, target)
        done = {"stamp": image.stamp, "errors": errors, "events": links.events}
        for name, content in (
            ("objects.csv", _csv(OBJECTS, _object_rows(image, links))),
            ("planes.csv", _csv(plane_columns(orders), _plane_rows(image, orders))),
            (done_path(image.parts).name, json.dumps(done).encode()),
        ):
            with replacing(image.parts / name) as unfinished:
                unfinished.write_bytes(content)
    except OSError as error:
        raise InputError(
            f"The results of {image.name} cannot be written to {out} ({error.strerror or error}): make room "
            "and run again with --resume."
        ) from error
    if not errors:
        drop_parts(image)
    return errors


def labels_path(folder: Path, name: str, form: Form) -> Path:
    """Return where the labels of an image of this name lie."""
    return folder / f"{name}{LABELS[form]}"


def is_result(path: Path, out: Path) -> bool:
    """Whether a file or folder is the labels that a run into `out` has made."""
    names = (path.name.removesuffix(ending) for ending in LABELS.values() if path.name.endswith(ending))
    return path.parent.resolve() == out.resolve() and any((out / WORK / name).is_dir() for name in names)


def drop_parts(image: Image) -> None:
    """Delete the parts of an image that is done; nobody reads them any more."""
    for used in image.parts.glob("*.part"):
        used.unlink(missing_ok=True)


def is_done(image: Image, out: Path, form: Form) -> bool:
    """Whether an image has been finished, by these orders and without errors."""
    try:
        done = json.loads(done_path(image.parts).read_bytes())
    except (OSError, ValueError):
        return False
    there = labels_path(out, image.name, form).exists()
    return bool(there and done.get("stamp") == image.stamp and not done.get("errors"))


def plane_columns(orders: Orders) -> tuple[str, ...]:
    """Columns of the table of planes."""
    classes = [f"{what} {name}" for name in orders.prompts for what in ("best", "objects")]
    return ("image", "plane", "t", "z", "segments", *classes, "error")


def _link(image: Image, orders: Orders) -> _Links:
    """Give every object its number, unique in the image."""
    links, next_number = _Links(), 1
    axis = _linked_axis(image, orders)
    for chain in _chains(image, axis):
        letter = None if axis is None else list(image.steps)[axis]
        settings = replace(orders.linking, divides=orders.linking.divides and letter != "z")
        linker = Linker(settings, first=next_number)
        for step, index in enumerate(chain):
            part = image.read(index)
            if isinstance(part, str):
                continue
            things = part.objects()
            numbers = linker.add(step, things, part.embedding)
            links.numbers[index] = numbers
            next_number = max([next_number, *(n + 1 for n in numbers)])
            for number, thing in zip(numbers, things, strict=True):
                known = links.properties.setdefault(
                    number,
                    {"label-value": number, "class": thing.class_name, "score": 0.0, "planes": 0},
                )
                known["score"] = max(known["score"], round(float(thing.score or 0), 4))
                known["planes"] += 1
        links.parents |= linker.parents
        links.events += [
            {"kind": e.kind, "step": e.step, "from": list(e.sources), "to": list(e.targets)}
            for e in linker.finish()
        ]
    for child, parent in links.parents.items():
        links.properties[child]["parent"] = parent
    return links


def _linked_axis(image: Image, orders: Orders) -> int | None:
    letters = list(image.steps)
    if orders.link == "none" or not letters:
        return None
    wanted = "tz" if orders.link == "auto" else orders.link
    chosen = next((letter for letter in wanted if letter in letters), None)
    return None if chosen is None else letters.index(chosen)


def _chains(image: Image, axis: int | None) -> Iterator[list[tuple[int, ...]]]:
    """Yield the planes that follow one another, for each place along the other axes."""
    if axis is None:
        yield from ([index] for index in image.indices)
        return
    sizes = list(image.steps.values())
    for rest in itertools.product(*(range(n) for i, n in enumerate(sizes) if i != axis)):
        yield [(*rest[:axis], step, *rest[axis:]) for step in range(sizes[axis])]


def _picture(image: Image, links: _Links, index: tuple[int, ...]) -> NDArray[np.uint32] | None:
    """Draw the labels of a plane; None for a plane without a result."""
    part = image.read(index)
    if isinstance(part, str):
        return None
    things = zip(part.objects(), links.numbers[index], strict=True)
    return draw_objects([replace(o, track=number) for o, number in things], part.shape)


def _write_zarr(image: Image, links: _Links, orders: Orders, path: Path) -> None:
    writer = None
    for index in image.indices:
        picture = _picture(image, links, index)
        if picture is None:
            continue
        if writer is None:
            shape = (picture.shape[0], picture.shape[1])
            writer = LabelsWriter(path, "matches", image.steps, shape, image.scale, units=image.units)
        writer.write(index, picture)
    assert writer is not None
    colours = class_colours(orders.prompts)
    writer.finish(
        {number: colours[known["class"]] for number, known in links.properties.items()},
        links.properties.values(),
    )


def _write_tiff(image: Image, links: _Links, orders: Orders, path: Path) -> None:
    shape = next(p.shape for index in image.indices if not isinstance(p := image.read(index), str))
    pictures = (_picture(image, links, index) for index in image.indices)
    write_label_planes(
        path,
        (np.zeros(shape, np.uint32) if drawn is None else drawn for drawn in pictures),
        image.steps,
        shape,
        max(links.properties, default=0),
    )


def class_colours(prompts: Iterable[str]) -> dict[str, tuple[int, int, int, int]]:
    """Return red, green, blue and opacity, 0..255, of each class, as the dock would give them."""
    classes = ClassList()
    for name in prompts:
        classes = classes.add(name)
    return {c.name: (*red_green_blue(c.colour), 255) for c in classes}


def _object_rows(image: Image, links: _Links) -> Iterator[dict[str, Any]]:
    for index in image.indices:
        part = image.read(index)
        if isinstance(part, str):
            continue
        for row, (thing, number) in enumerate(zip(part.objects(), links.numbers[index], strict=True)):
            x0, y0, x1, y1 = part.masks.boxes[row].tolist()
            x, y = _centre(thing.crop)
            yield {
                **_place(image, index),
                "label": number,
                "parent": links.parents.get(number, ""),
                "class": thing.class_name,
                "score": f"{thing.score:.4f}",
                "area": thing.area,
                "x": f"{x0 + x:.2f}",
                "y": f"{y0 + y:.2f}",
                "bbox_x0": x0,
                "bbox_y0": y0,
                "bbox_x1": x1,
                "bbox_y1": y1,
                "predicted_iou": f"{part.predicted_iou[row]:.4f}",
                "segment": thing.segment,
            }


def _centre(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean XY of the pixels of a mask, without a list of them all."""
    along_x, along_y = np.count_nonzero(mask, axis=0), np.count_nonzero(mask, axis=1)
    area = along_x.sum()
    return along_x @ np.arange(len(along_x)) / area, along_y @ np.arange(len(along_y)) / area


def _plane_rows(image: Image, orders: Orders) -> Iterator[dict[str, Any]]:
    for index in image.indices:
        part = image.read(index)
        if isinstance(part, str):
            yield {**_place(image, index), "error": part}
            continue
        counts = Counter(part.classes.tolist())
        row: dict[str, Any] = {**_place(image, index), "segments": part.n_segments}
        for column, name in enumerate(orders.prompts):
            best = part.best[column]
            row |= {
                f"best {name}": "" if np.isnan(best) else f"{best:.4f}",
                f"objects {name}": counts[column],
            }
        yield row


def _place(image: Image, index: tuple[int, ...]) -> dict[str, Any]:
    known = dict(zip(image.steps, index, strict=True))
    plane = " ".join(map(str, index))
    return {"image": image.name, "plane": plane, "t": known.get("t", ""), "z": known.get("z", "")}


def _csv(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*columns], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")  # a file's name may be no text


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
