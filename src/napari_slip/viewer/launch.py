"""Open napari on the results of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
import pandas as pd
import tifffile

from napari_slip.errors import InputError
from napari_slip.io import read_image, read_provenance
from napari_slip.session import PALETTE
from napari_slip.viewer import SlipDock, _sessions
from napari_slip.viewer._layers import ResultLayers
from napari_slip.viewer._qt import timer
from napari_slip.viewer._sheet import rgb
from napari_slip.viewer._source import locate

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_slip.io import ImageRecord

WINDOW = (1400, 900)
"""Width and height in pixels: room for the dock, napari's own panels and a picture."""


def show_demo(out: Path) -> None:
    """Open napari on a folder of results, with the dock beside them, and wait until it is closed.

    Parameters
    ----------
    out : Path
        As ``napari-slip demo --out`` or ``napari-slip segment --out`` was given.

    Raises
    ------
    InputError
        If there are no results in it.
    """
    viewer = napari.Viewer(title="napari-slip")
    try:
        dock = show_results(viewer, out)
    except InputError:
        viewer.close()
        raise
    viewer.window.resize(*WINDOW)
    # once the window stands, the picture fits into what the dock leaves, and the table can be filled
    timer(dock, 0, lambda: _begin(viewer, dock)).start()
    napari.run()


def _begin(viewer: napari.Viewer, dock: SlipDock) -> None:
    """Fit the picture, and look again for its text: the results are in the store, so that it costs little."""
    viewer.reset_view(layers=[layer for layer in viewer.layers if layer.visible])
    dock.prompt.asked.emit(dock.prompt.text())


def show_results(viewer: napari.Viewer, out: Path) -> SlipDock:
    """Add every picture of a run with its segments and matches to a viewer; only the first is visible."""
    # a second run into the folder writes a file of its own beside the first
    runs = sorted(out.glob("provenance*.json"), key=lambda path: path.stat().st_mtime)
    provenance = read_provenance(runs[-1] if runs else out / "provenance.json")
    records = [record for record in provenance.images if record.files]
    if not records:
        raise InputError(f"{out} holds no results: run napari-slip demo --out {out} first.")
    # from the last to the first, so that the first lies on top and is the one that the dock chooses
    for record in reversed(records):
        image = _add(viewer, out, record)
    dock = SlipDock(viewer)
    viewer.window.add_dock_widget(dock, name="SLIP")
    dock.images.choose(image)
    if records[0].channel_axis is not None:
        dock.source.choose_axis(records[0].channel_axis)
    dock.desk.show_alone()
    dock.rule.choose(provenance.settings.match)
    dock.prompt.setText(next(iter(records[0].prompts), ""))
    dock.prompt.setFocus()
    return dock


def _add(viewer: napari.Viewer, out: Path, record: ImageRecord) -> Image:
    path = Path(record.path)
    picture = read_image(path if path.exists() else out / record.beside, channel_axis=record.channel_axis)
    image = viewer.add_image(picture.pixels, name=Path(record.path).stem)
    place = locate(viewer, image, picture.channel_axis)
    layers = ResultLayers(viewer, image, _sessions.session_key(image, place))
    table = pd.read_csv(out / record.files["table"])
    segments, matches = (tifffile.imread(out / record.files[role]) for role in ("segments", "matches"))
    layers.show_segments(segments.astype(np.uint32), place, table)
    found = np.unique(matches)[1:] if (matches == 0).any() else np.unique(matches)
    layers.highlight(found, None, scored=True, contour=False)
    names = list(record.prompts)
    classes: dict[int, str] = dict(zip(table["index"], table["class"], strict=True))
    colours = {int(i): (*rgb(PALETTE[names.index(classes[i]) % len(PALETTE)]), 0.6) for i in found}
    layers.show_matches(matches.astype(np.uint32), place, colours, int(matches.max(initial=0)) + 1)
    return image
