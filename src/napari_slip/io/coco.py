"""Sessions as COCO JSON, which most programs for labelled pictures read, and back again without loss."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as rle

from napari_slip import __version__
from napari_slip.errors import InputError
from napari_slip.io._runs import draw_runs, read_runs
from napari_slip.io.whole import whole_file
from napari_slip.objects import Object, Pointing, read_status
from napari_slip.session import PALETTE, ClassList, Contents, Session, SlipClass, State

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HIGHEST = 2**31 - 1
"""Id up to which there is room for more in a picture of labels; the crowds of COCO have higher ones."""

OURS = "napari_slip"
"""Key of what only this project writes and reads; others pass over it."""


def write_coco(path: Path, session: Session, picture: str = "image") -> None:
    """Write the objects of a session, masks as run lengths; rejected ones where other programs do not look.

    Parameters
    ----------
    path : Path
        Ends in ``.json``.
    session : Session
        What is written. Its history is not.
    picture : str
        Name of the picture's file.
    """
    height, width = session.shape
    objects = list(session.objects.values())
    planes = sorted({o.plane for o in objects}) or [()]
    categories = {c.name: n for n, c in enumerate(session.classes, 1)}
    pictures = {plane: n for n, plane in enumerate(planes, 1)}
    content = {
        "info": {
            "description": f"Objects of {picture}",
            "contributor": f"napari-slip {__version__}",
            "date_created": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        "licenses": [],
        "images": [
            {"id": n, "file_name": picture, "height": height, "width": width, OURS: {"plane": plane}}
            for plane, n in pictures.items()
        ],
        "categories": [
            {
                "id": categories[c.name],
                "name": c.name,
                "supercategory": "",
                OURS: {"colour": c.colour, "phrases": c.phrases},
            }
            for c in session.classes
        ],
        "annotations": [
            _annotation(o, session.shape, categories, pictures) for o in objects if o.status != "rejected"
        ],
        OURS: {
            "rejected": [
                _annotation(o, session.shape, categories, pictures) for o in objects if o.status == "rejected"
            ],
            "next_id": session.contents().next_id,
            "settings": session.settings,
        },
    }
    with whole_file(path) as part:
        part.write_text(json.dumps(content), encoding="utf-8")


def read_coco(path: Path, picture: str | None = None) -> Session:
    """Read a session from a COCO file, this project's or another's.

    Parameters
    ----------
    path : Path
        The file.
    picture : str, optional
        Name of the picture whose objects are wanted, where the file is about several; its folders count only
        where the file names this very path.

    Raises
    ------
    InputError
        If it is no COCO file, or is about pictures of several sizes or names and none was chosen.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _session(content, path, picture)
    except InputError:
        raise
    except Exception as error:  # a strange file can break a decoder anywhere
        raise InputError(
            f"{path} is no COCO file that can be read ({type(error).__name__}: {error}): expected JSON with "
            "images, categories and annotations."
        ) from error


def _session(content: dict[str, Any], path: Path, picture: str | None) -> Session:
    images = [one for one in content["images"] if picture in (None, one.get("file_name"))]
    if not images:  # data sets often name folders too
        images = [one for one in content["images"] if _base(one.get("file_name")) == _base(picture)]
    if not images:
        named = ", ".join(sorted({str(one.get("file_name")) for one in content["images"]})) or "none"
        raise InputError(f"{path} says nothing of {picture!r}: its pictures are {named}.")
    names = {one.get("file_name") for one in images}
    if len(names) > 1 or len({(one["height"], one["width"]) for one in images}) > 1:
        raise InputError(
            f"{path} is about {len(images)} pictures: name the one whose objects are wanted "
            f"({sorted(map(str, names))[0]!r}, say)."
        )
    shape = int(images[0]["height"]), int(images[0]["width"])
    planes = {one["id"]: _plane(one, len(images) > 1) for one in images}
    classes = tuple(_class(one, n) for n, one in enumerate(content["categories"]))
    by_id = {one["id"]: each.name for one, each in zip(content["categories"], classes, strict=True)}
    ours = content.get(OURS, {})
    entries = (*content["annotations"], *ours.get("rejected", ()))
    found = [_object(one, shape, by_id, planes, path) for one in entries if one["image_id"] in planes]
    objects = _numbered([o for o in found if o is not None])
    state = State(ClassList(classes), {o.id: o for o in sorted(objects, key=lambda o: o.id)})
    return Session.of(
        Contents(shape, state, int(ours.get("next_id", 1)), settings=dict(ours.get("settings", {})))
    )


