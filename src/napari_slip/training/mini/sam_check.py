"""Quick figures on mini SAM while it trains: clicks, centres, and automatic masks from centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from skimage.transform import resize
from torch.nn import functional

from napari_slip.models.mini.sam import STRIDE
from napari_slip.training.mini.sam_targets import interior_distance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.models.mini.sam import MiniSam
    from napari_slip.training.mini.sam_data import Picture


class Frame(NamedTuple):
    """A part of a picture as the model sees it."""

    image: NDArray[np.uint8]
    """(h, w, 3) at model scale, at most one frame."""
    labels: NDArray[np.int32]
    """(h, w) at model scale."""


def frames(picture: Picture, side: int = 512) -> list[Frame]:
    """Show a small picture enlarged to one frame and a large one as tiles at its own scale."""
    height, width = picture.labels.shape
    scale = side / max(height, width)
    if scale >= 1.2:
        shape = (round(height * scale), round(width * scale))
        image = np.rint(resize(picture.image, shape, order=1, preserve_range=True)).astype(np.uint8)
        labels = resize(picture.labels, shape, order=0, preserve_range=True, anti_aliasing=False)
        return [Frame(image, labels.astype(np.int32))]
    return [
        Frame(
            picture.image[y : y + side, x : x + side],
            picture.labels[y : y + side, x : x + side].astype(np.int32),
        )
        for y in range(0, max(height - 100, 1), side)
        for x in range(0, max(width - 100, 1), side)
    ]


@torch.no_grad()
def embed(model: MiniSam, image: NDArray[np.uint8]) -> Tensor:
    """Encode one frame, (1, C, 64, 64)."""
    pixels = torch.from_numpy(image.transpose(2, 0, 1).copy()).float()
    out: Tensor = model.image_encoder(model.preprocess(pixels)[None])
    return out


@torch.no_grad()
def click(
    model: MiniSam, embedding: Tensor, points: Tensor, sizes: Tensor
) -> tuple[NDArray[np.bool_], Tensor, Tensor]:
    """Decode one click each on windows about three times as large as the object.

    Parameters
    ----------
    model : MiniSam
        In evaluation mode.
    embedding : Tensor of shape (1, C, h, w)
        One frame.
    points : Tensor of shape (n, 2)
        Clicks as (x, y) in model pixels.
    sizes : Tensor of shape (n,)
        Expected sizes of the objects in model pixels.

    Returns
    -------
    masks : bool array of shape (n, 8 h, 8 w)
    iou : Tensor of shape (n,)
        Predicted, of the preferred of three masks.
    stability : Tensor of shape (n,)
        IoU of the mask cut at logits of +1 and of -1.
    """
    cells = embedding.shape[-1]
    masks = np.zeros((len(points), cells * STRIDE, cells * STRIDE), bool)
    scores, stability = torch.zeros(len(points)), torch.zeros(len(points))
    sides = torch.tensor([12, 16, 24, 32, cells])
    wanted = torch.bucketize(sizes * 2.2 / STRIDE, sides).clamp(max=len(sides) - 1)
    for i, side in enumerate(sides.tolist()):
        which = torch.nonzero(wanted == i)[:, 0]
        for part in which.split(16) if len(which) else ():
            corner = (points[part].flip(1) / STRIDE - side / 2).round().long().clamp(0, cells - side)
            zero = torch.zeros(len(part), dtype=torch.long)
            tokens = model.window_tokens(embedding, zero, corner, side)
            position = model.window_tokens(model.prompt_encoder.get_dense_pe(), zero, corner, side)
            prompts = model.prompt_encoder._embed_points(
                points[part][:, None], torch.ones(len(part), 1), pad=True
            )
            logits, iou = model.decode_windows(tokens, position, prompts)
            score, best = iou[:, 1:].max(dim=1)
            chosen = logits[torch.arange(len(part)), best + 1]
            full = functional.interpolate(
                chosen[:, None], scale_factor=2, mode="bilinear", align_corners=False
            )[:, 0]
            scores[part] = score
            stability[part] = (full > 1).sum((1, 2)) / (full > -1).sum((1, 2)).clamp_min(1)
            for n, (row, column), mask in zip(
                part.tolist(), (corner * STRIDE).tolist(), full.numpy() > 0, strict=True
            ):
                masks[n, row : row + mask.shape[0], column : column + mask.shape[1]] = mask
    return masks, scores, stability


def keep_best(masks: NDArray[np.bool_], scores: NDArray[np.float64], shared: float = 0.3) -> list[int]:
    """Return the masks that no better one overlaps by more than `shared` of the smaller, best first."""
    flat = masks.reshape(len(masks), masks.shape[1] * masks.shape[2]).astype(np.float32)
    overlap = flat @ flat.T
    areas = np.diag(overlap)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if areas[i] > 0 and all(overlap[i, j] <= shared * min(areas[i], areas[j]) for j in kept):
            kept.append(int(i))
    return kept


def iou_with_labels(masks: NDArray[np.bool_], labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """IoU of each mask with each object: (n, number of labels), labels being 1, 2, ..."""
    count = int(labels.max())
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    out = np.zeros((len(masks), count))
    for i, mask in enumerate(masks):
        inside = np.bincount(labels[mask], minlength=count + 1)
        out[i] = inside[1:] / np.maximum(areas + mask.sum() - inside[1:], 1)
    return out


def _numbered(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Renumber objects 1, 2, ... without gaps; 0 stays background."""
    values = np.unique(labels[labels > 0])
    out: NDArray[np.int32] = np.where(labels > 0, np.searchsorted(values, labels) + 1, 0).astype(np.int32)
    return out


