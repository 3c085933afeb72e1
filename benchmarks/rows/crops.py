"""Showing 100 segments to CLIP: the usual loop against crops from bounding boxes in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.measuring import Row
from benchmarks.networks import clip_vit_b, mini_clip
from benchmarks.scenes import many_segments
from napari_slip.matching import embed_segments
from napari_slip.progress import Progress
from napari_slip.settings import CropSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.measuring import Context
    from napari_slip.models.clip import HuggingFaceClip


def measure(context: Context) -> list[Row]:
    """Embed one view of each segment of a plane of 2048 x 2048 pixels, with a small CLIP and a large one."""
    n, side = (20, 1024) if context.quick else (100, 2048)
    segments, rgb = many_segments(n, side)
    whole = [
        segments.mask(label) for label in range(1, n + 1)
    ]  # as segment-anything's generator returns them
    rows = []
    for name, clip in (("mini", mini_clip()), ("ViT-B/32", clip_vit_b())):

        def usual(clip: HuggingFaceClip = clip) -> None:
            _usual_loop(whole, rgb, clip)

        def ours(clip: HuggingFaceClip = clip) -> None:
            embed_segments(segments, rgb, clip, CropSettings(views=("black",)), Progress())

        note = f"{n} segments of {side} x {side} pixels, one view: one by one / in batches"
        rows.append(Row.of(f"crops and CLIP, {name}", context.ratio(usual, ours), ">=", 8, note))
    return rows


def _usual_loop(
    masks: list[NDArray[np.bool_]], rgb: NDArray[np.uint8], clip: HuggingFaceClip
) -> NDArray[np.float32]:
    """One segment at a time, each blacked out in a copy of the whole image, as SLIP and its like do it."""
    embeddings = []
    for mask in masks:
        blacked = rgb.copy()
        blacked[~mask] = 0
        rows, columns = np.where(mask)
        crop = Image.fromarray(blacked).crop((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        small = np.asarray(
            crop.resize((clip.card.image_size, clip.card.image_size), Image.Resampling.BICUBIC)
        )
        embeddings.append(clip.encode_images(small[None]))
    return np.concatenate(embeddings)
