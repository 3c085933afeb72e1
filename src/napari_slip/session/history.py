"""Steps that can be undone: of each, only what it changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_slip.session.classes import ClassList

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_slip.objects import Object

STEPS = 200
"""Decisions that can be taken back."""


@dataclass(frozen=True)
class State:
    """Classes and Objects by their ids, at one moment."""

    classes: ClassList = field(default_factory=ClassList)
    objects: Mapping[int, Object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Step:
    """What one decision changed.

    Parameters
    ----------
    objects : mapping from id to (before, after)
        None where there was, or is, no such object.
    classes : (before, after), optional
        If they changed.
    """

    objects: Mapping[int, tuple[Object | None, Object | None]]
    classes: tuple[ClassList, ClassList] | None = None

    @classmethod
    def between(cls, before: State, after: State) -> Step:
        """Return what tells two states apart; masks are shared, not copied."""
        changed = {
            i: (before.objects.get(i), after.objects.get(i))
            for i in sorted({*before.objects, *after.objects})
            if before.objects.get(i) is not after.objects.get(i)
        }
        classes = None if before.classes == after.classes else (before.classes, after.classes)
        return cls(changed, classes)

    def reversed(self) -> Step:
        """Return the step that takes this one back."""
        classes = None if self.classes is None else (self.classes[1], self.classes[0])
        return Step({i: (after, before) for i, (before, after) in self.objects.items()}, classes)

    def apply(self, state: State) -> State:
        """Return a state after the step; what has been predicted since the step was taken gives way to it."""
        classes = state.classes if self.classes is None else _moved(state.classes, *self.classes)
        objects, back = dict(state.objects), []
        for i, (before, after) in self.objects.items():
            if after is None:
                objects.pop(i, None)
                continue
            if before is not None and before.status == after.status == "predicted":
                now = objects.get(i) or _heir(before, state)
                if now is None:  # it is not predicted any more
                    continue
                if now is not before and _relinked(before, after):
                    after = replace(now, track=after.track)
            objects[after.id] = after
            back.append(after)
        taken = {_thing(o): o.id for o in back if o.segment is not None}
        kept = {
            i: o
            for i, o in sorted(objects.items())
            if o.status != "predicted" or (o.class_name in classes and taken.get(_thing(o), i) == i)
        }
        return State(classes, kept)


@dataclass
class History:
    """What can be undone and redone, the latest step last."""

    past: list[Step] = field(default_factory=list)
    future: list[Step] = field(default_factory=list)

    def note(self, step: Step) -> None:
        """Add a step; what was undone before cannot be redone any more."""
        self.past = [*self.past[-STEPS + 1 :], step]
        self.future = []

    def undo(self, state: State) -> State | None:
        """Return the state before the last step, or None if there is none."""
        if not self.past:
            return None
        step = self.past[-1]
        self.past, self.future = self.past[:-1], [*self.future, step]
        return step.reversed().apply(state)

    def redo(self, state: State) -> State | None:
        """Return the state after the step that was undone last, or None if there is none."""
        if not self.future:
            return None
        step = self.future[-1]
        self.past, self.future = [*self.past, step], self.future[:-1]
        return step.apply(state)


def _moved(now: ClassList, before: ClassList, after: ClassList) -> ClassList:
    """Return the classes after a step, with those that predictions have added since."""
    added = [c for c in now if c.name not in before and c.name not in after]
    return ClassList((*after.classes, *added))


def _relinked(before: Object, after: Object) -> bool:
    """Whether an object has got another track and nothing else."""
    one, other = ((o.class_name, o.status, o.origin, o.segment, o.score, o.pointing) for o in (before, after))
    return before.track != after.track and before.crop is after.crop and one == other


def _heir(gone: Object, state: State) -> Object | None:
    """Return the prediction that has the place of one that is gone in its track."""
    if gone.status != "predicted" or gone.track is None:
        return None
    place = gone.class_name, gone.plane, gone.track, gone.status
    same = (o for o in state.objects.values() if (o.class_name, o.plane, o.track, o.status) == place)
    return next(same, None)


def _thing(o: Object) -> tuple[str, tuple[int, ...], int | None]:
    return o.class_name, o.plane, o.segment
