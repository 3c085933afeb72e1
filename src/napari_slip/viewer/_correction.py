"""What a person corrects on the canvas: chosen objects, clicks that refine them, edits with a preview."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_slip.errors import InputError, SlipError
from napari_slip.objects import Object, Pointing
from napari_slip.session import Edit, editing
from napari_slip.viewer._clicks import Aim, Clicks
from napari_slip.viewer._marks import Marks
from napari_slip.viewer._qt import timer
from napari_slip.viewer._refining import scored
from napari_slip.viewer._source import locate
from napari_slip.viewer._telling import telling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_slip.progress import Progress
    from napari_slip.session import Session
    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._sheet import Sheet

Tool = Literal["look", "pick", "refine", "split"]

SCORE_MS = 400
"""From a correction to its new score, so that clicks that follow each other do not wait for CLIP."""


class Correction(QObject):
    """Corrects the objects of the image in front of a desk.

    Parameters
    ----------
    desk : Desk
        Whose image it is.
    """

    changed = Signal()
    """Other objects are chosen, or another tool or preview is there."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self.tool: Tool = "look"
        self.chosen: list[int] = []
        self.preview: Edit | None = None
        self.reviewing = False
        self.marks: Marks | None = None
        self._previewed: Sheet | None = None
        self._named: dict[int, Object] = {}
        self.clicks = Clicks(desk)
        self._aim: Aim | None = None
        self._seeds: list[tuple[float, float]] = []
        self._score = timer(self, SCORE_MS, self._rescore)
        desk.sheet_changed.connect(self._left)
        desk.plane_changed.connect(self._left)
        desk.objects_changed.connect(self._objects_changed)
        self.clicks.done.connect(self._clicked)

    @property
    def session(self) -> Session | None:
        """The session in front."""
        return None if self._desk.sheet is None else self._desk.sheet.workspace.session

    @property
    def things(self) -> list[Object]:
        """The chosen objects."""
        objects = {} if self.session is None else self.session.objects
        return [objects[i] for i in self.chosen if i in objects]

    def choose(self, ids: Sequence[int], *, more: bool = False) -> None:
        """Choose objects; with `more` beside those that are chosen, and what was chosen already no more."""
        before = self.chosen if more else []
        self.chosen = [i for i in before if i not in ids] + [i for i in ids if i not in before]
        self._aim = None
        self._drop_preview()
        self._show_marks()
        self.changed.emit()

    def take_up(self, tool: Tool) -> None:
        """Take up a tool; the one that is in the hand is put down by it."""
        wanted: Tool = "look" if tool == self.tool else tool
        sheet = self._desk.sheet
        if wanted in ("refine", "split") and sheet is not None and not self._can_click(sheet, wanted):
            self.changed.emit()
            return
        self.tool = wanted
        self._aim = None
        self._drop_preview()
        self._seeds.clear()
        if self.tool in ("refine", "split") and sheet is not None:
            self._open_marks()
            if self.tool == "refine":
                self.clicks.prepare(sheet)
        else:
            self._close_marks()
        self.changed.emit()

    def _can_click(self, sheet: Sheet, tool: Tool) -> bool:
        """Whether there is a plane on screen, and a picture that SAM can look at; else it is told."""
        with telling(self._desk):
            locate(self._desk.viewer, sheet.image, sheet.place.channel_axis)
            if tool == "refine":
                self.clicks.take(sheet)
            return True
        return False

    def click(self, x: float, y: float, sign: int) -> None:
        """Refine or split at a place, in pixels of the plane."""
        sheet = self._desk.sheet
        if sheet is None or self.marks is None:
            return
        height, width = sheet.place.shape
        x, y = float(np.clip(x, 0, width - 0.01)), float(np.clip(y, 0, height - 0.01))
        pointing = self.marks.read()
        now = replace(pointing, points=(*pointing.points, (round(x, 3), round(y, 3), sign)))
        self.marks.show(now)  # the click is seen at once, the mask soon after
        if self.tool == "split":
            self._split(now)
        elif self.tool == "refine":
            self._refine(sheet, now, every=False)

    def box(self, corners: tuple[float, float, float, float]) -> None:
        """Make the mask of what lies in a box, XYXY in pixels of the plane."""
        sheet = self._desk.sheet
        if self.tool == "refine" and self.marks is not None and sheet is not None:
            self.marks.show(Pointing(box=tuple(round(edge, 3) for edge in corners)))  # type: ignore[arg-type]
            self._refine(sheet, self.marks.read(), every=False)

    def new(self) -> None:
        """Begin another object with the next click."""
        self.choose([])
        if self._desk.sheet is not None:
            self._desk.sheet.workspace.point_at(None)

    def merge(self) -> None:
        """Show what the chosen objects would be as one."""
        self._propose(lambda session: editing.merge(self.things, session.shape))

    def fill_holes(self) -> None:
        """Show the chosen objects with their holes filled."""
        self._propose(lambda session: editing.fill_holes(self._some()))

    def smooth(self) -> None:
        """Show the chosen objects with even outlines."""
        self._propose(lambda session: editing.smooth(self._some(), session.shape))

    def remove(self) -> None:
        """Show what would be left without the chosen objects."""
        self._propose(lambda session: Edit(removed=tuple(o.id for o in self._some())))

    def apply(self) -> None:
        """Do what the preview shows."""
        if self.preview is None or self._previewed is None:
            return
        self._previewed.absorb()  # what was painted on an object since puts the preview away
        edit = self.preview
        if edit is None:
            return
        self._drop_preview()
        done: list[int] = []
        self._desk.decisions.decide(lambda work: done.extend(work.session.apply(edit)))
        self.choose(done)
        self._desk.said.emit("Applied; Ctrl-Z takes it back.")
        if self.tool == "split":
            self.take_up("split")

    def discard(self) -> None:
        """Put the preview away, or the tool if there is none."""
        if self.preview is None and self.tool != "look":
            self.take_up(self.tool)
        self._drop_preview()
        self._seeds.clear()
        if self.marks is not None and self.tool == "split":
            self.marks.show(None)
        self.changed.emit()

    def review(self) -> None:
        """Walk through what is predicted, the least sure first; the second time, stop."""
        self.reviewing = not self.reviewing
        if self.reviewing:
            self._next_unsure()
        self.changed.emit()

    def _next_unsure(self) -> None:
        session, sheet = self.session, self._desk.sheet
        if session is None or sheet is None or not (waiting := session.unsure()):
            self.reviewing = False
            self._desk.said.emit("Nothing is left to review: every object has been decided on.")
            return
        thing = session.objects[waiting[0]]
        self._desk.activate(thing.class_name)
        sheet.go_to(thing)
        self.choose([thing.id])
        sheet.workspace.point_at(None if thing.segment is None else sheet.workspace.row_of(thing.label))
        score = "without a score" if thing.score is None else f"score {thing.score:.2f}"
        self._desk.said.emit(
            f"{len(waiting)} to review: {thing.class_name!r}, {score}. A keeps it, R rejects it."
        )

    def _some(self) -> list[Object]:
        if not self.things:
            raise InputError("No object is chosen: click on one, or choose it in the list.")
        return self.things

    def _propose(self, make: Callable[[Session], Edit]) -> None:
        session, sheet = self.session, self._desk.sheet
        if session is None or sheet is None:
            return
        sheet.absorb()
        edit = None
        with telling(self._desk):
            edit = make(session)
        if edit is None:
            return
        if not edit.changed and not edit.removed:
            self._desk.said.emit("Nothing would change.")
            return
        self._drop_preview()
        self.preview, self._previewed = edit, sheet
        ids = (*edit.removed, *(thing.id for thing in edit.changed if thing.id))
        self._named = {i: session.objects[i] for i in ids}
        sheet.show_preview(edit)
        self._desk.said.emit("Return applies what is shown, Escape discards it.")
        self.changed.emit()

    def _split(self, pointing: Pointing) -> None:
        self._seeds = [(x, y) for x, y, _ in pointing.points]
        if not self._seeds:
            self._drop_preview()
            return
        sheet = self._desk.sheet
        assert sheet is not None
        if not self.things:
            self.chosen = sheet.ids_at(*self._seeds[0])
        if len(self._seeds) > 1:
            self._propose(lambda session: editing.split(self._some()[0], self._seeds, session.shape))

    def _open_marks(self) -> None:
        self._close_marks()
        sheet = self._desk.sheet
        assert sheet is not None
        self.marks = Marks(self._desk.viewer, sheet.image, sheet.place)
        self.marks.edited.connect(self._marks_edited)
        for layer in self.marks.layers:
            self._desk.keys.bind(layer)
        self._desk.viewer.layers.selection.active = self.marks.points
        if self.tool == "refine":
            self._show_marks()

    def _close_marks(self) -> None:
        if self.marks is not None:
            marks, self.marks = self.marks, None
            marks.close()
            sheet = self._desk.sheet
            layer = None if sheet is None else sheet.layers.get("matches")
            if layer is not None:
                self._desk.viewer.layers.selection.active = layer

    def _show_marks(self) -> None:
        """Show the clicks of the chosen object; those that are still on their way stay on screen."""
        waits = self._aim is not None and self.clicks.pending(self._aim)
        if self.marks is not None and self.tool == "refine" and not waits:
            things = self.things
            self.marks.show(things[0].pointing if things else None)

    def _marks_edited(self, pointing: Pointing) -> None:
        sheet = self._desk.sheet
        if self.tool == "split":
            self._split(pointing)
        elif sheet is not None:
            self._refine(sheet, pointing, every=True)

    def _refine(self, sheet: Sheet, pointing: Pointing, *, every: bool) -> None:
        """Change the chosen object, the segment under the cursor, or what begins here; told when clicked."""
        things = self.things
        if self._aim is None:
            self._aim = Aim(things[0] if things else sheet.workspace.beginning(self._desk.active))
        self.clicks.add(sheet, self._aim, pointing, every=every)

    def _clicked(self, aim: Aim) -> None:
        if aim is self._aim:  # else something else was chosen meanwhile
            now = None if self.session is None else self.session.objects.get(aim.thing.id)
            there = now is not None and now.status != "rejected"
            self.chosen = [aim.thing.id] if there else []
            if not there and not self.clicks.pending(aim):
                self._aim = None
        self._show_marks()
        self.changed.emit()

    def _rescore(self) -> None:
        """Ask CLIP what it thinks of masks that were changed; only where the models are at hand anyway."""
        sheet = self._desk.sheet
        if sheet is None or sheet.workspace.outcome is None or self._desk.runner.state != "idle":
            return
        session, outcome = sheet.workspace.session, sheet.workspace.outcome
        things = [
            o
            for o in session.objects.values()
            if o.plane == sheet.workspace.plane and o.score is None and o.status == "corrected" and o.area
        ]
        if not things:
            return
        try:
            snapshot = self.clicks.take(sheet)
        except SlipError:  # in a volume, say; nobody has asked for it
            return
        negatives, classes = self._desk.memory.negatives, session.classes

        def work(progress: Progress) -> dict[Object, float]:
            _, clip_sees = snapshot.pictures(snapshot.read())
            return scored(outcome.slip, clip_sees, things, classes, negatives, progress)

        def landed(scores: dict[Object, float]) -> None:
            session.rescore(scores)
            self._desk.said.emit(f"{len(scores)} corrected: scored anew.")

        self._desk.runner.submit(work, landed)

    def _drop_preview(self) -> None:
        sheet, self._previewed, self.preview = self._previewed, None, None
        self._named = {}
        if sheet is not None:
            sheet.show_preview(None)
            self._desk.said.emit("")  # how it is applied

    def _left(self) -> None:
        """Put everything down: another image or plane is in front."""
        self.clicks.forget()
        self._aim = None
        self._drop_preview()
        sheet = self._desk.sheet
        plane = None if sheet is None else sheet.workspace.plane
        self.chosen = [o.id for o in self.things if o.plane == plane]
        if self.tool in ("refine", "split"):
            tool, self.tool = self.tool, "look"
            self._close_marks()
            if sheet is not None:
                self.take_up(tool)
        self.changed.emit()

    def _objects_changed(self) -> None:
        self._score.start()
        objects = {} if self.session is None else self.session.objects
        left = [i for i in self.chosen if i in objects]
        if left != self.chosen:
            self.chosen, self._aim = left, None
        if any(_is_other(thing, objects.get(i)) for i, thing in self._named.items()):
            self.discard()
            self._desk.said.emit("An object has changed, so what was shown of it was put away.")
        self._show_marks()
        if self.reviewing and not any(o.status == "predicted" for o in self.things):
            self._next_unsure()
        self.changed.emit()

    def dispose(self) -> None:
        """Take our layers away."""
        self._score.stop()
        self._drop_preview()
        self._close_marks()


def _is_other(before: Object, now: Object | None) -> bool:
    """Whether an object is another in what an edit would put back."""
    return (
        now is None
        or (now.class_name, now.track, now.origin) != (before.class_name, before.track, before.origin)
        or not np.array_equal(now.crop, before.crop)
    )
