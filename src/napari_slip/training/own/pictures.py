"""Examples as the square pictures that a network takes, decoded once."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError
from napari_slip.matching import Cropper
from napari_slip.matching.similarity import unit
from napari_slip.progress import Progress
from napari_slip.segments import PackedMasks
from napari_slip.settings import CropSettings
from napari_slip.training.own.examples import open_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.models.protocols import DualEncoder
    from napari_slip.settings import View as CropView
    from napari_slip.training.own.examples import Example
    from napari_slip.training.own.settings import View

IN_MEMORY = 1 << 30
"""Bytes of pictures up to which they stay in memory; more go to a temporary file."""


def views_of(examples: Sequence[Example], asked: tuple[View, ...] | None) -> tuple[View, ...]:
    """Return how the examples are shown: as asked, or by whether masks lie beside some pictures."""
    if asked:
        return asked
    return ("whole", "mean", "dimmed") if any(example.mask for example in examples) else ("whole",)


def load_pictures(
    examples: Sequence[Example],
    views: Sequence[View],
    side: int,
    mean: Sequence[float],
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """Read pictures in every view.

    Parameters
    ----------
    examples : sequence of Example
        N of them.
    views : sequence of {"whole", "mean", "dimmed", "black"}
        V of them; an example without a mask, or with an empty one, shows the whole picture in each.
    side : int
        S, in pixels.
    mean : (3,) sequence of float
        The network's mean colour, 0..1.
    progress : Progress, optional
        Hears ``("pictures", i, N)``, and can stop the work.

    Returns
    -------
    (N, V, S, S, 3) uint8 array

    Raises
    ------
    InputError
        If a picture or a mask cannot be read, or they differ in size.
    """
    progress = progress or Progress()
    shape = (len(examples), len(views), side, side, 3)
    pictures: NDArray[np.uint8]
    if np.prod(shape) > IN_MEMORY:
        pictures = np.memmap(tempfile.TemporaryFile(), np.uint8, shape=shape)
    else:
        pictures = np.empty(shape, np.uint8)
    for i, example in enumerate(examples):
        progress("pictures", i, len(examples))
        rgb = np.asarray(open_picture(example.path))
        mask = mask_of(example, rgb.shape[:2])
        for v, view in enumerate(views):
            if view == "whole" or mask is None:
                pictures[i, v] = squashed(rgb, side)
            else:
                pictures[i, v] = cut(rgb, [mask], (view,), side, mean)[0, 0]
    progress("pictures", len(examples), len(examples))
    return pictures


def embed_examples(
    examples: Sequence[Example], encoder: DualEncoder, views: Sequence[View] = ()
) -> NDArray[np.float32]:
    """See examples as matching sees segments: the mean over the views, of unit length.

    Parameters
    ----------
    examples : sequence of Example
        N of them.
    encoder : DualEncoder
        Of D dimensions.
    views : sequence of {"whole", "mean", "dimmed", "black"}
        How they are shown; cut out where they have masks, or else whole, if not given.

    Returns
    -------
    (N, D) float32 array
    """
    views = views or tuple(view for view in views_of(examples, None) if view != "whole") or ("whole",)
    pictures = load_pictures(examples, views, encoder.card.image_size, encoder.card.mean)
    seen = encoder.encode_images(pictures.reshape(-1, *pictures.shape[2:]))
    return unit(seen.reshape(len(examples), len(views), -1).mean(axis=1))


def grounds(
    examples: Sequence[Example], side: int, mean: Sequence[float], seed: int, most: int = 400
) -> NDArray[np.uint8]:
    """Cut pieces of the ground, as segments that are no object look, (M, S, S, 3) uint8.

    Examples without a mask, or with an empty one, give none.
    """
    rng = np.random.default_rng([seed, 5])
    with_mask = [example for example in examples if example.mask]
    found = []
    for k in rng.permutation(len(with_mask))[:most]:
        rgb = np.asarray(open_picture(with_mask[k].path))
        mask = mask_of(with_mask[k], rgb.shape[:2])
        if mask is None:
            continue
        piece = piece_of_ground(mask, rng)
        if piece.sum() > 0.01 * piece.size:
            view: View = "mean" if rng.random() < 0.5 else "dimmed"
            found.append(cut(rgb, [piece], (view,), side, mean)[0, 0])
    return np.stack(found) if found else np.zeros((0, side, side, 3), np.uint8)


def piece_of_ground(taken: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose an ellipse of what is not taken by objects, (H, W), now and then all of it."""
    if rng.random() < 0.2:
        return ~taken
    y, x = np.ogrid[: taken.shape[0], : taken.shape[1]]
    centre, radius = rng.uniform(0, 1, 2) * taken.shape, rng.uniform(0.08, 0.7, 2) * taken.shape
    inside: NDArray[np.bool_] = ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 < 1
    return inside & ~taken


def mask_of(example: Example, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Read the mask of a picture, (H, W) bool; None where there is none, or nothing in it.

    Raises
    ------
    InputError
        If it cannot be read, or has another size than the picture.
    """
    from PIL import Image

    if example.mask is None:
        return None
    try:
        with Image.open(example.mask) as picture:
            mask = np.asarray(picture.getchannel("A") if picture.mode == "RGBA" else picture.convert("L")) > 0
    except (OSError, ValueError) as error:
        raise InputError(
            f"{example.mask} cannot be read as the mask of {example.path.name}: expected a PNG, black but "
            "for the object; mend it or take it away."
        ) from error
    if mask.shape != tuple(shape):
        raise InputError(
            f"{example.mask} has {mask.shape[1]} x {mask.shape[0]} pixels, but {example.path.name} has "
            f"{shape[1]} x {shape[0]}: a mask must be as large as its picture; mend it or take it away."
        )
    return mask if mask.any() else None


def cut(
    rgb: NDArray[np.uint8],
    masks: Sequence[NDArray[np.bool_]],
    views: Sequence[View | CropView],
    side: int,
    mean: Sequence[float],
) -> NDArray[np.uint8]:
    """Show the objects under N masks as matching shows segments, (N, V, S, S, 3) uint8."""
    settings = CropSettings(views=tuple(view for view in views if view != "whole"))
    cropper = Cropper(rgb, settings, size=side, mean=mean)
    return cropper.cut(PackedMasks.pack(masks, [(0, 0)] * len(masks)))


def squashed(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize a picture to (S, S, 3), its proportions lost, as the paper does."""
    from PIL import Image

    resized = Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.uint8)
