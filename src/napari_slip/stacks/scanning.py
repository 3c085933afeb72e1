"""The loop over the planes of a stack: a result for each, as soon as it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.progress import Progress
from napari_slip.stacks.results import PlaneResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari_slip.pipeline import Slip
    from napari_slip.settings import Contrast, FilterSettings, MatchSettings, ProposalSettings
    from napari_slip.stacks.planes import Stack


def scan(
    slip: Slip,
    stack: Stack,
    prompts: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    negatives: Sequence[str] = (),
    contrast: Contrast | None = None,
    proposals: ProposalSettings | None = None,
    settings: MatchSettings | None = None,
    filters: FilterSettings | None = None,
    planes: Iterable[tuple[int, ...]] | None = None,
    progress: Progress | None = None,
) -> Iterator[PlaneResult]:
    """Segment and match the planes of a stack one by one.

    Only one plane is in memory at a time. With a store in `slip`, planes that were seen before cost no more
    than reading them.

    Parameters
    ----------
    slip : Slip
        The models.
    stack : Stack
        Where the planes come from.
    prompts, negatives, settings, filters
        As `Slip.match` takes them.
    contrast, proposals
        As `Slip.segment` takes them; percentiles are taken of each plane alone.
    planes : iterable of tuple of int, optional
        Which planes, in this order; all if not given.
    progress : Progress, optional
        Hears of each plane's steps, and ends the loop.

    Yields
    ------
    PlaneResult

    Raises
    ------
    InputError
        If a plane cannot be read or used, or a prompt is blank.
    Cancelled
        If `progress` was cancelled; what was yielded before stands.

    Examples
    --------
    >>> import numpy as np, napari_slip
    >>> from napari_slip.stacks import Stack, rank_planes, scan
    >>> slip = napari_slip.load("mini")
    >>> stack = Stack.of(np.zeros((3, 128, 128), np.uint8))
    >>> best = {result.index: result.best[0] for result in scan(slip, stack, ["cell nucleus"])}
    >>> frames = rank_planes(best)
    """
    progress = progress or Progress()
    for index in stack if planes is None else planes:
        progress.check()
        segments = slip.segment(
            stack.read(index),
            channel_axis=stack.plane_channel_axis,
            contrast=contrast,
            settings=proposals,
            progress=progress,
        )
        match = slip.match(segments, prompts, negatives=negatives, settings=settings, filters=filters)
        yield PlaneResult.of(match, index)


def rank_planes(best: Mapping[tuple[int, ...], float]) -> list[tuple[int, ...]]:
    """Sort planes by their best score of a text, the planes that show it first.

    Parameters
    ----------
    best : mapping
        From a plane's index to its best score; NaN where nothing is shown.
    """
    return sorted(best, key=lambda index: (-np.nan_to_num(best[index], nan=-1.0), index))
