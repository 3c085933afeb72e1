"""From an encoded tile to candidates: where to ask, what to keep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from napari_slip.models.memory import in_chunks
from napari_slip.models.mini.sam import MiniSam
from napari_slip.segmentation import adaptive
from napari_slip.segmentation.candidates import suppress
from napari_slip.segmentation.chunks import chunk_size
from napari_slip.segmentation.decoder import Decoder
from napari_slip.segmentation.prompts import grid
from napari_slip.segmentation.quick import judge_of
from napari_slip.segmentation.tiling import OVERLAP
from napari_slip.segmentation.windows import Questions, Windows, centres_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_slip.segmentation.candidates import Candidate, Judge
    from napari_slip.segmentation.protocols import Tile
    from napari_slip.settings import ProposalSettings

PLAIN = 0.6
"""Predicted IoU from which on a mask counts whose centre is spread: of those below, few are of objects."""


class TileProposal:
    """The search for the masks of one tile.

    Parameters
    ----------
    network : Sam
        In evaluation mode.
    tile : Tile
        Encoded by it.
    settings : ProposalSettings
        Where to ask and which masks to keep.
    scales : collection of float
        Model pixels per pixel at which the plane is looked at.
    largest : float
        Size in model pixels up to which objects are asked for at their centres.
    """

    def __init__(
        self,
        network: Sam,
        tile: Tile,
        settings: ProposalSettings,
        scales: Collection[float],
        largest: float = math.inf,
    ) -> None:
        self.network = network
        self.tile = tile
        self.settings = settings
        self.centres = None
        if isinstance(network, MiniSam) and asked_at_centres(network, settings):
            smallest = _smallest(tile.scale[0], scales, network.image_encoder.img_size)
            self.centres = centres_of(network, tile, smallest, largest)

    @property
    def prompts(self) -> int:
        """At how many points the tile is asked, at most."""
        return self.settings.points_per_side**2 if self.centres is None else len(self.centres.points)

    def run(self, step: Callable[[int], None]) -> list[Candidate]:
        """Ask.

        Parameters
        ----------
        step : callable
            Called with the number of prompts that have just been done; what it raises ends the search.

        Returns
        -------
        list of Candidate
            Without duplicates, best first.
        """
        network, settings = self.network, self.settings
        judge = judge_of(network, self.tile, settings)
        if self.centres is not None and isinstance(network, MiniSam):
            questions = Questions.at(network, self.centres, self.tile.trust)
            answers = Windows(network, self.tile, judge).ask(questions, step)
            spread = self.centres.spread.tolist()
            found = [
                answer
                for answer, vague in zip(answers, spread, strict=True)
                if answer and (answer.predicted_iou >= PLAIN or not vague)
            ]
        else:
            decoder = Decoder(network, self.tile)
            scale = network.prompt_encoder.mask_input_size[0] / network.image_encoder.img_size
            found = ask_everywhere(decoder, judge, self.tile, chunk_size(network), scale, step)
        return suppress(found, settings.box_nms_thresh)


def asked_at_centres(network: Sam, settings: ProposalSettings) -> bool:
    """Whether a model is asked where it predicts objects, one mask for each, and not all over the plane."""
    return isinstance(network, MiniSam) and settings.prompts == "auto" and not settings.exact


class Answer(Protocol):
    """What a decoder says of P points."""

    @property
    def iou(self) -> Tensor:
        """(P, M) predicted IoUs of the masks at each point."""

    def logits(self, wanted: Tensor) -> Tensor:
        """Make the masks that are wanted, (P, M) bool, as (N, h, w) logits."""


def ask_everywhere(
    decoder: Callable[[Tensor], Answer],
    judge: Judge,
    tile: Tile,
    size: int,
    scale: float,
    step: Callable[[int], None],
) -> list[Candidate]:
    """Ask a decoder all over a tile, on the judge's terms.

    Parameters
    ----------
    decoder : callable
        Takes (P, 2) points, XY in model pixels.
    judge : Judge
        Of the same tile; its settings say where to ask.
    tile : Tile
        Encoded for the decoder.
    size : int
        Points at once.
    scale : float
        Logits per model pixel.
    step : callable
        Called with the number of prompts that have just been done.

    Returns
    -------
    list of Candidate
        Those that pass, with duplicates.
    """
    found: list[Candidate] = []
    ask, settings = _Asker(decoder, judge, found, step), judge.settings
    points = grid(tile, settings.points_per_side)
    if settings.exact or settings.prompts == "grid":
        in_chunks(points, size, ask)
    else:
        _ask_adaptively(points, settings.points_per_side, size, ask, scale)
    return found


class _Asker:
    """Asks at points and collects what passes."""

    def __init__(
        self,
        decoder: Callable[[Tensor], Answer],
        judge: Judge,
        found: list[Candidate],
        step: Callable[[int], None],
    ) -> None:
        self.decoder = decoder
        self.judge = judge
        self.found = found
        self.step = step

    def __call__(self, points: Tensor) -> None:
        decoded = self.decoder(points)
        promising = self.judge.promising(decoded.iou)
        if promising.any():
            self.found += self.judge(decoded.logits(promising), decoded.iou[promising])
        self.step(len(points))


def _ask_adaptively(points: Tensor, per_side: int, size: int, ask: _Asker, scale: float) -> None:
    """Ask round by round, leaving out the points that are settled; `scale` is in logits per model pixel."""
    height, width = ask.judge.resampler.used
    settled = adaptive.Settled(max(height, width), max(height, width) / per_side, ask.judge.threshold)
    for rows, stride in zip(adaptive.rounds(per_side), adaptive.STRIDES, strict=False):
        chosen = points[rows.to(points.device)]
        still_open = settled.open(chosen * scale, stride)
        ask.step(int((~still_open).sum()))
        before = len(ask.found)
        in_chunks(chosen[still_open], size, ask)
        settled.add(ask.found[before:])


def _smallest(scale: float, scales: Collection[float], side: int) -> float:
    """Return the size, in model pixels, below which objects are left to the next finer scale's tiles."""
    finer = [other for other in scales if other > 1.5 * scale]
    return OVERLAP * side * scale / min(finer) / 2 if finer else 0.0
