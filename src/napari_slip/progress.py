"""How long work reports where it is, and how it is stopped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_slip.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress:
    """One run's progress and its stop button, shared by the worker and whoever watches it.

    Parameters
    ----------
    report : callable, optional
        Called as ``report(step, done, total)`` from the working thread, e.g. ``("prompts", 64, 1024)``.

    Examples
    --------
    >>> progress = Progress(lambda step, done, total: print(f"{step} {done}/{total}"))
    >>> progress("crops", 1, 2)
    crops 1/2
    """

    def __init__(self, report: Callable[[str, int, int], None] | None = None) -> None:
        self._report = report
        self._stop = threading.Event()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `step` are finished.

        Raises
        ------
        Cancelled
            If `cancel` was called.
        """
        self.check()
        if self._report is not None:
            self._report(step, done, total)

    def check(self) -> None:
        """Raise `Cancelled` if `cancel` was called; cheap enough for every transformer block."""
        if self._stop.is_set():
            raise Cancelled

    def cancel(self) -> None:
        """Ask the work to stop at its next step; may be called from any thread."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()
