"""A Slip that is real but for its networks: bright spots are segments, and CLIP goes by their colour."""

from __future__ import annotations

import numpy as np
from skimage.measure import label, regionprops

from napari_slip.models import Calibration, EncoderCard
from napari_slip.pipeline import Slip
from napari_slip.segmentation import EncodedPlane
from napari_slip.segments import PackedMasks, Segments
from napari_slip.settings import ProposalSettings

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "grey": (0.58, 0.58, 0.58)}


class SpotSegmenter:
    name = "spots"
    hash = "sha256:spots"
    proposals = ProposalSettings()

    def encode(self, rgb, progress):
        progress("encode", 1, 1)
        return EncodedPlane(rgb, ())

    def propose(self, plane, settings, progress):
        progress("prompts", 1, 1)
        spots = regionprops(label(plane.rgb.max(axis=-1) > 100))
        n, high = len(spots), np.full(len(spots), 0.95, np.float32)
        return Segments(
            shape=plane.shape,
            masks=PackedMasks.pack([spot.image for spot in spots], [spot.bbox[1::-1] for spot in spots]),
            predicted_iou=high,
            stability_score=high,
            mean_intensity=high,
            area=np.array([spot.area for spot in spots], np.int64),
            roundness=high,
            parent=np.full(n, -1, np.int32),
            background=np.zeros(n, bool),
        )

    def refine(self, plane, **clicks):
        raise NotImplementedError


class ColourEncoder:
    card = EncoderCard(
        "colours", "sha256:colours", 16, (0, 0, 0), ("a {} thing",), Calibration(10, -2, ("grey",))
    )

    def encode_images(self, pictures, progress=None):
        if progress:
            progress("crops", len(pictures), len(pictures))
        return unit(pictures.reshape(len(pictures), -1, 3).mean(axis=1) + 1e-3)

    def encode_texts(self, texts):
        return unit(
            np.array([next((c for n, c in COLOURS.items() if n in text), (1, 1, 1)) for text in texts])
        )


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fake_slip(crops=None, store=None):
    return Slip(SpotSegmenter(), ColourEncoder(), crops=crops, store=store)


class BrokenSlip(Slip):
    """Fails on dark images as torch does: with a RuntimeError."""

    def segment(self, image, **settings):
        if image.max() < 200:
            raise RuntimeError("CUDA error: out of\nmemory")
        return super().segment(image, **settings)


def spots(shape=(40, 60), colours=("red", "green"), level=255):
    """A dark picture with one square of each colour."""
    picture = np.zeros((*shape, 3), np.uint8)
    for number, colour in enumerate(colours):
        x = 4 + 14 * number
        picture[6:16, x : x + 8] = np.array(COLOURS[colour]) * level
    return picture


__all__ = ["BrokenSlip", "ColourEncoder", "SpotSegmenter", "fake_slip", "spots"]
