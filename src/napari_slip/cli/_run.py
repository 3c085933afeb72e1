"""One run over images, with its progress bar, summary and exit code, for segment, demo and replay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from napari_slip.cli._bar import Bar
from napari_slip.cli._sentences import DONE, SOME_FAILED, STOPPED, say
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_slip.batch import Job, ModelRecipe, Outcome
    from napari_slip.io import ModelRecord, RunSettings
    from napari_slip.pipeline import Slip


@dataclass(kw_only=True)
class Run:
    """A run that is going on or over.

    Parameters
    ----------
    jobs : sequence of Job
        The images.
    out : Path
        The folder for the results.
    """

    jobs: Sequence[Job]
    out: Path
    outcomes: list[Outcome] = field(default_factory=list)
    provenance: Path | None = None
    stopped: bool = False

    def go(
        self,
        recipe: ModelRecipe,
        settings: Callable[[Slip], RunSettings],
        *,
        check: Callable[[ModelRecord], None] | None = None,
    ) -> None:
        """Load the models and work through the images.

        Parameters
        ----------
        recipe : ModelRecipe
            Which models.
        settings : callable
            From the loaded models, which have their own proposal settings, to the settings.
        check : callable, optional
            Hears which models were loaded, and may raise.
        """
        from napari_slip.batch import run_images
        from napari_slip.io import prepare_folder

        prepare_folder(self.out)
        with Bar(len(self.jobs)) as bar:

            def heard(outcome: Outcome) -> None:
                self.outcomes.append(outcome)
                bar.image_done()

            try:
                slip = recipe(bar.progress)
                models = recipe.record(slip)
                if check is not None:
                    check(models)
                batch = run_images(
                    slip,
                    self.jobs,
                    self.out,
                    models=models,
                    settings=settings(slip),
                    progress=bar.progress,
                    heard=heard,
                )
                self.provenance = batch.provenance
            except KeyboardInterrupt:
                self.stopped = True

    @property
    def failures(self) -> list[str]:
        """One sentence for each image without a result."""
        return [outcome.record.error for outcome in self.outcomes if outcome.record.error is not None]

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        if self.stopped:
            return STOPPED
        return SOME_FAILED if self.failures else DONE

    def print_summary(self) -> None:
        """Tell people what was found, and on stderr what failed."""
        for outcome in self.outcomes:
            if outcome.record.error is None:
                typer.echo(_line(outcome))
                if outcome.why:
                    typer.echo(f"  {outcome.why}")
        for sentence in self.failures:
            say(f"Failed: {sentence}")
        self.print_end()

    def print_end(self) -> None:
        """Say how many images are done, and where the results lie."""
        done = f"{len(self.outcomes) - len(self.failures)} of {counted(len(self.jobs), 'image')} done"
        if self.stopped:
            say(f"Stopped: {done}; their results are kept in {self.out}.")
        elif self.failures:
            say(f"{done}; {len(self.failures)} failed.")

    def print_json(self, **more: Any) -> None:
        """Print the summary for machines: one JSON document on stdout."""
        from napari_slip.io import as_json

        summary = {
            "out": str(self.out),
            "provenance": None if self.provenance is None else str(self.provenance),
            "stopped": self.stopped,
            "done": len(self.outcomes) - len(self.failures),
            "failed": len(self.failures),
            "images": [_entry(outcome) for outcome in self.outcomes],
            **more,
        }
        typer.echo(as_json(summary))
        for sentence in self.failures:
            say(f"Failed: {sentence}")
        self.print_end()


def _line(outcome: Outcome) -> str:
    record = outcome.record
    answers = "; ".join(
        f"{a['prompt']}: "
        + ("no match" if a["best"] is None else f"best {a['score']:.2f}, {a['accepted']} accepted")
        for a in record.answers
    )
    segments = counted(record.n_segments or 0, "segment")
    return f"{outcome.files['overlay']}  {segments}; {answers} ({outcome.seconds:.1f} s)"


def _entry(outcome: Outcome) -> dict[str, Any]:
    record = outcome.record
    return {
        "image": record.path,
        "error": record.error,
        "n_segments": record.n_segments,
        "answers": list(record.answers),
        "why": outcome.why,
        "files": {kind: str(path) for kind, path in outcome.files.items()},
        "seconds": round(outcome.seconds, 3),
    }
