"""SAM 2, and what SAM 3 has of it, as engines: transformers' networks under the names that the chain uses."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torchvision.transforms.v2.functional import resize

from napari_slip.hashing import file_hash
from napari_slip.models.building import find_weights, from_pretrained
from napari_slip.models.cards import normalisation
from napari_slip.models.memory import fitting
from napari_slip.models.sam import LoadedSam
from napari_slip.models.stopping import stoppable
from napari_slip.progress import Progress
from napari_slip.segmentation.candidates import suppress
from napari_slip.segmentation.description import describe
from napari_slip.segmentation.merging import merge
from napari_slip.segmentation.planes import AT_ONCE, boxes_at_once
from napari_slip.segmentation.proposing import ask_everywhere
from napari_slip.segmentation.protocols import EncodedPlane, Tile
from napari_slip.segmentation.quick import judge_of
from napari_slip.segmentation.refinement import Refiner
from napari_slip.segmentation.resampling import Part
from napari_slip.segmentation.segmenter import SamSegmenter
from napari_slip.segmentation.tiling import plan
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slip.segmentation.candidates import Candidate
    from napari_slip.segmentation.refinement import Prompt
    from napari_slip.segmentation.tiling import Box
    from napari_slip.segments import Segments

PROPOSALS = ProposalSettings(pred_iou_thresh=0.8, stability_score_thresh=0.9)
"""SAM 2's own floor of the predicted IoU is lower than SAM's (see its automatic generator)."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of the colours, where a model's folder says nothing else."""

ON_A_PROCESSOR, MOST = 8, 128
"""Points at once on a processor and on any device."""


def load(folder: Path, name: str, device: torch.device) -> Sam2Segmenter:
    """Load SAM 2 from a folder as transformers writes it; see `napari_slip.segmentation.load_segmenter`."""
    from transformers import Sam2Model

    network = Sam2Network(from_pretrained(Sam2Model, folder), *normalisation(folder, IMAGENET)).to(device)
    return Sam2Segmenter(LoadedSam(network, name, file_hash(find_weights(folder)), PROPOSALS))


@dataclass(frozen=True)
class Features:
    """What the image encoder sees of one window.

    Parameters
    ----------
    levels : tuple of Tensor
        From fine to coarse.
    """

    levels: tuple[Tensor, ...]

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.levels[0].device

    def to(self, device: torch.device) -> Features:
        """Move them."""
        return type(self)(tuple(level.to(device) for level in self.levels))