def click_every_object(
    model: MiniSam, embedding: Tensor, labels: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Click into the middle of each object: the IoU reached and the IoU predicted, each (n,)."""
    count = int(labels.max())
    if count == 0:
        return np.empty(0), np.empty(0)
    middle = ndimage.maximum_position(interior_distance(labels), labels, np.arange(1, count + 1))
    points = torch.tensor(middle, dtype=torch.float32).flip(1)
    sizes = torch.from_numpy(np.bincount(labels.ravel())[1:]).float().sqrt()
    masks, scores, _ = click(model, embedding, points, sizes)
    height, width = labels.shape
    return np.diag(iou_with_labels(masks[:, :height, :width], labels)), scores.double().numpy()


def find_objects(
    model: MiniSam, embedding: Tensor, shape: tuple[int, int], threshold: float, floor: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Click on every predicted centre and keep the best masks.

    Returns the centres (n, 2) as (row, column) within `shape`, and the masks (m, height, width) that are
    left.
    """
    height, width = shape
    centres = model.centres(embedding, threshold)
    centres = centres.take(~centres.spread)
    inside = (centres.points < torch.tensor([width, height])).all(dim=1)
    points, sizes = centres.points[inside], centres.sizes[inside]
    masks, scores, stability = click(model, embedding, points, sizes)
    good = np.flatnonzero((scores >= floor).numpy())
    rank = (scores * stability * centres.scores[inside].sqrt()).double().numpy()
    masks = masks[good, :height, :width]
    return points.long().flip(1).numpy(), masks[keep_best(masks, rank[good])]


def check(
    model: MiniSam, pictures: Iterable[Picture], threshold: float = 0.3, floor: float = 0.5
) -> dict[str, float]:
    """Measure one kind of picture.

    Parameters
    ----------
    model : MiniSam
        In evaluation mode.
    pictures : iterable of Picture
        Never seen in training.
    threshold : float
        Smallest score of a centre.
    floor : float
        Smallest predicted IoU of a mask.

    Returns
    -------
    dict
        ``click``: mean IoU of one click into the middle of each object; ``AP50`` and ``AP75``: TP / (TP + FP
        + FN) at IoU 0.5 and 0.75, meaned over frames; ``recall75``: share of objects found at IoU 0.75;
        ``centres``: share of objects with a centre in them; ``calibration``: mean absolute error of the
        predicted IoU of the clicks.
    """
    reached: list[float] = []
    errors: list[float] = []
    precision: dict[float, list[float]] = {0.5: [], 0.75: []}
    hit = found = total = 0
    for frame in (frame for picture in pictures for frame in frames(picture)):
        labels = _numbered(frame.labels)
        count = int(labels.max())
        embedding = embed(model, frame.image)
        ious, predicted = click_every_object(model, embedding, labels)
        reached += ious.tolist()
        errors += np.abs(ious - predicted).tolist()
        centres, masks = find_objects(model, embedding, labels.shape, threshold, floor)
        overlap = iou_with_labels(masks, labels)
        total += count
        hit += len(set(labels[centres[:, 0], centres[:, 1]].tolist()) - {0})
        found += int((overlap >= 0.75).any(axis=0).sum())
        for level, values in precision.items():
            matched = int((overlap >= level).any(axis=0).sum())
            values.append(matched / max(count + len(masks) - matched, 1))
    return {
        "click": float(np.mean(reached)),
        "AP50": float(np.mean(precision[0.5])),
        "AP75": float(np.mean(precision[0.75])),
        "recall75": found / max(total, 1),
        "centres": hit / max(total, 1),
        "calibration": float(np.mean(errors)),
    }
