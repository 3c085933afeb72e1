"""File -> Open and File -> Save: sessions, COCO JSON, OME-Zarr, tables and label pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.io import import_session, session_of, short_unit, step_sizes, work_name, write_as
from napari_slip.objects import plane_steps
from napari_slip.stacks import Stack
from napari_slip.viewer._axes import step_letters
from napari_slip.viewer._layers import OURS
from napari_slip.viewer._sessions import session_of as open_session_of
from napari_slip.viewer._sheet import rgb

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_slip.objects import Status
    from napari_slip.session import Session

    LayerData = tuple[NDArray[Any], dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return what reads a session or a COCO file; None if it is another kind of JSON."""
    if not isinstance(path, str):
        return None
    if path.lower().endswith(".json"):
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        if '"images"' not in text or '"annotations"' not in text:
            return None
    return read_work


def read_work(path: str | list[str]) -> list[LayerData]:
    """Read objects as a Labels layer, in their classes' colours, with a row of features for each.

    Raises
    ------
    InputError
        If there is nothing in it that can be read.
    """
    from napari.utils.colormaps import DirectLabelColormap

    file = Path(path if isinstance(path, str) else path[0])
    session = import_session(file)
    objects = [o for o in session.objects.values() if o.status != "rejected"]
    labels = np.zeros((*plane_steps(objects), *session.shape), np.uint32)
    for plane in {o.plane for o in objects}:
        labels[plane] = session.picture(plane)
    colours = {c.name: rgb(c.colour) for c in session.classes}
    shown: dict[int | None, Any] = {None: np.zeros(4), 0: np.zeros(4)}
    shown |= {o.label: np.array([*colours[o.class_name], 1.0]) for o in objects}
    by_label = {o.label: o for o in objects}
    # napari finds a label's row by the index: other programs' ids can be far apart
    shown_labels = [0, *sorted(by_label)]
    rows = [by_label.get(label) for label in shown_labels]
    features = {
        "index": shown_labels,
        "class": ["" if o is None else o.class_name for o in rows],
        "status": ["" if o is None else o.status for o in rows],
        "score": [np.nan if o is None or o.score is None else o.score for o in rows],
    }
    about = {
        "name": work_name(file.name),
        "features": features,
        "colormap": DirectLabelColormap(color_dict=shown),
    }
    return [(labels, about, "labels")]


def write_coco(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as COCO JSON."""
    return _write("coco", path, data, meta)


def write_session(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as a session."""
    return _write("session", path, data, meta)


def write_table(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Measure the objects of a Labels layer, without intensities, which are not in it."""
    return _write("table", path, data, meta)


def write_zarr(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as OME-Zarr labels."""
    return _write("zarr", path, data, meta)


def write_tiff(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as a TIFF that ImageJ reads."""
    return _write("labels", path, data, meta)


def _write(kind: str, path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    session = _work(data, meta)
    scale, unit = meta.get("scale", (1, 1)), short_unit((meta.get("units") or ("pixel",))[-1])
    write_as(
        kind,
        Path(path),
        session,
        # a table would measure the labels as if they were a picture
        stack=_stack(data, meta, session) if kind in ("labels", "zarr") else None,
        pixel_size=(1.0, 1.0) if unit == "px" else (float(scale[-2]), float(scale[-1])),
        unit=unit,
        stem=str(meta.get("name", "image")),
    )
    return [path]


def _stack(data: Any, meta: dict[str, Any], session: Session) -> Stack | None:
    """Return the layer as a stack with the axes that it has; None where its planes are not the last two."""
    labels = data[0] if isinstance(data, list | tuple) else data
    depth = max((len(o.plane) for o in session.objects.values()), default=labels.ndim - 2)
    steps = [axis for axis in range(labels.ndim - 2) if depth == labels.ndim - 2 or labels.shape[axis] > 1]
    if len(steps) != depth or tuple(labels.shape[-2:]) != session.shape:
        return None
    named = meta.get("axis_labels") or [""] * labels.ndim
    scale, units = meta.get("scale"), meta.get("units") or ["pixel"] * labels.ndim
    letters = step_letters(named[axis] for axis in steps)
    sizes = {} if scale is None else step_sizes(letters, *([of[a] for a in steps] for of in (scale, units)))
    rest = iter(letters)  # an axis of channels, of length one, is left out
    axes = [next(rest) if axis in steps else "c" for axis in range(labels.ndim - 2)]
    return Stack.of(labels, [*axes, "y", "x"], sizes) if axes.count("c") < 2 else None


def _work(data: Any, meta: dict[str, Any]) -> Session:
    """Return the session behind a matches layer, or make one of any other labels."""
    role, mark = meta.get("metadata", {}).get(OURS, ("", ""))
    if role == "matches" and (known := open_session_of(mark)) is not None:
        return known
    features = meta.get("features")
    told: dict[int, tuple[str, Status]] = {}
    if features is not None and {"index", "class"} <= set(features):
        named = zip(features["index"], features["class"], strict=True)
        told = {int(i): (str(name), "accepted") for i, name in named if name}
    labels = data[0] if isinstance(data, list | tuple) else data  # of several scales the finest
    return session_of(Stack.of(labels), told, {}, "object")
