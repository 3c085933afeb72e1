"""One mask from what a person points at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from napari_slip.models.mini.sam import STRIDE, MiniSam
from napari_slip.segmentation.candidates import count_above
from napari_slip.segmentation.clicks import Clicks
from napari_slip.segmentation.closer import same
from napari_slip.segmentation.looks import Looks
from napari_slip.segmentation.outlines import centredness, region_at
from napari_slip.segmentation.protocols import Refined
from napari_slip.segmentation.resampling import Part, Resampler
from napari_slip.segmentation.windows import (
    AROUND,
    PER_CELL,
    ROOM,
    decode_windows,
    fills_window,
    size_at,
    window_sides,
)
from napari_slip.segments import mask_extent

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_slip.segmentation.protocols import EncodedPlane, Tile

SURE = 8.0
"""Logit of a mask prompt inside, its negative outside: what SAM itself says where it is sure."""


@dataclass(frozen=True)
class Prompt:
    """Clicks as the prompt encoder takes them.

    Parameters
    ----------
    points : (1, P, 2) and (1, P) Tensors, optional
        XY in model pixels, and labels.
    box : (1, 4) Tensor, optional
        XYXY in model pixels.
    mask : (1, 1, L, L) Tensor, optional
        Logits.
    extent : two (2,) Tensors
        Lowest and highest XY of all that was pointed at, in model pixels.
    """

    points: tuple[Tensor, Tensor] | None
    box: Tensor | None
    mask: Tensor | None
    extent: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, network: Sam, clicks: Clicks, tile: Tile) -> Prompt:
        """Bring clicks from the pixels of the plane to those of the model."""
        device = tile.embedding.device

        def to_model(xy: NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(tile.to_model(xy)).to(device)

        points = box = mask = None
        if len(clicks.points):
            points = (to_model(clicks.points)[None], torch.from_numpy(clicks.labels).to(device)[None])
        if clicks.box is not None:
            box = to_model(clicks.box.reshape(2, 2)).reshape(1, 4)
        if clicks.mask is not None:
            mask = _mask_prompt(network, clicks.mask, tile)
        low, high = to_model(np.array(clicks.extent, np.float32).reshape(2, 2))
        return cls(points, box, mask, (low, high))


def _mask_prompt(network: Sam, mask: NDArray[np.bool_], tile: Tile) -> Tensor:
    """Show a mask to the prompt encoder as logits, as if SAM had said it before."""
    x0, y0, x1, y1 = tile.box
    side = network.image_encoder.img_size
    part = torch.from_numpy(mask[y0:y1, x0:x1].astype(np.float32)).to(tile.embedding.device)
    scaled = functional.interpolate(part[None, None], tile.input_size, mode="bilinear", align_corners=False)
    padded = functional.pad(scaled, (0, side - tile.input_size[1], 0, side - tile.input_size[0]))
    small = functional.interpolate(padded, network.prompt_encoder.mask_input_size, mode="area")
    return (small * 2 - 1) * SURE


@dataclass(frozen=True)
class Answer:
    """One mask of the decoder, in the part of the plane that was decoded.

    Parameters
    ----------
    values : (h, w) Tensor
        Logits.
    mask : (h, w) bool array
        Where they are above the model's threshold.
    corner : (x, y)
        Where that part begins on the plane.
    predicted_iou : float
        0..1.
    """

    values: Tensor
    mask: NDArray[np.bool_]
    corner: tuple[int, int]
    predicted_iou: float


class Refiner:
    """Makes single masks on an encoded plane.

    Parameters
    ----------
    network : Sam
        In evaluation mode.
    plane : EncodedPlane
        Encoded by it.
    """

    def __init__(self, network: Sam, plane: EncodedPlane) -> None:
        self.network = network
        self.plane = plane
        self.looks = Looks(network, plane)

    def refine(self, clicks: Clicks) -> Refined:
        """Make one mask."""
        # a single click is ambiguous, so SAM offers three masks for it; more than that has one answer
        several = len(clicks.points) == 1 and clicks.box is None and clicks.mask is None
        looks = self.looks.at(clicks)
        if not isinstance(self.network, MiniSam):
            (tile,) = looks
            part, iou = self._decode(tile, Prompt.of(self.network, clicks, tile), several)
            return self._place(self._answer(part, iou, tile))
        answers: list[Answer] = []
        for look in looks:
            parts = _decode_window(self.network, look, Prompt.of(self.network, clicks, look), several)
            answers += [self._answer(part, iou, look) for part, iou in parts]
        if len(answers) == 1:
            return self._place(answers[0])
        answer = max(answers, key=lambda answer: _fitting(answer, clicks, self.plane.shape))
        return self._place(self._drawn_closer(self.network, clicks, answer))

    def _decode(self, tile: Tile, prompt: Prompt, several: bool) -> tuple[Part, float]:
        network = self.network
        sparse, dense = network.prompt_encoder(points=prompt.points, boxes=prompt.box, masks=prompt.mask)
        logits, iou = network.mask_decoder.predict_masks(
            image_embeddings=tile.embedding,
            image_pe=network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        best = _best(iou[0], several)
        return Part(logits[0, best], (0, 0)), float(iou[0, best])

    def _drawn_closer(self, network: MiniSam, clicks: Clicks, first: Answer) -> Answer:
        """Ask again in the box of an answer, from closer by; the first stands if they differ."""
        if not first.mask.any():
            return first
        box = np.array(mask_extent(first.mask), np.float32) + np.tile(np.array(first.corner, np.float32), 2)
        tile = self.looks.closer(box, clicks)
        if tile is None:
            return first
        boxed = Clicks.check(self.plane.shape, None, None, box, None)
        ((part, iou),) = _decode_window(network, tile, Prompt.of(network, boxed, tile), several=False)
        second = self._answer(part, iou, tile)
        as_good = _kept_by(second, clicks, self.plane.shape) >= _kept_by(first, clicks, self.plane.shape)
        return second if as_good and same(first.mask, first.corner, second.mask, second.corner) else first

    def _answer(self, part: Part, iou: float, tile: Tile) -> Answer:
        logits, side = self.network.prompt_encoder.mask_input_size[0], self.network.image_encoder.img_size
        values, (x, y) = Resampler.of(tile, logits, side).resample(part)
        mask = (values > self.network.mask_threshold).cpu().numpy()
        return Answer(values, mask, (x + tile.box[0], y + tile.box[1]), min(max(iou, 0.0), 1.0))

    def _place(self, answer: Answer) -> Refined:
        threshold = self.network.mask_threshold
        union = count_above(answer.values, threshold - 1)
        stability = count_above(answer.values, threshold + 1) / union if union else 0.0
        whole = np.zeros(self.plane.shape, bool)
        (x, y), (height, width) = answer.corner, answer.mask.shape
        whole[y : y + height, x : x + width] = answer.mask
        return Refined(whole, answer.predicted_iou, stability)


def _decode_window(network: MiniSam, tile: Tile, prompt: Prompt, several: bool) -> list[tuple[Part, float]]:
    """Decode on the window that the object fits into, as the model was trained to.

    Clicks alone have all of the model's masks for an answer, a box or a mask has the one for clear prompts.
    """
    sparse, _ = network.prompt_encoder(points=prompt.points, boxes=prompt.box, masks=None)
    low, high = prompt.extent
    sides = window_sides(tile)
    expected = 0.0 if prompt.points is None else size_at(network, tile, prompt.points[0][0, 0])
    room = max(expected * ROOM, float((high - low).max()) * AROUND) / STRIDE
    for side in (side for side in sides if side >= room or side == sides[-1]):
        logits, iou, corners = decode_windows(
            network, tile, ((low + high) / 2)[None], side, sparse, prompt.mask
        )
        if not fills_window(tile, logits[:, _best(iou[0], several)], corners, network.mask_threshold):
            break
    x, y = (corners[0] * PER_CELL).tolist()
    clicks_alone = prompt.box is None and prompt.mask is None
    return [(Part(logits[0, n], (x, y)), float(iou[0, n])) for n in range(len(iou[0]) if clicks_alone else 1)]


def _best(iou: Tensor, several: bool) -> int:
    return 1 + int(iou[1:].argmax()) if several else 0


def _fitting(answer: Answer, clicks: Clicks, shape: tuple[int, int]) -> float:
    """Return how well an answer fits clicks: how many it keeps, how good it is, how central the first is."""
    middle, first = 1.0, _within(answer, clicks.points[0], shape)
    if clicks.labels[0]:
        hit = first is not None and answer.mask[first]
        middle = centredness(region_at(answer.mask, first), first) if first is not None and hit else 0.0
    return _kept_by(answer, clicks, shape) + 0.999 * answer.predicted_iou * middle


def _kept_by(answer: Answer, clicks: Clicks, shape: tuple[int, int]) -> int:
    """Return how many clicks an answer keeps: inside of it those of "this", outside the others."""
    places = [_within(answer, point, shape) for point in clicks.points]
    hits = [at is not None and bool(answer.mask[at]) for at in places]
    return sum(hit == bool(sign) for hit, sign in zip(hits, clicks.labels, strict=True))


def _within(answer: Answer, point: NDArray[np.float32], shape: tuple[int, int]) -> tuple[int, int] | None:
    """Return (row, column) of a point of the plane in an answer; None if it lies beside."""
    x, y = (min(int(place), end - 1) for place, end in zip(point, shape[::-1], strict=True))
    row, column = y - answer.corner[1], x - answer.corner[0]
    height, width = answer.mask.shape
    return (row, column) if 0 <= row < height and 0 <= column < width else None
