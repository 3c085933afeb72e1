"""SAM as the chain's engine for segments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from napari_slip.models.memory import sparing
from napari_slip.segmentation.clicks import Clicks
from napari_slip.segmentation.description import describe
from napari_slip.segmentation.merging import merge
from napari_slip.segmentation.planes import encode_plane
from napari_slip.segmentation.prompts import refuse_texts
from napari_slip.segmentation.proposing import TileProposal
from napari_slip.segmentation.refinement import Refiner

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.models.sam import LoadedSam
    from napari_slip.progress import Progress
    from napari_slip.segmentation.protocols import EncodedPlane, Refined
    from napari_slip.segments import Segments
    from napari_slip.settings import ProposalSettings

T = TypeVar("T")


class SamSegmenter:
    """A SAM that proposes segments and makes single masks from clicks; implements `Segmenter`.

    Parameters
    ----------
    loaded : LoadedSam
        From `napari_slip.models.load_sam`.
    """

    refiner = Refiner
    asked_by_texts = False

    def __init__(self, loaded: LoadedSam) -> None:
        self.network = loaded.network
        self.name = loaded.name
        self.hash = loaded.hash
        self.proposals = loaded.proposals

    @torch.inference_mode()
    def encode(self, rgb: NDArray[np.uint8], progress: Progress) -> EncodedPlane:
        """Run the image encoder over a plane.

        Parameters
        ----------
        rgb : (H, W, 3) uint8 array
            The plane.
        progress : Progress
            Hears ``("encode", windows done, windows)``; stops the encoder before its next block.

        Returns
        -------
        EncodedPlane
        """
        return self._sparing(lambda: encode_plane(self.network, rgb, progress))

    @torch.inference_mode()
    def propose(self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress) -> Segments:
        """Find every segment of an encoded plane.

        Parameters
        ----------
        plane : EncodedPlane
            From `encode`.
        settings : ProposalSettings
            Where to ask and which masks to keep.
        progress : Progress
            Hears ``("prompts", points asked, points)``.

        Returns
        -------
        Segments
            Best first by predicted IoU, without embeddings.

        Raises
        ------
        InputError
            If the settings ask for texts.
        """
        if not self.asked_by_texts:
            refuse_texts(settings, self.name)
        return self._sparing(lambda: self._propose(self._here(plane), settings, progress))

    @torch.inference_mode()
    def refine(
        self,
        plane: EncodedPlane,
        *,
        points: NDArray[Any] | None = None,
        point_labels: NDArray[Any] | None = None,
        box: NDArray[Any] | None = None,
        mask: NDArray[Any] | None = None,
    ) -> Refined:
        """Make one mask from clicks, a box or a mask to correct.

        Parameters
        ----------
        plane : EncodedPlane
            From `encode`.
        points : (P, 2) array, optional
            XY of the clicks, in pixels of the plane.
        point_labels : (P,) array, optional
            1 where a click says "this", 0 where it says "not this"; all 1 if not given.
        box : (4,) array, optional
            XYXY.
        mask : (H, W) bool array, optional
            The mask to start from.

        Returns
        -------
        Refined

        Raises
        ------
        InputError
            If nothing is given, or not in these shapes.
        """
        clicks = Clicks.check(plane.shape, points, point_labels, box, mask)
        return self._sparing(lambda: self.refiner(self.network, self._here(plane)).refine(clicks))

    def _propose(self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress) -> Segments:
        if settings.exact and not plane.exact:
            plane = encode_plane(self.network, plane.rgb, progress, exact=True)
        proposals = [TileProposal(self.network, tile, settings, plane.tiles) for tile in plane.tiles]
        total, done = sum(proposal.prompts for proposal in proposals), 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            progress("prompts", done, total)

        progress("prompts", 0, total)
        found = [proposal.run(step) for proposal in proposals]
        apart = any(proposal.centres is not None for proposal in proposals)
        merged = merge(found, plane, settings, self.network.mask_threshold, apart=apart)
        return describe(merged.masks, plane.rgb, merged.predicted_iou, merged.stability_score, progress)

    def _here(self, plane: EncodedPlane) -> EncodedPlane:
        """Bring a plane to the device of the network, which may have changed since the plane was encoded."""
        device = self.network.device
        if all(tile.embedding.device == device for tile in plane.tiles):
            return plane
        tiles = (replace(tile, embedding=tile.embedding.to(device)) for tile in plane.tiles)
        return replace(plane, tiles=tuple(tiles))

    def _sparing(self, work: Callable[[], T]) -> T:
        return sparing(self.network, self.name, work)
