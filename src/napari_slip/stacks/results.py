"""What is kept of a plane once it has been matched: the accepted masks and what is needed to link them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.objects import Object

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.matching import Match
    from napari_slip.segments import PackedMasks


@dataclass(frozen=True, eq=False)
class PlaneResult:
    """The N accepted masks of one plane; its segments themselves stay in the store.

    Parameters
    ----------
    index : tuple of int
        Of the plane in its stack.
    shape : (H, W)
        In pixels.
    names : tuple of str
        The P classes.
    masks : PackedMasks
        The accepted masks, class by class.
    classes : (N,) int array
        Which of `names` each belongs to.
    segments : (N,) int array
        Label of the segment that it is.
    scores, predicted_iou : (N,) float32 array
        Calibrated score of the match and SAM's own score, 0..1.
    embedding : (N, D) float32 array
        CLIP's view of each.
    best : (P,) float32 array
        Score of each class's best segment on this plane, accepted or not; NaN where none is shown.
    n_segments : int
        How many there are on the plane.
    """

    index: tuple[int, ...]
    shape: tuple[int, int]
    names: tuple[str, ...]
    masks: PackedMasks
    classes: NDArray[np.int32]
    segments: NDArray[np.int32]
    scores: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    embedding: NDArray[np.float32]
    best: NDArray[np.float32]
    n_segments: int

    @classmethod
    def of(cls, match: Match, index: tuple[int, ...] = ()) -> PlaneResult:
        """Keep what a match accepts."""
        columns, rows = match.accepted().T.nonzero()
        segments = match.segments
        embedding = np.zeros((0, 0), np.float32) if segments.embedding is None else segments.embedding
        return cls(
            index=index,
            shape=segments.shape,
            names=match.names,
            masks=segments.masks.take(rows),
            classes=columns.astype(np.int32),
            segments=(rows + 1).astype(np.int32),
            scores=match.calibrated[rows, columns],
            predicted_iou=segments.predicted_iou[rows],
            embedding=embedding[rows],
            best=best_scores(match),
            n_segments=len(segments),
        )

    def __len__(self) -> int:
        return len(self.masks)

    def objects(self, first: int = 1) -> list[Object]:
        """Return the masks as predicted Objects with ids from `first` on."""
        corners = self.masks.boxes[:, :2].tolist()
        return [
            Object(
                id=first + row,
                class_name=self.names[self.classes[row]],
                status="predicted",
                crop=self.masks.crop(row),
                origin=(corners[row][0], corners[row][1]),
                plane=self.index,
                segment=int(self.segments[row]),
                score=float(self.scores[row]),
            )
            for row in range(len(self))
        ]


def best_scores(match: Match) -> NDArray[np.float32]:
    """Return the score of each class's best shown segment, (P,); NaN where none is shown."""
    shown = match.calibrated[match.selection]
    return shown.max(axis=0) if len(shown) else np.full(len(match.names), np.nan, np.float32)
