"""One image on the desk: its session, what was found on its planes, and which of it is shown. No Qt."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_slip.errors import InputError
from napari_slip.filtering import select
from napari_slip.io import finite
from napari_slip.objects import Object
from napari_slip.segments import shared_pixels
from napari_slip.session import Edit, object_of
from napari_slip.settings import FilterSettings, MatchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from napari_slip.matching import Match
    from napari_slip.objects import Status
    from napari_slip.segments import Segments
    from napari_slip.session import Session
    from napari_slip.viewer._engine import Outcome

PLANES = 32
"""Of how many planes of a stack the segments are at hand."""


class Workspace:
    """What a dock knows of one image.

    Parameters
    ----------
    session : Session
        Classes and Objects of the image.
    """

    plane_changed = Signal()
    """Another plane, or new segments on this one."""
    shown_changed = Signal()
    """Another selection, other scores, or another class in front."""
    current_changed = Signal()
    """Another segment under the cursor."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.plane: tuple[int, ...] = ()
        self.filters = FilterSettings()
        self.settings = MatchSettings()
        self.active = ""
        self.current: int | None = None
        self.like: int | None = None
        self.settled: dict[tuple[int, ...], tuple[FilterSettings, MatchSettings]] = {}
        """By which filters and rule what stands on a plane was predicted; not in it, if that may be gone."""
        self._parts: list[int] = []
        self._outcomes: OrderedDict[tuple[int, ...], Outcome] = OrderedDict()
        self._scores: NDArray[np.float32] | None = None
        self._match: Match | None = None
        self._selection = np.zeros(0, bool)

    @property
    def outcome(self) -> Outcome | None:
        """What was found on the plane on screen."""
        return self._outcomes.get(self.plane)

    @property
    def outcomes(self) -> Mapping[tuple[int, ...], Outcome]:
        """What was found on the planes that are at hand."""
        return MappingProxyType(dict(self._outcomes))

    @property
    def segments(self) -> Segments | None:
        """The segments of the plane on screen."""
        return None if self.outcome is None else self.outcome.looked.segments

    @property
    def match(self) -> Match | None:
        """The scores, with the filters and the rule that are set now."""
        return self._match

    @property
    def selection(self) -> NDArray[np.bool_]:
        """(N,) which segments the filters show."""
        return self._selection

    @property
    def likeness(self) -> NDArray[np.float32] | None:
        """(N,) cosine of each segment with the one that others were compared with."""
        return self._scores if self.like is not None else None

    @property
    def column(self) -> int | None:
        """Which column of the match is the class in front."""
        if self._match is None or not self._match.names:
            return None
        return self._match.names.index(self.active) if self.active in self._match.names else 0

    def land(self, outcome: Outcome, new: Collection[str] | None = None) -> None:
        """Take in what a run has brought; `new` are the classes that it may add, any if not given.

        A class that was removed or renamed since does not come back.
        """
        plane = outcome.request.snapshot.place.index
        before = self._outcomes.pop(plane, None)
        self._outcomes[plane] = outcome
        if self.plane in self._outcomes:  # the one on screen is the last to be let go
            self._outcomes.move_to_end(self.plane)
        while len(self._outcomes) > PLANES:
            self._outcomes.popitem(last=False)
        self._note(outcome)
        if plane != self.plane:
            if outcome.match is not None:
                self.session.predict(outcome.match, plane, new=new)
            self.settled[plane] = (outcome.request.filters, outcome.request.settings)
            return
        same = before is not None and before.looked.segments is outcome.looked.segments
        self._match = outcome.match
        if not same:
            self.current, self.like = None, None
        self._select()
        (self.shown_changed if same else self.plane_changed).emit()
        if self._match is not None:
            self.session.predict(self._match, self.plane, new=new)
        self.settled[plane] = (self.filters, self.settings)

    def _note(self, outcome: Outcome) -> None:
        """Let the session tell what it was worked with."""
        request = outcome.request
        self.session.settings = {
            **self.session.settings,
            "model": asdict(request.model),
            "origin": dict(outcome.looked.segments.origin),
            "negatives": list(request.negatives),
            "match": finite(request.settings.to_dict()),
            "filters": finite(request.filters.to_dict()),
        }

    def turn_to(self, plane: tuple[int, ...]) -> None:
        """Show another plane of the stack."""
        if plane == self.plane:
            return
        self.plane = plane
        self.current, self.like = None, None
        self._match = None if self.outcome is None else self.outcome.match
        self._select()
        self.plane_changed.emit()
        self.settle()  # the filters and the rule may have been set on another plane

    def rename_class(self, name: str, new_name: str) -> None:
        """Rename a class, with its Objects and with what was found of it on every plane."""
        self.session.rename_class(name, new_name)
        self._rename_found(name, new_name.strip())

    def _rename_found(self, name: str, new_name: str) -> None:
        for plane, outcome in self._outcomes.items():
            self._outcomes[plane] = _renamed(outcome, name, new_name)
        if self._match is not None and self.outcome is not None:
            self._match = self.outcome.match
            self._select()

    def show(self, filters: FilterSettings, settings: MatchSettings, active: str) -> None:
        """Filter, select and put in front; nothing is deleted, and `settle` turns it into Objects."""
        if (filters, settings, active) == (self.filters, self.settings, self.active):
            return
        self.filters, self.settings, self.active = filters, settings, active
        self._select()
        self.shown_changed.emit()

    def settle(self) -> None:
        """Make predictions of what is accepted now; nothing happens if they are predicted already."""
        if self._match is not None:
            self.session.predict(self._match, self.plane, new=())
            self.settled[self.plane] = (self.filters, self.settings)

    def travel(self, step: Callable[[], bool]) -> tuple[str, str] | None:
        """Undo or redo; what is open afterwards is predicted.

        Returns
        -------
        (str, str), optional
            What a class was called before and is called now, if that is what the step was about.
        """
        before, things = {c.name for c in self.session.classes}, self.session.objects
        if not step():
            return None
        now = self.session.objects
        for i in {*things, *now}:
            if things.get(i) is not now.get(i):  # what was predicted beside it may be another
                self.settled.pop((things.get(i) or now[i]).plane, None)
        after = {c.name for c in self.session.classes}
        renamed = (*(before - after), *(after - before)) if len(before) == len(after) else ()
        if len(renamed) == 2:
            self._rename_found(*renamed)
        self.settle()
        return renamed if len(renamed) == 2 else None

    def bright(self) -> NDArray[np.intp]:
        """Rows that stand out, the best first: like the chosen one, or matched and not rejected."""
        if self.like is not None and self._scores is not None:
            order = np.argsort(-self._scores, kind="stable")
            return order[self._selection[order]][:6]
        rows, objects = self.matched(), self.session.objects
        gone = [row for row, i in self._ids(rows.tolist()).items() if objects[i].status == "rejected"]
        return rows[~np.isin(rows, gone)]

    def matched(self) -> NDArray[np.intp]:
        """Rows that match the class in front, the best first."""
        if self._match is None or self.column is None:
            return np.zeros(0, np.intp)
        rows = np.flatnonzero(self._match.accepted()[:, self.column])
        return rows[np.argsort(-self._match.calibrated[rows, self.column], kind="stable")]

    def why(self) -> str:
        """Say in sentences why classes have matched nothing; empty if all have."""
        return "" if self._match is None else self._match.why()

    def point_at(self, row: int | None) -> None:
        """Put one segment under the cursor."""
        if row is not None and not (self.segments is not None and 0 <= row < len(self.segments)):
            row = None
        if row != self.current:
            self.current = row
            self._parts = []
            self.current_changed.emit()

    def find_similar(self, row: int | None) -> None:
        """Compare every segment with one of them, picture with picture; None goes back to the texts."""
        segments = self.segments
        if segments is None or segments.embedding is None:
            row = None
        self.like = row
        if row is not None and segments is not None and segments.embedding is not None:
            self._scores = segments.embedding @ segments.embedding[row]
        self.shown_changed.emit()

    def order(self, by: str = "score") -> NDArray[np.intp]:
        """Return the shown rows, the highest score first, or the least certain first."""
        if self.like is not None and self._scores is not None:
            worth = self._scores
        elif self._match is None or self.column is None:
            worth = np.zeros(0 if self.segments is None else len(self.segments), np.float32)
            worth = worth if self.segments is None else self.segments.predicted_iou
        elif by == "uncertainty":
            worth = -np.abs(self._match.calibrated[:, self.column] - 0.5)
        else:
            return self._match.ranked(self.column)
        order = np.argsort(-worth, kind="stable")
        return order[self._selection[order]]

    def step(self, by: int, order: str = "score") -> None:
        """Go to the next (1) or previous (-1) segment."""
        rows = self.order(order).tolist()
        if not rows:
            return
        if self.current in rows:
            at = (rows.index(self.current) + by) % len(rows)
        else:
            at = 0 if by > 0 else len(rows) - 1
        self.point_at(rows[at])

    def accept(self, rows: Iterable[int]) -> None:
        """Keep segments as Objects of the class in front, predicted or not."""
        self._decide(rows, "accepted")

    def reject(self, rows: Iterable[int]) -> None:
        """Take segments out of the class in front, predicted or not, and do not predict them again."""
        self._decide(rows, "rejected")

    def _decide(self, rows: Iterable[int], status: Status) -> None:
        rows = sorted(set(rows))
        known, objects = self._ids(rows), self.session.objects
        decided = [objects[known[row]] if row in known else self._object(row) for row in rows]
        self.session.apply(Edit(tuple(replace(thing, status=status) for thing in decided)))
        self.settle()

    def whole_or_part(self) -> None:
        """Go from a segment to the one that contains it, and from the outermost back to where one began.

        If the segment is an Object of the class in front, the Object becomes the other segment, accepted.
        """
        segments, row = self.segments, self.current
        if segments is None or row is None:
            return
        parent = int(segments.parent[row])
        if parent >= 0:
            self._parts.append(row)
            to = parent
        elif self._parts:
            to, self._parts = self._parts[0], []
        else:
            parts = np.flatnonzero(segments.parent == row)
            if not len(parts):
                raise InputError("This segment lies in no other and has no parts.")
            to = int(parts[segments.area[parts].argmax()])
        parts_of = self._parts
        if known := self._ids([row]):
            thing, other = self.session.objects[known[row]], self._object(to)
            self.session.apply(Edit((replace(other, id=thing.id, track=thing.track),)))
            self.settle()
        self.point_at(to)
        self._parts = parts_of

    def accept_predictions(self) -> None:
        """Keep everything that is predicted on this plane."""
        self.session.accept(
            [i for i, o in self.session.objects.items() if o.status == "predicted" and o.plane == self.plane]
        )

    def row_of(self, label: int) -> int | None:
        """Return the row of the segment that an Object of this plane came from."""
        return next((row for row, thing in self._things() if thing.label == label), None)

    def states(self) -> dict[int, tuple[str, str]]:
        """Return class and status of every row that is an Object on this plane."""
        return {row: (thing.class_name, thing.status) for row, thing in self._things()}

    def beginning(self, name: str) -> Object:
        """Return what clicks make a new Object of: the segment under the cursor, or nothing yet."""
        name = name or next((c.name for c in self.session.classes), "object")
        empty = Object(0, name, "corrected", np.zeros((0, 0), bool), (0, 0), self.plane)
        if self.segments is None or self.current is None:
            return empty
        x0, y0 = (int(edge) for edge in self.segments.boxes[self.current, :2])
        crop = self.segments.masks.crop(self.current)
        return replace(empty, crop=crop, origin=(x0, y0), segment=self.current + 1)

    def _object(self, row: int) -> Object:
        """Make an accepted Object of a segment, of the class in front."""
        if self._match is None or self.column is None:
            raise InputError("No class was looked for on this plane: type a text, or tick a class.")
        if self.active and self.active != self._match.names[self.column]:
            raise InputError(
                f"Class {self.active!r} was not looked for on this plane: tick it, or choose another class."
            )
        return object_of(self._match, row, self.column, self.plane, "accepted")

    def _ids(self, rows: Iterable[int]) -> dict[int, int]:
        """Return which of these rows are Objects of the class in front, and their ids."""
        name = self.active or ("" if self._match is None else self._match.names[self.column or 0])
        wanted = set(rows)
        return {row: thing.id for row, thing in self._things() if row in wanted and thing.class_name == name}

    def _things(self) -> Iterator[tuple[int, Object]]:
        """Go through the Objects of this plane that are segments of it, each with its row.

        A number alone does not tell: other segments may have come since, or another program has counted them.
        """
        if (segments := self.segments) is None:
            return
        for thing in self.session.objects.values():
            if thing.plane == self.plane and thing.segment is not None and thing.segment <= len(segments):
                row = thing.segment - 1
                if _lies_on(thing, segments, row):
                    yield row, thing

    def _select(self) -> None:
        segments = self.segments
        if segments is None:
            self._selection = np.zeros(0, bool)
            return
        score = None if self._match is None else self._match.calibrated.max(axis=1, initial=0)
        self._selection = select(segments, self.filters, score)
        if self._match is not None:
            self._match = replace(self._match, selection=self._selection, settings=self.settings)


def _lies_on(thing: Object, segments: Segments, row: int) -> bool:
    """Whether an Object and a segment have a pixel in common; equal boxes are taken for a yes."""
    x0, y0, x1, y1 = segments.boxes[row].tolist()
    if thing.origin == (x0, y0) and thing.crop.shape == (y1 - y0, x1 - x0):
        return True
    return shared_pixels(segments.masks.crop(row), (x0, y0), thing.crop, thing.origin) > 0


def _renamed(outcome: Outcome, name: str, new_name: str) -> Outcome:
    """Return what was found with another name for one of the classes."""

    def of(old: str) -> str:
        return new_name if old == name else old

    request = replace(
        outcome.request, prompts={of(key): phrases for key, phrases in outcome.request.prompts.items()}
    )
    match = outcome.match
    if match is not None:
        unknown = {of(key): words for key, words in match.unknown.items()}
        match = replace(match, names=tuple(map(of, match.names)), unknown=unknown)
    return replace(outcome, request=request, match=match)
