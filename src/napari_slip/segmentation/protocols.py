"""What the chain asks of an engine that finds segments; SAM is one, another is one module that does this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.progress import Progress
    from napari_slip.segments import Segments
    from napari_slip.settings import ProposalSettings


@dataclass(frozen=True)
class Tile:
    """One window of a plane as the encoder saw it.

    Parameters
    ----------
    embedding : (1, C, h, w) tensor, optional
        The encoder's output, on the model's device; None for a window of a large plane, which is looked at
        when its turn comes and not held.
    box : (x0, y0, x1, y1)
        The part of the plane, in pixels, far edges excluded.
    input_size : (height, width)
        Of that part after scaling, in model pixels; the rest of the square input is padding.
    trust : float
        What its masks count for against those of other tiles, 0..1.
    """

    embedding: Any
    box: tuple[int, int, int, int]
    input_size: tuple[int, int]
    trust: float = 1.0

    @property
    def scale(self) -> tuple[float, float]:
        """Model pixels per pixel of the plane, (x, y)."""
        x0, y0, x1, y1 = self.box
        return self.input_size[1] / (x1 - x0), self.input_size[0] / (y1 - y0)

    def to_model(self, xy: NDArray[np.number]) -> NDArray[np.float32]:
        """Bring places on the plane, (..., 2) XY, to model pixels."""
        precise = np.result_type(xy, np.float32)
        corner, scale = np.array(self.box[:2], precise), np.array(self.scale, precise)
        scaled: NDArray[np.float32] = ((xy - corner) * scale).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class EncodedPlane:
    """A plane after the image encoder: what automatic segmentation and later clicks both work on.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 array
        The plane itself, to measure brightness and to zoom in on a click.
    tiles : tuple of Tile
        One for a SAM of the original sizes, several where the plane is looked at piece by piece; at most
        `planes.AT_HAND` of them with an embedding.
    exact : bool
        Whether the encoder ran in float32.
    afar : tuple of Tile
        The whole plane at coarser scales than its tiles', for a model that is asked at centres of objects.
    closer : dict
        Windows that were encoded for clicks, by their boxes and their longer side in model pixels: around
        small objects, or of large planes.
    """

    rgb: NDArray[np.uint8]
    tiles: tuple[Tile, ...]
    exact: bool = True
    afar: tuple[Tile, ...] = ()
    closer: dict[tuple[tuple[int, int, int, int], int], Tile] = field(default_factory=dict, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the plane."""
        height, width = self.rgb.shape[:2]
        return height, width

    @property
    def scales(self) -> set[float]:
        """Model pixels per pixel of the plane at which it is looked at."""
        return {tile.scale[0] for tile in (*self.tiles, *self.afar)}


@dataclass(frozen=True)
class Refined:
    """One mask from clicks, a box or an earlier mask.

    Parameters
    ----------
    mask : (H, W) bool array
        On the plane.
    predicted_iou, stability_score : float
        SAM's own quality scores, 0..1.
    """

    mask: NDArray[np.bool_]
    predicted_iou: float
    stability_score: float


@runtime_checkable
class Segmenter(Protocol):
    """An engine that proposes segments and makes single masks from clicks."""

    name: str
    hash: str
    proposals: ProposalSettings
    """The proposal settings that suit this model."""

    def encode(self, rgb: NDArray[np.uint8], progress: Progress) -> EncodedPlane:
        """Run the image encoder over an RGB plane, (H, W, 3) uint8."""

    def propose(self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress) -> Segments:
        """Find every segment, without embeddings."""

    def refine(
        self,
        plane: EncodedPlane,
        *,
        points: NDArray[Any] | None = None,
        point_labels: NDArray[Any] | None = None,
        box: NDArray[Any] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> Refined:
        """Make one mask from clicks (XY), a box (XYXY) or a mask to correct, in pixels of the plane."""