class Sam2Network:
    """A SAM 2 of transformers with what the chain asks of a `Sam`.

    Parameters
    ----------
    model : Sam2Model or Sam3TrackerModel
        In evaluation mode.
    mean, std : three floats
        By which the colours are scaled, 0..1.
    """

    mask_threshold = 0.0

    def __init__(self, model: Any, mean: Sequence[float], std: Sequence[float]) -> None:
        self.model = model
        self.mean, self.std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
        self.image_encoder = SimpleNamespace(img_size=int(model.config.prompt_encoder_config.image_size))
        self.prompt_encoder = SimpleNamespace(mask_input_size=tuple(model.prompt_encoder.mask_input_size))

    @property
    def device(self) -> torch.device:
        """Where it is."""
        device: torch.device = self.model.device
        return device

    def to(self, device: Any) -> Sam2Network:
        """Move it."""
        self.model.to(device)
        return self

    def picture(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Make the (1, 3, S, S) picture of a window, (h, w, 3) uint8; SAM 2 squeezes it to a square."""
        side = self.image_encoder.img_size
        window = torch.tensor(rgb).permute(2, 0, 1).to(self.device)
        scaled = resize(window, [side, side], antialias=True).float() / 255
        picture: Tensor = (scaled - self.mean.to(self.device)) / self.std.to(self.device)
        return picture[None]

    def look(self, picture: Tensor, progress: Progress) -> Features:
        """Run the image encoder, stoppable before each of its blocks."""
        with stoppable(self.model.vision_encoder.backbone, progress):
            return Features(tuple(self.model.get_image_embeddings(picture)))

    def ask(self, seen: Features, several: bool, **prompts: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the logits, (P, M, L, L), and predicted IoUs, (P, M), for P prompts."""
        output = self.model(image_embeddings=list(seen.levels), multimask_output=several, **prompts)
        return output.pred_masks[0], output.iou_scores[0]


def look_at(network: Any, rgb: NDArray[np.uint8], box: Box, progress: Progress) -> Tile:
    """Encode a window of a plane, (H, W, 3) uint8."""
    x0, y0, x1, y1 = box
    seen = network.look(network.picture(rgb[y0:y1, x0:x1]), progress)
    return Tile(seen, box, (network.image_encoder.img_size, network.image_encoder.img_size))


class Sam2Refiner(Refiner):
    """Makes single masks with a SAM 2."""

    def _encode(self, box: Box) -> Tile:
        return look_at(self.network, self.plane.rgb, box, Progress())

    def _decode(self, tile: Tile, prompt: Prompt, several: bool) -> tuple[Part, float]:
        network: Any = self.network
        masks, iou = network.ask(
            tile.embedding,
            several,
            input_points=None if prompt.points is None else prompt.points[0][None],
            input_labels=None if prompt.points is None else prompt.points[1][None],
            input_boxes=None if prompt.box is None else prompt.box[None],
            input_masks=prompt.mask,
        )
        best = int(iou[0].argmax())
        return Part(masks[0, best], (0, 0)), float(iou[0, best])


class Sam2Segmenter(SamSegmenter):
    """A SAM 2 that proposes segments and makes single masks from clicks; implements `Segmenter`.

    Parameters
    ----------
    loaded : LoadedSam
        Whose network is a `Sam2Network`.
    """

    refiner = Sam2Refiner

    @torch.inference_mode()
    def encode(self, rgb: NDArray[np.uint8], progress: Progress) -> EncodedPlane:
        """Run the image encoder over a plane, (H, W, 3) uint8; see `SamSegmenter.encode`."""
        return self._sparing(lambda: self._encode(rgb, progress))

    def _encode(self, rgb: NDArray[np.uint8], progress: Progress) -> EncodedPlane:
        side = self.network.image_encoder.img_size
        boxes = plan((rgb.shape[0], rgb.shape[1]), side, AT_ONCE)
        if not boxes_at_once(boxes):
            return EncodedPlane(rgb, tuple(Tile(None, box, (side, side)) for box in boxes))
        tiles = []
        for i, box in enumerate(boxes):
            progress("encode", i, len(boxes))
            tiles.append(look_at(self.network, rgb, box, progress))
        progress("encode", len(boxes), len(boxes))
        return EncodedPlane(rgb, tuple(tiles))

    def _look(self, plane: EncodedPlane, tile: Tile, progress: Progress) -> Tile:
        return tile if tile.embedding is not None else look_at(self.network, plane.rgb, tile.box, progress)

    def _propose(self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress) -> Segments:
        total, done = settings.points_per_side**2 * len(plane.tiles), 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            progress("prompts", done, total)

        progress("prompts", 0, total)
        found = (self._search(self._look(plane, tile, progress), settings, step) for tile in plane.tiles)
        return self._gather(found, plane, settings, progress)

    def _search(self, tile: Tile, settings: ProposalSettings, step: Callable[[int], None]) -> list[Candidate]:
        logits, side = self.network.prompt_encoder.mask_input_size[0], self.network.image_encoder.img_size
        judge = judge_of(self.network, tile, settings)
        # three masks, the features that they are read from, and the attention to 1/16 as many cells
        each = 4 * logits**2 * (3 * 32 + 16)
        size = fitting(self.network.device, each, on_processor=ON_A_PROCESSOR, most=MOST)

        def ask(points: Tensor) -> _Answer:
            prompts = {"input_points": points[None, :, None], "input_labels": _ones(points)}
            masks, iou = self.network.ask(tile.embedding, True, **prompts)
            return _Answer(masks, iou)

        found = ask_everywhere(ask, judge, tile, size, logits / side, step)
        return suppress(found, settings.box_nms_thresh)

    def _gather(
        self,
        found: Iterable[Sequence[Candidate]],
        plane: EncodedPlane,
        settings: ProposalSettings,
        progress: Progress,
    ) -> Segments:
        merged = merge(found, plane, settings, self.network.mask_threshold)
        return describe(merged.masks, plane.rgb, merged.predicted_iou, merged.stability_score, progress)


@dataclass(frozen=True)
class _Answer:
    """The masks at P points, (P, 3, L, L), and their predicted IoUs, (P, 3)."""

    masks: Tensor
    iou: Tensor

    def logits(self, wanted: Tensor) -> Tensor:
        return self.masks[wanted]


def _ones(points: Tensor) -> Tensor:
    return torch.ones(1, len(points), 1, dtype=torch.int, device=points.device)
