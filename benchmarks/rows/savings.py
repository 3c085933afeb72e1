"""What each saving brings by itself, and what it changes; the larger ones have rows of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from segment_anything.utils import amg
from torch.nn import functional

from benchmarks.measuring import Row
from benchmarks.networks import clip_vit_b, sam_vit_b
from benchmarks.scenes import many_segments
from napari_slip.matching import Cropper
from napari_slip.models.precision import bfloat16_pays
from napari_slip.segmentation import Tile
from napari_slip.segmentation.candidates import Judge
from napari_slip.segmentation.quick import QuickJudge
from napari_slip.segmentation.resampling import Resampler
from napari_slip.segmentation.vit import run_vit
from napari_slip.settings import CropSettings, ProposalSettings

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.measuring import Context

SIDE, LOGITS = 1024, 256
"""Model pixels, and the decoder's logits along them."""


@torch.inference_mode()
def measure(context: Context) -> list[Row]:
    """Divide the time without each saving by the time with it."""
    preserving = [_masks(context), _crops(context)]
    changing = [_unstable(context), *_half(context)]
    return [*preserving, *([] if context.quick else [_encoder(context)]), *changing]


def _encoder(context: Context) -> Row:
    """Compare attention that is written out, as in segment-anything, with the fused one; ViT-B."""
    encoder = sam_vit_b()[0].network.image_encoder
    picture = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    made: dict[str, Tensor] = {}
    ratio = context.ratio(
        lambda: made.update(theirs=encoder(picture)),
        lambda: made.update(ours=run_vit(encoder, picture, lambda: None)),
        1,
    )
    error = float((made["ours"] - made["theirs"]).norm() / made["theirs"].norm())
    return Row.of(
        "saving: fused attention",
        ratio,
        ">=",
        1,
        f"preserving; ViT-B's encoder, relative error {error:.0e}",
        error=error,
    )


def _masks(context: Context) -> Row:
    """Compare upsampling every mask before it is judged with judging each inside its box."""
    logits = _discs(48, noisy=0)
    judge, iou = _judge(Judge), torch.full((48,), 0.95)
    kept: dict[str, int] = {}

    def theirs() -> None:
        # as the automatic generator does with a batch of points
        masks = functional.interpolate(logits[:, None], (SIDE, SIDE), mode="bilinear", align_corners=False)
        stable = amg.calculate_stability_score(masks, 0.0, 1.0)[:, 0] >= judge.settings.stability_score_thresh
        above = (masks > 0)[stable, 0]
        amg.batched_mask_to_box(above)
        kept["theirs"] = len(amg.mask_to_rle_pytorch(above))

    def ours() -> None:
        kept["ours"] = len(judge(logits, iou))

    ratio = context.ratio(theirs, ours)
    note = f"preserving; 48 masks upsampled and judged, {kept['ours']} of {kept['theirs']} kept"
    return Row.of("saving: masks in their boxes", ratio, ">=", 1, note, **kept)


def _crops(context: Context) -> Row:
    """Compare crops from copies of the whole plane with crops from bounding boxes."""
    side = 1024 if context.quick else 2048
    segments, rgb = many_segments(20, side)
    masks = [segments.mask(label) for label in range(1, 21)]
    cropper = Cropper(rgb, CropSettings(views=("black",)), size=224, mean=(0.5, 0.5, 0.5))

    def theirs() -> None:
        for mask in masks:
            black = rgb.copy()
            black[~mask] = 0
            y, x = np.where(mask)
            crop = Image.fromarray(black).crop((x.min(), y.min(), x.max() + 1, y.max() + 1))
            crop.resize((224, 224), Image.Resampling.BICUBIC)

    ratio = context.ratio(theirs, lambda: cropper.cut(segments.masks))
    return Row.of("saving: crops from boxes", ratio, ">=", 1, f"preserving; 20 crops of {side} x {side}")


def _unstable(context: Context) -> Row:
    """Compare judging all masks at the plane's pixels with giving up the unstable ones by their logits."""
    logits, iou = _discs(48, noisy=36), torch.full((48,), 0.95)
    kept: dict[str, int] = {}
    ratio = context.ratio(
        lambda: kept.update(all=len(_judge(Judge)(logits, iou))),
        lambda: kept.update(quick=len(_judge(QuickJudge)(logits, iou))),
    )
    note = f"changing; 48 masks, 36 of them large and unstable: {kept['quick']} of {kept['all']} kept"
    return Row.of("saving: small logits first", ratio, ">=", 1, note, **kept)


def _half(context: Context) -> list[Row]:
    """Compare float32 with bfloat16: a block of SAM's ViT-B, and CLIP ViT-B/32 on 8 pictures."""
    device = torch.device("cpu")
    used = bfloat16_pays(device)
    block = sam_vit_b()[0].network.image_encoder.blocks[0]
    cells = torch.randn(1, 64, 64, 768, generator=torch.Generator().manual_seed(0))
    pictures = torch.rand(8, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    vision = clip_vit_b().network
    rows = []
    for name, work in (
        ("SAM, a block", lambda: block(cells)),
        ("CLIP", lambda: vision.get_image_features(pixel_values=pictures).pooler_output),
    ):
        made: dict[str, Tensor] = {}

        def half(work=work, made=made) -> None:
            with torch.autocast("cpu", torch.bfloat16):
                made["half"] = work().float()

        ratio = context.ratio(lambda work=work, made=made: made.update(whole=work()), half)
        alike = float(functional.cosine_similarity(made["whole"], made["half"], dim=-1).min())
        note = f"changing; smallest cosine {alike:.4f}; {'used' if used else 'not used'} on this machine"
        bar = 1 if used else 0
        rows.append(Row.of(f"saving: bfloat16, {name}", ratio, ">=", bar, note, cosine=alike))
    return rows


def _judge(kind: type[Judge]) -> Judge:
    tile = Tile(torch.zeros(1), (0, 0, SIDE, SIDE), (SIDE, SIDE))
    return kind(ProposalSettings(), 0.0, Resampler.of(tile, LOGITS, SIDE), tile.box)


def _discs(count: int, noisy: int) -> Tensor:
    """Return logits of discs as large as cells are; the last `noisy` are large, with doubtful edges."""
    generator = torch.Generator().manual_seed(0)
    middles = torch.rand(count, 2, generator=generator) * (LOGITS - 60) + 30
    along = torch.arange(LOGITS)
    x, y = along - middles[:, :1], along - middles[:, 1:]
    radius = torch.full((count, 1, 1), 20.0)
    radius[count - noisy :] = 90
    logits = 4 * (radius - (x.square()[:, None, :] + y.square()[:, :, None]).sqrt())
    logits[count - noisy :] /= 40
    return logits
