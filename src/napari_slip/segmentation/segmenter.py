"""SAM as the chain's engine for segments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from napari_slip.models.memory import sparing
from napari_slip.segmentation.clicks import Clicks
from napari_slip.segmentation.closer import look_closer
from napari_slip.segmentation.description import describe
from napari_slip.segmentation.encoding import Encoder
from napari_slip.segmentation.merging import merge
from napari_slip.segmentation.planes import encode_plane
from napari_slip.segmentation.prompts import refuse_texts
from napari_slip.segmentation.proposing import TileProposal, asked_at_centres
from napari_slip.segmentation.refinement import Refiner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.models.sam import LoadedSam
    from napari_slip.progress import Progress
    from napari_slip.segmentation.candidates import Candidate
    from napari_slip.segmentation.protocols import EncodedPlane, Refined, Tile
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
            Hears ``("prompts", points asked, points)``, or of a plane whose windows are not held
            ``("encode", windows done, windows)``.

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
        held = all(tile.embedding is not None for tile in plane.tiles)
        at_centres = asked_at_centres(self.network, settings)
        if at_centres:
            plane = replace(plane, tiles=plane.tiles + plane.afar)
        found = (self._ask if held else self._walk)(plane, settings, progress)
        merged = merge(found, plane, settings, self.network.mask_threshold)
        if at_centres:
            merged = look_closer(self.network, plane, merged, settings, progress).distinct()
        return describe(merged.masks, plane.rgb, merged.predicted_iou, merged.stability_score, progress)

    def _ask(
        self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress
    ) -> Iterator[list[Candidate]]:
        """Yield what is found in each window of a plane that is encoded."""
        proposals = [TileProposal(self.network, tile, settings, plane.scales) for tile in plane.tiles]
        total, done = sum(proposal.prompts for proposal in proposals), 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            progress("prompts", done, total)

        progress("prompts", 0, total)
        yield from (proposal.run(step) for proposal in proposals)

    def _walk(
        self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress
    ) -> Iterator[list[Candidate]]:
        """Yield what is found in each window of a plane, of which only one is held beside those that are."""
        scales = plane.scales
        for i, tile in enumerate(plane.tiles):
            progress("encode", i, len(plane.tiles))
            seen = self._look(plane, tile, progress)
            yield TileProposal(self.network, seen, settings, scales).run(lambda _: progress.check())
        progress("encode", len(plane.tiles), len(plane.tiles))

    def _look(self, plane: EncodedPlane, tile: Tile, progress: Progress) -> Tile:
        """Return a window with its embedding."""
        if tile.embedding is not None:
            return tile
        return Encoder(self.network, progress, exact=plane.exact)(plane.rgb, tile.box)

    def _here(self, plane: EncodedPlane) -> EncodedPlane:
        """Bring a plane to the device of the network, which may have changed since the plane was encoded."""
        device = self.network.device

        def here(tiles: tuple[Tile, ...]) -> tuple[Tile, ...]:
            return tuple(
                tile
                if tile.embedding is None or tile.embedding.device == device
                else replace(tile, embedding=tile.embedding.to(device))
                for tile in tiles
            )

        return replace(plane, tiles=here(plane.tiles), afar=here(plane.afar))

    def _sparing(self, work: Callable[[], T]) -> T:
        return sparing(self.network, self.name, work)
