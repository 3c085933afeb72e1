"""Labels from elsewhere as an engine: nothing is searched, each label is a segment."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import find_objects

from napari_slip.errors import InputError
from napari_slip.segmentation.clicks import Clicks
from napari_slip.segmentation.description import describe
from napari_slip.segmentation.prompts import refuse_texts
from napari_slip.segmentation.protocols import EncodedPlane, Refined
from napari_slip.segments import PackedMasks
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.progress import Progress
    from napari_slip.segments import Segments

PREFIX = "labels:"
"""What a path begins with that is to be read as labels: ``labels:cells.tif``."""


class LabelsSegmenter:
    """Segments that another program has found, e.g. Cellpose or StarDist; implements `Segmenter`.

    Parameters
    ----------
    labels : (H, W) int array
        0 for the background; each other number is one object.
    name : str
        For people.

    Raises
    ------
    InputError
        If these are no labels of one plane.
    """

    proposals = ProposalSettings(min_area=1)

    def __init__(self, labels: NDArray[Any], name: str = "labels") -> None:
        labels = np.asarray(labels)
        if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer) or labels.size == 0:
            raise InputError(
                f"{name} is an array of shape {labels.shape} and type {labels.dtype}, but labels of one "
                "plane, (height, width) of whole numbers, are expected."
            )
        if labels.min() < 0:
            raise InputError(f"{name} holds the label {labels.min()}, but 0 and more is expected.")
        self.name = name
        # numbered without gaps: a label of a million would otherwise cost a million windows
        self._ids, numbered = np.unique(labels, return_inverse=True)
        self._labels = numbered.reshape(labels.shape).astype(np.int32) + int(self._ids[0] != 0)
        digest = hashlib.sha256(repr(labels.shape).encode() + self._labels.tobytes())
        self.hash = f"sha256:{digest.hexdigest()}"

    @classmethod
    def read(cls, path: Path) -> LabelsSegmenter:
        """Read labels from a file that scikit-image can read, such as a TIFF or a PNG.

        Raises
        ------
        InputError
            If the file is missing, or holds no labels of one plane.
        """
        from skimage.io import imread

        if not path.is_file():
            raise InputError(f"There is no file {path}: expected a picture of labels, such as a TIFF.")
        try:
            labels = imread(path)
        except Exception as error:  # each format has errors of its own
            raise InputError(f"{path} cannot be read as labels: expected a TIFF or a PNG.") from error
        return cls(labels, f"{PREFIX}{path}")

    def encode(self, rgb: NDArray[np.uint8], progress: Progress) -> EncodedPlane:
        """Take the plane as it is, (H, W, 3) uint8; there is nothing to look at.

        Raises
        ------
        InputError
            If the plane is of another size than the labels.
        """
        if rgb.shape[:2] != self._labels.shape:
            raise InputError(
                f"{self.name} is of {_size(self._labels)} pixels, but the image is of {_size(rgb)}: expected "
                "labels of this very plane."
            )
        progress("encode", 1, 1)
        return EncodedPlane(rgb, ())

    def propose(self, plane: EncodedPlane, settings: ProposalSettings, progress: Progress) -> Segments:
        """Make each label a segment, in the order of their numbers, without embeddings."""
        refuse_texts(settings, self.name)
        area = np.bincount(self._labels.ravel())
        windows = find_objects(self._labels)
        smallest = max(settings.min_area, 1)
        kept = [(n, at) for n, at in enumerate(windows, start=1) if at is not None and area[n] >= smallest]
        corners = ((columns.start, rows.start) for _, (rows, columns) in kept)
        masks = PackedMasks.pack((self._labels[at] == n for n, at in kept), corners)
        progress("prompts", len(windows), max(1, len(windows)))
        return describe(masks, plane.rgb, np.ones(len(masks)), np.ones(len(masks)), progress)

    def refine(
        self,
        plane: EncodedPlane,
        *,
        points: NDArray[Any] | None = None,
        point_labels: NDArray[Any] | None = None,
        box: NDArray[Any] | None = None,
        mask: NDArray[Any] | None = None,
    ) -> Refined:
        """Return the labels under the clicks, and those of which most lies in the box or mask.

        Raises
        ------
        InputError
            If there is none.
        """
        clicks = Clicks.check(plane.shape, points, point_labels, box, mask)
        chosen: set[int] = set()
        if clicks.mask is not None or clicks.box is not None:
            inside = np.zeros(plane.shape, bool) if clicks.mask is None else clicks.mask.copy()
            if clicks.box is not None:
                x0, y0, x1, y1 = np.round(clicks.box).astype(int)
                inside[max(y0, 0) : y1, max(x0, 0) : x1] = True
            count = self._labels.max() + 1
            share = np.bincount(self._labels[inside], minlength=count) / np.maximum(
                np.bincount(self._labels.ravel(), minlength=count), 1
            )
            chosen |= set(np.flatnonzero(share > 0.5).tolist())
        for (x, y), sign in zip(clicks.points, clicks.labels, strict=True):
            height, width = plane.shape
            under = int(self._labels[min(int(y), height - 1), min(int(x), width - 1)])
            chosen = chosen | {under} if sign else chosen - {under}
        chosen -= {0}
        if not chosen:
            raise InputError(f"{self.name} has nothing there: click on a label, or choose a SAM.")
        return Refined(np.isin(self._labels, list(chosen)), 1.0, 1.0)


def _size(picture: NDArray[Any]) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"
