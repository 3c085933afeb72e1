"""A session's work in the files that other programs read, and sessions from such files."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError
from napari_slip.images import to_rgb
from napari_slip.io.coco import read_coco, write_coco
from napari_slip.io.crops import write_crops
from napari_slip.io.label_stacks import by_label, read_label_stack, session_of, write_label_stack
from napari_slip.io.measurements import measure, write_measurements
from napari_slip.io.ome_zarr import LabelsWriter, read_ome_zarr
from napari_slip.io.ours import is_ours
from napari_slip.io.story import write_story
from napari_slip.io.whole import whole_file, whole_folder
from napari_slip.objects import plane_steps
from napari_slip.progress import Progress
from napari_slip.session import Session, red_green_blue
from napari_slip.stacks import PLAIN_AXES, Stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.io.provenance import Provenance

KINDS = {
    "session": ".slip",
    "coco": ".coco.json",
    "labels": ".labels.tif",
    "table": ".objects.csv",
    "zarr": ".ome.zarr",
    "crops": ".crops",
    "provenance": ".export.json",
}
"""What can be written, and how the files' names end."""

UNTOLD = "a session alone does not tell which pixels were looked at; an export from the dock does"
"""Why the work cannot be done again unless a run is named."""

LABELS = "objects"
"""Name of the labels in an OME-Zarr."""


