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


@dataclass
class _Job:
    progress: Progress
    future: Future[Any]
    landed: Callable[[Any], None]


class Runner(QObject):
    """Runs one piece of work at a time for one dock; a piece that waits gives way to a newer one.

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
        self._job: _Job | None = None
        self._next: tuple[Callable[[Progress], Any], Callable[[Any], None]] | None = None
        self._ending: Future[Any] | None = None
        self._report: tuple[str, int, int] | None = None
        self._due = 0.0
        self._timer = timer(self, POLL_MS, self._look, once=False)
        self._ended.connect(self._look)  # queued by Qt, so that nobody waits for the timer
        self._patience = timer(self, PATIENCE_MS, self._be_free)

    def submit(self, work: Callable[[Progress], Any], landed: Callable[[Any], None]) -> None:
        """Run `work` beside the window and hand its result to `landed` in the main thread."""
        if self._job is not None:
            self._next = (work, landed)
            return
        self._patience.stop()
        progress = Progress(self._note)
        self._job = _Job(progress, self._thread.submit(_guarded, work, progress), landed)
        self._job.future.add_done_callback(self._wake)
        self._report, self._due = None, time.monotonic() + FIRST_S
        self._timer.start()
        self._enter("running")

    @property
    def waited_for(self) -> bool:
        """Whether another piece of work waits for the end of this one."""
        return self._next is not None

    def cancel(self) -> None:
        """Bar the result and stop the work at its next step; the dock is free at once or soon after."""
        if self._job is None:
            return
        job, self._job, self._next = self._job, None, None
        self._ending = job.future
        self._patience.start()
        self._enter("cancelling")
        job.progress.cancel()
        job.future.cancel()  # if it has not begun, which is told before this returns: so it comes last

    def dispose(self) -> None:
        """Stop for good."""
        self.cancel()
        self._timer.stop()
        self._patience.stop()

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
        if self._job is job and job.future.done():  # whoever heard the report may have cancelled
            self._land(job)

    def _land(self, job: _Job) -> None:
        self._job = None
        following, self._next = self._next, None
        error = job.future.exception()
        if following is None:
            self._timer.stop()
            self._enter("idle")
        try:
            if error is None:
                job.landed(job.future.result())
            elif not isinstance(error, Cancelled):
                self.failed.emit(str(error))
        finally:
            if following is not None:
                self.submit(*following)

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
