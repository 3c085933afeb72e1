"""``napari-slip export`` and ``import``: sessions as files that other programs read, and back."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from math import inf
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
    pixel_size: Annotated[
        float | None, typer.Option("--pixel-size", help="Side of a pixel in the unit of --unit.")
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Of --pixel-size, such as um.")] = None,
) -> None:
    """Write what a session holds: COCO, labels, a table of measurements, crops by class, OME-Zarr."""
    from napari_slip import io

    kinds = [kind.strip() for kind in to.split(",") if kind.strip()]
    if not kinds:
        fail(f"--to names no kind of file: choose from {', '.join(io.KINDS)}.")
    if (pixel_size is None) != (unit is None):
        fail("--pixel-size and --unit go together: give both, such as --pixel-size 0.65 --unit um.")
    if pixel_size is not None and not (0 < pixel_size < inf):
        fail(f"--pixel-size is {pixel_size}, but the side of a pixel is a number above 0.")
    side = pixel_size or 1.0
    session = io.import_session(work)
    if session.damage:
        say(session.damage)
    with ExitStack() as files:
        stack = None if image is None else files.enter_context(io.open_stack(image)).stack
        stem = io.work_name(work.name) if image is None else io.picture_name(image.name)
        for kind in kinds:
            if (out / f"{stem}{io.KINDS.get(kind)}").resolve() == work.resolve():
                fail(
                    f"{work} is the file that is read, and {kind} would be put in its place: name another "
                    "folder with --out, or other kinds with --to."
                )
        written = io.export_session(
            session,
            out,
            stem,
            kinds,
            stack=stack,
            picture="" if image is None else image.name,
            pixel_size=(side, side),
            unit=unit or "px",
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
        typer.Option("--out", "-o", metavar="FILE", help="The session, ending in .slip. Default: beside it."),
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
    target = out or work.with_name(io.work_name(work.name))
    if target.suffix != ".slip":  # by which a session is known
        target = target.with_name(target.name + ".slip")
    if target.exists():
        fail(f"{target} is there already and may hold work: name another file with --out, or take it away.")
    io.write_as("session", target, session)
    found = Counter(o.class_name for o in session.objects.values())
    typer.echo(f"{target}: {', '.join(f'{n} {name}' for name, n in found.items()) or 'no objects'}")
