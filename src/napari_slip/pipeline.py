"""The chain in one page: encode -> propose -> embed once per plane; select and match again for every text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari_slip.errors import InputError
from napari_slip.filtering import select
from napari_slip.images import to_rgb
from napari_slip.matching import embed_segments, match_segments
from napari_slip.progress import Progress
from napari_slip.settings import Contrast, CropSettings, FilterSettings, MatchSettings, ProposalSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.matching import Head, Match
    from napari_slip.models.protocols import DualEncoder
    from napari_slip.segmentation import EncodedPlane, Refined, Segmenter
    from napari_slip.segments import Segments


class Store(Protocol):
    """Where segments are kept between runs; see `napari_slip.store` for the one on disk."""

    def load(self, rgb: NDArray[np.uint8], origin: Mapping[str, str]) -> Segments | None:
        """Return a plane's segments by the models and settings that `origin` names, if they are kept."""

    def save(self, rgb: NDArray[np.uint8], segments: Segments) -> None:
        """Keep segments, which say their own origin, for a plane."""


class Slip:
    """SAM and CLIP as one tool: what is in the picture, and which of it is what the text says.

    Parameters
    ----------
    segmenter : Segmenter
        Makes the segments, e.g. a SAM.
    encoder : DualEncoder
        Compares them with texts, e.g. a CLIP.
    crops : CropSettings, optional
        How segments are shown to the encoder.
    store : Store, optional
        Where results are kept, so that a plane seen before is not segmented again.
    head : Head, optional
        What was taught to the encoder; `match` uses it unless it is given another.

    Examples
    --------
    >>> import napari_slip
    >>> from skimage.data import coins
    >>> slip = napari_slip.load("mini")
    >>> segments = slip.segment(coins())
    >>> match = slip.match(segments, ["coin"], negatives=["background"])
    >>> labels = match.labels("above:0.5")
    """

    def __init__(
        self,
        segmenter: Segmenter,
        encoder: DualEncoder,
        *,
        crops: CropSettings | None = None,
        store: Store | None = None,
        head: Head | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.encoder = encoder
        self.crops = crops or CropSettings()
        self.store = store
        self.head = head

    def segment(
        self,
        image: NDArray[Any],
        *,
        channel_axis: int | None = None,
        contrast: Contrast | None = None,
        settings: ProposalSettings | None = None,
        progress: Progress | None = None,
    ) -> Segments:
        """Find every segment of one plane and look at each of them once.

        Parameters
        ----------
        image : (H, W) or (H, W, 3 or 4) array, or 3D with `channel_axis`
            Any numeric type.
        channel_axis : int, optional
            The axis of the channels, which is never guessed.
        contrast : Contrast, optional
            Limits or percentiles.
        settings : ProposalSettings, optional
            What exists; the model's own if not given.
        progress : Progress, optional
            Hears of each step, and can stop the work.

        Returns
        -------
        Segments
            With embeddings.

        Raises
        ------
        InputError
            If the image is no single plane or cannot be read as a picture.
        Cancelled
            If `progress` was cancelled.
        """
        rgb = to_rgb(image, channel_axis=channel_axis, contrast=contrast, copy=False)
        del image  # nobody else may hold it, and a large one takes as much as all that follows
        settings = settings or self.segmenter.proposals
        if self.store and (kept := self.store.load(rgb, self.origin(settings))):
            return kept
        segments = self.embed(
            self.propose(self.encode(rgb, progress=progress), settings, progress=progress),
            rgb,
            progress=progress,
        )
        segments = segments.replace(origin=self.origin(settings))
        if self.store:
            self.store.save(rgb, segments)
        return segments

    def encode(self, rgb: NDArray[np.uint8], *, progress: Progress | None = None) -> EncodedPlane:
        """Run SAM's image encoder over an RGB plane, (H, W, 3) uint8, for `propose` and `refine`."""
        return self.segmenter.encode(rgb, progress or Progress())

    def propose(
        self,
        plane: EncodedPlane,
        settings: ProposalSettings | None = None,
        *,
        progress: Progress | None = None,
    ) -> Segments:
        """Find every segment of an encoded plane; without embeddings."""
        return self.segmenter.propose(plane, settings or self.segmenter.proposals, progress or Progress())

    def embed(
        self, segments: Segments, rgb: NDArray[np.uint8], *, progress: Progress | None = None
    ) -> Segments:
        """Show each segment of an RGB plane, (H, W, 3) uint8, to CLIP and keep what it sees."""
        return embed_segments(segments, rgb, self.encoder, self.crops, progress or Progress())

    def select(self, segments: Segments, filters: FilterSettings | None = None) -> NDArray[np.bool_]:
        """Return which segments the filter shows, (N,) bool."""
        return select(segments, filters or FilterSettings())

    def match(
        self,
        segments: Segments,
        prompts: Sequence[str] | Mapping[str, Sequence[str]],
        *,
        negatives: Sequence[str] = (),
        settings: MatchSettings | None = None,
        filters: FilterSettings | None = None,
        head: Head | None = None,
    ) -> Match:
        """Score every segment against every prompt; costs one pass of the text encoder.

        Parameters
        ----------
        segments : Segments
            With embeddings, as `segment` returns them.
        prompts : sequence of str, or mapping from class names to their phrases
            What is looked for. A class scores with the best of its phrases.
        negatives : sequence of str
            Texts that a match must beat.
        settings : MatchSettings, optional
            Templates and what counts as accepted.
        filters : FilterSettings, optional
            Which segments may match.
        head : Head, optional
            What was taught to this encoder; it scores the classes that it knows. `Slip.head` if not given.

        Returns
        -------
        Match

        Raises
        ------
        InputError
            If a prompt is blank, or the segments have no embeddings of this encoder.
        """
        if isinstance(prompts, str):
            raise InputError(
                f"prompts is the text {prompts!r}, but a list of texts is expected: write [{prompts!r}]."
            )
        return match_segments(
            segments,
            prompts,
            self.encoder,
            negatives=tuple(negatives),
            settings=settings or MatchSettings(),
            filters=filters or FilterSettings(),
            head=head or self.head,
        )

    def refine(
        self,
        plane: EncodedPlane,
        *,
        points: NDArray[Any] | None = None,
        point_labels: NDArray[Any] | None = None,
        box: NDArray[Any] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> Refined:
        """Make one mask from clicks, a box, or a mask to correct, in pixels of the plane.

        Parameters
        ----------
        plane : EncodedPlane
            From `encode`.
        points : (P, 2) array, optional
            XY of the clicks.
        point_labels : (P,) array, optional
            1 where a click says "this", 0 where it says "not this"; all 1 if not given.
        box : (4,) array, optional
            XYXY.
        mask : (H, W) bool array, optional
            The mask to start from.

        Returns
        -------
        Refined
            The mask with its predicted IoU.
        """
        return self.segmenter.refine(plane, points=points, point_labels=point_labels, box=box, mask=mask)

    def origin(self, settings: ProposalSettings) -> dict[str, str]:
        """Everything but the pixels that decides what `segment` returns, as text."""
        return {
            "sam": self.segmenter.hash,
            "clip": self.encoder.card.hash,
            "proposals": repr(settings),
            "crops": repr(self.crops),
        }
