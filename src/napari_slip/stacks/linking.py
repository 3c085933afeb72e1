"""One thing, one id: objects of neighbouring planes become tracks, as the planes come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from napari_slip.errors import InputError
from napari_slip.progress import Progress
from napari_slip.settings import LinkSettings
from napari_slip.stacks._pairs import Mask, alike_at_all, in_reach, likeness, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from napari_slip.objects import Object

MEMORY = 6
"""Planes over which a thing's velocity and looks are averaged."""

CLOSE = 0.05
"""Difference of cosines by which something looks clearly less alike than usual."""

COVERED = 0.9
"""Share of its area below which a thing counts as covered by another."""

PART = 0.5
"""Share of a mask that lies in another which has swallowed it, or from which it has split."""

GROWN = 1.2
"""Factor by which a mask grows when it is the mask of two."""

HIDDEN = 10
"""Planes that a thing may be hidden behind or within another."""


@dataclass(frozen=True)
class LinkEvent:
    """Something that happened to tracks.

    Parameters
    ----------
    kind : {"split", "merge"}
        One becomes two, or two become one.
    step : int
        On which plane along the linked axis.
    sources, targets : tuple of int
        Tracks before and after it.
    """

    kind: Literal["split", "merge"]
    step: int
    sources: tuple[int, ...]
    targets: tuple[int, ...]


@dataclass(eq=False)
class _Track:
    """A thing that may be seen again."""

    number: int
    kind: str
    mask: Mask
    looks: NDArray[np.float32] | None
    last: int
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    seen: int = 1
    usual: float = 1.0
    """Cosine with which it usually looks like itself."""
    host: _Track | None = None
    """The track behind or in whose mask it has vanished, since when, and whether that has grown by it."""
    since: int = 0
    merged: bool = False

    def expected(self, step: int) -> Mask:
        """Where it should be on a later plane."""
        return self.mask.moved(self.velocity * (step - self.last))

    def alike(self, looks: NDArray[np.float32] | None) -> float:
        """Return how alike something looks, in what is usual for it: 1 for as alike as ever."""
        if self.looks is None or looks is None:
            return 1.0
        return float(np.exp(min(0.0, self._cosine(looks) - self.usual) / CLOSE))

    def see(self, step: int, mask: Mask, looks: NDArray[np.float32] | None) -> None:
        """Learn from having been found again."""
        expected = self.expected(step)
        self.host, self.merged = None, False
        if (
            mask.area < COVERED * self.mask.area
            and self.seen > 2
            and shared(expected, mask) > 0.6 * mask.area
        ):
            # something passes before it: what is left of it says little of where it is
            self.mask, self.last, self.seen = expected, step, self.seen - 1
            return
        gain = 1 / min(self.seen + 1, MEMORY)
        moved = (mask.centre - self.mask.centre) / (step - self.last)
        self.velocity = moved if self.seen == 1 else self.velocity + gain * (moved - self.velocity)
        if looks is not None:
            if self.looks is None:
                self.looks = looks
            self.usual += gain * (self._cosine(looks) - self.usual)
            self.looks = self.looks + gain * (looks - self.looks)
        self.mask, self.last, self.seen = mask, step, min(self.seen + 1, MEMORY)

    def _cosine(self, looks: NDArray[np.float32]) -> float:
        assert self.looks is not None
        lengths = float(np.linalg.norm(self.looks) * np.linalg.norm(looks))
        return float(self.looks @ looks) / lengths if lengths else 0.0


