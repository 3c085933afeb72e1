"""Sessions that have been worked on, drawn and made, and how they are compared."""

from __future__ import annotations

import numpy as np
import zarr
from hypothesis import strategies as st

from napari_slip.objects import Pointing
from napari_slip.session import Session, editing

SHAPE = (24, 32)
STATUSES = ("predicted", "accepted", "corrected", "rejected")


def rectangle(y, x, height, width):
    mask = np.zeros(SHAPE, bool)
    mask[y : y + height, x : x + width] = True
    return mask


@st.composite
def sessions(draw, overlapping=True):
    """Sessions of several planes, classes, tracks, clicks; masks overlap or not."""
    session = Session(SHAPE)
    for name in draw(st.lists(st.sampled_from(["cell", "débris", "a/b: c", "夜"]), unique=True, min_size=1)):
        session.classes = session.classes.add(name, [name, f"a round {name}"])
    names = [c.name for c in session.classes]
    depth = draw(st.integers(0, 2))
    for _ in range(draw(st.integers(0, 6))):
        plane = tuple(draw(st.integers(0, 2)) for _ in range(depth))
        mask = rectangle(*(draw(st.integers(1, 14)) for _ in range(4)))
        mask &= np.random.default_rng(draw(st.integers(0, 9))).random(SHAPE) > 0.3
        if not overlapping:
            mask &= session.picture(plane) == 0
        if not mask.any():
            continue
        (i,) = session.adopt(mask.astype(np.uint8), plane, draw(st.sampled_from(names)))
        status = draw(st.sampled_from(STATUSES if overlapping else STATUSES[:3]))
        if status == "rejected":
            session.reject([i])
        elif status == "corrected":
            click = (draw(st.floats(0, 20)), draw(st.floats(0, 20)), draw(st.integers(0, 1)))
            session.apply(editing.reshape(session.objects[i], mask, Pointing((click,), (1.5, 2.0, 9.0, 9.5))))
    by_plane = {o.plane: o.id for o in session.objects.values() if o.status != "rejected"}
    if len(by_plane) > 1 and draw(st.booleans()):
        first = session.objects[min(by_plane.values())]
        same = [i for i in by_plane.values() if session.objects[i].class_name == first.class_name]
        session.link([same])
    session.settings = {"match": {"select": "best"}}
    return session


def same(one, other):
    assert one.shape == other.shape
    assert one.classes == other.classes
    assert one.settings == other.settings
    assert one.table().equals(other.table())
    for a, b in zip(one.objects.values(), other.objects.values(), strict=True):
        assert a.pointing == b.pointing
        np.testing.assert_array_equal(a.mask(SHAPE), b.mask(SHAPE))


def same_picture(one, other):
    """The same things, as far as they were decided, whatever their numbers; tracks stay tracks."""
    assert one.shape == other.shape
    mine = [o for o in one.objects.values() if o.status != "rejected"]
    assert len(mine) == len(other.objects)
    numbers = {}
    for o in mine:
        shown = other.picture(o.plane)[o.window][o.crop]
        (label,) = set(shown.tolist())
        assert numbers.setdefault(o.label, label) == label
        (found,) = [p for p in other.objects.values() if p.label == label and p.plane == o.plane]
        assert (found.area, found.class_name, found.status) == (o.area, o.class_name, o.status)
    assert len(set(numbers.values())) == len(numbers)
    colours = {c.name: c.colour for c in one.classes}
    assert all(colours[c.name] == c.colour for c in other.classes)


def worked_on():
    """Two overlapping cells on one plane, a rejected one, and one by clicks."""
    session = Session(SHAPE)
    session.classes = session.classes.add("cell", ["cell", "a round cell"]).add("dirt")
    (large,) = session.adopt(rectangle(2, 2, 12, 12).astype(int), class_name="cell")
    (small,) = session.adopt(rectangle(5, 5, 4, 4).astype(int), class_name="dirt")
    (gone,) = session.adopt(rectangle(1, 20, 3, 3).astype(int), class_name="dirt")
    session.reject([gone])
    mask = rectangle(15, 20, 6, 8)
    session.apply(editing.reshape(session.objects[small], mask, Pointing(((22.5, 17.0, 1),))))
    (again,) = session.adopt(rectangle(5, 5, 4, 4).astype(int), class_name="dirt")
    return session, (large, small, gone, again)


def two_cells(planes):
    session = Session(SHAPE)
    for n, plane in enumerate(planes):
        session.adopt(rectangle(2 + 7 * n, 2 + 7 * n, 5, 5).astype(int), plane, ["cell", "dirt"][n])
    return session


def write_ome_zarr(path, array, axes, scale):
    """Write an image as OME-Zarr 0.4, in seconds and micrometers."""
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.create_array("0", data=array, chunks=(1,) * (array.ndim - 2) + array.shape[-2:])
    root.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [
                {"name": letter, "type": kind, "unit": unit}
                for letter in axes
                for kind, unit in [("time", "second") if letter == "t" else ("space", "micrometer")]
            ],
            "datasets": [
                {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}
            ],
        }
    ]
    return path
