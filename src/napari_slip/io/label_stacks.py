"""Label pictures of whole sessions as TIFF, readable by ImageJ, and label pictures of any program read."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import ImageSequence, UnidentifiedImageError

from napari_slip.errors import InputError
from napari_slip.io.labels import write_label_planes
from napari_slip.io.reading import (
    is_tiff,
    open_with_pillow,
    read_otherwise,
    told_in_sentences,
)
from napari_slip.io.whole import whole_file
from napari_slip.objects import objects_by_label, read_status
from napari_slip.session import Contents, Session, State
from napari_slip.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.objects import Object, Status

KEY, ELSEWHERE = "napari-slip objects", "napari-slip objects that differ"
"""What a file says of its labels, and of those on single planes: a track may be of several minds."""


def write_label_stack(
    path: Path,
    session: Session,
    steps: Mapping[str, int],
    *,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    unit: str = "px",
    spacing: float | None = None,
) -> None:
    """Write the labels of all planes, disjoint, the smaller object in front, without the rejected ones.

    Which class a label has stands in the file's info, where ImageJ shows it and `read_label_stack` finds it.

    Parameters
    ----------
    path : Path
        Ends in ``.tif``.
    session : Session
        What is drawn.
    steps : mapping of str to int
        Letters and lengths of the axes along which the planes lie, in the order of their indices.
    pixel_size : (height, width)
        Of a pixel, in `unit`.
    unit : str
        Of length; ImageJ hears of the pixels' size if it is not "px".
    spacing : float, optional
        From slice to slice, in `unit`.
    """
    objects = [o for o in session.objects.values() if o.status != "rejected"]
    shape = (*steps.values(), *session.shape)
    known, others = by_label(objects)
    classes = {str(label): [o.class_name, o.status] for label, o in known.items()}
    elsewhere = [[o.label, list(o.plane), o.class_name, o.status] for o in others]
    colours = {c.name: c.colour for c in session.classes}
    with whole_file(path) as part:
        write_label_planes(
            part,
            map(session.picture, itertools.product(*map(range, steps.values()))),
            steps,
            session.shape,
            max((o.label for o in objects), default=0),
            info=json.dumps({KEY: classes, ELSEWHERE: elsewhere, "colours": colours, "shape": shape}),
            imagej=True,
            pixel_size=None if unit == "px" else pixel_size,
            unit=unit,
            spacing=spacing,
        )


def read_label_stack(path: Path, class_name: str = "object") -> Session:
    """Read a label picture or a stack of them, of any program, as accepted objects.

    Parameters
    ----------
    path : Path
        TIFF, PNG or another picture of whole numbers; 0 is the background.
    class_name : str
        Class of labels whose class the file does not say.

    Raises
    ------
    InputError
        If it cannot be read, or its values are no labels.
    """
    with told_in_sentences(path):
        labels, colours = _read(path)
    if colours > 1:
        raise InputError(
            f"{path} is a picture in colours ({colours} values for each pixel), which are no labels: "
            "expected one number for each object, 0 for the background."
        )
    if labels.ndim < 2 or not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool):
        raise InputError(
            f"{path} holds {labels.ndim}D {labels.dtype} values, which are no labels: expected a picture of "
            "whole numbers, 0 for the background and one number for each object."
        )
    told = _told(path)
    classes: dict[Any, tuple[Any, Any]] = {}
    with told_in_sentences(path):
        if "shape" in told and labels.size == np.prod(told["shape"]):
            labels = labels.reshape(told["shape"])  # TIFF drops axes of length one
        classes |= {int(i): (name, status) for i, (name, status) in told.get(KEY, {}).items()}
        classes |= {(i, tuple(plane)): (name, status) for i, plane, name, status in told.get(ELSEWHERE, ())}
    return session_of(Stack.of(labels), classes, told.get("colours", {}), class_name)


def by_label(objects: Iterable[Object]) -> tuple[dict[int, Object], list[Object]]:
    """Return an object of each label, and those of other planes that differ from it in class or status."""
    first: dict[int, Object] = {}
    others = []
    for thing in objects:
        known = first.setdefault(thing.label, thing)
        if (thing.class_name, thing.status) != (known.class_name, known.status):
            others.append(thing)
    return first, others


def session_of(
    labels: Stack, told: Mapping[Any, tuple[Any, Any]], colours: Mapping[str, str], class_name: str
) -> Session:
    """Make a session of labels, one plane in memory at a time.

    Parameters
    ----------
    labels : Stack
        Of whole numbers; 0 is the background. Of several channels the first is taken.
    told : mapping from label, or from (label, plane), to (class, status)
        What a file says of them, on all planes or on one, whatever it be: a class can be a number there, and
        a status any word. Accepted objects of `class_name` are the others.
    colours : mapping from class to colour
        As far as they are known.
    class_name : str
        Of the others.
    """
    session = Session(labels.shape)
    classes = session.classes
    for name, colour in colours.items():
        if str(name).strip() and str(name).strip() not in classes:
            classes = classes.add(str(name), colour=colour)
    things: list[tuple[int, str, Status, Object]] = []
    for plane in labels:
        picture = labels.read(plane)
        if labels.plane_channel_axis is not None:
            picture = picture.take(0, axis=labels.plane_channel_axis)
        for number, thing in objects_by_label(picture, class_name, plane=plane).items():
            said, status = told.get((number, plane)) or told.get(number, (class_name, "accepted"))
            name = str(said).strip() or class_name
            things.append((number, name, read_status(status), thing))
            classes = classes if name in classes else classes.add(name)
    objects = {o.id: o for o in _numbered(things)}
    return Session.of(Contents(session.shape, State(classes, objects)))


def _numbered(things: list[tuple[int, str, Status, Object]]) -> list[Object]:
    """Give the objects numbers, and keep a label that stands on several planes as a track."""
    seen = Counter(number for number, *_ in things)
    tracks: dict[int, int] = {}
    made = []
    for i, (number, name, status, thing) in enumerate(things, 1):
        track = tracks.setdefault(number, i) if seen[number] > 1 else None
        made.append(replace(thing, id=i, class_name=name, status=status, track=track))
    return made


def _read(path: Path) -> tuple[NDArray[Any], int]:
    """Read a picture or a stack, and say how many values a pixel has."""
    if not is_tiff(path):
        try:
            return _frames(path)
        except UnidentifiedImageError as error:
            raise InputError(f"{path} cannot be read as a label picture: expected TIFF or PNG.") from error
    try:
        with tifffile.TiffFile(path) as file:
            colours = file.series[0].shape[-1] if file.series[0].axes.endswith("S") else 1
            return np.asarray(file.asarray()), colours
    except Exception as error:
        return read_otherwise(path, error, _frames)


def _frames(path: Path) -> tuple[NDArray[Any], int]:
    """Read with Pillow, all planes of a TIFF."""
    with open_with_pillow(path) as picture:
        frames = ImageSequence.Iterator(picture) if picture.format == "TIFF" else (picture,)
        planes = [np.asarray(frame) for frame in frames]
        return np.stack(planes) if len(planes) > 1 else planes[0], len(picture.getbands())


def _told(path: Path) -> dict[str, Any]:
    """Return what the file says of its labels, if `write_label_stack` wrote it."""
    try:
        with tifffile.TiffFile(path) as file:
            about = file.imagej_metadata or (file.shaped_metadata or [{}])[0]
            told = json.loads(about.get("Info", "{}"))
    except Exception:  # a broken file can break a parser anywhere; its labels have been read
        return {}
    return told if isinstance(told, dict) and KEY in told else {}
