"""A run over the planes of a stack: one after the other beside the window, each shown as it comes."""

from __future__ import annotations

import tempfile
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_slip.errors import Cancelled, InputError, SlipError
from napari_slip.progress import Progress
from napari_slip.stacks.results import best_scores
from napari_slip.viewer._qt import timer
from napari_slip.viewer._telling import telling
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_slip.objects import Object
    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._engine import Outcome, Request
    from napari_slip.viewer._runner import Job
    from napari_slip.viewer._sheet import Sheet
    from napari_slip.viewer._source import Place

Index = tuple[int, ...]
Scope = Literal["plane", "range", "stack"]

LAND_MS = 100


@dataclass
class Found:
    """What is known of the planes of one image.

    Parameters
    ----------
    best : dict
        From a class to each plane's best score; NaN where nothing is shown.
    done : dict
        From a plane to what was asked of it.
    looks : dict
        From plane and segment of what was accepted to what CLIP sees of it.
    clip : str
        Hash of the CLIP that has seen it.
    """

    best: dict[str, dict[Index, float]] = field(default_factory=dict)
    done: dict[Index, str] = field(default_factory=dict)
    looks: dict[tuple[Index, int], NDArray[np.float32]] = field(default_factory=dict)
    clip: str = ""

    def note(self, outcome: Outcome) -> None:
        """Keep the little that is needed of a plane once its segments are let go."""
        index, match = outcome.request.snapshot.place.index, outcome.match
        self.done[index] = asked(outcome.request)
        if match is None:
            return
        for name, score in zip(match.names, best_scores(match).tolist(), strict=True):
            self.best.setdefault(name, {})[index] = score
        if match.segments.embedding is not None:
            if self.clip != outcome.slip.encoder.card.hash:  # what two models see cannot be compared
                self.clip = outcome.slip.encoder.card.hash
                self.looks.clear()
            for row in np.flatnonzero(match.accepted().any(axis=1)).tolist():
                self.looks[index, row + 1] = match.segments.embedding[row]

    def look_of(self, thing: Object) -> NDArray[np.float32] | None:
        """Return what CLIP sees of an object, if it is known."""
        return None if thing.segment is None else self.looks.get((thing.plane, thing.segment))


