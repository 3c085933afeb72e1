"""Which windows of a plane show best what a person points at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_slip.models.mini.sam import MiniSam
from napari_slip.progress import Progress
from napari_slip.segmentation.closer import CLOSER
from napari_slip.segmentation.encoding import Encoder
from napari_slip.segmentation.windows import size_at

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from segment_anything.modeling import Sam

    from napari_slip.segmentation.clicks import Clicks
    from napari_slip.segmentation.protocols import EncodedPlane, Tile

SMALL, GOOD = 16.0, 32.0
"""Object size, in model pixels, below which a click is looked at more closely, and what size it then gets."""

OVERRATED = 0.7
"""What an object is often like, in parts of the size that the model expects of it."""

LARGE = 90.0
"""Side of a box, in model pixels, from which on what fills it is not looked at more closely."""

VIEW = 320
"""Model pixels along a closer window: the 512 that mini can take find no more and cost twice the time."""

OTHER = 1.2
"""Factor between two windows from which they show different things."""

KEPT = 8
"""How many windows are kept for clicks with a plane: the next click at the same object finds its own."""


@dataclass(frozen=True)
class Looks:
    """Chooses windows, and encodes those that are not held yet.

    Parameters
    ----------
    network : Sam
        In evaluation mode.
    plane : EncodedPlane
        Encoded by it.
    """

    network: Sam
    plane: EncodedPlane

    def _at_hand(self, clicks: Clicks) -> Tile:
        """Return the finest tile that holds what was pointed at, best in its middle."""
        extent = clicks.extent

        def room(tile: Tile) -> float:
            x0, y0, x1, y1 = tile.box
            return min(extent[0] - x0, extent[1] - y0, x1 - extent[2], y1 - extent[3])

        holding = [tile for tile in self.plane.tiles if room(tile) >= 0] or [self.plane.tiles[-1]]
        finest = max(tile.scale for tile in holding)
        tile = max((tile for tile in holding if tile.scale == finest), key=room)
        return tile if tile.embedding is not None else self._encoded(tile)

    def at(self, clicks: Clicks) -> list[Tile]:
        """Return what to look at: the tile at hand, or closer windows where it shows too small a thing.

        How large a thing at a click is, the model often overrates; so it looks again, for something smaller.
        """
        tile = self._at_hand(clicks)
        if not isinstance(self.network, MiniSam) or clicks.mask is not None:
            return [tile]
        if clicks.box is not None:
            return [self.closer(clicks.box, clicks) or tile]
        if not len(clicks.points):
            return [tile]
        scale = min(tile.scale)
        size = size_at(self.network, tile, torch.from_numpy(tile.to_model(clicks.points[0]))) / scale
        closer = self._of_size(clicks, size) if size * scale < SMALL else None
        first = closer or tile
        second = self._of_size(clicks, size * OVERRATED)
        if second is None or second.scale[0] < first.scale[0] * OTHER < second.scale[0] * OTHER**2:
            wanted = [first]
        else:
            wanted = [first, second]
        return [look if look is tile else self._encoded(look) for look in wanted]

    def closer(self, box: NDArray[np.float32], clicks: Clicks) -> Tile | None:
        """Return a window that shows what fills a box from closer by.

        Parameters
        ----------
        box : (4,) array
            XYXY on the plane.
        clicks : Clicks
            What the window has to show besides.

        Returns
        -------
        Tile or None
            None if what fills the box is large enough, or something lies too far away.
        """
        scale, size = max(self.plane.scales), float(np.sqrt(np.prod(box[2:] - box[:2])))
        if size * scale >= LARGE:
            return None
        unseen = self._window((box[:2] + box[2:]) / 2, VIEW / max(CLOSER * scale, GOOD / size), clicks)
        return self._encoded(unseen) if unseen else None

    def _of_size(self, clicks: Clicks, size: float) -> Tile | None:
        """Return a window that shows something of a size at the first click, unseen."""
        return self._window(clicks.points[0], VIEW * size / GOOD, clicks)

    def _window(self, middle: NDArray[np.floating], side: float, clicks: Clicks) -> Tile | None:
        """Return a window around a place, unseen; None if what was pointed at reaches out of it."""
        height, width = self.plane.shape
        x0, y0 = np.floor((middle - side / 2).clip(0)).astype(int).tolist()
        x1, y1 = np.ceil((middle + side / 2).clip(max=(width, height))).astype(int).tolist()
        extent = clicks.extent
        if extent[0] < x0 or extent[1] < y0 or extent[2] > x1 or extent[3] > y1:
            return None
        return Encoder(self.network, Progress()).unseen((x0, y0, x1, y1), VIEW)

    def _encoded(self, unseen: Tile) -> Tile:
        """Return a window that is kept for clicks, or encode it now."""
        kept, key = self.plane.closer, (unseen.box, max(unseen.input_size))
        if key not in kept or kept[key].embedding.device != self.network.device:
            while len(kept) >= KEPT:
                kept.pop(next(iter(kept)))
            kept[key] = Encoder(self.network, Progress())(self.plane.rgb, *key)
        return kept[key]
