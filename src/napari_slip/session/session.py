"""A session: one image's classes and Objects, with undo; the part of annotation that needs no window."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd
from psygnal import Signal

from napari_slip.errors import InputError
from napari_slip.objects import Object, Status, draw_objects, read_objects
from napari_slip.session.dismissing import dismiss
from napari_slip.session.editing import Edit
from napari_slip.session.history import History, State, Step
from napari_slip.session.including import include
from napari_slip.session.painting import absorb_painting, drawn_by_label, own_labels
from napari_slip.session.predicting import predict
from napari_slip.session.saving import Contents, read_session, write_session

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.matching import Match
    from napari_slip.session.classes import ClassList


class Session:
    """Classes and Objects of one image.

    Parameters
    ----------
    shape : (H, W)
        Of each plane.
    """

    changed = Signal()
    """Emitted after every change, of objects as of classes."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.settings: dict[str, Any] = {}
        """What it was worked with, as plain values: kept in the file and not interpreted."""
        self.damage = ""
        """What of its file could not be read, in a sentence."""
        self._state = State()
        self._history = History()
        self._next_id = 1
        self._lock = threading.Lock()

    @property
    def classes(self) -> ClassList:
        """The classes, in the user's order; assign a changed list, or use `rename_class`."""
        return self._state.classes

    @classes.setter
    def classes(self, classes: ClassList) -> None:
        orphans = {o.class_name for o in self._decided()} - {c.name for c in classes}
        if orphans:
            raise InputError(
                f"Class {min(orphans)!r} still has objects: give them another class or "
                "delete them before it goes."
            )
        kept = {i: o for i, o in self._state.objects.items() if o.class_name in classes}
        self._commit(State(classes, kept))

    @property
    def objects(self) -> Mapping[int, Object]:
        """Every Object by its id, the rejected ones too."""
        return MappingProxyType(dict(self._state.objects))

    def rename_class(self, name: str, new_name: str) -> None:
        """Rename a class; its objects go with it."""
        classes = self.classes.change(name, new_name=new_name)
        renamed = {
            i: replace(o, class_name=new_name.strip()) if o.class_name == name else o
            for i, o in self._state.objects.items()
        }
        self._commit(State(classes, renamed))

    def predict(self, match: Match, plane: tuple[int, ...] = (), new: Collection[str] | None = None) -> None:
        """Put a match's accepted segments in place of the earlier predictions of its classes on a plane.

        What a person accepted, corrected or rejected stays, and where it lies nothing of its class is
        predicted again. What was predicted before keeps its id and its track. Of the classes that the session
        does not have, those of `new` are added, all if it is not given, and the others left out.
        """
        classes = self.classes
        for name in match.names if new is None else [name for name in match.names if name in new]:
            classes = classes if name in classes else classes.add(name)
        names = {name for name in match.names if name in classes}
        objects = predict(self._state.objects, match, plane, self._next_id, names)
        if classes == self.classes and list(objects.items()) == list(self._state.objects.items()):
            return
        # a prediction is no decision: it is not a step of its own to undo
        self._put(State(classes, objects))

    def accept(self, ids: Iterable[int]) -> None:
        """Keep predictions, whatever is matched later."""
        self._set_status(ids, "accepted")

    def reject(self, ids: Iterable[int]) -> None:
        """Take objects out of the picture, and do not predict them again."""
        self._set_status(ids, "rejected")

    def assign(self, ids: Iterable[int], class_name: str) -> None:
        """Give objects another class, which counts as accepting them."""
        _ = self.classes[class_name]
        self._change({i: replace(self._object(i), class_name=class_name, status="accepted") for i in ids})

    def delete(self, ids: Iterable[int]) -> None:
        """Delete objects."""
        gone = {self._object(i).id for i in ids}
        self._commit(State(self.classes, {i: o for i, o in self._state.objects.items() if i not in gone}))

    def apply(self, edit: Edit) -> list[int]:
        """Do what an edit says, in one step to undo; returns the ids of what was changed or made.

        Raises
        ------
        InputError
            If it speaks of an object that is not there any more.
        """
        objects = dict(self._state.objects)
        for i in (*edit.removed, *(thing.id for thing in edit.changed if thing.id)):
            del objects[self._object(i).id]
        ids, free = [], self._next_id
        for thing in edit.changed:
            i = thing.id or free
            free = max(free, i + 1)
            objects[i] = replace(thing, id=i)
            ids.append(i)
        classes = self.classes
        for name in dict.fromkeys(thing.class_name for thing in edit.changed):
            classes = classes if name in classes else classes.add(name)
        if edit.changed or edit.removed:
            self._commit(State(classes, dismiss(self._state.objects, objects, self._history.past)))
        return ids

    def rescore(self, scores: Mapping[Object, float]) -> None:
        """Note what a match says of objects as they are now; no step to undo, and late answers are dropped.

        Parameters
        ----------
        scores : mapping from Object to float
            Calibrated, 0..1.
        """
        now = self._state.objects
        known = {o.id: replace(o, score=score) for o, score in scores.items() if now.get(o.id) is o}
        if known:
            self._put(State(self.classes, {**now, **known}))

    def adopt(
        self,
        labels: NDArray[Any],
        plane: tuple[int, ...] = (),
        class_name: str = "object",
        status: Status = "accepted",
    ) -> list[int]:
        """Make an object of each label of a picture, (H, W) of integers, in one step; returns their ids.

        Raises
        ------
        InputError
            If the picture has another shape than the planes of the session.
        """
        if labels.shape != self.shape:
            raise InputError(
                f"The label picture is {labels.shape}, but the planes of this session are {self.shape}."
            )
        return self.apply(Edit(tuple(read_objects(labels, class_name, status, plane))))

    def include(self, other: Session) -> list[int]:
        """Add the objects and classes of another session of such planes, in one step; returns what is new.

        Raises
        ------
        InputError
            If its planes have another shape.
        """
        if other.shape != self.shape:
            raise InputError(
                f"The planes of the file are {other.shape}, but those of this session are {self.shape}: it "
                "belongs to another picture."
            )
        before = self._state
        state = include(before, other.contents().state, self._next_id)
        if state.objects.keys() != before.objects.keys() or state.classes != before.classes:
            self._commit(state)
        return [i for i in state.objects if i not in before.objects]

    def link(self, groups: Iterable[Iterable[int]]) -> None:
        """Make each group of objects one track; a group of one stands alone again. One step to undo.

        A track is numbered as the first of its objects. Objects that are not named keep their track, which
        gets another number if the object that gave it has left.

        Parameters
        ----------
        groups : iterable of iterables of int
            Ids; in each group at most one for each plane.

        Raises
        ------
        InputError
            If an id is unknown or named twice, or two objects of a group lie on one plane.
        """
        found = [group for group in map(sorted, groups) if group]
        named = [i for group in found for i in group]
        regrouped = set(named)
        if len(regrouped) < len(named):
            raise InputError(
                f"Object {max(named, key=named.count)} is named twice: expected each id in one group only."
            )
        for group in found:
            planes = [self._object(i).plane for i in group]
            if len(set(planes)) < len(planes):
                raise InputError(
                    f"Two of the objects {group} lie on one plane: a track has one object on each at most."
                )
        rest: dict[int, list[int]] = {}
        for i, o in self._state.objects.items():
            if o.track is not None and i not in regrouped:
                rest.setdefault(o.track, []).append(i)
        found += [sorted(group) for track, group in rest.items() if track in regrouped]
        self._change(
            {
                i: replace(self._object(i), track=group[0] if len(group) > 1 else None)
                for group in found
                for i in group
            }
        )

    def absorb(
        self, picture: NDArray[np.uint32], plane: tuple[int, ...] = (), class_name: str | None = None
    ) -> bool:
        """Take over what a person painted into the picture of a plane.

        Parameters
        ----------
        picture : (H, W) integer array
            As `picture` returned it, painted over.
        plane : tuple of int
            Which plane it is.
        class_name : str, optional
            Class of objects with new labels; the first class if not given. What is painted with the label of
            another plane's track goes on with that track.

        Returns
        -------
        bool
            Whether anything was painted.

        Raises
        ------
        InputError
            If the picture has another shape than the planes of the session.
        """
        if picture.shape != self.shape:
            raise InputError(
                f"The painted picture is {picture.shape}, but the planes of this session are {self.shape}."
            )
        drawn = self.picture(plane)
        if (drawn == picture).all():
            return False
        here = drawn_by_label(o for o in self._state.objects.values() if o.plane == plane)
        elsewhere = {i: o for i, o in self._state.objects.items() if here.get(o.label) is not o}
        classes = self.classes if len(self.classes) else self.classes.add("object")
        name = class_name or next(iter(classes)).name
        tracks = {o.track: o.class_name for o in elsewhere.values() if o.track is not None}
        taken = set(self._state.objects) - set(here) - set(tracks)
        labels = own_labels(picture.astype(drawn.dtype), taken, self._next_id)
        free = max(self._next_id, int(labels.max(initial=0)) + 1)
        painted = absorb_painting(here, drawn, labels, name, plane, tracks, free)
        kept = {**elsewhere, **{o.id: o for o in painted.values()}}
        self._commit(State(classes, dismiss(self._state.objects, kept, self._history.past)))
        return True

    def picture(self, plane: tuple[int, ...] = ()) -> NDArray[np.uint32]:
        """Draw a plane's Objects by their labels, (H, W) uint32, the smaller in front."""
        return draw_objects((o for o in self._state.objects.values() if o.plane == plane), self.shape)

    def counts(self) -> dict[tuple[str, tuple[int, ...]], Counter[Status]]:
        """How many objects of each status there are, by class and plane."""
        counted: dict[tuple[str, tuple[int, ...]], Counter[Status]] = {}
        for o in self._state.objects.values():
            counted.setdefault((o.class_name, o.plane), Counter())[o.status] += 1
        return dict(sorted(counted.items()))

    def unsure(self) -> list[int]:
        """Ids of what is still predicted, over all planes, the least sure first."""
        waiting = [o for o in self._state.objects.values() if o.status == "predicted"]
        waiting.sort(key=lambda o: (abs((0.5 if o.score is None else o.score) - 0.5), o.plane, o.id))
        return [o.id for o in waiting]

    def table(self) -> pd.DataFrame:
        """One row per Object."""
        columns = ["id", "class", "status", "plane", "area", "score", "segment", "track"]
        rows = [
            (o.id, o.class_name, o.status, o.plane, o.area, o.score, o.segment, o.track)
            for o in self._state.objects.values()
        ]
        return pd.DataFrame(rows, columns=columns)

    def undo(self) -> bool:
        """Take the last decision back; returns whether there was one."""
        return self._travel(self._history.undo)

    def redo(self) -> bool:
        """Bring back what `undo` took; returns whether there was anything."""
        return self._travel(self._history.redo)

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps can be undone, and redone."""
        return len(self._history.past), len(self._history.future)

    def contents(self) -> Contents:
        """Return everything that is saved, as it is now; may be asked from another thread."""
        with self._lock:
            return Contents(
                self.shape,
                self._state,
                self._next_id,
                History(self._history.past, self._history.future),
                dict(self.settings),
            )

    def save(self, path: Path) -> None:
        """Write the session to a file, with what can be undone, whole or not at all."""
        write_session(path, self.contents())

    @classmethod
    def load(cls, path: Path) -> Session:
        """Read a session that `save` wrote; `damage` says what of it is lost, if anything is.

        Raises
        ------
        InputError
            If there is nothing of a session in it, or a later version wrote it.
        """
        found, damage = read_session(path)
        return cls.of(found, damage)

    @classmethod
    def of(cls, contents: Contents, damage: str = "") -> Session:
        """Make a session of what another had, or of what a file holds."""
        session = cls(contents.shape)
        session.settings, session.damage = dict(contents.settings), damage
        session._state, session._history = contents.state, contents.history
        session._next_id = max([contents.next_id, *(i + 1 for i in contents.state.objects)])
        return session

    def _decided(self) -> list[Object]:
        return [o for o in self._state.objects.values() if o.status in ("accepted", "corrected")]

    def _object(self, i: int) -> Object:
        if i not in self._state.objects:
            raise InputError(
                f"There is no object {i} in this session: it may have been undone or matched anew."
            )
        return self._state.objects[i]

    def _set_status(self, ids: Iterable[int], status: Status) -> None:
        self._change({i: replace(self._object(i), status=status) for i in ids})

    def _change(self, changes: Mapping[int, Object]) -> None:
        if changes:
            self._commit(State(self.classes, {**self._state.objects, **changes}))

    def _commit(self, state: State) -> None:
        step = Step.between(self._state, state)
        with self._lock:
            self._history.note(step)
            self._enter(state)
        self.changed.emit()

    def _put(self, state: State) -> None:
        with self._lock:
            self._enter(state)
        self.changed.emit()

    def _travel(self, travel: Callable[[State], State | None]) -> bool:
        with self._lock:
            if (state := travel(self._state)) is None:
                return False
            self._enter(state)
        self.changed.emit()
        return True

    def _enter(self, state: State) -> None:
        self._state = state
        self._next_id = max(self._next_id, max(state.objects, default=0) + 1)
