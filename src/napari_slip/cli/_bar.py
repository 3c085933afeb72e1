"""A run's progress bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from napari_slip.progress import Progress

if TYPE_CHECKING:
    from types import TracebackType

_STEPS = {
    "encode": "looking at the image",
    "prompts": "finding segments",
    "crops": "looking at each segment",
    "download": "downloading",
}


class Bar:
    """Lines on stderr while a run goes on: the images, and the step of the present one.

    Where stderr is no terminal, nothing is shown.

    Parameters
    ----------
    images : int, optional
        How many there are; without it there is only the line of the step.
    """

    def __init__(self, images: int | None = None) -> None:
        self._rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            # stdout is for results, also when both are the same terminal
            redirect_stdout=False,
            redirect_stderr=True,
        )
        self._rich.disable = not self._rich.console.is_terminal
        self._images = self._rich.add_task("images", total=images, visible=images is not None)
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

    def image_done(self) -> None:
        """Count one image."""
        self._rich.advance(self._images)

    def _report(self, step: str, done: int, total: int) -> None:
        self._rich.update(self._step, description=_STEPS.get(step, step), completed=done, total=total)
