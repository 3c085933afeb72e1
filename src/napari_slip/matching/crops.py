"""How each segment is shown to CLIP: square pictures, one per view, cut from the plane in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.segments import PackedMasks
    from napari_slip.settings import CropSettings, View

DIMMED = 0.1
"""Brightness that the ``"dimmed"`` view leaves to the background (CLIPSeg, arXiv 2112.10003, table 2)."""

AT_ONCE = 2**23
"""Pixels that are blurred at once: floats of a whole large plane would take many times its memory."""

BLUR = 1 / 64
"""Radius of that background's blur, as a share of the plane's shorter side."""


class Cropper:
    """Cuts the pictures of one plane's segments.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 array
        The plane.
    settings : CropSettings
        Which views, and how much around the bounding box.
    size : int
        Side S of the pictures in pixels.
    mean : (3,) sequence of float
        CLIP's mean colour, 0..1, which fills what the ``"mean"`` and ``"box"`` views leave empty.

    Raises
    ------
    InputError
        If the plane is no RGB picture.
    """

    def __init__(
        self, rgb: NDArray[np.uint8], settings: CropSettings, *, size: int, mean: Sequence[float]
    ) -> None:
        if rgb.ndim != 3 or rgb.shape[-1] != 3 or rgb.dtype != np.uint8:
            raise InputError(
                f"The plane has shape {rgb.shape} and type {rgb.dtype}, but (height, width, 3) and uint8 "
                "are expected: "
                "make it with napari_slip.images.to_rgb."
            )
        self.settings = settings
        self.size = size
        self._rgb = rgb
        self._mean = np.rint(np.asarray(mean) * 255).astype(np.uint8)
        # Blurred once for the plane: a blur for each segment would cost more than everything else.
        self._dimmed = _dimmed(rgb) if "dimmed" in settings.views else rgb

    def cut(
        self, masks: PackedMasks, rows: Sequence[int] | NDArray[np.intp] | None = None
    ) -> NDArray[np.uint8]:
        """Cut the pictures of some segments.

        Parameters
        ----------
        masks : PackedMasks
            Of segments of this plane.
        rows : sequence of int, optional
            Which ones; all if not given.

        Returns
        -------
        (n, V, S, S, 3) uint8 array
            The V views of each segment, in the order of ``settings.views``. The time goes with the area of
            the boxes, not with that of the plane.
        """
        rows = range(len(masks)) if rows is None else rows
        pictures = np.empty((len(rows), len(self.settings.views), self.size, self.size, 3), np.uint8)
        for i, row in enumerate(rows):
            mask = masks.crop(int(row))
            box = masks.boxes[row].tolist()
            for picture, view in zip(pictures[i], self.settings.views, strict=True):
                self._draw(picture, view, mask, box)
        return pictures

    def _draw(self, picture: NDArray[np.uint8], view: View, mask: NDArray[np.bool_], box: list[int]) -> None:
        """Draw one view of a segment into the middle of a picture, its longer side made to fit."""
        picture[:] = self._mean if view in ("mean", "box") else 0
        if not mask.size:
            return
        crop = self._crop(view, mask, box)
        height, width = crop.shape[:2]
        scale = self.size / max(height, width)
        shape = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (self.size - shape[0]) // 2, (self.size - shape[1]) // 2
        picture[top : top + shape[0], left : left + shape[1]] = _resize(crop, shape)

    def _crop(self, view: View, mask: NDArray[np.bool_], box: list[int]) -> NDArray[np.uint8]:
        x0, y0, x1, y1 = box
        if view in ("black", "mean"):
            outside = self._mean if view == "mean" else np.uint8(0)
            return np.where(mask[..., None], self._rgb[y0:y1, x0:x1], outside)
        height, width = self._rgb.shape[:2]
        margin = int(np.ceil(self.settings.margin * max(x1 - x0, y1 - y0)))
        left, top = max(0, x0 - margin), max(0, y0 - margin)
        window = slice(top, min(height, y1 + margin)), slice(left, min(width, x1 + margin))
        if view == "box":
            return self._rgb[window].copy()
        crop = self._dimmed[window].copy()
        inside = crop[y0 - top : y1 - top, x0 - left : x1 - left]
        np.copyto(inside, self._rgb[y0:y1, x0:x1], where=mask[..., None])
        return crop


def _dimmed(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blur and darken a plane; two box filters look like a Gaussian and cost the same at any radius."""
    side = 2 * max(1, round(BLUR * min(rgb.shape[:2]))) + 1
    dimmed = np.empty(rgb.shape, np.uint8)
    rows = max(1, AT_ONCE // rgb.shape[1])
    for top in range(0, len(rgb), rows):  # with as much around it as the two filters reach
        above = min(top, side - 1)
        for colour in range(3):
            blurred = rgb[top - above : top + rows + side - 1, :, colour].astype(np.float32)
            for _ in range(2):
                blurred = uniform_filter(blurred, side, mode="nearest")
            dimmed[top : top + rows, :, colour] = blurred[above : above + rows] * DIMMED + 0.5
    return dimmed


def _resize(crop: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (h, w, 3) uint8 with antialiasing, bicubic as CLIP's own preprocessing does it."""
    import torch
    from torch.nn.functional import interpolate

    # Channels last and 8 bits, as they lie: the one path of torch that is vectorised for it.
    pixels = torch.from_numpy(crop).permute(2, 0, 1)[None]
    resized = interpolate(pixels, size=shape, mode="bicubic", antialias=True)
    pixels_last: NDArray[np.uint8] = resized[0].permute(1, 2, 0).numpy()
    return pixels_last
