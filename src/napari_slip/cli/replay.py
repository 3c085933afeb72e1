"""``napari-slip replay``: an earlier run once more, to the same pixels."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_slip.cli._options import Json  # noqa: TC001 - typer reads it
from napari_slip.cli._run import Run
from napari_slip.cli._sentences import SOME_FAILED, fail, say, sentences
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_slip.batch import Job
    from napari_slip.io import ImageRecord, ModelRecord, Provenance


@sentences
def replay(
    provenance: Annotated[
        Path, typer.Argument(help="The provenance.json of an earlier run.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder for the results. Default: replay, beside it."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu, cuda or mps. Default: where it ran before.")
    ] = None,
    json: Json = False,
) -> None:
    """Do an earlier run again and check that the pixels are the same.

    An image or model that has changed since is named and not used. Exit code 0: the same pixels; 1: not for
    all images; 2: wrong usage.
    """
    from napari_slip.batch import ModelRecipe
    from napari_slip.io import read_provenance

    story = read_provenance(provenance)
    then = story.models
    recipe = ModelRecipe(
        name=then.name,
        sam=then.sam,
        clip=then.clip,
        device=device or then.device,
        crops=story.settings.crops,
        head=then.head,
        head_hash=then.head_hash,
        store=False,  # what was kept would be compared with itself
    )
    plan = _plan(story, provenance.parent)
    run = Run(jobs=plan.jobs, out=out or provenance.parent / "replay")
    if plan.jobs:
        with _as_then(then, recipe.device):
            run.go(
                recipe,
                lambda _: story.settings,
                check=lambda now: _check_models(then, now, story.created),
            )
    # fewer outcomes than plans if the run was stopped
    pairs = [pair for pair in zip(plan.records, run.outcomes, strict=False) if pair[1].record.error is None]
    different = [then for then, now in pairs if now.record.pixels != then.pixels]
    complaints = plan.complaints + [_difference(record, story) for record in different]
    same, asked = len(pairs) - len(different), len(plan.jobs) + len(plan.complaints)
    if json:
        run.print_json(same_pixels=same, complaints=complaints)
    else:
        run.print_summary()
        typer.echo(f"{same} of {counted(asked, 'image')} with the same pixels as on {story.created}.")
        for sentence in _by_hand(provenance):
            typer.echo(sentence)
    for complaint in complaints:
        say(complaint)
    raise typer.Exit(run.exit_code or (SOME_FAILED if complaints else 0))


@dataclass
class _Plan:
    """What can be done again, and sentences for what cannot."""

    records: list[ImageRecord] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def _plan(story: Provenance, folder: Path) -> _Plan:
    from napari_slip.batch import Job

    plan = _Plan()
    for record in story.images:
        if record.error is not None:
            say(f"Left out, because it failed then, too: {record.error}")
            continue
        path, complaint = _find(record, folder, story.created)
        if complaint:
            plan.complaints.append(complaint)
            continue
        plan.records.append(record)
        plan.jobs.append(
            Job(
                path=path,
                prompts=record.prompts,
                negatives=record.negatives,
                channel_axis=record.channel_axis,
            )
        )
    return plan


def _by_hand(path: Path) -> list[str]:
    """Say what of an export no replay makes, because a person made it."""
    import json

    told = json.loads(path.read_text(encoding="utf-8"))
    made = sum(bool(thing["by_hand"]) for thing in told.get("decided", ()))
    rejected = sum(thing["status"] == "rejected" for thing in told.get("decided", ()))
    if not made and not rejected:
        return []
    return [
        f"Not done again: {counted(made, 'object')} drawn or corrected by hand, {rejected} rejected. They "
        f"are in {', '.join(told['files'].values())}."
    ]


def _find(record: ImageRecord, folder: Path, created: str) -> tuple[Path, str]:
    """Where an image lies now, and what is wrong with it, if anything."""
    from napari_slip.hashing import file_hash

    places = [Path(record.path), folder / record.beside]
    there = [place for place in places if place.is_file()]
    if not there:
        return places[0], f"{record.path} is not there any more: put it back, or beside {folder} as it was."
    try:
        same = [place for place in there if file_hash(place) == record.sha256]
    except OSError as error:
        return there[0], f"{there[0]} cannot be read: {error.strerror or error}."
    if not same:
        return there[0], f"{there[0]} has changed since {created}, so it was left out: segment it anew."
    return same[0], ""


@contextmanager
def _as_then(then: ModelRecord, device: str) -> Iterator[None]:
    """Compute in the precision and with the threads of then, whatever is faster here."""
    import torch

    from napari_slip.models.devices import resolve_device
    from napari_slip.models.precision import settled

    as_precise = nullcontext() if then.bfloat16 is None else settled(resolve_device(device), then.bfloat16)
    threads = torch.get_num_threads()
    torch.set_num_threads(then.threads or threads)
    try:
        with as_precise:
            yield
    finally:
        torch.set_num_threads(threads)


def _check_models(then: ModelRecord, now: ModelRecord, created: str) -> None:
    for kind, before, after in (
        ("SAM", then.sam_hash, now.sam_hash),
        ("CLIP", then.clip_hash, now.clip_hash),
    ):
        if before != after:
            fail(
                f"The {kind} model has changed since {created} (from {before[:15]} to {after[:15]}), so "
                "nothing was replayed: use the weights of that day, or segment anew.",
                SOME_FAILED,
            )


def _difference(record: ImageRecord, story: Provenance) -> str:
    from napari_slip.io import current_versions

    now = current_versions()
    changed = [
        f"{name} {then} -> {now.get(name)}" for name, then in story.versions.items() if now.get(name) != then
    ]
    cause = f"what has changed: {', '.join(changed)}" if changed else "another device or processor may be why"
    return f"{Path(record.path).name} came out differently than on {story.created}; {cause}."
