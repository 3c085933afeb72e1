"""Asking: the same segments for everybody, four texts for what is there and four for what is not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.evaluation.metrics import iou_of_masks
from napari_slip.evaluation.outlines import in_front
from napari_slip.filtering import select
from napari_slip.matching import embed_segments, match_segments
from napari_slip.progress import Progress
from napari_slip.segments import Segments
from napari_slip.settings import CropSettings, FilterSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.evaluation.collages.making import Collage
    from napari_slip.matching import Head
    from napari_slip.models.protocols import DualEncoder
    from napari_slip.segmentation import Segmenter

OVERLAP = 0.5
"""IoU with the silhouette from which a segment counts as the object itself."""


@dataclass(frozen=True)
class Contestant:
    """An encoder, perhaps with a taught head, under a name."""

    name: str
    encoder: DualEncoder
    head: Head | None = None


@dataclass(frozen=True)
class Seen:
    """One collage's segments, and what is true of them.

    Parameters
    ----------
    segments : Segments
        N, without embeddings.
    shown : (N,) bool array
        Which of them may be an answer.
    tile : (N,) int array
        In which tile most of each lies; -1 where no tile has the majority.
    iou : (4, N) array
        With the silhouettes; nan where there is none.
    """

    collage: Collage
    segments: Segments
    shown: NDArray[np.bool_]
    tile: NDArray[np.intp]
    iou: NDArray[np.float64]


@dataclass
class Answers:
    """What one contestant answered.

    Parameters
    ----------
    name : str
        Of the contestant.
    rows : list of (collage, tile, row)
        The segment chosen for each prompt that is there; row -1 where there was no segment.
    right : list of bool
        Whether most of it lies in the asked tile, and it overlaps the silhouette, where there is one.
    iou : list of float
        With the silhouette.
    present, absent : list of float
        Best calibrated score of prompts that are there, and that are not.
    """

    name: str
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    present: list[float] = field(default_factory=list)
    absent: list[float] = field(default_factory=list)


def look(
    collages: Sequence[Collage],
    segmenter: Segmenter,
    *,
    filters: FilterSettings | None = None,
    progress: Progress | None = None,
) -> list[Seen]:
    """Segment each collage once, for all contestants.

    Parameters
    ----------
    collages : sequence of Collage
        What is looked at.
    segmenter : Segmenter
        SAM.
    filters : FilterSettings, optional
        Which segments may be an answer; the default ones if not given.
    progress : Progress, optional
        Hears ``("collages", i, n)``, and can stop the work.

    Returns
    -------
    list of Seen
    """
    progress, found = progress or Progress(), []
    for k, collage in enumerate(collages):
        progress("collages", k, len(collages))
        plane = segmenter.encode(collage.image, progress)
        segments = segmenter.propose(plane, segmenter.proposals, progress)
        found.append(_seen(collage, segments, filters))
    progress("collages", len(collages), len(collages))
    return found


def with_outlines(seen: Sequence[Seen], filters: FilterSettings | None = None) -> list[Seen]:
    """Put the true outlines among SAM's segments, so that it is the encoders that are measured."""
    return [_seen(one.collage, _in_front(_silhouettes(one.collage), one.segments), filters) for one in seen]


def ask_all(
    seen: Sequence[Seen],
    contestants: Sequence[Contestant],
    *,
    crops: CropSettings | None = None,
    progress: Progress | None = None,
) -> list[Answers]:
    """Ask every contestant for the same texts on the same segments.

    Parameters
    ----------
    seen : sequence of Seen
        From `look`.
    contestants : sequence of Contestant
        Who answers.
    crops : CropSettings, optional
        How segments are shown.
    progress : Progress, optional
        Hears ``("answers", i, n)``, and can stop the work.

    Returns
    -------
    list of Answers
        In the order of the contestants.
    """
    progress, crops = progress or Progress(), crops or CropSettings()
    answers = [Answers(contestant.name) for contestant in contestants]
    for k, one in enumerate(seen):
        progress("answers", k, len(seen))
        embedded: dict[str, Segments] = {}
        for contestant, answer in zip(contestants, answers, strict=True):
            key = contestant.encoder.card.hash
            if key not in embedded:
                embedded[key] = embed_segments(
                    one.segments, one.collage.image, contestant.encoder, crops, progress
                )
            _ask(k, one, embedded[key], contestant, answer)
    progress("answers", len(seen), len(seen))
    return answers


