"""Real and synthetic planes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from skimage import data

from napari_slip.images import to_rgb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

SHIPPED = ("coins", "immunohistochemistry", "coffee", "cell", "chelsea", "hubble_deep_field")


def labelled(count: int, folder: Path | None) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.integer]]]:
    """Yield planes with label maps of their objects: nuclei that mini was never shown, and drawn scenes."""
    from napari_slip.evaluation.bbbc038 import validation_images
    from napari_slip.evaluation.scenes import validation_scenes

    nuclei = 0
    if folder is not None and folder.is_dir():
        for image, labels in islice(validation_images(folder), count // 2):
            nuclei += 1
            yield to_rgb(image), labels
    for scene in validation_scenes(folder, count - nuclei):
        yield to_rgb(scene.image), scene.labels


def pictures(count: int, folder: Path | None) -> Iterator[NDArray[np.uint8]]:
    """Yield planes: real ones that scikit-image ships, nuclei, and drawn scenes."""
    shipped = SHIPPED[: max(1, count // 8)]
    for name in shipped:
        yield to_rgb(getattr(data, name)())
    for rgb, _ in labelled(count - len(shipped), folder):
        yield rgb
