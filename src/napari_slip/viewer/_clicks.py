"""Clicks and boxes on their way to SAM and back: each changes what it was made for, in its order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_slip.objects import Pointing
from napari_slip.segmentation.correcting import again, one_more
from napari_slip.session import editing
from napari_slip.viewer._refining import Eye

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.objects import Object
    from napari_slip.progress import Progress
    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._sheet import Sheet
    from napari_slip.viewer._source import Snapshot


@dataclass(eq=False)
class Aim:
    """What clicks change.

    Parameters
    ----------
    thing : Object
        An object, or, with id 0, what the first click makes one of.
    """

    thing: Object


@dataclass(frozen=True)
class _Click:
    sheet: Sheet
    aim: Aim
    pointing: Pointing
    every: bool


class Clicks(QObject):
    """Does the clicks on the image in front of a desk, one after the other.

    Parameters
    ----------
    desk : Desk
        Whose image it is.
    """

    done = Signal(object)
    """The aim of a click that has changed its object, or has come to nothing."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._eye = Eye(desk.engine)
        self._snapshot: Snapshot | None = None
        self._starts: dict[int, NDArray[np.bool_] | None] = {}
        self._waiting: deque[_Click] = deque()
        self._running: Aim | None = None

    @property
    def busy(self) -> bool:
        """Whether a click is on its way."""
        return self._running is not None

    def pending(self, aim: Aim) -> bool:
        """Whether a click for this aim is on its way, or waits."""
        return self._running is aim or any(click.aim is aim for click in self._waiting)

    def take(self, sheet: Sheet) -> Snapshot:
        """Return the plane as it was when the tool was taken up.

        Raises
        ------
        InputError
            If the viewer shows a volume, or what else is chosen does not make one picture with the image.
        """
        if self._snapshot is None:
            self._snapshot = self._desk.snapshot(sheet)
        return self._snapshot

    def prepare(self, sheet: Sheet) -> None:
        """Let SAM look at the plane, so that the first click finds it encoded."""
        if not self.busy:
            snapshot, model = self.take(sheet), self._desk.memory.model
            self._desk.runner.submit(
                lambda progress: self._eye.look(snapshot, model, progress),
                lambda _: self._desk.said.emit(
                    "Click on what belongs to the object; a right or Alt click says what does not."
                ),
            )

    def add(self, sheet: Sheet, aim: Aim, pointing: Pointing, *, every: bool) -> None:
        """Have a mask follow the last click of what it is pointed at with, or every one of them anew."""
        self._waiting.append(_Click(sheet, aim, pointing, every))
        self._work()

    def forget(self) -> None:
        """Let go of the plane and of the clicks that wait; the one on its way may still land."""
        self._snapshot = None
        self._starts.clear()
        self._waiting.clear()

    def _work(self) -> None:
        if self.busy or not self._waiting:
            return
        click = self._waiting.popleft()
        sheet, aim, pointing = click.sheet, click.aim, click.pointing
        sheet.absorb()
        thing = sheet.workspace.session.objects.get(aim.thing.id) if aim.thing.id else aim.thing
        if thing is None:
            self._end(aim, drop=True)
            return
        before = thing.mask(sheet.place.shape) if thing.area else None
        if thing.pointing is None:
            self._starts[thing.id] = before
        # of one that was pointed at before it was left it is not known: without a click it stays as it is
        start = self._starts.get(thing.id, before if pointing == Pointing() else None)
        corrected = len(pointing.points) - (start is None and pointing.box is None)
        snapshot, model = self.take(sheet), self._desk.memory.model

        def work(progress: Progress) -> NDArray[np.bool_]:
            slip, plane = self._eye.look(snapshot, model, progress)
            if click.every:
                return again(slip.segmenter, plane, start, pointing)
            return one_more(slip.segmenter, plane, before, pointing, corrected)

        self._running = aim
        self._desk.runner.submit(
            work,
            lambda mask: self._landed(click, thing, mask),
            gone=lambda: self._gone(aim),
            what="a click",
        )

    def _landed(self, click: _Click, thing: Object, mask: NDArray[np.bool_]) -> None:
        session, aim = click.sheet.workspace.session, click.aim
        now = session.objects.get(thing.id) if thing.id else thing
        if now is None or now.crop is not thing.crop:  # it has been undone or painted meanwhile
            self._end(aim, drop=True)
            return
        pointing = None if click.pointing == Pointing() else click.pointing
        ids = session.apply(editing.reshape(now, mask, pointing))
        click.sheet.workspace.settle()  # what was predicted there gives way
        gone = bool(thing.id) and not ids
        if ids:
            if not thing.id:
                self._starts[ids[0]] = self._starts.pop(0, None)
            aim.thing = session.objects[ids[0]]
            self._desk.said.emit(
                f"Object {ids[0]} now has {aim.thing.area} pixels. Ctrl-Z takes a click back."
            )
        elif gone:
            self._desk.said.emit("Nothing is left of the object: it is gone. Ctrl-Z brings it back.")
        else:
            self._desk.said.emit("SAM finds nothing there: click on another place of the object.")
        self._end(aim, drop=gone)

    def _gone(self, aim: Aim) -> None:
        """Forget a click that was cancelled or went wrong, and those that build on it."""
        self._waiting.clear()
        self._end(aim)

    def _end(self, aim: Aim, *, drop: bool = False) -> None:
        if drop:
            self._waiting = deque(click for click in self._waiting if click.aim is not aim)
        self._running = None
        self.done.emit(aim)
        self._work()