class Linker:
    """Gives the objects of each plane the numbers of their tracks; remembers only what may come again.

    Objects of one class are linked by the assignment that makes the sum of their likeness largest: place and
    size against what the track's motion lets expect, and how alike they look to CLIP. No two objects of one
    plane get one number.

    Parameters
    ----------
    settings : LinkSettings, optional
        Gaps, weights, divisions.
    first : int
        The first number.
    """

    def __init__(self, settings: LinkSettings | None = None, first: int = 1) -> None:
        self.settings = settings or LinkSettings()
        self.events: list[LinkEvent] = []
        self.parents: dict[int, int] = {}
        """From the number of a track that began with a split to the one that it came from."""
        self._next = first
        self._open: list[_Track] = []
        self._step: int | None = None

    def add(
        self, step: int, objects: Sequence[Object], embedding: NDArray[np.float32] | None = None
    ) -> list[int]:
        """Link the objects of the next plane.

        Parameters
        ----------
        step : int
            Of the plane along the axis that is linked; larger than the last one.
        objects : sequence of Object
            N objects of that plane.
        embedding : (N, D) float32 array, optional
            What CLIP sees of each, of unit length.

        Returns
        -------
        list of int
            Number of each object's track.

        Raises
        ------
        InputError
            If the planes do not come in order.
        """
        if self._step is not None and step <= self._step:
            raise InputError(f"Plane {step} came after plane {self._step}: expected planes in order.")
        self._step = step
        self._forget(step)
        masks = [Mask.of(thing.crop, thing.origin) for thing in objects]
        looks = list(embedding) if embedding is not None and embedding.size else [None] * len(objects)
        owners: dict[int, _Track] = {}
        for kind in dict.fromkeys(thing.class_name for thing in objects):
            rows = [row for row, thing in enumerate(objects) if thing.class_name == kind]
            tracks = [track for track in self._open if track.kind == kind]
            owners |= self._assign(step, tracks, rows, masks, looks)
        self._divide(step, owners, objects, masks)
        grown = self._swallow(step, owners, masks)
        for row, track in owners.items():
            if track.last == step:  # one half of a division
                continue
            if track not in grown:
                track.see(step, masks[row], looks[row])
            else:  # two in one mask: where each of them is, only their motion tells
                track.mask, track.last = track.expected(step), step
        for row, thing in enumerate(objects):
            if row not in owners:
                owners[row] = self._begin(thing.class_name, masks[row], looks[row], step)
        return [owners[row].number for row in range(len(objects))]

    def finish(self) -> list[LinkEvent]:
        """Return all events, once the last plane has been added."""
        for track in self._open:
            self._report_merge(track)
        self._open.clear()
        return sorted(self.events, key=lambda event: (event.step, event.sources))

    def _forget(self, step: int) -> None:
        """Let go of the tracks that have been missing for too long."""
        kept = []
        for track in self._open:
            hidden = track.host is not None and step - track.since <= HIDDEN
            if hidden or step - track.last <= self.settings.gap + 1:
                kept.append(track)
            else:
                self._report_merge(track)
        self._open = kept

    def _report_merge(self, track: _Track) -> None:
        if track.host is not None and track.merged:
            pair = (track.number, track.host.number)
            self.events.append(LinkEvent("merge", track.since, pair, (track.host.number,)))

    def _assign(
        self,
        step: int,
        tracks: Sequence[_Track],
        rows: Sequence[int],
        masks: Sequence[Mask],
        looks: Sequence[NDArray[np.float32] | None],
    ) -> dict[int, _Track]:
        """Return which object is whose."""
        if not tracks or not rows:
            return {}
        weight = self.settings.appearance
        worth = np.zeros((len(tracks), len(rows)))
        seen, ahead = [masks[row] for row in rows], [track.expected(step) for track in tracks]
        # a thing may also have stood still
        still = [track.mask for track in tracks]
        pairs = (in_reach(ahead, seen) | in_reach(still, seen)) & (
            alike_at_all(ahead, seen) | alike_at_all(still, seen)
        )
        for i, j in np.argwhere(pairs).tolist():
            track = tracks[i]
            place = max(likeness(ahead[i], seen[j]), 0.9 * likeness(track.mask, seen[j]))
            if place >= self.settings.min_overlap:
                worth[i, j] = place * (1 - weight + weight * track.alike(looks[rows[j]]))
        chosen = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
        return {rows[j]: tracks[i] for i, j in chosen if worth[i, j] > 0}

    def _divide(
        self, step: int, owners: dict[int, _Track], objects: Sequence[Object], masks: Sequence[Mask]
    ) -> None:
        """Find things that became two; `owners` then says that both halves are new."""
        row_of = {track.number: row for row, track in owners.items()}
        for row in [row for row in range(len(objects)) if row not in owners]:
            for track in self._open:
                half = row_of.get(track.number)
                if half is None or track.kind != objects[row].class_name or step - track.last > 1:
                    continue
                if not _halves(track, masks[half], masks[row], step):
                    continue
                if self.settings.divides:
                    self._open.remove(track)
                    del owners[half], row_of[track.number]
                    pair = [self._begin(track.kind, masks[r], track.looks, step) for r in (half, row)]
                    owners |= dict(zip((half, row), pair, strict=True))
                else:
                    owners[row] = self._begin(track.kind, masks[row], track.looks, step)
                    pair = [track, owners[row]]
                self.parents |= {new.number: track.number for new in pair if new is not track}
                numbers = (pair[0].number, pair[1].number)
                self.events.append(LinkEvent("split", step, (track.number,), numbers))
                break

    def _swallow(self, step: int, owners: dict[int, _Track], masks: Sequence[Mask]) -> list[_Track]:
        """Note which tracks have vanished behind or in another's mask; returns those that grew by it."""
        found = set(map(id, owners.values()))
        grown = []
        for track in self._open:
            if id(track) in found or (track.host is None and step - track.last > 1):
                continue
            expected = track.expected(step)
            for row, host in owners.items():
                if host.kind != track.kind or shared(expected, masks[row]) <= PART * expected.area:
                    continue
                if track.host is None:
                    track.since = step
                track.host = host
                if host.last < step and masks[row].area > GROWN * host.mask.area:
                    track.merged = True
                    grown.append(host)
        return grown

    def _begin(self, kind: str, mask: Mask, looks: NDArray[np.float32] | None, step: int) -> _Track:
        track = _Track(self._next, kind, mask, looks, step)
        self._next += 1
        self._open.append(track)
        return track


