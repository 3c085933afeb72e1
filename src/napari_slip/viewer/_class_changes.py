"""What a person changes about the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.errors import InputError
from napari_slip.viewer._telling import telling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_slip.session import ClassList
    from napari_slip.viewer._desk import Desk


class ClassChanges:
    """Acts on the classes of the image in front, or on those that the next one begins with.

    Parameters
    ----------
    desk : Desk
        Whose image it is.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def tick(self, name: str, on: bool) -> None:
        """Look for a class, or do not."""
        desk = self._desk
        (desk.ticked.add if on else desk.ticked.discard)(name)
        if on:
            desk.active = name
        desk.rerun()
        desk.classes_changed.emit()

    def change(self, change: Callable[[ClassList], ClassList]) -> None:
        """Change the list."""
        desk = self._desk
        before = {c.name for c in desk.classes}
        if not self._tell(lambda: self._set(change(desk.classes))):
            return
        after = {c.name for c in desk.classes}
        desk.ticked |= after - before
        if desk.active not in after:
            desk.active = next((c.name for c in desk.classes), "")
        if before - after and desk.sheet is not None:  # their predictions are gone on every plane
            desk.sheet.workspace.settled.clear()
        if after != before:
            desk.scan.give_way()  # it looks for those of before
            desk.rerun()
        desk.classes_changed.emit()

    def rename(self, name: str, new_name: str) -> None:
        """Rename a class; its objects go with it."""
        desk, new_name = self._desk, new_name.strip()
        if name == new_name:
            return
        if desk.sheet is None:
            done = self._tell(lambda: self._set(desk.classes.change(name, new_name=new_name)))
        else:
            desk.sheet.absorb()
            work = desk.sheet.workspace
            done = self._tell(lambda: work.rename_class(name, new_name))
        if done:
            self.follow(name, new_name)

    def follow(self, name: str, new_name: str) -> None:
        """Let the tick, the head in use and the place in front go along with a class with another name."""
        desk = self._desk
        desk.teaching.rename(name, new_name)
        if name in desk.ticked:
            desk.ticked = desk.ticked - {name} | {new_name}
        desk.active = new_name if desk.active == name else desk.active
        desk.scan.give_way()
        desk.rerun()
        desk.classes_changed.emit()

    def export(self, path: Path) -> None:
        """Write the list to a file."""
        self._tell(lambda: self._write(path))

    def _write(self, path: Path) -> None:
        try:
            self._desk.classes.write(path)
        except OSError as error:
            raise InputError(
                f"The classes cannot be written to {path}: {error.strerror or error}."
            ) from error

    def _set(self, classes: ClassList) -> None:
        sheet = self._desk.sheet
        if sheet is None:
            self._desk.memory.classes = classes
        else:
            sheet.absorb()
            sheet.workspace.session.classes = classes

    def _tell(self, action: Callable[[], None]) -> bool:
        """Do it, or tell in a sentence why not; returns whether it was done."""
        with telling(self._desk):
            action()
            return True
        return False
