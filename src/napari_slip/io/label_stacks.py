"""Label pictures of whole sessions as TIFF, readable by ImageJ, and label pictures of any program read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_slip.errors import InputError
from napari_slip.io.reading import read_array
from napari_slip.io.whole import whole_file
from napari_slip.session import Edit, Session

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KEY = "napari-slip objects"


def write_label_stack(path: Path, session: Session, planes: tuple[int, ...] | None = None) -> None:
    """Write the labels of all planes, disjoint, the smaller object in front, without the rejected ones.

    Which class a label has stands in the file's info, where ImageJ shows it and `read_label_stack` finds it.

    Parameters
    ----------
    path : Path
        Ends in ``.tif``.
    session : Session
        What is drawn.
    planes : tuple of int, optional
        Lengths of the stack's axes; as far as there are objects if not given.
    """
    objects = [o for o in session.objects.values() if o.status != "rejected"]
    depth = max((len(o.plane) for o in objects), default=0)
    lengths = planes or tuple(1 + max(o.plane[axis] for o in objects) for axis in range(depth))
    top = max((o.label for o in objects), default=0)
    kind = np.uint16 if top < 2**16 else np.uint32
    pictures = np.zeros((*lengths, *session.shape), kind)
    for plane in sorted({o.plane for o in objects}):
        pictures[plane] = session.picture(plane)
    classes = {str(o.label): [o.class_name, o.status] for o in objects}
    info = json.dumps({KEY: classes, "colours": {c.name: c.colour for c in session.classes}})
    axes = "QTZ"[3 - len(lengths) :] + "YX" if len(lengths) <= 3 else "Q" * len(lengths) + "YX"
    with whole_file(path) as part:
        if kind is np.uint16 and len(lengths) <= 2:
            tifffile.imwrite(part, pictures, imagej=True, metadata={"axes": axes, "Info": info})
        else:
            tifffile.imwrite(
                part, pictures, compression="zlib", metadata={"axes": axes, "Info": info}, software="napari-slip"
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
    labels = read_array(path)
    if labels.ndim < 2 or not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool):
        raise InputError(
            f"{path} holds {labels.ndim}D {labels.dtype} values, which are no labels: expected a picture of "
            "whole numbers, 0 for the background and one number for each object."
        )
    session = Session((labels.shape[-2], labels.shape[-1]))
    classes, colours = _told(path)
    for name, colour in colours.items():
        session.classes = session.classes.add(name, colour=colour)
    things = []
    for plane in np.ndindex(*labels.shape[:-2]):
        if labels[plane].any():
            part = Session(session.shape)
            values = part.adopt(labels[plane], plane, class_name)
            numbers = [n for n in np.unique(labels[plane]).tolist() if n > 0]
            for i, number in zip(values, numbers, strict=True):
                name, status = classes.get(str(number), (class_name, "accepted"))
                things.append((number, name, status, part.objects[i]))
    session.apply(_numbered(things))
    return Session.of(session.contents())


def _numbered(things: list[tuple[int, str, Any, Any]]) -> Edit:
    """Keep a label that stands on several planes as a track."""
    from collections import Counter
    from dataclasses import replace

    seen = Counter(number for number, *_ in things)
    free, tracks, made = 1 + len(things), {}, []
    for i, (number, name, status, thing) in enumerate(things, 1):
        track = None
        if seen[number] > 1:
            track = tracks.setdefault(number, i)
        made.append(replace(thing, id=i, class_name=name, status=status, track=track))
    del free
    return Edit(tuple(made))


def _told(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the file says of its labels: class and status of each, and the classes' colours."""
    try:
        with tifffile.TiffFile(path) as file:
            about = file.imagej_metadata or (file.shaped_metadata or [{}])[0]
            told = json.loads(about.get("Info", "{}"))
    except (tifffile.TiffFileError, OSError, ValueError, AttributeError):
        return {}, {}
    return told.get(KEY, {}), told.get("colours", {})
