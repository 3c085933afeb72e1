"""One queue for all docks: work runs beside the window, and what is stopped or overtaken never lands."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import QObject, Signal

from napari_slip.errors import Cancelled, ModelError, SlipError
from napari_slip.progress import Progress
from napari_slip.viewer._qt import timer

if TYPE_CHECKING:
    from collections.abc import Callable

RunnerState = Literal["idle", "running", "cancelling"]

POLL_MS = 15
FIRST_S, REPORT_S = 0.3, 1.0
"""Time to the first report, and least time between two. A window with a canvas repaints as a whole, in
software by as many threads as there are cores, which the work then waits for: with four reports a second it
took 1.4 times as long as alone, without reports 1.07 times (mini, two cores)."""

PATIENCE_MS = 300
"""How long "Cancelling..." may be read before the dock is free, whether or not the work has ended."""

log = logging.getLogger(__name__)

# One thread for the whole process: torch builds its own pool of threads for every thread that it is called
# from, two runs at once would need the memory twice, and a model's hooks serve one run at a time.
_thread = ThreadPoolExecutor(1, thread_name_prefix="napari-slip")


def beside(work: Callable[[], Any]) -> Future[Any]:
    """Do something small on the thread of all runs, after what is running there."""
    return _thread.submit(work)


@dataclass(eq=False)
class Job:
    """A piece of work that was handed in.

    Parameters
    ----------
    work, landed, gone : callable
        What is done beside the window, what takes its result, and what is called if there is none: it was
        cancelled, dropped or overtaken, or went wrong.
    what, left : str
        What it is called where it is dropped, and what is said to be left of it where it is stopped.
    overtakes : str
        It takes the place of what waits with the same word; empty for one that takes nobody's.
    """

    work: Callable[[Progress], Any]
    landed: Callable[[Any], None]
    gone: Callable[[], None]
    what: str
    left: str
    overtakes: str
    progress: Progress
    future: Future[Any] | None = None


class Runner(QObject):
    """Runs one piece of work at a time for one dock, in the order in which they were handed in.

    The main thread looks at the work every few milliseconds, so that the worker never touches a widget and
    many reports cost one repaint.

    Parameters
    ----------
    parent : QObject, optional
        With which it ends.
    thread : ThreadPoolExecutor, optional
        For work that asks no model; by default the one of all runs.
    """

    state_changed = Signal(str)
    progressed = Signal(str, int, int)
    failed = Signal(str)
    _ended = Signal()  # from the thread of the work

    def __init__(self, parent: QObject | None = None, thread: ThreadPoolExecutor | None = None) -> None:
        super().__init__(parent)
        self._thread = thread or _thread
        self.state: RunnerState = "idle"
        self._job: Job | None = None
        self._waiting: list[Job] = []
        self._ending: Future[Any] | None = None
        self._report: tuple[str, int, int] | None = None
        self._due = 0.0
        self._timer = timer(self, POLL_MS, self._look, once=False)
        self._ended.connect(self._look)  # queued by Qt, so that nobody waits for the timer
        self._patience = timer(self, PATIENCE_MS, self._be_free)

    def submit(
        self,
        work: Callable[[Progress], Any],
        landed: Callable[[Any], None],
        *,
        gone: Callable[[], None] = lambda: None,
        what: str = "",
        left: str = "nothing was changed",
        overtakes: str = "",
    ) -> Job:
        """Run `work` beside the window and hand its result to `landed` in the main thread; see `Job`."""
        job = Job(work, landed, gone, what, left, overtakes, Progress(self._note))
        for other in [other for other in self._waiting if overtakes and other.overtakes == overtakes]:
            self.withdraw(other)
        self._waiting.append(job)
        self._begin_next()
        return job

    @property
    def waited_for(self) -> bool:
        """Whether another piece of work waits for the end of this one."""
        return bool(self._waiting)

    def cancel(self) -> list[Job]:
        """Bar all results and stop the work at its next step; the dock is free at once or soon after.

        Returns
        -------
        list of Job
            What was running, and what waited for its end.
        """
        if self._job is None:
            return []
        running, (waiting, self._waiting) = self._job, (self._waiting, [])
        self._stop()
        for job in waiting:
            job.gone()
        return [running, *waiting]

    def withdraw(self, job: Job) -> None:
        """Stop one piece of work, or take it out of those that wait; the others go on."""
        if job is self._job:
            self._stop()
            self._begin_next()
        elif job in self._waiting:
            self._waiting.remove(job)
            job.gone()

    def dispose(self) -> None:
        """Stop for good."""
        self.cancel()
        self._timer.stop()
        self._patience.stop()

    def _begin_next(self) -> None:
        if self._job is not None or not self._waiting:
            return
        self._patience.stop()
        self._job = job = self._waiting.pop(0)
        job.future = self._thread.submit(_guarded, job.work, job.progress)
        job.future.add_done_callback(self._wake)
        self._report, self._due = None, time.monotonic() + FIRST_S
        self._timer.start()
        self._enter("running")

    def _stop(self) -> None:
        job, self._job = self._job, None
        assert job is not None and job.future is not None
        self._ending = job.future
        self._patience.start()
        self._enter("cancelling")
        job.progress.cancel()
        job.future.cancel()  # if it has not begun, which is told before this returns: so it comes late
        job.gone()

    def _wake(self, _: Future[Any]) -> None:
        with suppress(RuntimeError):  # the dock is gone
            self._ended.emit()

    def _note(self, step: str, done: int, total: int) -> None:
        self._report = (step, done, total)  # in the worker; an assignment is all it does

    def _look(self) -> None:
        job = self._job
        if job is None:
            if self._ending is None or self._ending.done():
                self._be_free()
            return
        if self._report is not None and time.monotonic() >= self._due:
            report, self._report = self._report, None
            self._due = time.monotonic() + REPORT_S
            self.progressed.emit(*report)
        # whoever heard the report may have stopped it
        if self._job is job and job.future is not None and job.future.done():
            self._land(job, job.future)

    def _land(self, job: Job, future: Future[Any]) -> None:
        self._job = None
        error = future.exception()
        if not self._waiting:
            self._timer.stop()
            self._enter("idle")
        try:
            if error is None:
                job.landed(future.result())
            else:
                job.gone()
                if not isinstance(error, Cancelled):
                    self.failed.emit(str(error))
        finally:
            self._begin_next()

    def _be_free(self) -> None:
        self._patience.stop()
        if self._job is None:
            self._timer.stop()
            self._enter("idle")

    def _enter(self, state: RunnerState) -> None:
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)


def _guarded(work: Callable[[Progress], Any], progress: Progress) -> Any:
    """Run work so that whatever goes wrong comes back as a sentence."""
    try:
        return work(progress)
    except SlipError:
        raise
    except MemoryError as error:
        raise ModelError(_MEMORY) from error
    except Exception as error:
        log.exception("a run has failed")
        if "out of memory" in str(error).lower() or "alloc" in str(error).lower():
            raise ModelError(_MEMORY) from error
        raise SlipError(
            f"The run has failed ({type(error).__name__}: {_first_line(error)}): nothing was changed; the "
            "log has the details."
        ) from error


_MEMORY = (
    "There is not enough memory for this picture and this model: choose a smaller model, another device, or "
    "a smaller region."
)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no message").rstrip(".")
