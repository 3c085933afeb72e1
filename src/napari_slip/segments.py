"""Segments: all proposals of one plane, as arrays, with masks kept as packed bits inside their boxes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PackedMasks:
    """N boolean masks, each only inside its bounding box and eight pixels to the byte.

    Parameters
    ----------
    boxes : (N, 4) int array
        XYXY in pixels, the far edges excluded, so that ``mask.shape == (y1 - y0, x1 - x0)``.
    bits : (B,) uint8 array
        The masks' bits, row by row, one mask after the other; each begins at a whole byte.
    starts : (N + 1,) int array
        Where each mask begins in `bits`.
    """

    boxes: NDArray[np.int32]
    bits: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @classmethod
    def pack(cls, crops: Iterable[NDArray[np.bool_]], origins: Iterable[tuple[int, int]]) -> PackedMasks:
        """Pack masks given as crops with the (x, y) of their top left corners; empty borders are cut off.

        A mask without a single pixel gets an empty box at its origin.
        """
        boxes, chunks = [], []
        for crop, (x, y) in zip(crops, origins, strict=True):
            box = mask_extent(crop)
            tight = crop[box[1] : box[3], box[0] : box[2]]
            boxes.append((box[0] + x, box[1] + y, box[2] + x, box[3] + y))
            chunks.append(np.packbits(tight))
        starts = np.concatenate([[0], np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)])
        bits = np.concatenate(chunks) if chunks else np.zeros(0, np.uint8)
        return cls(np.asarray(boxes, np.int32).reshape(-1, 4), bits, starts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    def crop(self, row: int) -> NDArray[np.bool_]:
        """Return mask `row` inside its box, (y1 - y0, x1 - x0) bool."""
        x0, y0, x1, y1 = self.boxes[row]
        shape = (int(y1 - y0), int(x1 - x0))
        bits = self.bits[self.starts[row] : self.starts[row + 1]]
        return np.unpackbits(bits, count=shape[0] * shape[1]).view(bool).reshape(shape)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> PackedMasks:
        """Return the masks of some rows, in that order."""
        rows = np.asarray(rows, np.intp)
        chunks = [self.bits[self.starts[r] : self.starts[r + 1]] for r in rows]
        starts = np.concatenate([[0], np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)])
        bits = np.concatenate(chunks) if chunks else np.zeros(0, np.uint8)
        return PackedMasks(self.boxes[rows], bits, starts.astype(np.int64))

    @classmethod
    def join(cls, parts: Sequence[PackedMasks]) -> PackedMasks:
        """Put the masks of one or more parts one after the other."""
        before = np.cumsum([0, *(part.starts[-1] for part in parts)])
        starts = [part.starts[:-1] + n for part, n in zip(parts, before, strict=False)]
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.bits for part in parts]),
            np.concatenate([*starts, before[-1:]]),
        )


@dataclass(frozen=True)
class Segments:
    """All proposals of one plane: immutable and never renumbered. Row r is label r + 1.

    Parameters
    ----------
    shape : (H, W)
        Of the plane, in pixels.
    masks : PackedMasks
        N whole masks, which may overlap.
    predicted_iou, stability_score : (N,) float32 array
        SAM's own two quality scores, 0..1.
    mean_intensity : (N,) float32 array
        Mean brightness of the RGB plane under the mask, 0..1.
    area : (N,) int array
        In pixels.
    roundness : (N,) float32 array
        4 pi area / perimeter squared, 0..1; 1 is a disc.
    parent : (N,) int array
        Row of the smallest segment that contains it (see `filtering.containment`), -1 if there is none.
    background : (N,) bool array
        Whether the segment is recognised as the background.
    embedding : (N, D) float32 array, optional
        CLIP's view of each segment, of unit length.
    """

    shape: tuple[int, int]
    masks: PackedMasks
    predicted_iou: NDArray[np.float32]
    stability_score: NDArray[np.float32]
    mean_intensity: NDArray[np.float32]
    area: NDArray[np.int64]
    roundness: NDArray[np.float32]
    parent: NDArray[np.int32]
    background: NDArray[np.bool_]
    embedding: NDArray[np.float32] | None = None
    origin: dict[str, str] = field(default_factory=dict, compare=False)
    """Which models and settings made them: filled in by `Slip`, read by stores and files."""

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Segments:
        """No segment on a plane of `shape`."""
        none = np.zeros(0, np.float32)
        return cls(
            shape=shape,
            masks=PackedMasks.pack([], []),
            predicted_iou=none,
            stability_score=none,
            mean_intensity=none,
            area=np.zeros(0, np.int64),
            roundness=none,
            parent=np.zeros(0, np.int32),
            background=np.zeros(0, bool),
        )

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def boxes(self) -> NDArray[np.int32]:
        """(N, 4) bounding boxes, XYXY in pixels, the far edges excluded."""
        return self.masks.boxes

    @cached_property
    def touching_edge(self) -> NDArray[np.bool_]:
        """(N,) whether a segment reaches the border of the plane."""
        height, width = self.shape
        x0, y0, x1, y1 = self.boxes.T
        touching: NDArray[np.bool_] = (x0 <= 0) | (y0 <= 0) | (x1 >= width) | (y1 >= height)
        return touching

    @cached_property
    def front_order(self) -> NDArray[np.intp]:
        """Rows from the back to the front: the smaller lies in front, of equals the later row."""
        return np.argsort(-self.area, kind="stable")

    def mask(self, label: int) -> NDArray[np.bool_]:
        """Return the whole mask of a label, (H, W) bool.

        Raises
        ------
        InputError
            If there is no such label.
        """
        if not 1 <= label <= len(self):
            raise InputError(f"There is no segment {label}: the labels run from 1 to {len(self)}.")
        full = np.zeros(self.shape, bool)
        full[self.window(label - 1)] = self.masks.crop(label - 1)
        return full

    def window(self, row: int) -> tuple[slice, slice]:
        """Return the bounding box of a row as slices (rows, columns) of the plane."""
        x0, y0, x1, y1 = (int(edge) for edge in self.boxes[row])
        return slice(y0, y1), slice(x0, x1)

    def labels(self, selection: ArrayLike | None = None) -> NDArray[np.uint32]:
        """Draw the segments into one disjoint picture, the smallest in front.

        Parameters
        ----------
        selection : (N,) bool array, optional
            Which segments are drawn; all if not given.

        Returns
        -------
        (H, W) uint32 array
            0 where there is no segment. The ids are the same for every selection.
        """
        picture = np.zeros(self.shape, np.uint32)
        chosen = np.ones(len(self), bool) if selection is None else np.asarray(selection, bool)
        for row in self.front_order[chosen[self.front_order]]:
            picture[self.window(row)][self.masks.crop(row)] = row + 1
        return picture

    def table(self) -> pd.DataFrame:
        """Return one row per segment: what it is, where it is, how good it is.

        ``index`` is the label in `labels`; ``parent`` is a label too, 0 for none; the box is XYXY in
        pixels with the far edges excluded.
        """
        import pandas as pd

        x0, y0, x1, y1 = self.boxes.T
        return pd.DataFrame(
            {
                "index": np.arange(1, len(self) + 1),
                "area": self.area,
                "bbox_x0": x0,
                "bbox_y0": y0,
                "bbox_x1": x1,
                "bbox_y1": y1,
                "predicted_iou": self.predicted_iou,
                "stability_score": self.stability_score,
                "roundness": self.roundness,
                "mean_intensity": self.mean_intensity,
                "touching_edge": self.touching_edge,
                "parent": self.parent + 1,
                "background": self.background,
            }
        )

    def replace(self, **changes: object) -> Segments:
        """Return a copy with some arrays changed, e.g. with an `embedding`."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def mask_extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the box of the true pixels, XYXY with the far edges excluded; all 0 if there are none."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return 0, 0, 0, 0
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def shared_pixels(
    mask: NDArray[np.bool_],
    corner: tuple[int, int],
    other: NDArray[np.bool_],
    other_corner: tuple[int, int],
) -> int:
    """Return how many pixels two masks of one plane share, each given with the (x, y) of its corner."""
    (x0, y0), (x1, y1) = corner, other_corner
    left, right = max(x0, x1), min(x0 + mask.shape[1], x1 + other.shape[1])
    top, bottom = max(y0, y1), min(y0 + mask.shape[0], y1 + other.shape[0])
    if left >= right or top >= bottom:
        return 0
    part = mask[top - y0 : bottom - y0, left - x0 : right - x0]
    return int(np.count_nonzero(part & other[top - y1 : bottom - y1, left - x1 : right - x1]))