def judged(one: Seen, tile: int, row: int) -> bool:
    """Whether a segment is the object of a tile: most of it lies there, and it overlaps the silhouette."""
    if row < 0 or one.tile[row] != tile:
        return False
    iou = one.iou[tile, row]
    return bool(np.isnan(iou) or iou >= OVERLAP)


def _ask(k: int, one: Seen, segments: Segments, contestant: Contestant, answer: Answers) -> None:
    names = [*one.collage.names, *one.collage.absent]
    if not one.shown.any():
        answer.rows += [(k, tile, -1) for tile in range(4)]
        answer.right += [False] * 4
        answer.iou += [0.0] * 4
        answer.present += [0.0] * 4
        answer.absent += [0.0] * len(one.collage.absent)
        return
    prompts = dict(zip(names, one.collage.phrases, strict=True))
    match = match_segments(segments, prompts, contestant.encoder, head=contestant.head)
    match = replace(match, selection=one.shown)
    for column in range(len(names)):
        best = int(match.ranked(column)[0])
        score = float(match.calibrated[best, column])
        if column >= 4:
            answer.absent.append(score)
            continue
        answer.present.append(score)
        answer.rows.append((k, column, best))
        answer.right.append(judged(one, column, best))
        answer.iou.append(float(np.nan_to_num(one.iou[column, best])))


def _seen(collage: Collage, segments: Segments, filters: FilterSettings | None) -> Seen:
    shown = select(segments, filters or FilterSettings())
    return Seen(collage, segments, shown, _tiles(segments, collage), _iou(segments, collage))


def _tiles(segments: Segments, collage: Collage) -> NDArray[np.intp]:
    of_pixel = np.full(segments.shape, -1)
    for k in range(4):
        of_pixel[collage.tile_of(k)] = k
    found = np.full(len(segments), -1)
    for row in range(len(segments)):
        inside = of_pixel[segments.window(row)][segments.masks.crop(row)]
        shares = np.bincount(inside, minlength=4) / max(len(inside), 1)
        found[row] = int(shares.argmax()) if shares.max() > 0.5 else -1
    return found


def _iou(segments: Segments, collage: Collage) -> NDArray[np.float64]:
    iou = np.full((4, len(segments)), np.nan)
    found = iou_of_masks(collage.labels, segments.masks)
    for k in range(len(found)):
        if (collage.labels == k + 1).any():
            iou[k] = found[k]
    return iou


def _silhouettes(collage: Collage) -> list[NDArray[np.bool_]]:
    return [mask for k in range(4) if (mask := collage.labels == k + 1).any()]


def _in_front(own: list[NDArray[np.bool_]], segments: Segments) -> Segments:
    """Put the true outlines in front of SAM's segments, with the best marks."""
    n = len(own)
    ones = np.ones(n, np.float32)
    return Segments(
        shape=segments.shape,
        masks=in_front(own, segments.masks),
        predicted_iou=np.concatenate([ones, segments.predicted_iou]),
        stability_score=np.concatenate([ones, segments.stability_score]),
        mean_intensity=np.concatenate([ones / 2, segments.mean_intensity]),
        area=np.concatenate([[int(mask.sum()) for mask in own], segments.area]).astype(np.int64),
        roundness=np.concatenate([ones / 2, segments.roundness]),
        parent=np.full(n + len(segments), -1, np.int32),
        background=np.concatenate([np.zeros(n, bool), segments.background]),
    )