class Scan(QObject):
    """Runs over the planes within the scope, once the plane on screen has landed.

    Parameters
    ----------
    desk : Desk
        Whose images they are.
    """

    changed = Signal()
    """Another plane is known."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.scope: Scope = "plane"
        self.axis = 0
        """Which of the axes along which the planes lie the curve shows, and the range limits."""
        self.range: tuple[int, int] | None = None
        """First and last plane of the range along it."""
        self.cluster: str | None = None
        """Address of a dask cluster, or a number of processes to start here; None for this process."""
        self._desk = desk
        self._found: WeakKeyDictionary[Sheet, Found] = WeakKeyDictionary()
        self._came: deque[Outcome | SlipError] = deque()
        self._sheet: Sheet | None = None
        self._job: Job | None = None
        self._paused: tuple[Sheet, Request] | None = None
        self._failures = 0
        self._timer = timer(self, LAND_MS, self._land, once=False)
        desk.landed.connect(self._front_landed)
        desk.runner.state_changed.connect(self._state_changed)

    def found(self, sheet: Sheet | None) -> Found:
        """Return what is known of an image's planes."""
        return Found() if sheet is None else self._found.setdefault(sheet, Found())

    @property
    def running(self) -> bool:
        """Whether planes are being looked at."""
        return self._sheet is not None

    def give_way(self) -> None:
        """Stop for something that a person asks for now; what is done is kept."""
        self._paused = None
        if self._job is not None:
            self._desk.runner.withdraw(self._job)

    def leave(self, sheet: Sheet) -> None:
        """Stop looking at the planes of an image that is gone."""
        if sheet is self._sheet or (self._paused is not None and self._paused[0] is sheet):
            self.give_way()

    def _front_landed(self, sheet: Sheet, outcome: Outcome) -> None:
        found = self.found(sheet)
        found.note(outcome)
        self.changed.emit()
        if self.scope != "plane" and sheet.place.index and outcome.match is not None:
            with telling(self._desk):
                self._begin(sheet, outcome.request)

    def _begin(self, sheet: Sheet, request: Request) -> None:
        done, settled, token = self.found(sheet).done, sheet.workspace.settled, asked(request)
        rule = request.filters, request.settings
        # the layers of the first plane; others may have been chosen meanwhile
        snapshot = request.snapshot.of_stack(self._desk.viewer.layers)
        adopted = snapshot.stack_labels is not None
        whole = replace(request, snapshot=snapshot)

        def stands(index: Index, token: str) -> bool:  # it may have been settled by another rule since
            return done.get(index) == token and settled.get(index) == rule

        todo = [i for i in self.planes(sheet.place) if adopted or not stands(i, token)]
        if not todo:
            return
        came, engine, runner = self._came, self._desk.engine, self._desk.runner
        order = self._cluster_order(sheet, whole) if self.cluster else None

        def work(progress: Progress) -> tuple[int, bool]:
            ready = iter(todo) if order is None else order(todo, progress)
            looked = 0
            for at, index in enumerate(ready):
                progress("planes", at, len(todo))
                here = replace(whole, snapshot=snapshot.at(index))
                # what each plane is asked with labels of its own is known only here
                if adopted and stands(index, asked(here)):
                    continue
                looked += 1
                try:
                    came.append(engine.run(here, _Within(progress)))
                except Cancelled:
                    raise
                except SlipError as error:  # one plane that cannot be read is no reason to leave the others
                    came.append(error)
                if runner.waited_for and order is None:  # a person's click goes first
                    return looked, at + 1 < len(todo)
            return looked, False

        self._sheet, self._failures = sheet, 0
        self._timer.start()
        self._job = runner.submit(
            work,
            lambda ended: self._ended(ended[0], (sheet, request) if ended[1] else None),
            gone=self._stop,
            what="the run over the stack",
            left="the planes that are done stay",
        )

    def planes(self, place: Place) -> list[Index]:
        """Return the planes within the scope: those after the one on screen first, then those before it."""
        steps = place.steps
        limits = [range(n) for n in steps]
        if self.scope == "range":
            axis = min(self.axis, len(steps) - 1)
            low, high = self.range or (0, steps[axis] - 1)
            limits = [range(i, i + 1) for i in place.index]
            limits[axis] = range(max(0, low), min(high + 1, steps[axis]))
        every = [
            index for index in np.ndindex(*steps) if all(i in r for i, r in zip(index, limits, strict=True))
        ]
        return [i for i in every if i > place.index] + [i for i in every if i < place.index]

    def _cluster_order(
        self, sheet: Sheet, request: Request
    ) -> Callable[[list[Index], Progress], Iterator[Index]]:
        """Let a cluster segment the planes into the store, and return what yields them as they are done.

        What is in the store is then matched here in no time, so that the pixels are the same as without one.
        """
        from napari_slip.batch import Cluster, ModelRecipe, Orders, Source
        from napari_slip.batch.parts import part_path
        from napari_slip.batch.work import Task
        from napari_slip.io import RunSettings

        path = sheet.image.source.path
        snapshot = request.snapshot
        whole = not snapshot.region.window and len(snapshot.data) == 1 and snapshot.labels is None
        if path is None or not Path(path).exists() or not whole:
            raise InputError(
                "A cluster reads the file itself: expected a layer that was opened from a file, whole "
                "planes, no channels of other layers and no labels of another program."
            )
        model, address = request.model, str(self.cluster)
        recipe = ModelRecipe(
            name=model.preset or None,
            sam=model.sam or None,
            clip=model.clip or None,
            device=model.device,
        )
        settings = RunSettings(
            contrast=snapshot.contrasts[0], match=request.settings, filters=request.filters
        )
        orders = Orders(prompts=request.prompts, negatives=request.negatives, settings=settings)
        source = Source(Path(path).absolute(), sheet.image.name, snapshot.place.channel_axis)

        def order(todo: list[Index], progress: Progress) -> Iterator[Index]:
            progress("cluster", 0, 1)
            here = int(address) if address.isdigit() else None
            with (
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as aside,
                Cluster(here, None if here else address) as cluster,
            ):
                tasks = [Task(source, i, part_path(Path(aside), i), "viewer") for i in todo]
                for task, _ in cluster.work(recipe, orders, tasks, progress):
                    yield task.index

        return order

    def _land(self) -> None:
        """Show what has come since the last time."""
        sheet = self._sheet
        if sheet is None or not sheet.alive:
            self._came.clear()
            return
        while self._came:  # whoever hears of a plane may stop the run, and this with it
            outcome = self._came.popleft()
            if isinstance(outcome, SlipError):
                self._failures += 1
                if self._failures == 1:
                    self._desk.said.emit(str(outcome))
                continue
            self.found(sheet).note(outcome)
            sheet.absorb()
            sheet.workspace.land(outcome, ())
            self.changed.emit()

    def _ended(self, count: int, rest: tuple[Sheet, Request] | None) -> None:
        self._stop()
        self._paused = rest
        failed = f"; {self._failures} could not be read" if self._failures else ""
        self._desk.said.emit(f"Done with {counted(count - self._failures, 'more plane')}{failed}.")

    def _state_changed(self, state: str) -> None:
        if state == "idle" and self._paused is not None:
            (sheet, request), self._paused = self._paused, None
            if sheet.alive and sheet is self._desk.sheet:
                with telling(self._desk):
                    self._begin(sheet, request)

    def _stop(self) -> None:
        self._land()
        self._timer.stop()
        self._sheet, self._job = None, None
        self._came = deque()  # what a stopped run still brings goes nowhere
        self.changed.emit()


class _Within(Progress):
    """Lets work be stopped with what it is part of, without its own steps being told."""

    def __init__(self, outer: Progress) -> None:
        super().__init__()
        self._outer = outer

    def check(self) -> None:
        """Raise `Cancelled` if the whole was told to stop."""
        self._outer.check()


def asked(request: Request) -> str:
    """Return what a plane was asked, in a text that tells one question from another."""
    look = request.snapshot.look
    question: tuple[Any, ...] = (sorted(request.prompts.items()), request.negatives, request.model, look)
    return repr((*question, request.settings, request.filters, request.head))
