"""``napari-slip demo``: the whole chain on sample pictures."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_slip.cli._options import Json, Model  # noqa: TC001 - typer reads them
from napari_slip.cli._run import Run
from napari_slip.cli._sentences import SOME_FAILED, fail, sentences
from napari_slip.settings import MatchSettings

if TYPE_CHECKING:
    from napari_slip.batch import Job
    from napari_slip.io import RunSettings
    from napari_slip.pipeline import Slip

_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")


@sentences
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the results.")] = Path(
        "demo"
    ),
    viewer: Annotated[
        bool, typer.Option("--viewer", help="Open napari on the result, with the dock beside it.")
    ] = False,
    model: Model = None,
    json: Json = False,
) -> None:
    """Segment sample pictures and find what their texts say: photographs from scikit-image and drawn scenes.

    Needs no download, no GPU and no display. The files are those of napari-slip segment, with the pictures
    themselves in a folder beside them.
    """
    from napari_slip.batch import ModelRecipe

    if viewer:
        _need_napari()
    run = Run(jobs=_jobs(out), out=out)
    run.go(ModelRecipe(name=model), _settings)
    if json:
        run.print_json()
    else:
        run.print_summary()
        if not run.stopped:
            _say_where(run)
            if not viewer:
                typer.echo("In napari, with the dock beside it: napari-slip demo --viewer")
    if viewer and not run.stopped:
        _open_viewer(out)
    raise typer.Exit(run.exit_code)


def _settings(slip: Slip) -> RunSettings:
    from napari_slip.io import RunSettings

    return RunSettings(proposals=slip.segmenter.proposals, match=MatchSettings(select="above:0.5"))


def _jobs(out: Path) -> list[Job]:
    """Write the sample pictures, so that they can be looked at and replayed."""
    from napari_slip.batch import Job
    from napari_slip.io import prepare_folder, save_samples

    folder = out / "images"
    prepare_folder(folder)
    return [
        Job(path=path, prompts={prompt: [prompt] for prompt in sample.prompts}, negatives=sample.negatives)
        for path, sample in save_samples(folder)
    ]


def _say_where(run: Run) -> None:
    overlays = [outcome.files["overlay"] for outcome in run.outcomes if outcome.files]
    typer.echo("")
    typer.echo(f"The results lie in {run.out.resolve()}:")
    typer.echo("  *.overlay.png    pictures of what was found: open them in any image viewer, for example")
    if overlays:
        typer.echo(f"                   {overlays[0].resolve()}")
    typer.echo("  *.segments.tif   every segment by its id; *.matches.tif: those that the text accepts")
    typer.echo("  *.segments.csv   one row for each segment with its scores: open it in a spreadsheet")
    typer.echo("  provenance.json  napari-slip replay makes the same again from it")


def _need_napari() -> None:
    """End with a sentence before the work if there is nothing to show it with."""
    binding = any(find_spec(name) is not None for name in _BINDINGS)
    if find_spec("napari") is None or not binding:
        fail(
            "--viewer needs napari with a Qt binding, which is not installed here: pip install 'napari[all]'"
        )


def _open_viewer(out: Path) -> None:
    """Open napari in a process of its own: the command line and the viewer know nothing of each other."""
    ended = subprocess.run([sys.executable, "-m", "napari_slip.viewer", str(out)], check=False)
    if ended.returncode:
        fail(
            f"napari ended with an error (code {ended.returncode}); the results lie in {out.resolve()}.",
            SOME_FAILED,
        )
