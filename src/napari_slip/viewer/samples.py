"""The pictures under File -> Open Sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_slip.io.samples import SAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    LayerData = tuple[NDArray[Any], dict[str, Any], str]


def coins() -> list[LayerData]:
    """Greek coins from Pompeii, (303, 384) uint8."""
    return _open("coins")


def immunohistochemistry() -> list[LayerData]:
    """Colon tissue with brown and blue stain, (512, 512, 3) uint8."""
    return _open("immunohistochemistry")


def cell() -> list[LayerData]:
    """One cell in transmitted light, (660, 550) uint8."""
    return _open("cell")


def coffee() -> list[LayerData]:
    """Coffee in a cup on a table, (400, 600, 3) uint8."""
    return _open("coffee")


def objects() -> list[LayerData]:
    """Drawn things that have a name, (H, W, 3) uint8."""
    return _open("objects")


def nuclei() -> list[LayerData]:
    """Drawn nuclei in fluorescence, (H, W, 3) uint8."""
    return _open("nuclei")


def _open(name: str) -> list[LayerData]:
    return [(SAMPLES[name].image(), {"name": name}, "image")]
