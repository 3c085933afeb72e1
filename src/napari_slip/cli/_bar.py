"""A run's progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from napari_slip.progress import Progress

if TYPE_CHECKING:
    from types import TracebackType

_STEPS = {
    "encode": "looking at the image",
    "prompts": "finding segments",
    "closer": "looking closer at small ones",
    "crops": "looking at each segment",
    "download": "downloading",
}


class _Rate(ProgressColumn):
    """How many are done in a second, or in a minute where that is less than one."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.1f}/min")


class Bar:
    """Lines on stderr while a run goes on: the images, and the step of the present one.

    Where stderr is no terminal, nothing is shown.

    Parameters
    ----------
    images : int, optional
        How many there are; without it there is only the line of the step.
    units : str
        What they are called.
    """

    def __init__(self, images: int | None = None, units: str = "images") -> None:
        self._rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            *((_Rate(), TextColumn("left:"), TimeRemainingColumn()) if units != "images" else ()),
            console=Console(stderr=True),
            transient=True,
            # stdout is for results, also when both are the same terminal
            redirect_stdout=False,
            redirect_stderr=True,
        )
        self._rich.disable = not self._rich.console.is_terminal
        self._images = self._rich.add_task(units, total=images, visible=images is not None)
        self._step = self._rich.add_task("loading the models", total=None)
        self.progress = Progress(self._report)

    def __enter__(self) -> Self:
        """Show it."""
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away."""
        self._rich.stop()

    def plan(self, total: int, done: int) -> None:
        """Tell how many there are, and how many of them are done already."""
        self._rich.update(self._images, total=total, completed=done, visible=True)

    def image_done(self) -> None:
        """Count one image."""
        self._rich.advance(self._images)

    def _report(self, step: str, done: int, total: int) -> None:
        self._rich.update(self._step, description=_STEPS.get(step, step), completed=done, total=total)
