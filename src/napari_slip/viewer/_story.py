"""How what is predicted on the image in front came about, as ``napari-slip replay`` can do it again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slip.errors import InputError
from napari_slip.hashing import file_hash
from napari_slip.io import ImageRecord, ModelRecord, Provenance, RunSettings, pixel_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_slip.matching import Match
    from napari_slip.settings import FilterSettings
    from napari_slip.viewer._engine import Outcome
    from napari_slip.viewer._sheet import Sheet


def story_of(sheet: Sheet, folder: Path) -> Callable[[], Provenance]:
    """Take down how the segments and matches on screen were made; what is returned reads the image's file.

    Parameters
    ----------
    sheet : Sheet
        Of the image.
    folder : Path
        Where the story will lie.

    Raises
    ------
    InputError
        Saying why it cannot be done again from a file.
    """
    outcome, match = sheet.workspace.outcome, sheet.workspace.match
    source = sheet.image.source.path
    if outcome is None or match is None:
        raise InputError("nothing has been asked for on the plane in front in this window")
    if reason := _bound_to_the_window(outcome):
        raise InputError(reason)
    if not source or not Path(source).is_file():
        raise InputError("the image does not come from a file")
    filters = sheet.workspace.filters
    return lambda: _told(outcome, match, filters, Path(source).resolve(), folder)


def _bound_to_the_window(outcome: Outcome) -> str:
    """Return what of a run no file tells, in words; empty if there is nothing."""
    request, snapshot = outcome.request, outcome.request.snapshot
    if snapshot.labels is not None:
        return "the segments are another layer's labels and not SAM's"
    if len(snapshot.data) > 1:
        return "the picture is made of several layers"
    if snapshot.region.window is not None:
        return "only a part of the plane was segmented"
    if snapshot.place.index:
        return "the image is a stack, and a replay does single planes: give its file to napari-slip batch"
    if request.head is not None and request.head.clip == outcome.slip.encoder.card.hash:
        return "the scores come from what was taught"
    return ""


def _told(outcome: Outcome, match: Match, filters: FilterSettings, path: Path, folder: Path) -> Provenance:
    import torch

    from napari_slip.models.devices import resolve_device
    from napari_slip.models.precision import bfloat16_pays

    request, slip = outcome.request, outcome.slip
    model = request.model
    device = resolve_device(model.device)
    pixels = {"segments": pixel_hash(match.segments.labels()), "matches": pixel_hash(match.labels())}
    image = ImageRecord(
        path=str(path),
        beside=os.path.relpath(path, folder.resolve()),
        sha256=file_hash(path),
        prompts={name: list(phrases) for name, phrases in request.prompts.items()},
        negatives=tuple(request.negatives),
        channel_axis=request.snapshot.place.channel_axis,
        pixels=pixels,
        n_segments=len(match.segments),
    )
    return Provenance(
        models=ModelRecord(
            name=model.preset or None,
            sam=model.sam or None,
            clip=model.clip or None,
            device=str(device),
            sam_hash=slip.segmenter.hash,
            clip_hash=slip.encoder.card.hash,
            bfloat16=bfloat16_pays(device),
            threads=torch.get_num_threads(),
        ),
        settings=RunSettings(
            contrast=request.snapshot.contrasts[0],
            proposals=slip.segmenter.proposals,
            crops=slip.crops,
            filters=filters,
            match=match.settings,
        ),
        images=(image,),
    )
