"""The loop over image files that every run of the command line goes through."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_slip.errors import Cancelled, InputError, SlipError
from napari_slip.hashing import file_hash
from napari_slip.images import to_rgb
from napari_slip.io import (
    ImageRecord,
    Provenance,
    claim,
    pixel_hash,
    read_image,
    write_provenance,
    write_results,
)
from napari_slip.progress import Progress
from napari_slip.wording import unforeseen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_slip.io import ModelRecord, RunSettings
    from napari_slip.matching import Match
    from napari_slip.pipeline import Slip

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One image and what is looked for in it.

    Parameters
    ----------
    path : Path
        Of the image.
    prompts : mapping
        From class names to their phrases.
    negatives : tuple of str
        Texts that a match must beat.
    channel_axis : int, optional
        Of the file's array; the file's own word if not given.
    """

    path: Path
    prompts: Mapping[str, Sequence[str]]
    negatives: tuple[str, ...] = ()
    channel_axis: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one job.

    Parameters
    ----------
    record : ImageRecord
        As it stands in the provenance file; its `error` says in a sentence why there is no result.
    files : dict
        Where the results lie; empty if there are none.
    why : str
        Why prompts have matched nothing, in sentences; empty if all have.
    seconds : float
        How long it took.
    """

    record: ImageRecord
    files: Mapping[str, Path] = field(default_factory=dict)
    why: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """All outcomes of a run, and its provenance file."""

    outcomes: tuple[Outcome, ...]
    provenance: Path


def run_images(
    slip: Slip,
    jobs: Sequence[Job],
    out: Path,
    *,
    models: ModelRecord,
    settings: RunSettings,
    progress: Progress | None = None,
    heard: Callable[[Outcome], None] | None = None,
) -> Batch:
    """Segment and match images, and write the results of each before the next begins.

    The provenance file is kept up to date, so that a run that is stopped leaves what it has done and
    says so.

    Parameters
    ----------
    slip : Slip
        The models.
    jobs : sequence of Job
        One for each image.
    out : Path
        An existing folder. Nothing in it is overwritten: taken names get a number.
    models, settings
        For the provenance file; `settings` are also those that are used.
    progress : Progress, optional
        Hears of the steps of each image, and can stop the run.
    heard : callable, optional
        Called with each outcome as soon as it is there.

    Returns
    -------
    Batch
        One outcome for each job. An image that cannot be used does not stop the others.

    Raises
    ------
    InputError
        If the provenance file cannot be written.
    Cancelled
        If `progress` was cancelled; the results so far are kept.
    """
    progress = progress or Progress()
    outcomes: list[Outcome] = []
    with _Diary(out, Provenance(models=models, settings=settings)) as diary:
        for job in jobs:
            progress.check()
            outcomes.append(_run_one(slip, job, out, settings, progress))
            if heard is not None:  # first, so that a stop while the file is written loses no outcome
                heard(outcomes[-1])
            diary.add(outcomes[-1].record)
    return Batch(outcomes=tuple(outcomes), provenance=diary.path)


class _Diary:
    """The provenance file of a run that goes on: written so seldom that it costs little, and at the end."""

    def __init__(self, out: Path, story: Provenance) -> None:
        self._out, self._story = out, story
        self._path: Path | None = None
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None or self._story.images:  # a run that was stopped tells what it has done
            self._write()

    @property
    def path(self) -> Path:
        """Where it lies, once the run is over."""
        assert self._path is not None
        return self._path

    def add(self, record: ImageRecord) -> None:
        self._story = replace(self._story, images=(*self._story.images, record))
        if time.monotonic() >= self._due:
            self._write()

    def _write(self) -> None:
        """Write it; the first time under a free name."""
        started, fresh = time.monotonic(), self._path is None
        try:
            # kept at once, so that a run that is stopped right here ends under this name too
            self._path = self._path or claim(self._out, "provenance", {"file": ".json"})["file"]
            write_provenance(self._path, self._story)
        except OSError as error:
            if fresh and self._path is not None:
                self._path.unlink(missing_ok=True)
                self._path = None
            raise InputError(
                f"The provenance file cannot be written to {self._out} ({error.strerror or error}); the "
                "results so far are there."
            ) from error
        # it grows with each image, so that writing it each time would come to cost more than the images
        now = time.monotonic()
        self._due = now + 50 * (now - started)


def _run_one(slip: Slip, job: Job, out: Path, settings: RunSettings, progress: Progress) -> Outcome:
    started = time.perf_counter()
    record = _asked(job, out)
    try:
        record, rgb, match = _compute(slip, job, record, settings, progress)
        files = write_results(out, job.path.stem, rgb, match)
    except Cancelled:
        raise
    except SlipError as error:
        return Outcome(record=replace(record, error=str(error)), seconds=time.perf_counter() - started)
    except Exception as error:  # whatever it is, the other images are not to suffer from it
        _log.debug("%s failed", job.path, exc_info=True)
        sentence = unforeseen(job.path.name, error)
        return Outcome(record=replace(record, error=sentence), seconds=time.perf_counter() - started)
    record = replace(record, files={kind: path.name for kind, path in files.items()}, **_found(match))
    return Outcome(record=record, files=files, why=match.why(), seconds=time.perf_counter() - started)


def _compute(
    slip: Slip, job: Job, record: ImageRecord, settings: RunSettings, progress: Progress
) -> tuple[ImageRecord, NDArray[Any], Match]:
    picture = read_image(job.path, channel_axis=job.channel_axis)
    record = replace(record, sha256=file_hash(job.path))
    try:
        rgb = to_rgb(picture.pixels, channel_axis=picture.channel_axis, contrast=settings.contrast)
        segments = slip.segment(
            picture.pixels,
            channel_axis=picture.channel_axis,
            contrast=settings.contrast,
            settings=settings.proposals,
            progress=progress,
        )
    except InputError as error:
        raise InputError(f"{job.path.name}: {error}") from error
    match = slip.match(
        segments, job.prompts, negatives=job.negatives, settings=settings.match, filters=settings.filters
    )
    return record, rgb, match


def _asked(job: Job, out: Path) -> ImageRecord:
    whole = Path(os.path.abspath(job.path))
    try:
        beside = os.path.relpath(whole, out)
    except ValueError:  # another drive
        beside = str(whole)
    return ImageRecord(
        path=str(whole),
        beside=Path(beside).as_posix(),
        sha256=None,
        prompts={name: list(phrases) for name, phrases in job.prompts.items()},
        negatives=job.negatives,
        channel_axis=job.channel_axis,
    )


def _found(match: Match) -> dict[str, Any]:
    accepted = match.accepted().sum(axis=0)
    answers = tuple(
        {
            "prompt": name,
            "best": label,
            "score": None if label is None else round(float(match.calibrated[label - 1, column]), 4),
            "accepted": int(accepted[column]),
        }
        for column, (name, label) in enumerate(zip(match.names, match.best, strict=True))
    )
    pixels = {"segments": pixel_hash(match.segments.labels()), "matches": pixel_hash(match.labels())}
    return {"n_segments": len(match.segments), "answers": answers, "pixels": pixels}
