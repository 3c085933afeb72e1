"""The mask decoder alone, and what each of its savings brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmarks.measuring import Row
from benchmarks.networks import photograph, sam_vit_b
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.segmentation.chunks import ON_A_PROCESSOR
from napari_slip.segmentation.decoder import Decoder
from napari_slip.segmentation.prompts import grid

if TYPE_CHECKING:
    from benchmarks.measuring import Context


@torch.inference_mode()
def measure(context: Context) -> list[Row]:
    """Decode 16 points (64 where there is time) of the grid with ViT-B, upscaling all or the best 30 %."""
    loaded, settings = sam_vit_b()
    network = loaded.network
    tile = SamSegmenter(loaded).encode(photograph(), Progress()).tiles[0]
    points = grid(tile, 4 if context.quick else 8)
    decoder = Decoder(network, tile)

    def theirs() -> None:
        labels = torch.ones(len(points), 1, dtype=torch.int)
        sparse, dense = network.prompt_encoder(points=(points[:, None], labels), boxes=None, masks=None)
        network.mask_decoder(
            tile.embedding, network.prompt_encoder.get_dense_pe(), sparse, dense, multimask_output=True
        )

    def ours(floor: float) -> None:
        for chunk in points.split(ON_A_PROCESSOR):
            decoded = decoder(chunk)
            wanted = decoded.iou > floor
            if wanted.any():
                decoded.logits(wanted)

    said = "segment-anything's decoder / ours"
    return [
        Row.of("decoder, all masks", context.ratio(theirs, lambda: ours(-1e9)), ">=", 3, said),
        Row.of(
            "decoder, best 30 %", context.ratio(theirs, lambda: ours(settings.pred_iou_thresh)), ">=", 4, said
        ),
        Row.of(
            "decoder, no mask",
            context.ratio(theirs, lambda: ours(1e9)),
            ">=",
            5,
            said + ", transformer alone",
        ),
    ]
