"""Sample pictures with their texts: photographs from scikit-image, and scenes drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_slip.errors import InputError
from napari_slip.io.results import claim

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A picture that comes with the package or with scikit-image, without a download.

    Parameters
    ----------
    title : str
        For menus.
    image : callable
        Returns the picture, (H, W) or (H, W, 3) uint8.
    prompts : tuple of str
        What there is to be found.
    negatives : tuple of str
        What it might be mistaken for.
    """

    title: str
    image: Callable[[], NDArray[np.uint8]]
    prompts: tuple[str, ...]
    negatives: tuple[str, ...] = ()


def _from_skimage(name: str) -> Callable[[], NDArray[np.uint8]]:
    def image() -> NDArray[np.uint8]:
        import skimage.data

        picture: NDArray[np.uint8] = getattr(skimage.data, name)()
        return picture

    return image


def _objects() -> NDArray[np.uint8]:
    from napari_slip.synthesis import draw_scene

    rng = np.random.default_rng(42)
    return draw_scene(rng, (384, 512), (8, 10), overlap=0.0, degradation=0.3, size=(0.16, 0.3)).image


def _nuclei() -> NDArray[np.uint8]:
    from napari_slip.synthesis import draw_nuclei

    return draw_nuclei(
        np.random.default_rng(7), (512, 512), modality="fluorescence", n_objects=(60, 70)
    ).image


SAMPLES: dict[str, Sample] = {
    "coins": Sample(title="Coins", image=_from_skimage("coins"), prompts=("coin",)),
    "immunohistochemistry": Sample(
        title="Immunohistochemistry", image=_from_skimage("immunohistochemistry"), prompts=("cell nucleus",)
    ),
    "cell": Sample(title="Cell", image=_from_skimage("cell"), prompts=("cell", "cell nucleus")),
    "coffee": Sample(title="Coffee", image=_from_skimage("coffee"), prompts=("cup of coffee",)),
    "objects": Sample(title="Drawn objects", image=_objects, prompts=("cup", "pollen", "key")),
    "nuclei": Sample(title="Drawn nuclei", image=_nuclei, prompts=("cell nucleus",)),
}
"""By the names that the demo's files and napari's sample data have."""


def save_samples(folder: Path) -> list[tuple[Path, Sample]]:
    """Write all sample pictures as PNG into a folder; one that is there already is left as it is.

    Raises
    ------
    InputError
        If they cannot be written.
    """
    try:
        return [(_save(folder, name, sample.image()), sample) for name, sample in SAMPLES.items()]
    except OSError as error:
        raise InputError(
            f"The sample pictures cannot be written to {folder}: {error.strerror or error}."
        ) from error


def _save(folder: Path, name: str, pixels: NDArray[np.uint8]) -> Path:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    path = folder / f"{name}.png"
    if path.is_file() and path.read_bytes() == buffer.getvalue():
        return path
    path = claim(folder, name, {"file": ".png"})["file"]
    path.write_bytes(buffer.getvalue())
    return path
