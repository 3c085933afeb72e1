"""What a person decides about segments and Objects; keys and buttons end here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.viewer._layers import OURS, ROLES
from napari_slip.viewer._telling import telling
from napari_slip.viewer._workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer

    from napari_slip.viewer._desk import Desk


class Decisions:
    """Acts on the image in front of a desk.

    Parameters
    ----------
    desk : Desk
        Whose image it is.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def decide(self, decision: Callable[[Workspace], object]) -> None:
        """Take over what was painted, then let a decision happen; what goes wrong is told in a sentence."""
        sheet = self._desk.sheet
        if sheet is None:
            return
        with telling(self._desk):
            sheet.absorb()
            decision(sheet.workspace)

    def turn_to(self, layer: Layer) -> bool:
        """Choose the image of a layer of ours; tells in a sentence, and returns False, if it is gone."""
        sheet = self._desk.owner(layer)
        if sheet is not None and sheet is not self._desk.sheet:
            self._desk.image_wanted.emit(sheet.image)
        if sheet is None and layer.metadata[OURS][0] in ROLES:
            self._desk.fail(
                f"The image of {layer.name!r} is gone: remove the layer, or bring the image back."
            )
            return False
        return True

    def accept(self, rows: list[int]) -> None:
        """Keep segments as objects of the class in front."""
        self.decide(lambda work: work.accept(rows))

    def reject(self, rows: list[int]) -> None:
        """Take segments out of the class in front, and do not predict them again."""
        self.decide(lambda work: work.reject(rows))

    def accept_predictions(self) -> None:
        """Keep everything that is predicted on the plane."""
        self.decide(Workspace.accept_predictions)

    def accept_current(self) -> None:
        """Keep the segment under the cursor, or the chosen objects that are no segment of the plane."""
        self.decide(lambda work: self._set(work, work.accept, work.session.accept))

    def reject_current(self) -> None:
        """Reject the segment under the cursor, or the chosen objects that are no segment of the plane."""
        self.decide(lambda work: self._set(work, work.reject, work.session.reject))

    def _set(
        self, work: Workspace, rows: Callable[[list[int]], None], ids: Callable[[list[int]], None]
    ) -> None:
        things = self._desk.correction.things
        if things and (work.current is None or things[0].segment != work.current + 1 or len(things) > 1):
            ids([thing.id for thing in things])
        elif work.current is not None:
            rows([work.current])

    def next_best(self) -> None:
        """Go to the next segment in order of score."""
        self.decide(lambda work: work.step(1))

    def previous_best(self) -> None:
        """Go to the previous segment in order of score."""
        self.decide(lambda work: work.step(-1))

    def next_uncertain(self) -> None:
        """Go to the next segment in order of uncertainty."""
        self.decide(lambda work: work.step(1, "uncertainty"))

    def find_similar(self) -> None:
        """Show what looks like the segment under the cursor; the second time, go back to the text."""
        self.decide(lambda work: work.find_similar(None if work.like is not None else work.current))

    def whole_or_part(self) -> None:
        """Go to the segment around the one under the cursor, or back to its part."""
        self.decide(Workspace.whole_or_part)

    def refine(self) -> None:
        """Take up the clicks that correct a mask, or put them down."""
        self._desk.correction.take_up("refine")

    def split(self) -> None:
        """Take up the clicks that split an object, or put them down."""
        self._desk.correction.take_up("split")

    def merge(self) -> None:
        """Show the chosen objects as one."""
        self._desk.correction.merge()

    def fill_holes(self) -> None:
        """Show the chosen objects without holes."""
        self._desk.correction.fill_holes()

    def smooth(self) -> None:
        """Show the chosen objects with even outlines."""
        self._desk.correction.smooth()

    def remove(self) -> None:
        """Show which objects would go."""
        self._desk.correction.remove()

    def apply(self) -> None:
        """Do what is shown."""
        self._desk.correction.apply()

    def discard(self) -> None:
        """Put away what is shown; else stop what is running, or put away the tool."""
        if self._desk.correction.preview is None and self._desk.runner.state == "running":
            self._desk.cancel()
        else:
            self._desk.correction.discard()

    def review(self) -> None:
        """Walk through what is predicted, the least sure first, or stop."""
        self._desk.correction.review()

    def undo(self) -> None:
        """Take the last decision or stroke back; what is open again is predicted again."""
        self.decide(lambda work: self._travel(work, work.session.undo))

    def redo(self) -> None:
        """Bring back what was undone."""
        self.decide(lambda work: self._travel(work, work.session.redo))

    def _travel(self, work: Workspace, step: Callable[[], bool]) -> None:
        if (renamed := work.travel(step)) is not None:
            self._desk.class_changes.follow(*renamed)
