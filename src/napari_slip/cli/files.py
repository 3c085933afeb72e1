"""``napari-slip export`` and ``import``: sessions as files that other programs read, and back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from napari_slip.cli._sentences import fail, say, sentences

DEFAULT = "coco,labels,table,provenance"


@sentences
def export(
    work: Annotated[
        Path, typer.Argument(metavar="SESSION", help="A .slip file, COCO JSON, or a label picture.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the files.")] = Path(),
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="KINDS",
            help="session, coco, labels, table, zarr, crops, provenance; commas between.",
        ),
    ] = DEFAULT,
    image: Annotated[
        Path | None,
        typer.Option(
            "--image", "-i", help="The picture: for intensities and crops, and its name for the files."
        ),
    ] = None,
    pixel_size: Annotated[float, typer.Option("--pixel-size", help="Side of a pixel in the unit.")] = 1.0,
    unit: Annotated[str, typer.Option("--unit", help="Of length, such as um.")] = "px",
) -> None:
    """Write what a session holds: COCO, labels, a table of measurements, crops by class, OME-Zarr."""
    from napari_slip import io

    session = io.import_session(work)
    if session.damage:
        say(session.damage)
    kinds = [kind.strip() for kind in to.split(",") if kind.strip()]
    if not kinds:
        fail(f"--to names no kind of file: choose from {', '.join(io.KINDS)}.")
    with ExitStack() as files:
        stack = None if image is None else files.enter_context(io.open_stack(image)).stack
        stem = (work if image is None else image).name.split(".")[0]
        written = io.export_session(
            session, out, stem, kinds, stack=stack, pixel_size=(pixel_size, pixel_size), unit=unit
        )
    for path in written.values():
        typer.echo(path)


@sentences
def import_(
    work: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="COCO JSON, a label picture or stack, OME-Zarr labels, or a session."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The session. Default: beside it, ending in .slip."),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            "--picture", help="Whose objects are wanted, where a COCO file is about several pictures."
        ),
    ] = None,
    class_name: Annotated[
        str, typer.Option("--class", help="Class of labels whose class the file does not say.")
    ] = "object",
) -> None:
    """Make a session of another program's labels, or of an exported file."""
    from napari_slip import io

    session = io.import_session(work, picture=picture, class_name=class_name)
    if session.damage:
        say(session.damage)
    target = out or work.with_name(work.name.split(".")[0] + ".slip")
    if target.exists() and target.resolve() == work.resolve():
        fail(f"{target} would be written over itself: name another file with --out.")
    io.export_session(session, target.parent, target.stem, ["session"])
    counted = ", ".join(f"{sum(counts.values())} {name}" for (name, _), counts in session.counts().items())
    typer.echo(f"{target}: {counted or 'no objects'}")
