"""Peak memory of a large image with many segments, above the loaded weights."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.measuring import Row, resident_bytes

if TYPE_CHECKING:
    from benchmarks.measuring import Context


def measure(context: Context) -> list[Row]:
    """Segment 2048 x 2048 pixels with ViT-B so that 500 segments come, in a process of its own."""
    per_side = "8" if context.quick else "16"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.rows.memory", per_side], check=True, capture_output=True, text=True
    )
    said = json.loads(ran.stdout)
    note = f"GB above the loaded weights, {said['segments']} segments, 2048 x 2048, ViT-B and CLIP ViT-B/32"
    return [Row("peak memory", said["peak"], 2.0, "<=", (said["peak"], said["peak"]), note, said)]


def _run(per_side: int) -> None:
    from benchmarks.networks import clip_vit_b, photograph, sam_vit_b, small_masks
    from napari_slip.pipeline import Slip
    from napari_slip.segmentation import SamSegmenter
    from napari_slip.settings import ProposalSettings

    loaded, settings = sam_vit_b()
    slip, rgb = Slip(SamSegmenter(loaded), clip_vit_b()), photograph(2048, 2048)
    settings = ProposalSettings(
        pred_iou_thresh=settings.pred_iou_thresh / 2,
        stability_score_thresh=0.0,
        points_per_side=per_side,
        box_nms_thresh=0.99,
        prompts="grid",
    )
    before = resident_bytes()
    with small_masks():
        segments = slip.segment(rgb, settings=settings)
    peak = resident_bytes(peak=True)
    print(json.dumps({"peak": (peak - before) / 1e9, "weights": before / 1e9, "segments": len(segments)}))


if __name__ == "__main__":
    _run(int(sys.argv[1]))
