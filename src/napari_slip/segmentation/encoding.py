"""The image encoder, run over a plane window by window and stoppable inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from segment_anything.modeling import ImageEncoderViT
from segment_anything.utils.transforms import ResizeLongestSide
from torchvision.transforms.functional import resize, to_pil_image

from napari_slip.models.precision import bfloat16_pays
from napari_slip.models.stopping import stoppable
from napari_slip.segmentation.protocols import Tile
from napari_slip.segmentation.vit import run_vit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_slip.progress import Progress
    from napari_slip.segmentation.tiling import Box


def model_shape(box: Box, side: int) -> tuple[int, int]:
    """Return height and width of a window as the model sees it: `side` pixels along the longer one.

    The shorter one keeps a pixel, however narrow the window is.
    """
    x0, y0, x1, y1 = box
    height, width = ResizeLongestSide.get_preprocess_shape(y1 - y0, x1 - x0, side)
    return max(height, 1), max(width, 1)


class Encoder:
    """Runs the image encoder over windows of a plane, stoppable before each of its blocks.

    Parameters
    ----------
    network : Sam
        In evaluation mode.
    progress : Progress
        Can stop it.
    exact : bool
        Whether to stay in float32 also where bfloat16 would be faster.
    """

    def __init__(self, network: Sam, progress: Progress, *, exact: bool = True) -> None:
        self.network = network
        self.progress = progress
        self.exact = exact or not bfloat16_pays(network.device)

    def __call__(self, rgb: NDArray[np.uint8], box: Box, side: int | None = None) -> Tile:
        """Encode a window of a plane.

        Parameters
        ----------
        rgb : (H, W, 3) uint8 array
            The plane.
        box : (x0, y0, x1, y1)
            The window, far edges excluded.
        side : int, optional
            Model pixels along the longer side of the window, for an encoder that takes fewer than all.
        """
        x0, y0, x1, y1 = box
        side = side or self.network.image_encoder.img_size
        # the resize of segment-anything, so that the same picture reaches the same weights
        window = to_pil_image(np.ascontiguousarray(rgb[y0:y1, x0:x1]))
        scaled = np.array(resize(window, list(model_shape(box, side))))
        picture = torch.from_numpy(scaled).to(self.network.device).permute(2, 0, 1)
        with torch.autocast(self.network.device.type, torch.bfloat16, enabled=not self.exact):
            embedding = self._run(self.network.preprocess(picture)[None, :, :side, :side])
        return Tile(embedding.float(), box, (scaled.shape[0], scaled.shape[1]))

    def unseen(self, box: Box, side: int | None = None) -> Tile:
        """Return a window that is to be encoded later; `side` as when it is encoded."""
        return Tile(None, box, model_shape(box, side or self.network.image_encoder.img_size))

    def _run(self, picture: Tensor) -> Tensor:
        encoder = self.network.image_encoder
        if isinstance(encoder, ImageEncoderViT):
            return run_vit(encoder, picture, self.progress.check)
        with stoppable(encoder, self.progress):
            embedding: Tensor = encoder(picture)
        return embedding
