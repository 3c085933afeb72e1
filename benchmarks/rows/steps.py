"""Where the time of a whole job goes, step by step."""

from __future__ import annotations

import functools
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from skimage.data import coins

from benchmarks.measuring import CLOCKS, Row
from benchmarks.networks import clip_vit_b, mini, mini_clip, photograph, sam_vit_b, small_masks
from napari_slip.images import to_rgb
from napari_slip.matching import Cropper
from napari_slip.models.clip import HuggingFaceClip
from napari_slip.models.mini.sam import MiniSam
from napari_slip.pipeline import Slip
from napari_slip.segmentation import SamSegmenter, decoder, planes, proposing, segmenter
from napari_slip.segmentation.candidates import Candidate, Judge
from napari_slip.segmentation.encoding import Encoder
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measuring import Context

STEPS: tuple[tuple[str, object, str], ...] = (
    ("image encoder", Encoder, "__call__"),
    ("centres", planes, "centres_of"),
    ("centres", proposing, "centres_of"),
    ("tables that all points share", decoder, "share"),
    ("decoder's transformer", decoder.Decoder, "__call__"),
    ("masks of promising points", decoder.Decoded, "logits"),
    ("decoder in windows", MiniSam, "decode_windows"),
    ("filters", Judge, "__call__"),
    ("duplicates", proposing, "suppress"),
    ("drawing", Candidate, "draw"),
    ("measuring", segmenter, "describe"),
    ("crops", Cropper, "cut"),
    ("CLIP, pictures", HuggingFaceClip, "encode_images"),
    ("CLIP, text", HuggingFaceClip, "encode_texts"),
)
"""What is timed: a name, and where it is called from. Time inside of two steps counts for the inner one."""

NEEDED = {"image encoder", "decoder's transformer", "decoder in windows", "CLIP, pictures", "CLIP, text"}
"""What no way around could save (of the windows, the transformer alone; here they count whole)."""

AT_POINTS = {"decoder's transformer", "masks of promising points", "filters"}
"""What is done for each point of the grid."""

SAMPLE, POINTS = 8, 32
"""Points along each side that are asked of ViT-B, and that they are reckoned up to."""


def measure(context: Context) -> list[Row]:
    """Time the steps of mini on the coins, and of ViT-B with CLIP ViT-B/32 on 1024 x 1024 pixels."""
    slip, rgb = Slip(SamSegmenter(mini()), mini_clip()), to_rgb(coins())
    slip.segment(rgb)
    rows = [_row("steps of mini", *_timed(context, lambda: _job(slip, rgb, mini().proposals)))]
    if context.quick:
        return rows
    loaded, settings = sam_vit_b()
    settings = ProposalSettings(
        **{**settings.to_dict(), "stability_score_thresh": 0.0, "points_per_side": SAMPLE}
    )
    slip, rgb = Slip(SamSegmenter(loaded), clip_vit_b()), photograph()
    with small_masks():
        seconds, whole = _timed(context, lambda: _job(slip, rgb, settings))
    more = (POINTS / SAMPLE) ** 2 - 1
    whole += more * sum(seconds[step] for step in AT_POINTS)
    seconds = {step: s * (1 + more) if step in AT_POINTS else s for step, s in seconds.items()}
    return [*rows, _row("steps of ViT-B", seconds, whole)]


def _job(slip: Slip, rgb: Any, settings: ProposalSettings) -> int:
    segments = slip.segment(rgb, settings=settings)
    slip.match(segments, ["a coin"]).labels()
    return len(segments)


def _timed(context: Context, job: Callable[[], int]) -> tuple[dict[str, float], float]:
    """Return the seconds of each step, and of the whole."""
    seconds: dict[str, float] = dict.fromkeys(name for name, _, _ in STEPS)  # type: ignore[arg-type]
    seconds = dict.fromkeys(seconds, 0.0)
    with _watch(seconds, CLOCKS[context.clock]):
        whole = context.seconds(job)
    return {name: s for name, s in seconds.items() if s}, whole


@contextmanager
def _watch(seconds: dict[str, float], clock: Callable[[], float]) -> Iterator[None]:
    inside: list[float] = [0.0]

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def step(*arguments: Any, **named: Any) -> Any:
            start = clock()
            inside.append(0.0)
            try:
                return work(*arguments, **named)
            finally:
                spent = clock() - start
                seconds[name] += spent - inside.pop()
                inside[-1] += spent

        return step

    with ExitStack() as stack:
        for name, owner, attribute in STEPS:
            stack.enter_context(mock.patch.object(owner, attribute, timed(name, getattr(owner, attribute))))
        yield


def _row(name: str, seconds: dict[str, float], whole: float) -> Row:
    needed = sum(s for step, s in seconds.items() if step in NEEDED)
    seconds = {**seconds, "all else": whole - sum(seconds.values())}
    shares = ", ".join(f"{step} {s / whole:.1%}" for step, s in seconds.items())
    return Row(name, whole / needed, 1.5, "<=", (whole / needed,) * 2, f"all / needed; {shares}", seconds)
