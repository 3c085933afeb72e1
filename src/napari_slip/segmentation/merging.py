"""The masks of all tiles become the masks of the plane: no seams, no object twice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.filtering.overlaps import overlaps
from napari_slip.segmentation.candidates import suppress
from napari_slip.segments import PackedMasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_slip.segmentation.candidates import Candidate
    from napari_slip.segmentation.protocols import EncodedPlane
    from napari_slip.settings import ProposalSettings

DOUBLE = 0.6
"""IoU above which two masks show the same: two that are right, with an IoU of 0.8 each, share as much."""


@dataclass(frozen=True)
class Merged:
    """N masks of a plane.

    Parameters
    ----------
    masks : PackedMasks
        None of them empty.
    predicted_iou, stability_score : (N,) float array
        SAM's own two quality scores.
    rank : (N,) float array
        Which of two masks of one object is the better.
    """

    masks: PackedMasks
    predicted_iou: NDArray[np.float64]
    stability_score: NDArray[np.float64]
    rank: NDArray[np.float64]

    def distinct(self) -> Merged:
        """Return the masks without those that show the same as a better one that is kept."""
        pairs = overlaps(self.masks)
        best_first = np.argsort(-self.rank, kind="stable").tolist()
        rows = np.sort(pairs.without_rivals(best_first, pairs.iou > DOUBLE))
        if len(rows) == len(self.masks):
            return self  # whose overlaps are known by now to whoever asks next
        return self.take(rows)

    def take(self, rows: NDArray[np.intp]) -> Merged:
        """Return the masks of some rows, in that order."""
        scores = self.predicted_iou[rows], self.stability_score[rows], self.rank[rows]
        return Merged(self.masks.take(rows), *scores)

    @classmethod
    def join(cls, parts: Sequence[Merged]) -> Merged:
        """Put the masks of one or more parts, all of one plane, one after the other."""
        return cls(
            PackedMasks.join([part.masks for part in parts]),
            np.concatenate([part.predicted_iou for part in parts]),
            np.concatenate([part.stability_score for part in parts]),
            np.concatenate([part.rank for part in parts]),
        )


def merge(
    found: Iterable[Sequence[Candidate]],
    plane: EncodedPlane,
    settings: ProposalSettings,
    threshold: float,
) -> Merged:
    """Bring the masks of all tiles together and draw those that are kept.

    A mask that ends where its tile does may be part of an object, which is whole in the next tile or at the
    next scale (see `tiling.plan`), and is dropped; of masks that overlap, the better is kept.

    Parameters
    ----------
    found : iterable of sequences of Candidate
        For each tile, without duplicates. Of those that were cut, none is held.
    plane : EncodedPlane
        That the tiles are of.
    settings : ProposalSettings
        The threshold of the suppression, and the smallest area.
    threshold : float
        Logit above which a pixel belongs to a mask.

    Returns
    -------
    Merged
        Best first.
    """
    tiles, whole = 0, []
    for tiles, of_tile in enumerate(found, 1):  # noqa: B007
        whole += [c for c in of_tile if not is_cut(c, plane.shape)]
    if tiles > 1:
        whole = suppress(whole, settings.box_nms_thresh)
    kept: list[Candidate] = []
    # one after the other, since a mask that is not packed yet takes a byte for each pixel of its box
    masks_of, corners_of = itertools.tee(_draw(whole, threshold, max(settings.min_area, 1), kept))
    masks = PackedMasks.pack((mask for mask, _ in masks_of), (corner for _, corner in corners_of))
    scores = np.array([(c.predicted_iou, c.stability_score, c.rank) for c in kept]).reshape(-1, 3)
    return Merged(masks, *scores.T)


def _draw(
    candidates: Sequence[Candidate], threshold: float, min_area: int, kept: list[Candidate]
) -> Iterator[tuple[NDArray[np.bool_], tuple[int, int]]]:
    """Yield the masks, with their corners on the plane, that are large enough, and note whose they are."""
    for candidate in candidates:
        mask, corner = candidate.draw(threshold)
        if np.count_nonzero(mask) >= min_area:
            kept.append(candidate)
            yield mask, corner


def is_cut(candidate: Candidate, shape: tuple[int, int]) -> bool:
    """Whether a mask ends where its tile does and the plane does not, and so may be part of an object."""
    x0, y0, x1, y1 = candidate.tile
    left, top, right, bottom = candidate.box
    return bool(
        (left <= x0 and x0 > 0)
        or (top <= y0 and y0 > 0)
        or (right >= x1 - 1 and x1 < shape[1])
        or (bottom >= y1 - 1 and y1 < shape[0])
    )
