"""How far the time that a recommendation tells lies from the time that a run takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from benchmarks.measuring import Row
from benchmarks.networks import clip_vit_b, mini, mini_clip, photograph, sam_vit_b, small_masks
from napari_slip import recommending
from napari_slip.models import known_models
from napari_slip.pipeline import Slip
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measuring import Context


def measure(context: Context) -> list[Row]:
    """Divide what runs take by what follows from the machine's speed and the registry."""
    known = known_models()
    sams = {name: known.models["sam", name].work for name in ("mini", "vit_b")}
    clip_work = known.models["clip", "clip_b32"].work
    slip, drawn = Slip(SamSegmenter(mini()), mini_clip()), recommending.drawn_picture()

    def whole() -> None:
        slip.embed(slip.propose(slip.encode(drawn)), drawn)

    rows = [_row("expected time, mini", context, whole, sams["mini"])]
    clip, pictures = clip_vit_b(), photograph(224, 224 * 16).reshape(224, 16, 224, 3).swapaxes(0, 1).copy()
    rows.append(
        _row("expected time, CLIP B/32", context, lambda: clip.encode_images(pictures), 16 * clip_work)
    )
    if not context.quick:
        loaded, settings = sam_vit_b()
        segmenter, rgb = SamSegmenter(loaded), photograph()
        settings = replace(settings, prompts="auto")

        def everything() -> None:
            with small_masks():
                segmenter.propose(segmenter.encode(rgb, Progress()), settings, Progress())

        rows.append(_row("expected time, SAM ViT-B", context, everything, sams["vit_b"]))
    return rows


def _row(name: str, context: Context, run: Callable[[], object], work: int) -> Row:
    ratio = context.ratio(run, recommending.one_block(torch.device("cpu")))
    scale = recommending.BLOCK / work
    low, high = ratio.spread
    note = "a run / what is expected of it"
    return Row(name, ratio.value * scale, 2.0, "<=", (low * scale, high * scale), note, ratio.seconds)
