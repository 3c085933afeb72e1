"""Files of a person's work: what a dock writes for other programs, and what it takes in from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_slip.errors import InputError
from napari_slip.io import check_planes, export_session, import_session, picture_name, step_sizes
from napari_slip.session import Session
from napari_slip.stacks import Stack
from napari_slip.viewer._axes import step_letters
from napari_slip.viewer._source import layer_data
from napari_slip.viewer._story import story_of
from napari_slip.viewer._telling import telling
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari.layers import Image, Layer

    from napari_slip.io import Provenance
    from napari_slip.progress import Progress
    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._sheet import Sheet
    from napari_slip.viewer._source import Place


class Exchange:
    """Writes and reads files for the image in front of a desk.

    Parameters
    ----------
    desk : Desk
        Whose image it is.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def export(self, folder: Path, kinds: Iterable[str]) -> None:
        """Write the work on the image in front, beside the window; what has the same names gives way."""
        sheet, wanted = self._desk.sheet, list(kinds)
        if sheet is None or not wanted:
            self._desk.fail(
                "There is no image to export from: choose one." if sheet is None else "Tick what is exported."
            )
            return
        sheet.absorb()
        session = Session.of(sheet.workspace.session.contents())  # the work may go on meanwhile
        stack, stem = stack_of(sheet.image, sheet.place), stem_of(sheet.image, sheet.viewer.layers)
        file = _file_of(sheet.image)
        size, unit = sheet.pixel_size
        unit = unit.replace("\N{MICRO SIGN}", "u")  # as files have it

        story = _story(sheet, folder)

        def work(progress: Progress) -> dict[str, Path]:
            return export_session(
                session,
                folder,
                stem,
                wanted,
                stack=stack,
                picture=file,
                pixel_size=size,
                unit=unit,
                run=story() if "provenance" in wanted else "",
                progress=progress,
            )

        def landed(done: dict[str, Path]) -> None:
            names = ", ".join(path.name for path in done.values())
            self._desk.said.emit(f"Written to {folder}: {names}.")

        self._desk.runner.submit(work, landed, what="the export", left="files that were written stay")

    def take_in(self, path: Path) -> None:
        """Add what a file holds to the work on the image in front, in one step to undo."""
        sheet = self._desk.sheet
        if sheet is None:
            self._desk.fail("There is no image that the file could belong to: open one first.")
            return
        with telling(self._desk):
            sheet.absorb()
            found = _read(path, sheet)
            new = sheet.workspace.session.include(found)
            self._desk.ticked |= {c.name for c in found.classes}
            sheet.bring_back()
            already = len(found.objects) - len(new)
            rest = f"; {already} were there already" if already else ""
            damage = f" {found.damage}" if found.damage else ""
            self._desk.said.emit(f"{counted(len(new), 'object')} from {path.name}{rest}.{damage}")


def _story(sheet: Sheet, folder: Path) -> Callable[[], Provenance | str]:
    try:
        return story_of(sheet, folder)
    except InputError as reason:
        told = str(reason)
        return lambda: told


def _read(path: Path, sheet: Sheet) -> Session:
    try:  # of a file about several pictures, this one's objects
        found = import_session(path, picture=_file_of(sheet.image))
    except InputError:
        found = import_session(path)
    check_planes(found, sheet.place.steps, path.name, repr(sheet.image.name))
    return found


def stack_of(image: Image, place: Place) -> Stack:
    """Return a layer's planes as a stack; axes that nobody has called t or z are named as a file's are."""
    named = step_letters(image.axis_labels[axis] for axis in place.step_axes)
    scale, units = ([of[axis] for axis in place.step_axes] for of in (image.scale, image.units))
    letters = iter(named)
    axes = [
        "yx"[place.axes.index(axis)]
        if axis in place.axes
        else "c"
        if axis == place.channel_axis
        else next(letters)
        for axis in range(len(place.full))
    ]
    return Stack.of(
        layer_data(image), [*axes, *(["s"] if image.rgb else [])], step_sizes(named, scale, units)
    )


def stem_of(image: Image, layers: Iterable[Layer] = ()) -> str:
    """Return how the files of an image are called: as its own, with the layer's name if others share it."""
    stem = picture_name(_file_of(image))
    others = [one for one in layers if isinstance(one, type(image)) and one is not image]
    if image.source.path and any(one.source.path == image.source.path for one in others):
        stem = f"{stem} {image.name}"
    return stem.replace("/", "_").replace("\\", "_") or "image"


def _file_of(image: Image) -> str:
    """Return the name of an image's file, or the layer's where it comes from none."""
    return Path(image.source.path).name if image.source.path else image.name
