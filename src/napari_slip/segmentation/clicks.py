"""What a person points at, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Clicks:
    """Checked prompts, in pixels of the plane.

    Parameters
    ----------
    points : (P, 2) float array
        XY; none if P is 0.
    labels : (P,) int array
        1 for "this", 0 for "not this".
    box : (4,) float array, optional
        XYXY.
    mask : (H, W) bool array, optional
        The mask to start from.
    """

    points: NDArray[np.float32]
    labels: NDArray[np.int32]
    box: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None

    @classmethod
    def check(
        cls,
        shape: tuple[int, int],
        points: NDArray[Any] | None,
        labels: NDArray[Any] | None,
        box: NDArray[Any] | None,
        mask: NDArray[Any] | None,
    ) -> Clicks:
        """Read prompts as they are given to `Segmenter.refine`.

        Raises
        ------
        InputError
            If nothing is given, or not in the shapes that are asked for.
        """
        if points is None and box is None and mask is None:
            raise InputError(
                "There is nothing to make a mask from: give points, a box, or a mask to start from."
            )
        places = np.asarray(points if points is not None else np.zeros((0, 2)), np.float32)
        if places.ndim != 2 or places.shape[1] != 2:
            raise InputError(
                f"points has the shape {places.shape}, but (number, 2) is expected: XY of each click."
            )
        signs = np.asarray(labels if labels is not None else np.ones(len(places)), np.int32)
        if signs.shape != (len(places),) or not np.isin(signs, (0, 1)).all():
            raise InputError(
                f"point_labels is {signs.tolist()} for {len(places)} points, but one 1 (this) or 0 (not "
                "this) for each point is expected."
            )
        height, width = shape
        if ((places < 0) | (places > (width, height))).any():
            raise InputError(
                f"A point lies outside of the plane of {width} x {height} pixels: click inside of it."
            )
        corners = None if box is None else np.asarray(box, np.float32)
        if corners is not None and (corners.shape != (4,) or (corners[:2] >= corners[2:]).any()):
            raise InputError(
                f"box is {corners.tolist()}, but x0, y0, x1, y1 with x0 < x1 and y0 < y1 is expected."
            )
        start = None if mask is None else np.asarray(mask, bool)
        if start is not None and start.shape != shape:
            raise InputError(f"mask has the shape {start.shape}, but that of the plane is expected, {shape}.")
        return cls(places, signs, corners, start)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """XYXY of all that was pointed at."""
        corners = [self.points]
        if self.box is not None:
            corners.append(self.box.reshape(2, 2))
        if self.mask is not None and self.mask.any():
            y, x = np.nonzero(self.mask)
            corners.append(np.array([[x.min(), y.min()], [x.max() + 1, y.max() + 1]], np.float32))
        both = np.concatenate(corners)
        if not len(both):  # an empty mask alone
            return 0.0, 0.0, 0.0, 0.0
        return (*both.min(axis=0).tolist(), *both.max(axis=0).tolist())
