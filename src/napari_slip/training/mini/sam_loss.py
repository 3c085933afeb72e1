"""Ask mini SAM about a batch of views as SAM was trained, and measure how wrong it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from napari_slip.models.mini.sam import STRIDE
from napari_slip.training.mini.sam_dense import dense_loss

if TYPE_CHECKING:
    from napari_slip.models.mini.sam import MiniSam
    from napari_slip.training.mini.sam_dense import DenseHead


SIDES = (10, 12, 16, 16, 20)
"""Sides of a batch's small windows in cells; one of them is drawn."""

LONG = 24
"""Side of the windows for what fits into none of the small ones, such as forks and ladders, in cells."""

ROOM = 0.75
"""Share of a window's side that an object may take up."""

SHARPNESS = 0.05
"""Difference of predicted IoU by which one of the three masks is preferred e times as much as another."""


class Batch(NamedTuple):
    """Views with their targets, as tensors; see `sam_targets.Targets`."""

    images: Tensor
    """(B, 3, S, S) uint8."""
    labels: Tensor
    """(B, S, S) int32; 0 is background, `UNTOLD` may be anything."""
    heat: Tensor
    """(B, S / 4, S / 4), NaN where nothing is asked."""
    size: Tensor
    """(B, S / 4, S / 4), NaN where nothing is asked."""
    objects: Tensor
    """(B, k) int64."""
    points: Tensor
    """(B, k, 2)."""
    boxes: Tensor
    """(B, k, 4)."""
    vectors: Tensor
    """(B, 2, S / 4, S / 4), NaN on background."""


class Question(NamedTuple):
    """Prompts that are decoded together: they share one side of window."""

    picture: Tensor
    """(P,) which view."""
    corner: Tensor
    """(P, 2) first cell (row, column) of each window within the view."""
    side: int
    """Cells per side of a window."""
    objects: Tensor
    """(P,) label asked for, 0 for background."""
    points: Tensor
    """(P, 2) in the view."""
    boxes: Tensor
    """(P, 4) in the view."""


def centre_loss(heat_logits: Tensor, size: Tensor, heat: Tensor, size_target: Tensor) -> Tensor:
    """CenterNet's penalty-reduced focal loss on the heat map, plus L1 on log2 of the size near centres.

    Parameters
    ----------
    heat_logits, size : Tensor of shape (B, h, w)
        Output of the centre head.
    heat, size_target : Tensor of shape (B, h, w)
        Targets; what is NaN is not asked.

    Returns
    -------
    Tensor
        Scalar, per object.
    """
    positive = heat >= 1
    count = positive.sum().clamp_min(1)
    probability = heat_logits.sigmoid()
    found = functional.logsigmoid(heat_logits) * (1 - probability) ** 2
    empty = functional.logsigmoid(-heat_logits) * probability**2 * (1 - heat.nan_to_num(1.0)) ** 4
    focal = -torch.where(positive, found, empty).sum() / count
    asked = ~size_target.isnan()
    return focal + 0.2 * functional.smooth_l1_loss(
        size[asked], size_target[asked], reduction="sum"
    ) / asked.sum().clamp_min(1)


def mask_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Focal and dice loss, 20 to 1, of every candidate mask.

    Parameters
    ----------
    logits : Tensor of shape (P, m, h, w)
        Candidates.
    target : Tensor of shape (P, h, w)
        Covered share of each pixel, 0..1; the focal term is the one for soft targets (arXiv 2006.04388).

    Returns
    -------
    Tensor of shape (P, m)
    """
    truth = target[:, None].expand_as(logits)
    probability = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    focal = (entropy * (probability - truth).square()).mean(dim=(2, 3))
    shared = (probability * truth).sum(dim=(2, 3))
    dice = 1 - (2 * shared + 1) / (probability.sum(dim=(2, 3)) + truth.sum(dim=(2, 3)) + 1)
    return 20 * focal + dice


def true_iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of each candidate (P, m, h, w) with the target (P, h, w) where both are cut at one half."""
    predicted, truth = logits > 0, target[:, None] > 0.5
    shared = (predicted & truth).sum(dim=(2, 3)).float()
    return shared / (predicted | truth).sum(dim=(2, 3)).clamp_min(1)


