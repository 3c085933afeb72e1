"""Small objects, looked at once more from closer by, so that their outlines are drawn more finely.

Output-changing: a mask that was found at a centre becomes the one that the model draws in its box, asked on a
window that shows it larger. To ask again in the box of a first answer is how cascades of detectors refine
theirs (Cai and Vasconcelos, arXiv 1712.00726). The same windows show small objects that were missed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_slip.filtering.overlaps import areas
from napari_slip.segmentation.encoding import Encoder
from napari_slip.segmentation.merging import Merged, is_cut, merge
from napari_slip.segmentation.planes import TRUST
from napari_slip.segmentation.proposing import TileProposal
from napari_slip.segmentation.quick import judge_of
from napari_slip.segmentation.tiling import OVERLAP, cover
from napari_slip.segmentation.windows import Questions, Windows
from napari_slip.segments import PackedMasks, shared_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_slip.models.mini.sam import MiniSam
    from napari_slip.progress import Progress
    from napari_slip.segmentation.candidates import Candidate
    from napari_slip.segmentation.protocols import EncodedPlane, Tile
    from napari_slip.segmentation.tiling import Box
    from napari_slip.settings import ProposalSettings

SMALL = 50.0
"""Root of an area, in model pixels, up to which an object is looked at from closer by."""

CLOSER = 2 - OVERLAP
"""How many times closer: two windows, with their overlap, are as long as one of those before."""

ENLARGED = 2.0
"""Model pixels per pixel of the plane up to which objects are searched for: a picture that is larger than
that shows nothing more, and parts of things look like things."""

SAME = 0.5
"""IoU of two masks from which on they are of the same object."""


def look_closer(
    network: MiniSam, plane: EncodedPlane, found: Merged, settings: ProposalSettings, progress: Progress
) -> Merged:
    """Draw the masks of small objects again, from closer by, and find those that were missed.

    Parameters
    ----------
    network : MiniSam
        In evaluation mode.
    plane : EncodedPlane
        Encoded by it.
    found : Merged
        N masks of the plane.
    settings : ProposalSettings
        Which masks are good enough.
    progress : Progress
        Hears ``("closer", windows done, windows)``.

    Returns
    -------
    Merged
        The same N objects first; where the second mask is poor, or of something else, the first one is kept.
        Then what was found besides, of which some are the same objects again (see `Merged.distinct`).
    """
    finest = max(plane.tiles, key=lambda tile: tile.scale)
    x0, y0, x1, y1 = finest.box
    reach = math.ceil(max(x1 - x0, y1 - y0) / CLOSER)
    small = np.flatnonzero(np.sqrt(areas(found.masks)) * max(finest.scale) < SMALL)
    windows = _shared_out(found.masks.boxes[small], cover(plane.shape, reach), plane.shape)
    if not windows:
        return found
    encoder = Encoder(network, progress, exact=plane.exact)
    better: dict[int, Candidate] = {}
    missed: list[Merged] = []
    for i, (window, chosen) in enumerate(windows.items()):
        progress("closer", i, len(windows))
        tile, rows = encoder(plane.rgb, window), small[chosen]
        drawn = _draw(network, plane, tile, found.masks.boxes[rows], settings)
        better |= {int(rows[n]): answer for n, answer in drawn.items()}
        if max(tile.scale) <= ENLARGED:
            missed.append(_find(network, plane, tile, settings, progress))
    progress("closer", len(windows), len(windows))
    redrawn = _replaced(found, better, network.mask_threshold, settings.min_area)
    return Merged.join([redrawn, *missed])


def _shared_out(
    boxes: NDArray[np.int32], windows: list[Box], shape: tuple[int, int]
) -> dict[Box, NDArray[np.intp]]:
    """Return which of (N, 4) boxes are looked at in which window: each where it has most room around it."""
    height, width = shape
    most, where = np.zeros(len(boxes)), np.full(len(boxes), -1)
    for i, (x0, y0, x1, y1) in enumerate(windows):
        low = np.array([x0 or -np.inf, y0 or -np.inf])
        high = np.array([x1 if x1 < width else np.inf, y1 if y1 < height else np.inf])
        room = np.hstack([boxes[:, :2] - low, high - boxes[:, 2:]]).min(axis=1)
        where[room > most] = i
        most = np.maximum(most, room)
    return {windows[i]: np.flatnonzero(where == i) for i in np.unique(where[where >= 0]).tolist()}


def _find(
    network: MiniSam, plane: EncodedPlane, tile: Tile, settings: ProposalSettings, progress: Progress
) -> Merged:
    """Find small objects in a window, and draw each in its box."""
    largest = SMALL * CLOSER
    look = TileProposal(network, replace(tile, trust=TRUST), settings, plane.scales, largest)
    found = merge([look.run(lambda _: progress.check())], plane, settings, network.mask_threshold)
    found = found.take(np.flatnonzero(np.sqrt(areas(found.masks)) * max(tile.scale) < largest))
    drawn = _draw(network, plane, tile, found.masks.boxes, settings) if len(found.masks) else {}
    return _replaced(found, drawn, network.mask_threshold, settings.min_area)


def _draw(
    network: MiniSam, plane: EncodedPlane, tile: Tile, boxes: NDArray[np.int32], settings: ProposalSettings
) -> dict[int, Candidate]:
    """Make the masks in (P, 4) boxes, XYXY on the plane; those that are whole and pass, by number of box."""
    answers = enumerate(_ask(network, tile, boxes, settings))
    return {n: answer for n, answer in answers if answer and not is_cut(answer, plane.shape)}


def _ask(
    network: MiniSam, tile: Tile, boxes: NDArray[np.int32], settings: ProposalSettings
) -> list[Candidate | None]:
    """Ask for the mask in each of (P, 4) boxes, XYXY on the plane."""
    asked = torch.from_numpy(tile.to_model(boxes.reshape(-1, 2, 2))).flatten(1).to(tile.embedding.device)
    windows = Windows(network, tile, judge_of(network, tile, settings))
    return windows.ask(Questions.within(network, asked))


def _replaced(found: Merged, better: Mapping[int, Candidate], threshold: float, min_area: int) -> Merged:
    """Put the masks of candidates, by row, in the places of those that show the same."""
    crops, corners = [], []
    predicted_iou, stability = found.predicted_iou.copy(), found.stability_score.copy()
    for row, box in enumerate(found.masks.boxes):
        crop, corner = found.masks.crop(row), (int(box[0]), int(box[1]))
        if row in better:
            mask, here = better[row].draw(threshold)
            if np.count_nonzero(mask) >= min_area and same(crop, corner, mask, here):
                crop, corner = mask, here
                predicted_iou[row], stability[row] = better[row].predicted_iou, better[row].stability_score
        crops.append(crop)
        corners.append(corner)
    return Merged(PackedMasks.pack(crops, corners), predicted_iou, stability, found.rank)


def same(
    mask: NDArray[np.bool_],
    corner: tuple[int, int],
    other: NDArray[np.bool_],
    other_corner: tuple[int, int],
) -> bool:
    """Whether two masks, each with the (x, y) of its corner, are of one object: by an IoU of `SAME`."""
    shared = shared_pixels(mask, corner, other, other_corner)
    return bool(shared >= SAME * (np.count_nonzero(mask) + np.count_nonzero(other) - shared))
