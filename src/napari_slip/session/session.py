"""A session: one image's classes and Objects, with undo; the part of annotation that needs no window."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_slip.errors import InputError
from napari_slip.objects import Object, Status, draw_objects
from napari_slip.session.classes import ClassList
from napari_slip.session.painting import absorb_painting
from napari_slip.session.saving import read_session, write_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.matching import Match

UNDO_STEPS = 200
"""Decisions that can be taken back; the states share their masks, so that each costs little."""


@dataclass(frozen=True)
class _State:
    classes: ClassList = field(default_factory=ClassList)
    objects: Mapping[int, Object] = field(default_factory=dict)


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
        self._state = _State()
        self._past: list[_State] = []
        self._future: list[_State] = []
        self._next_id = 1

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
        self._commit(_State(classes, kept))

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
        self._commit(_State(classes, renamed))

    def predict(self, match: Match, plane: tuple[int, ...] = ()) -> None:
        """Put a match's accepted segments in place of the earlier predictions of its classes on a plane.

        What a person accepted, corrected or rejected stays; a segment that is already such an
        Object of the class is not predicted again, and one that was predicted before keeps its track. Classes
        that are new are added.
        """
        classes = self.classes
        for name in match.names:
            if name not in classes:
                classes = classes.add(name)
        kept = {
            i: o
            for i, o in self._state.objects.items()
            if not (o.status == "predicted" and o.plane == plane and o.class_name in match.names)
        }
        decided = {
            (o.class_name, o.segment) for o in kept.values() if o.plane == plane and o.segment is not None
        }
        tracks = {
            (o.class_name, o.segment): o.track for o in self._state.objects.values() if o.plane == plane
        }
        accepted = match.accepted()
        for column, name in enumerate(match.names):
            for row in accepted[:, column].nonzero()[0]:
                if (name, int(row) + 1) not in decided:
                    new = self._predicted(match, int(row), column, plane)
                    kept[new.id] = replace(new, track=tracks.get((name, int(row) + 1)))
        # a prediction is no decision: it is not a step of its own to undo
        self._state = _State(classes, kept)
        self.changed.emit()

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
        self._commit(_State(self.classes, {i: o for i, o in self._state.objects.items() if i not in gone}))

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
        if len(set(named)) < len(named):
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
            if o.track is not None and i not in set(named):
                rest.setdefault(o.track, []).append(i)
        found += [sorted(group) for track, group in rest.items() if track in named]
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
        here = {o.label: o for o in self._state.objects.values() if o.plane == plane}
        elsewhere = {i: o for i, o in self._state.objects.items() if o.plane != plane}
        classes = self.classes if len(self.classes) else self.classes.add("object")
        name = class_name or next(iter(classes)).name
        tracks = {o.track: o.class_name for o in elsewhere.values() if o.track is not None}
        labels = self._own_labels(
            picture.astype(drawn.dtype), set(self._state.objects) - set(here) - set(tracks)
        )
        free = max(self._next_id, int(labels.max(initial=0)) + 1)
        painted = absorb_painting(here, drawn, labels, name, plane, tracks, free)
        kept = {**elsewhere, **{o.id: o for o in painted.values()}}
        self._next_id = max([self._next_id, *(i + 1 for i in kept)])
        self._commit(_State(classes, kept))
        return True

    def picture(self, plane: tuple[int, ...] = ()) -> NDArray[np.uint32]:
        """Draw a plane's Objects by their labels, (H, W) uint32, the smaller in front."""
        return draw_objects((o for o in self._state.objects.values() if o.plane == plane), self.shape)

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
        return self._travel(self._past, self._future)

    def redo(self) -> bool:
        """Bring back what `undo` took; returns whether there was anything."""
        return self._travel(self._future, self._past)

    def save(self, path: Path) -> None:
        """Write the session to a file, whole or not at all; the undo history is not kept."""
        write_session(path, self.shape, self.classes, self._state.objects, self._next_id)

    @classmethod
    def load(cls, path: Path) -> Session:
        """Read a session that `save` wrote."""
        shape, classes, objects, next_id = read_session(path)
        session = cls(shape)
        session._state = _State(classes, objects)
        session._next_id = next_id
        return session

    def _own_labels(self, picture: NDArray[np.uint32], taken: set[int]) -> NDArray[np.uint32]:
        """Give what was painted with an id that is taken, but not drawn here, another: neither is lost."""
        free = max(self._next_id, int(picture.max(initial=0)) + 1)
        for label in sorted(taken & {int(i) for i in np.unique(picture)}):
            picture = np.where(picture == label, np.uint32(free), picture)
            free += 1
        return picture

    def _predicted(self, match: Match, row: int, column: int, plane: tuple[int, ...]) -> Object:
        x0, y0 = (int(edge) for edge in match.segments.boxes[row, :2])
        new = Object(
            id=self._next_id,
            class_name=match.names[column],
            status="predicted",
            crop=match.segments.masks.crop(row),
            origin=(x0, y0),
            plane=plane,
            segment=row + 1,
            score=float(match.calibrated[row, column]),
        )
        self._next_id += 1
        return new

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
            self._commit(_State(self.classes, {**self._state.objects, **changes}))

    def _commit(self, state: _State) -> None:
        self._past = [*self._past[-UNDO_STEPS + 1 :], self._state]
        self._future.clear()
        self._state = state
        self.changed.emit()

    def _travel(self, source: list[_State], target: list[_State]) -> bool:
        if not source:
            return False
        target.append(self._state)
        self._state = source.pop()
        self.changed.emit()
        return True