def window_targets(labels: Tensor, question: Question) -> Tensor:
    """Covered share of each logit pixel, (P, 4 side, 4 side), for labels of shape (B, S, S)."""
    pixels = torch.arange(question.side * STRIDE)
    rows = question.corner[:, :1] * STRIDE + pixels
    columns = question.corner[:, 1:] * STRIDE + pixels
    windows = labels[question.picture[:, None, None], rows[:, :, None], columns[:, None, :]]
    masks = (windows == question.objects[:, None, None]) & (question.objects > 0)[:, None, None]
    return functional.avg_pool2d(masks[:, None].float(), 2)[:, 0]


def questions(batch: Batch, generator: torch.Generator, most: int = 6) -> list[Question]:
    """Split a batch's prompts into those that a small window or a larger one holds, and the others.

    Parameters
    ----------
    batch : Batch
        Views and prompts.
    generator : torch.Generator
        Source of every choice.
    most : int
        Largest number of prompts that see a whole view of 256 pixels; fewer of larger views.

    Returns
    -------
    list of Question
        Up to three, none empty.
    """
    cells = batch.images.shape[-1] // STRIDE
    picture = torch.arange(len(batch.images)).repeat_interleave(batch.objects.shape[1])
    objects, points, boxes = batch.objects.flatten(), batch.points.flatten(0, 1), batch.boxes.flatten(0, 1)
    extent = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1)
    side = SIDES[int(torch.randint(len(SIDES), (1,), generator=generator))]
    chance = torch.rand(len(objects), generator=generator)
    small = (extent <= ROOM * side * STRIDE) | ((objects == 0) & (chance < 0.8))
    small &= torch.rand(len(objects), generator=generator) < 0.92
    middle = ~small & (extent <= ROOM * LONG * STRIDE) & (chance < 0.8)
    large = torch.nonzero(~small & ~middle)[:, 0]
    large = large[torch.randperm(len(large), generator=generator)[: max(most * 1024 // cells**2, 3)]]
    asked = []
    for chosen, cells_each in ((small.nonzero()[:, 0], side), (middle.nonzero()[:, 0], LONG), (large, cells)):
        if len(chosen):
            jitter = (torch.rand(len(chosen), 2, generator=generator) - 0.5) * 0.6 * cells_each
            middles = points[chosen].flip(1) / STRIDE + jitter
            corner = (middles - cells_each / 2).round().long().clamp(0, cells - cells_each)
            asked.append(
                Question(picture[chosen], corner, cells_each, objects[chosen], points[chosen], boxes[chosen])
            )
    return asked


def _first_prompts(
    model: MiniSam, question: Question, offset: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Embed clicks, or noisy boxes for a quarter of the objects: (P, 2, C), and which are boxes (P,)."""
    encoder = model.prompt_encoder
    boxed = (torch.rand(len(question.objects), generator=generator) < 0.25) & (question.objects > 0)
    clicks = encoder._embed_points((question.points + offset)[:, None], torch.ones(len(boxed), 1), pad=True)
    extent = (question.boxes[:, 2:] - question.boxes[:, :2]).repeat(1, 2)
    noise = (torch.randn(question.boxes.shape, generator=generator) * 0.07 * extent).clamp(-20, 20)
    corners = encoder._embed_boxes(question.boxes + noise + offset.repeat(2))
    return torch.where(boxed[:, None, None], corners, clicks), boxed


def _corrections(
    model: MiniSam,
    question: Question,
    offset: Tensor,
    logits: Tensor,
    target: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Embed one click for each prompt in the larger kind of error of the mask so far: (P, 1, C)."""
    predicted, truth = logits > 0, target > 0.5
    missed, excess = truth & ~predicted, predicted & ~truth
    positive = missed.sum(dim=(1, 2)) >= excess.sum(dim=(1, 2))
    wrong = torch.where(positive[:, None, None], missed, excess).float() + 1e-6 * truth + 1e-12
    place = torch.multinomial(wrong.flatten(1), 1, generator=generator)[:, 0]
    side = logits.shape[-1]
    points = torch.stack([place % side, place // side], dim=1) * 2 + 0.5 + question.corner.flip(1) * STRIDE
    labels = positive.float()[:, None]
    embedded: Tensor = model.prompt_encoder._embed_points((points + offset)[:, None], labels, pad=False)
    return embedded


def _answer_loss(
    logits: Tensor, iou: Tensor, target: Tensor, objects: Tensor, single: Tensor
) -> tuple[Tensor, Tensor]:
    """Weigh masks and predicted IoU of one round; also return the IoU of the mask the model prefers, (P,).

    The predicted IoU has to be right, and besides to prefer the best of the three masks, which its mean error
    says little about where they are nearly equal.
    """
    real = objects > 0
    truth = true_iou(logits.detach(), target) * real[:, None]
    loss = 4 * functional.mse_loss(iou, truth)
    if real.any():
        preference = (iou[real, 1:] / SHARPNESS).softmax(dim=1)
        loss = loss + (1 - (preference * truth[real, 1:]).sum(dim=1)).mean()
        each = mask_losses(logits[real], target[real])
        weight = torch.where(single[real], 1.0, 0.4)
        loss = loss + (each[:, 1:].amin(dim=1) + 0.1 * each[:, 1:].mean(dim=1) + weight * each[:, 0]).mean()
    preferred = truth[:, 1:].gather(1, iou[:, 1:].argmax(dim=1, keepdim=True))[:, 0]
    return loss, preferred[real]


def _ask(
    model: MiniSam,
    embeddings: Tensor,
    labels: Tensor,
    question: Question,
    shift: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Ask one question and, about a third of its objects, again with a correction.

    Returns the loss and, as a figure, the IoU of the mask that the model prefers after the first prompt,
    for the prompts on objects.
    """
    offset = shift.flip(0).float()
    target = window_targets(labels, question)
    tokens = model.window_tokens(embeddings, question.picture, question.corner, question.side)
    position = model.window_tokens(
        model.prompt_encoder.get_dense_pe(),
        torch.zeros_like(question.picture),
        question.corner + shift // STRIDE,
        question.side,
    )
    prompts, boxed = _first_prompts(model, question, offset, generator)
    logits, iou = model.decode_windows(tokens, position, prompts)
    loss, reached = _answer_loss(logits, iou, target, question.objects, boxed)
    chance = torch.rand(len(boxed), generator=generator)
    again = torch.nonzero((question.objects > 0) & (chance < 0.35))[:, 0]
    if len(again) == 0:
        return loss, reached.detach()
    part = question._replace(
        picture=question.picture[again], corner=question.corner[again], objects=question.objects[again]
    )
    best = iou[again, 1:].detach().argmax(dim=1) + 1
    previous = logits[again, best].detach()
    click = _corrections(model, part, offset, previous, target[again], generator)
    former = model.prompt_encoder._embed_masks(previous[:, None]).flatten(2).transpose(1, 2)
    logits, iou = model.decode_windows(
        tokens[again], position[again], torch.cat([prompts[again], click], dim=1), former
    )
    everyone = torch.ones(len(again), dtype=torch.bool)
    return loss + 0.35 * _answer_loss(logits, iou, target[again], part.objects, everyone)[0], reached.detach()


def batch_loss(
    model: MiniSam,
    dense: DenseHead,
    batch: Batch,
    generator: torch.Generator,
    frame: int = 512,
    *,
    half: bool = False,
) -> tuple[Tensor, dict[str, float]]:
    """Encode a batch, ask about it and add everything up.

    Views smaller than the frame are put at a random place of it, so that positional encodings are learnt
    everywhere though only the view is encoded.

    Parameters
    ----------
    model : MiniSam
        In training mode.
    dense : DenseHead
        Trained beside it.
    batch : Batch
        Views and targets.
    generator : torch.Generator
        Source of every choice.
    frame : int
        Side of the model's input in pixels.
    half : bool
        Run the image encoder, half of the arithmetic, in bfloat16.

    Returns
    -------
    loss : Tensor
        Scalar.
    figures : dict
        Its parts, and ``iou``: the mean IoU of the preferred mask after the first prompt.
    """
    pixels = (batch.images.float() - model.pixel_mean) / model.pixel_std
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        embeddings = model.image_encoder(pixels)
    embeddings = embeddings.float()
    heat, size = model.centre_head(embeddings)
    centres = centre_loss(heat, size, batch.heat, batch.size)
    everywhere = dense_loss(dense, embeddings, batch)
    room = (frame - batch.images.shape[-1]) // 32
    shift = torch.randint(room + 1, (2,), generator=generator) * 32
    asked = questions(batch, generator)
    answers = [_ask(model, embeddings, batch.labels, question, shift, generator) for question in asked]
    total = sum(len(question.objects) for question in asked)
    masks = torch.stack(
        [len(q.objects) / total * loss for q, (loss, _) in zip(asked, answers, strict=True)]
    ).sum()
    preferred = torch.cat([reached for _, reached in answers])
    figures = {
        "centres": float(centres.detach()),
        "masks": float(masks.detach()),
        "dense": float(everywhere.detach()),
        "iou": float(preferred.mean()) if len(preferred) else float("nan"),
    }
    return centres + masks + everywhere, figures
