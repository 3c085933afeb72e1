"""A whole plane through the image encoder: how finely to look, and in how many pieces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_slip.models.mini.sam import MiniSam
from napari_slip.segmentation.encoding import Encoder
from napari_slip.segmentation.protocols import EncodedPlane, Tile
from napari_slip.segmentation.tiling import plan
from napari_slip.segmentation.windows import centres_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from segment_anything.modeling import Sam

    from napari_slip.progress import Progress
    from napari_slip.segmentation.tiling import Box

AT_ONCE, MINI_AT_ONCE = 2.0, 1.5
"""Longest side of a plane that is looked at at once, in inputs of the model; those of mini are small."""

TINY = 13.0
"""Size of an object, in model pixels, below which it is tiny; many of them are looked at twice as finely."""

ENOUGH, MANY = 5, 8
"""Objects of which half must be tiny to be many; and tiny ones that are many if they make a third, since
beside large objects few of the tiny are seen."""

FINEST = 4
"""Largest factor between the first look and the finest one."""

AFAR = (2, 4)
"""How many times coarser the last looks at the whole are, for objects that are too large otherwise."""

TRUST = 0.75
"""What a mask from afar counts for: of one object that was seen from near as well, the finer mask stays."""

AT_HAND = 64
"""Windows that are held encoded. A plane of more is looked at window by window, as masks are asked for."""


def encode_plane(
    network: Sam, rgb: NDArray[np.uint8], progress: Progress, *, exact: bool = False
) -> EncodedPlane:
    """Run the image encoder over a plane.

    A model that predicts centres and sizes of objects looks again, twice as finely, where they are too small
    for it, and from afar, where some may be too large. Of a plane of very many windows it looks at some,
    spread over the plane, to know; any other model looks at none of them yet.

    Parameters
    ----------
    network : Sam
        In evaluation mode.
    rgb : (H, W, 3) uint8 array
        The plane.
    progress : Progress
        Hears ``("encode", windows done, windows)``; stops the encoder before its next block.
    exact : bool
        Whether to stay in float32 also where bfloat16 would be faster.

    Returns
    -------
    EncodedPlane
    """
    encoder = Encoder(network, progress, exact=exact)
    known: dict[tuple[int, int, int, int], Tile] = {}
    zoom, side = 1, network.image_encoder.img_size
    while True:
        mini = isinstance(network, MiniSam)
        boxes = plan((rgb.shape[0], rgb.shape[1]), side, MINI_AT_ONCE if mini else AT_ONCE, zoom)
        chosen = boxes_at_once(boxes) or (_spread(boxes) if mini else [])
        for i, box in enumerate(chosen):
            progress("encode", i, len(boxes))
            if box not in known:
                known[box] = encoder(rgb, box)
        progress("encode", len(chosen), len(boxes))
        known = {box: known[box] for box in chosen}
        tiles = tuple(known.get(box) or encoder.unseen(box) for box in boxes)
        if not isinstance(network, MiniSam):
            return EncodedPlane(rgb, tiles, encoder.exact)
        if zoom == FINEST or not _tiny(network, tiles):
            looks = (encoder(rgb, boxes[-1], side // times) for times in AFAR)
            afar = tuple(replace(look, trust=TRUST) for look in looks)
            return EncodedPlane(rgb, tiles, encoder.exact, afar)
        zoom *= 2


def boxes_at_once(boxes: list[Box]) -> list[Box]:
    """Return the windows of a plane that is encoded as a whole; none if they are too many to be held."""
    return boxes if len(boxes) <= AT_HAND else []


def _spread(boxes: list[Box]) -> list[Box]:
    """Choose as many windows as are held, spread over the finest scale, which comes first and has most."""
    finest = [box for box in boxes if _size(box) == _size(boxes[0])]
    rows = np.linspace(0, len(finest) - 1, min(AT_HAND, len(finest))).round().astype(int)
    return [finest[row] for row in np.unique(rows)]


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _tiny(network: MiniSam, tiles: tuple[Tile, ...]) -> bool:
    """Whether many objects at the finest scale, as far as it was looked at, are too small for the model."""
    seen = [tile for tile in tiles if tile.embedding is not None]
    finest = max(tile.scale for tile in seen)
    found = [centres_of(network, tile) for tile in seen if tile.scale == finest]
    sizes = torch.cat([centres.sizes[~centres.spread] for centres in found])
    tiny, objects = int((sizes < TINY).sum()), len(sizes)
    return objects >= ENOUGH and (2 * tiny >= objects or (tiny >= MANY and 3 * tiny >= objects))
