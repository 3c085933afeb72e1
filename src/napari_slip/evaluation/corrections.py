"""What correcting costs: a person is imitated who clicks where the mask is most wrong, until it is right."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.evaluation.bbbc038 import NEGATIVES, PROMPT, SELECT, validation_images
from napari_slip.evaluation.clicks import SMALLEST, clickable, innermost
from napari_slip.evaluation.metrics import iou_of_masks
from napari_slip.images import to_rgb
from napari_slip.objects import Pointing
from napari_slip.progress import Progress
from napari_slip.segmentation.correcting import one_more
from napari_slip.segments import mask_extent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.pipeline import Slip
    from napari_slip.segmentation import EncodedPlane
    from napari_slip.segmentation.protocols import Segmenter

    Mask = NDArray[np.bool_]

MOST = 20
"""Clicks after which the imitated person gives up, as is usual where interactive segmentation is measured."""


@dataclass(frozen=True)
class Trail:
    """How a mask got better.

    Parameters
    ----------
    ious : tuple of float
        With the truth: before the first click, and after each.
    masks : tuple of (H, W) bool arrays
        After each click.
    pointings : tuple of Pointing
        The clicks so far, after each.
    seconds : tuple of float
        From each click to its mask.
    """

    ious: tuple[float, ...]
    masks: tuple[Mask, ...]
    pointings: tuple[Pointing, ...]
    seconds: tuple[float, ...]

    def clicks_to(self, bar: float, never: float = MOST) -> float:
        """Clicks until the IoU has reached a bar; `never` if it never has."""
        return next((n for n, iou in enumerate(self.ious) if iou >= bar), never)


@dataclass(frozen=True)
class Candidate:
    """A nucleus that a text has found, and how well.

    Parameters
    ----------
    image : (H, W) or (H, W, C) uint8 array
        The whole picture.
    truth : (H, W) bool array
        The nucleus.
    matched : float
        IoU of the accepted segment that fits it best.
    picked : (H, W) bool array
        The segment that fits it best of all.
    """

    image: NDArray[np.uint8]
    truth: Mask
    matched: float
    picked: Mask

    @property
    def start(self) -> Mask | None:
        """What a person begins with: the segment, or nothing where none that is offered is half right."""
        return self.picked if iou(self.picked, self.truth) >= 0.5 else None


def click_until(
    segmenter: Segmenter,
    plane: EncodedPlane,
    truth: Mask,
    bar: float,
    start: Mask | None = None,
    most: int = MOST,
) -> Trail:
    """Click at an object until its mask is good enough.

    Parameters
    ----------
    segmenter : Segmenter
        Has encoded the plane.
    plane : EncodedPlane
        What is clicked at.
    truth : (H, W) bool array
        The object.
    bar : float
        IoU at which to stop.
    start : (H, W) bool array, optional
        Mask to begin with; none if not given.
    most : int
        Clicks at most.
    """
    mask = np.zeros(truth.shape, bool) if start is None else start
    ious, masks, pointings, seconds = [iou(mask, truth)], [], [], []
    points: tuple[tuple[float, float, int], ...] = ()
    while ious[-1] < bar and len(points) < most:
        points = (*points, worst_place(mask, truth))
        began = time.perf_counter()
        mask = one_more(segmenter, plane, mask, Pointing(points), len(points) - (start is None))
        seconds.append(time.perf_counter() - began)
        ious.append(iou(mask, truth))
        masks.append(mask)
        pointings.append(Pointing(points))
    return Trail(tuple(ious), tuple(masks), tuple(pointings), tuple(seconds))


def worst_place(mask: Mask, truth: Mask) -> tuple[float, float, int]:
    """Return x, y and sign of a click in the middle of the thickest part that is wrong."""
    wrong = mask != truth
    x0, y0, x1, y1 = mask_extent(wrong)
    window = np.s_[y0:y1, x0:x1]
    best, place = -1.0, (0.0, 0.0, 1)
    for part, sign in ((truth & ~mask, 1), (mask & ~truth, 0)):
        depth, x, y = innermost(part[window])
        if depth > best:
            best, place = depth, (x + x0, y + y0, sign)
    return place


def iou(one: Mask, other: Mask) -> float:
    """Intersection over union; 0 where both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 0.0


def click_trails(
    slip: Slip, data: Path, bar: float, progress: Progress | None = None, limit: int | None = None
) -> Iterator[Trail]:
    """Click at some nuclei of every validation image, from nothing, until each reaches a bar.

    Parameters
    ----------
    slip : Slip
        What is measured.
    data : Path
        Folder that holds ``bbbc038``.
    bar : float
        IoU at which to stop.
    progress : Progress, optional
        Hears ``("corrections", i, n)``, and can stop the work.
    limit : int, optional
        Images at most, taken evenly from all.
    """
    progress = progress or Progress()
    images = validation_images(data, limit)
    for n, (image, labels) in enumerate(images):
        progress("corrections", n, len(images))
        plane = slip.encode(to_rgb(image), progress=progress)
        for i in clickable(labels, np.random.default_rng(n)):
            yield click_until(slip.segmenter, plane, labels == i, bar)
    progress("corrections", len(images), len(images))


def worst_matches(
    slip: Slip, data: Path, count: int = 20, progress: Progress | None = None, limit: int | None = None
) -> list[Candidate]:
    """Ask for nuclei in every validation image and return those that were found least well.

    A nucleus counts as found if an accepted segment shares a tenth of their union with it.
    """
    progress = progress or Progress()
    images = validation_images(data, limit)
    worst: list[Candidate] = []
    for n, (image, labels) in enumerate(images):
        progress("matches", n, len(images))
        segments = slip.segment(image, progress=progress)
        accepted = slip.match(segments, [PROMPT], negatives=NEGATIVES).accepted(SELECT)[:, 0]
        ious, sizes = iou_of_masks(labels, segments.masks), np.bincount(labels.ravel())
        for i in np.flatnonzero(sizes[1:] >= SMALLEST):
            matched = float(ious[i, accepted].max(initial=0))
            if matched >= 0.1:
                picked = segments.mask(int(ious[i].argmax()) + 1)
                worst.append(Candidate(image, labels == i + 1, matched, picked))
        worst = sorted(worst, key=lambda found: found.matched)[:count]
    progress("matches", len(images), len(images))
    return worst