def _halves(track: _Track, one: Mask, other: Mask, step: int) -> bool:
    """Whether two masks are what a thing has become by splitting."""
    whole = track.mask.area
    if not (0.7 * whole <= one.area + other.area <= 1.4 * whole and max(one.area, other.area) < 0.85 * whole):
        return False
    if min(one.area, other.area) < 0.3 * whole:
        return False
    reach = 1.2 * track.mask.diameter
    return all(
        min(
            np.linalg.norm(half.centre - track.mask.centre),
            np.linalg.norm(half.centre - track.expected(step).centre),
        )
        < reach
        for half in (one, other)
    )


@dataclass(frozen=True)
class Links:
    """Which objects are one thing.

    Parameters
    ----------
    groups : tuple of tuples of int
        Ids of the objects of each track, in the order of the planes; of single ones too.
    events : tuple of LinkEvent
        Splits and merges; their tracks are numbered by the first object's id.
    parents : mapping of int to int
        From a track that began with a split to the one that it came from.
    """

    groups: tuple[tuple[int, ...], ...]
    events: tuple[LinkEvent, ...]
    parents: dict[int, int]


def link_objects(
    objects: Iterable[Object],
    axis: int = 0,
    settings: LinkSettings | None = None,
    looks: Callable[[Object], NDArray[np.float32] | None] | None = None,
    progress: Progress | None = None,
) -> Links:
    """Link the objects of a stack along one axis; the planes of the other axes are linked each on their own.

    Parameters
    ----------
    objects : iterable of Object
        Of any planes; the rejected ones are left out.
    axis : int
        Which entry of `Object.plane` counts the planes that follow one another.
    settings : LinkSettings, optional
        Gaps, weights, divisions.
    looks : callable, optional
        From an Object to what CLIP sees of it, (D,), where that is known.
    progress : Progress, optional
        Hears ``("link", planes done, planes)``, and can stop between them.

    Returns
    -------
    Links
        For `Session.link`.
    """
    rows: dict[tuple[int, ...], dict[int, list[Object]]] = {}
    for thing in objects:
        if thing.status != "rejected":
            rest = thing.plane[:axis] + thing.plane[axis + 1 :]
            rows.setdefault(rest, {}).setdefault(thing.plane[axis], []).append(thing)
    groups: list[tuple[int, ...]] = []
    events: list[LinkEvent] = []
    parents: dict[int, int] = {}
    progress, done, total = progress or Progress(), 0, sum(map(len, rows.values()))
    for planes in rows.values():
        linker, members = Linker(settings), dict[int, list[int]]()
        for step in sorted(planes):
            progress("link", done, total)
            done += 1
            here = planes[step]
            for number, thing in zip(linker.add(step, here, _views(here, looks)), here, strict=True):
                members.setdefault(number, []).append(thing.id)
        named = {number: min(ids) for number, ids in members.items()}
        for event in linker.finish():
            told = [tuple(named[n] for n in numbers) for numbers in (event.sources, event.targets)]
            events.append(LinkEvent(event.kind, event.step, told[0], told[1]))
        parents |= {named[child]: named[parent] for child, parent in linker.parents.items()}
        groups += map(tuple, members.values())
    return Links(tuple(groups), tuple(events), parents)


def _views(
    things: Sequence[Object], looks: Callable[[Object], NDArray[np.float32] | None] | None
) -> NDArray[np.float32] | None:
    """Return what CLIP sees of objects, if it is known of all of them."""
    views = [] if looks is None else [view for thing in things if (view := looks(thing)) is not None]
    return np.stack(views) if len(views) == len(things) and views else None
