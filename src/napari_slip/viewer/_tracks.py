"""Linked objects as napari's tracks, with a table of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Tracks

from napari_slip.errors import InputError
from napari_slip.viewer._layers import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_slip.session import Session
    from napari_slip.viewer._sheet import Sheet

PARENTS = "parents"
"""Key in a session's settings, where divisions outlast the dock: pairs of a track and its origin."""


def keep_parents(session: Session, parents: Mapping[int, int]) -> None:
    """Note from which track each came that began with a division."""
    session.settings[PARENTS] = [list(pair) for pair in sorted(parents.items())]


def parents_of(session: Session) -> dict[int, int]:
    """Return what `keep_parents` noted, in this or an earlier sitting."""
    return {int(child): int(parent) for child, parent in session.settings.get(PARENTS, ())}


def tracks_table(sheet: Sheet) -> pd.DataFrame:
    """Return one row for each object that is part of a track: track, plane, centre of mass, class, area."""
    rows = []
    for thing in sheet.workspace.session.objects.values():
        if thing.track is None or thing.status == "rejected":
            continue
        inside_rows, inside_columns = np.nonzero(thing.crop)
        x, y = thing.origin
        rows.append(
            (thing.track, *thing.plane, y + inside_rows.mean(), x + inside_columns.mean())
            + (thing.class_name, thing.area)
        )
    steps = [f"axis {axis}" for axis in sheet.place.step_axes]
    table = pd.DataFrame(rows, columns=["track", *steps, "y", "x", "class", "area"])
    return table.sort_values(["track", *steps], ignore_index=True)


def show_tracks(sheet: Sheet, axis: int, parents: Mapping[int, int]) -> None:
    """Show the tracks of an image as a layer, in place of the one that is there.

    Parameters
    ----------
    sheet : Sheet
        The image.
    axis : int
        Which of the axes along which the planes lie was linked.
    parents : mapping of int to int
        From a track that began with a division to the one that it came from.

    Raises
    ------
    InputError
        If napari cannot show them: it takes the first axis for the time, and no channels.
    """
    place, table = sheet.place, tracks_table(sheet)
    if table.empty:
        raise InputError("There are no tracks yet: link the objects of several planes first.")
    if (
        axis
        or place.step_axes[:1] != (0,)
        or place.channel_axis is not None
        or place.axes[1] != len(place.full) - 1
    ):
        raise InputError(
            "napari draws tracks over the first axis only, of layers without an axis of channels."
        )
    data = table.drop(columns=["class", "area"]).to_numpy(float)
    known = set(table["track"])
    graph = {child: [parent] for child, parent in parents.items() if child in known and parent in known}
    image = sheet.image
    mark = ("tracks", image.unique_id)
    for layer in [layer for layer in sheet.viewer.layers if layer.metadata.get(OURS) == mark]:
        sheet.viewer.layers.remove(layer)
    lying: dict[str, Any] = replace(place, index=(0,) * len(place.index)).transform(image)
    made = Tracks(
        data,
        graph=graph,
        features=table[["track", "class", "area"]].rename(columns={"track": "number"}),
        name=f"{image.name} tracks",
        metadata={OURS: mark},
        **lying,
    )
    sheet.viewer.add_layer(made)
