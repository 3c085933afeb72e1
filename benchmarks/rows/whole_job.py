"""From a picture and a text to labels, against what no way around it could save."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import torch
from skimage.data import coins

from benchmarks.measuring import Ratio, Row
from benchmarks.networks import clip_vit_b, mini, mini_clip, photograph, sam_vit_b, small_masks
from napari_slip.images import to_rgb
from napari_slip.matching import Cropper
from napari_slip.models.mini.attention import two_way
from napari_slip.pipeline import Slip
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.segmentation.chunks import ON_A_PROCESSOR
from napari_slip.segmentation.decoder import Decoder
from napari_slip.segmentation.encoding import Encoder
from napari_slip.segmentation.prompts import grid
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.measuring import Context
    from napari_slip.models.protocols import DualEncoder
    from napari_slip.segments import Segments

PROMPTS = ["a coin"]


def measure(context: Context) -> list[Row]:
    """Divide the whole job by the image encoder, the decoder's transformer at the points asked, and CLIP."""
    # mini is through in half a second, in which a busy machine hurries one side and holds up the other
    rows = [_row("whole job, mini", context, *_mini_job(), max(15, context.repeats))]
    if not context.quick:
        rows.append(_row("whole job, ViT-B", context, *_vit_job()))
    return rows


def _row(
    name: str,
    context: Context,
    job: Callable[[], Segments],
    bound: Callable[[], None],
    repeats: int | None = None,
) -> Row:
    segments = job()
    ratio: Ratio = context.ratio(job, bound, repeats)
    note = f"whole job / its lower bound, {len(segments)} segments"
    return Row.of(name, ratio, "<=", 1.5, note, segments=len(segments))


def _mini_job() -> tuple[Callable[[], Segments], Callable[[], None]]:
    slip, rgb = Slip(SamSegmenter(mini()), mini_clip()), to_rgb(coins())
    asked: list[tuple[torch.Tensor, ...]] = []

    def spy(transformer: object, *tensors: torch.Tensor) -> object:
        asked.append(tensors)
        return two_way(transformer, *tensors)

    with mock.patch("napari_slip.models.mini.sam.two_way", spy):
        segments = _job(slip, rgb, mini().proposals)

    @torch.inference_mode()
    def transformer() -> None:
        for tensors in asked:
            two_way(mini().network.mask_decoder.transformer, *tensors)

    return (lambda: _job(slip, rgb, mini().proposals)), _bound(slip, rgb, segments, transformer)


def _vit_job() -> tuple[Callable[[], Segments], Callable[[], None]]:
    loaded, settings = sam_vit_b()
    settings = ProposalSettings(**{**settings.to_dict(), "stability_score_thresh": 0.0})
    slip, rgb = Slip(SamSegmenter(loaded), clip_vit_b()), photograph()
    with small_masks():
        segments = _job(slip, rgb, settings)
    plane = slip.encode(rgb)

    @torch.inference_mode()
    def transformer() -> None:
        decoder = Decoder(loaded.network, plane.tiles[0])
        for chunk in grid(plane.tiles[0], settings.points_per_side).split(ON_A_PROCESSOR):
            decoder(chunk)

    def job() -> Segments:
        with small_masks():
            return _job(slip, rgb, settings)

    return job, _bound(slip, rgb, segments, transformer)


def _job(slip: Slip, rgb: NDArray[np.uint8], settings: ProposalSettings) -> Segments:
    segments = slip.segment(rgb, settings=settings)
    slip.match(segments, PROMPTS).labels()
    return segments


def _bound(
    slip: Slip, rgb: NDArray[np.uint8], segments: Segments, transformer: Callable[[], None]
) -> Callable[[], None]:
    clip: DualEncoder = slip.encoder
    cropper = Cropper(rgb, slip.crops, size=clip.card.image_size, mean=clip.card.mean)
    pictures = cropper.cut(segments.masks).reshape(-1, clip.card.image_size, clip.card.image_size, 3)
    texts = [template.format(prompt) for template in clip.card.templates for prompt in PROMPTS]
    encoder = Encoder(slip.segmenter.network, Progress(), exact=False)  # type: ignore[attr-defined]

    @torch.inference_mode()
    def bound() -> None:
        encoder(rgb, (0, 0, rgb.shape[1], rgb.shape[0]))
        transformer()
        clip.encode_images(pictures)
        clip.encode_texts(texts)

    return bound
