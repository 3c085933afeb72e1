"""SAM 3 as an engine: asked by texts it finds just those things, asked by points it works like SAM 2."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from napari_slip.hashing import file_hash
from napari_slip.models.building import find_weights, from_pretrained, read_tokenizer
from napari_slip.models.cards import normalisation, read_json
from napari_slip.models.sam import LoadedSam
from napari_slip.segmentation.candidates import Judge, suppress
from napari_slip.segmentation.resampling import Resampler
from napari_slip.segmentation.sam2 import PROPOSALS, Features, Sam2Network, Sam2Segmenter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

    from napari_slip.progress import Progress
    from napari_slip.segmentation.candidates import Candidate
    from napari_slip.segmentation.protocols import EncodedPlane, Tile
    from napari_slip.segments import Segments
    from napari_slip.settings import ProposalSettings

FOUND = 0.5
"""Score from which on SAM 3 counts a thing as found."""

LONGEST = 32
"""Tokens of a text that SAM 3 reads."""

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation of the colours, where a model's folder says nothing else."""


def load(folder: Path, name: str, device: torch.device) -> Sam3Segmenter:
    """Load SAM 3 from a folder as transformers writes it; see `napari_slip.segmentation.load_segmenter`."""
    from transformers import Sam3Model, Sam3TrackerModel

    detector = from_pretrained(Sam3Model, folder)
    tracker = from_pretrained(Sam3TrackerModel, folder, _tracker_config(folder))
    tokenizer = read_tokenizer(folder, LONGEST)
    network = Sam3Network(detector, tracker, tokenizer, *normalisation(folder, HALF)).to(device)
    return Sam3Segmenter(LoadedSam(network, name, file_hash(find_weights(folder)), PROPOSALS))


@dataclass(frozen=True)
class Sam3Features(Features):
    """What both parts of SAM 3 see of one window.

    Parameters
    ----------
    levels : tuple of Tensor
        For points.
    detected : output of the detector's image encoder
        For texts.
    """

    detected: Any = None

    def to(self, device: torch.device) -> Sam3Features:
        """Move them."""
        moved = {
            key: tuple(level.to(device) for level in value) if isinstance(value, tuple) else value.to(device)
            for key, value in self.detected.items()
        }
        return Sam3Features(super().to(device).levels, type(self.detected)(**moved))


class Sam3Network(Sam2Network):
    """Both parts of a SAM 3, which share one image encoder.

    Parameters
    ----------
    detector : Sam3Model
        Finds what a text says.
    tracker : Sam3TrackerModel
        Makes masks from points and boxes.
    tokenizer : Tokenizer
        Of the texts.
    mean, std : three floats
        By which the colours are scaled, 0..1.
    """

    def __init__(
        self,
        detector: Any,
        tracker: Any,
        tokenizer: Tokenizer,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__(tracker, mean, std)
        self.detector = detector
        self.tokenizer = tokenizer
        tracker.vision_encoder.backbone = detector.vision_encoder.backbone  # the same weights once

    def to(self, device: Any) -> Sam3Network:
        """Move it."""
        self.detector.to(device)
        super().to(device)
        return self

    def look(self, picture: Tensor, progress: Progress) -> Sam3Features:
        """Run the image encoder once for both parts, stoppable before each of its blocks."""
        backbone = self.detector.vision_encoder.backbone
        once = _Once(backbone)
        self.detector.vision_encoder.backbone = self.model.vision_encoder.backbone = once
        try:
            levels = super().look(picture, progress).levels
            return Sam3Features(levels, self.detector.get_vision_features(picture))
        finally:
            self.detector.vision_encoder.backbone = self.model.vision_encoder.backbone = backbone

    def find(self, seen: Sam3Features, text: str) -> tuple[Tensor, Tensor]:
        """Return the logits, (Q, L, L), and scores, (Q,), of what may be what a text says."""
        ids = torch.tensor([self.tokenizer.encode(text).ids], device=self.device)
        output = self.detector(
            vision_embeds=seen.detected, input_ids=ids, attention_mask=torch.ones_like(ids)
        )
        scores = output.pred_logits[0].sigmoid() * output.presence_logits[0].sigmoid()
        return output.pred_masks[0], scores


class Sam3Segmenter(Sam2Segmenter):
    """A SAM 3 that proposes what texts say, or everything; implements `Segmenter`.

    Parameters
    ----------
    loaded : LoadedSam
        Whose network is a `Sam3Network`.
    """

    asked_by_texts = True

    def _propose(self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress) -> Segments:
        if not settings.texts:
            return super()._propose(plane, settings, progress)
        found: list[list[Candidate]] = []
        total = len(plane.tiles) * len(settings.texts)
        for tile in plane.tiles:
            of_tile: list[Candidate] = []
            seen = self._look(plane, tile, progress)
            for text in settings.texts:
                progress("prompts", len(found) * len(settings.texts), total)
                of_tile += self._find(seen, text, settings)
            found.append(suppress(of_tile, settings.box_nms_thresh))
        progress("prompts", total, total)
        return self._gather(found, plane, settings, progress)

    def _find(self, tile: Tile, text: str, settings: ProposalSettings) -> list[Candidate]:
        logits, scores = self.network.find(tile.embedding, text)
        sure = scores > FOUND
        # the text's score is what SAM 3 judges by; how stable a mask is, it does not ask
        lenient = replace(settings, pred_iou_thresh=0.0, stability_score_thresh=0.0)
        side = self.network.image_encoder.img_size
        resampler = Resampler.of(tile, logits.shape[-1], side)
        judge = Judge(lenient, self.network.mask_threshold, resampler, tile.box)
        return judge(logits[sure], scores[sure]) if sure.any() else []


class _Once(nn.Module):
    """A network that is run once for a picture, however many ask."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.layers: Any = network.layers
        self._network = [network]  # not a child: its blocks are, for who wants to stop before them
        self._seen: tuple[Tensor, Any] | None = None

    def forward(self, picture: Tensor, **options: Any) -> Any:
        if self._seen is None or self._seen[0] is not picture:
            self._seen = (picture, self._network[0](picture, **options))
        return self._seen[1]


def _tracker_config(folder: Path) -> Any:
    """Describe the part for points, which transformers does not look for in the settings of a video model."""
    from transformers import Sam3TrackerConfig

    values = read_json(folder / "config.json")
    told, detector = values.get("tracker_config", values), values.get("detector_config", values)
    vision = detector.get("vision_config") or told.get("vision_config")  # both parts have the same
    keys = ("prompt_encoder_config", "mask_decoder_config")
    parts = {key: told[key] for key in keys if isinstance(told.get(key), dict)}
    return Sam3TrackerConfig(vision_config=vision, **parts)
