"""Draw the first objects of drawn scenes that mini does not find: ``python recipes/losses.py OUT.png``.

Yellow is the true outline, magenta that of the segment with the highest IoU.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

import napari_slip
from napari_slip.evaluation.metrics import iou_of_masks
from napari_slip.evaluation.scenes import SMALLEST, validation_scenes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_slip import Slip

COLUMNS, ROWS = 5, 3
SIDE, CAPTION, GAP = 190, 20, 6
YELLOW, MAGENTA = (255, 220, 0), (255, 0, 220)
LOST = 0.5
"""IoU below which an object is lost."""


def main() -> None:
    """Search scenes for objects that are lost, until the page is full."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="where the picture goes")
    out = parser.parse_args().out
    width, height = COLUMNS * (SIDE + GAP) + GAP, ROWS * (SIDE + CAPTION + GAP) + GAP
    page = Image.new("RGB", (width, height), "white")
    slip = napari_slip.load("mini")
    for i, (tile, caption) in enumerate(islice(losses(slip), COLUMNS * ROWS)):
        row, column = divmod(i, COLUMNS)
        corner = (GAP + column * (SIDE + GAP), GAP + row * (SIDE + CAPTION + GAP))
        page.paste(tile, corner)
        ImageDraw.Draw(page).text((corner[0] + 2, corner[1] + SIDE + 3), caption, fill="black", font_size=13)
    page.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2).save(out, optimize=True)


def losses(slip: Slip) -> Iterator[tuple[Image.Image, str]]:
    """Yield a picture of each object that no segment covers at an IoU of `LOST`, and what to say of it."""
    for scene in validation_scenes(None, 60):
        segments = slip.segment(scene.image)
        iou = iou_of_masks(scene.labels, segments.masks)
        for row, sprite in enumerate(scene.sprites):
            truth = scene.labels == row + 1
            if np.count_nonzero(truth) < SMALLEST or (reached := iou[row].max(initial=0)) >= LOST:
                continue
            found = segments.mask(int(iou[row].argmax()) + 1) if reached else np.zeros_like(truth)
            yield close_up(scene.image, truth, found), f"{sprite.name}, IoU {reached:.2f}"


def close_up(image: NDArray[np.uint8], truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> Image.Image:
    """Return what lies around an object, with both outlines."""
    (place,) = ndimage.find_objects(truth.astype(np.uint8))
    reach = int(max(side.stop - side.start for side in place) * 0.75) + 8
    middle = [(side.start + side.stop) // 2 for side in place]
    rows, columns = (slice(max(m - reach, 0), m + reach) for m in middle)
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    shown = ImageOps.contain(Image.fromarray(image[rows, columns]), picture.size, Image.Resampling.LANCZOS)
    picture.paste(shown)
    pixels = np.array(picture)
    for mask, colour in ((found, MAGENTA), (truth, YELLOW)):
        large = np.array(Image.fromarray(mask[rows, columns]).resize(shown.size))
        edge = large & ~ndimage.binary_erosion(large)
        pixels[: shown.height, : shown.width][edge] = colour
    return Image.fromarray(pixels)


if __name__ == "__main__":
    main()