def _base(name: Any) -> str:
    """Return a file's name without its folders, which may be written as on Windows."""
    return str(name).replace("\\", "/").rpartition("/")[2]


def _numbered(objects: list[Object]) -> list[Object]:
    """Give other numbers to objects whose file has numbers that cannot be the labels of a picture."""
    ids = {o.id for o in objects}
    if not objects or (len(ids) == len(objects) and min(ids) >= 1 and max(ids) <= HIGHEST):
        return objects
    return [replace(o, id=n, track=None) for n, o in enumerate(objects, 1)]


def _annotation(
    o: Object, shape: tuple[int, int], categories: dict[str, int], pictures: dict[tuple[int, ...], int]
) -> dict[str, Any]:
    encoded = _runs(o, shape)
    (x, y), (height, width) = o.origin, o.crop.shape
    about: dict[str, Any] = {"status": o.status, "segment": o.segment, "track": o.track}
    if o.pointing is not None:
        about |= o.pointing.to_dict()
    annotation = {
        "id": o.id,
        "image_id": pictures[o.plane],
        "category_id": categories[o.class_name],
        "segmentation": {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")},
        "area": o.area,
        "bbox": [x, y, width, height],
        "iscrowd": 0,
        OURS: about,
    }
    return annotation if o.score is None else {**annotation, "score": o.score}


def _object(
    one: dict[str, Any],
    shape: tuple[int, int],
    names: dict[int, str],
    planes: dict[int, tuple[int, ...]],
    path: Path,
) -> Object | None:
    found, about = _mask(one.get("segmentation") or _corners(one["bbox"]), shape, path), one.get(OURS, {})
    if found is None:
        return None
    crop, origin = found
    return Object(
        int(one["id"]),
        names[one["category_id"]],
        read_status(about.get("status")),
        crop,
        origin,
        planes[one["image_id"]],
        about.get("segment"),
        one.get("score"),
        about.get("track"),
        Pointing.found_in(about),
    )


def _runs(o: Object, shape: tuple[int, int]) -> dict[str, Any]:
    """Return a mask's run lengths, column by column, without drawing it on the whole plane."""
    x, y = o.origin
    strip = np.zeros((shape[0], o.crop.shape[1]), bool)
    strip[y : y + o.crop.shape[0]] = o.crop
    turns = np.flatnonzero(np.diff(strip.ravel(order="F"), prepend=False, append=False)) + x * shape[0]
    counts = np.diff(turns, prepend=0, append=shape[0] * shape[1]).tolist()
    found: dict[str, Any] = rle.frPyObjects({"size": list(shape), "counts": counts}, *shape)
    return found


def _mask(
    segmentation: Any, shape: tuple[int, int], path: Path
) -> tuple[NDArray[np.bool_], tuple[int, int]] | None:
    """Draw run lengths, compressed or not, or polygons, in their box; returns its corner (x, y) too."""
    if isinstance(segmentation, list):
        segmentation = rle.merge(rle.frPyObjects(segmentation, *shape))
    size, counts = tuple(segmentation["size"]), segmentation["counts"]
    if size != shape:
        raise InputError(f"{path} holds a mask of {size} pixels on a picture of {shape}: it is damaged.")
    if isinstance(counts, str | bytes):
        counts = read_runs(counts)
    return draw_runs(np.asarray(counts, np.int64), *shape)


def _corners(box: list[float]) -> list[list[float]]:
    """Return a box as a polygon, for objects that have no mask."""
    x, y, width, height = box
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def _plane(one: dict[str, Any], several: bool) -> tuple[int, ...]:
    if OURS in one:
        return tuple(one[OURS]["plane"])
    return (int(one["id"]),) if several else ()


def _class(one: dict[str, Any], n: int) -> SlipClass:
    about = one.get(OURS, {})
    name = str(one["name"])
    return SlipClass(
        name, about.get("colour", PALETTE[n % len(PALETTE)]), tuple(about.get("phrases", (name,)))
    )