def export_session(
    session: Session,
    folder: Path,
    stem: str,
    kinds: Iterable[str],
    *,
    stack: Stack | None = None,
    picture: str = "",
    pixel_size: tuple[float, float] = (1.0, 1.0),
    unit: str = "px",
    run: Provenance | str = UNTOLD,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Write a session's objects; what this project wrote under the same name before is replaced.

    Parameters
    ----------
    session : Session
        What is written.
    folder : Path
        Where.
    stem : str
        How the files' names begin; the picture's name without its ending, say.
    kinds : iterable of str
        Keys of `KINDS`.
    stack : Stack, optional
        The picture: intensities and crops come from it, and the axes of what is written.
    picture : str
        Name of the picture's file, for COCO; `stem` if it is not known.
    pixel_size : (height, width)
        Of a pixel, in `unit`.
    unit : str
        Of length, such as "um".
    run : Provenance or str
        How the predicted objects came about, or why that cannot be done again; for the provenance.
    progress : Progress, optional
        Hears ``("export", files written, files)``, and can stop between them.

    Returns
    -------
    dict
        From kinds to files or folders.

    Raises
    ------
    InputError
        If a kind is unknown, a picture is missing or has another shape, a file of another origin has the
        name, or one cannot be written.
    """
    wanted = list(dict.fromkeys(kinds))
    if unknown := [kind for kind in wanted if kind not in KINDS]:
        raise InputError(f"{unknown[0]!r} is no kind of file: choose from {', '.join(KINDS)}.")
    if stack is not None and stack.shape != session.shape:
        raise InputError(
            f"The picture's planes are {stack.shape}, but the session's are {session.shape}: name the "
            "picture that it belongs to."
        )
    if stack is not None:
        check_planes(session, stack.steps, "The session", "the picture")
    paths = {kind: folder / f"{stem}{KINDS[kind]}" for kind in wanted}
    _check_origin(paths)
    progress = progress or Progress()
    for n, (kind, path) in enumerate(paths.items()):
        progress("export", n, len(paths))
        if kind == "provenance":
            write_story(path, session, stem, paths, run)
        else:
            write_as(
                kind,
                path,
                session,
                stack=stack,
                picture=picture,
                pixel_size=pixel_size,
                unit=unit,
                stem=stem,
            )
    progress("export", len(paths), len(paths))
    return paths


def _check_origin(paths: Mapping[str, Path]) -> None:
    for kind, path in paths.items():
        try:
            if path.is_file() and not is_ours(kind, path):
                raise InputError(
                    f"{path} is there already, and napari-slip did not write it: choose another folder for "
                    "the export, or take the file away."
                )
        except OSError as error:
            raise InputError(f"{path} cannot be replaced: {error.strerror or error}.") from error


def check_planes(session: Session, steps: tuple[int, ...], whose: str, picture: str) -> None:
    """Check that the objects of a session lie on planes that a picture has.

    Parameters
    ----------
    session : Session
        Whose objects they are.
    steps : tuple of int
        Planes along each axis of the picture; empty for a single one.
    whose, picture : str
        What the session came from, and the picture, for the sentence.

    Raises
    ------
    InputError
        If one does not.
    """
    for o in session.objects.values():
        if len(o.plane) != len(steps) or any(at >= n for at, n in zip(o.plane, steps, strict=True)):
            raise InputError(
                f"{whose} has objects on {f'plane {o.plane}' if o.plane else 'a single plane'}, but "
                f"{picture} has {'x'.join(map(str, steps)) or 'one'} plane(s): it belongs to another picture."
            )


def write_as(
    kind: str,
    path: Path,
    session: Session,
    *,
    stack: Stack | None = None,
    picture: str = "",
    pixel_size: tuple[float, float] = (1.0, 1.0),
    unit: str = "px",
    stem: str = "image",
) -> None:
    """Write one kind of file, as `export_session` does, to a path of any name."""
    if kind == "session":
        with whole_file(path) as part:
            session.save(part)
    elif kind == "coco":
        write_coco(path, session, picture or stem)
    elif kind == "labels":
        depth, of = (stack.sizes if stack is not None else {}).get("z", (None, ""))
        write_label_stack(
            path,
            session,
            _steps(session, stack),
            pixel_size=pixel_size,
            unit=unit,
            spacing=depth if of == unit else None,
        )
    elif kind == "table":
        read = None if stack is None else lambda plane: _channels_last(stack, plane)
        write_measurements(path, measure(session, read, pixel_size=pixel_size, unit=unit))
    elif kind == "zarr":
        _write_zarr(path, session, stack, pixel_size, unit)
    elif stack is None:
        raise InputError("Crops are cut from the picture: name it too.")
    else:
        write_crops(path, session, lambda plane: _rgb(stack, plane), stem)


def import_session(path: Path, *, picture: str | None = None, class_name: str = "object") -> Session:
    """Read a session from whatever holds one: this project's files, COCO, label pictures, OME-Zarr labels.

    Parameters
    ----------
    path : Path
        The file, or the folder of an OME-Zarr.
    picture : str, optional
        Name of the picture whose objects are wanted, in a COCO file about several.
    class_name : str
        Class of labels whose class the file does not say.

    Raises
    ------
    InputError
        If it is none of these, or damaged.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: check the name and the folder.")
    if path.is_dir():
        return _read_zarr(path, class_name)
    if path.suffix.lower() == ".json":
        return read_coco(path, picture)
    if path.suffix.lower() in (".slip", ".npz"):
        return Session.load(path)
    return read_label_stack(path, class_name)


def _channels_last(stack: Stack, plane: tuple[int, ...]) -> NDArray[Any]:
    pixels, axis = stack.read(plane), stack.plane_channel_axis
    return pixels if axis is None else np.moveaxis(pixels, axis, -1)


def _rgb(stack: Stack, plane: tuple[int, ...]) -> NDArray[np.uint8]:
    return to_rgb(stack.read(plane), channel_axis=stack.plane_channel_axis)


def _steps(session: Session, stack: Stack | None) -> dict[str, int]:
    """Return letters and lengths of the axes along which planes lie; without a picture, as objects tell."""
    if stack is not None:
        return dict(zip(stack.step_axes, stack.steps, strict=True))
    lengths = plane_steps(o for o in session.objects.values() if o.status != "rejected")
    return dict(zip(PLAIN_AXES, lengths, strict=False))


def _write_zarr(
    path: Path, session: Session, stack: Stack | None, pixel_size: tuple[float, float], unit: str
) -> None:
    """Write labels as OME-Zarr; a folder that is there gives way only if it holds nothing but such labels."""
    if path.exists() and not _holds_only_labels(path):
        raise InputError(f"{path} exists already and holds more than labels: choose another folder or name.")
    objects = [o for o in session.objects.values() if o.status != "rejected"]
    with whole_folder(path) as part:
        scale, units = dict(zip("yx", pixel_size, strict=True)), dict.fromkeys("yx", unit)
        for letter, (step, of) in (stack.sizes if stack is not None else {}).items():
            scale[letter], units[letter] = step, of
        writer = LabelsWriter(part, LABELS, _steps(session, stack), session.shape, scale, units=units)
        for plane in sorted({o.plane for o in objects}):
            writer.write(plane, session.picture(plane))
        colours = {c.name: (*red_green_blue(c.colour), 255) for c in session.classes}
        known, others = by_label(objects)
        about: dict[int, dict[str, Any]] = {
            label: {"label-value": label, "class": o.class_name, "status": o.status, "area": 0}
            for label, o in known.items()
        }
        for o in objects:
            about[o.label]["area"] += o.area
        for o in others:
            one = {"plane": list(o.plane), "class": o.class_name, "status": o.status}
            about[o.label].setdefault("differing", []).append(one)
        writer.finish({label: colours[o.class_name] for label, o in known.items()}, about.values())


def _holds_only_labels(path: Path) -> bool:
    known = {".zgroup", ".zattrs", "labels", LABELS}
    return path.is_dir() and {one.name for one in (*path.iterdir(), *path.glob("labels/*"))} <= known


def _read_zarr(path: Path, class_name: str) -> Session:
    """Read the first labels of an OME-Zarr, or the picture itself if it is one of labels."""
    import zarr

    group = ""
    if (path / "labels").is_dir():
        with suppress(OSError, KeyError, IndexError, ValueError):
            about: Any = dict(zarr.open_group(path / "labels", mode="r").attrs)
            group = f"labels/{about.get('ome', about)['labels'][0]}"
    found = read_ome_zarr(path, group)
    told = found.attributes.get("ome", found.attributes).get("image-label", {})
    classes: dict[Any, tuple[Any, Any]] = {}
    for entry in told.get("properties", ()):
        label = int(entry["label-value"])
        classes[label] = entry.get("class", class_name), entry.get("status", "accepted")
        for one in entry.get("differing", ()):
            classes[label, tuple(one["plane"])] = one["class"], one["status"]
    colours = {}
    for entry in told.get("colors", ()):
        if (label := int(entry["label-value"])) in classes and "rgba" in entry:
            colours[str(classes[label][0])] = "#" + bytes(entry["rgba"][:3]).hex()
    if not np.issubdtype(found.levels[0].dtype, np.integer):
        raise InputError(f"{path} holds {found.levels[0].dtype} values, which are no labels.")
    return session_of(Stack.of(found.levels, found.axes), classes, colours, class_name)
