"""Image files: one plane of each, with the axes that the file itself tells."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from napari_slip.errors import InputError, SlipError
from napari_slip.io._axes import arrange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Read = TypeVar("Read")

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF files begin."""

_READ = "PNG, JPEG, TIFF, BMP, GIF and WebP are, whatever their names"


@dataclass(frozen=True, eq=False)
class Picture:
    """One plane from a file.

    Parameters
    ----------
    pixels : (H, W), (H, W, 3 or 4) array, or 3D with `channel_axis`
        In the file's own type.
    channel_axis : int, optional
        Of `pixels`, where the file or the user says that there is one.
    axes : str
        Of `pixels`, one letter each as tifffile names them: Y, X, C for channels, S for colours.
    """

    pixels: NDArray[Any]
    channel_axis: int | None
    axes: str


def read_image(path: Path, *, channel_axis: int | None = None) -> Picture:
    """Read one plane from an image file.

    What the bytes are decides how they are read, not the name. Pixels are never turned or scaled, so that
    labels lie on the picture as other programs show it.

    Parameters
    ----------
    path : Path
        A PNG, JPEG, TIFF (OME and ImageJ too) or whatever else Pillow reads.
    channel_axis : int, optional
        Which axis of the array that `tifffile.imread` returns holds the channels; the file's own word if not
        given, never a guess.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, is no image, or holds a stack; the text names it.
    """
    _check_file(path)
    with told_in_sentences(path):
        pixels, axes = _read_tiff(path, channel_axis) if is_tiff(path) else _read_with_pillow(path)
    return Picture(*arrange(path.name, pixels, axes, channel_axis))


@contextlib.contextmanager
def told_in_sentences(path: Path) -> Iterator[None]:
    """Raise an InputError that names the file for whatever breaks while it is read."""
    try:
        yield
    except SlipError:
        raise
    except PermissionError as error:
        raise InputError(f"{path} may not be read: its permissions do not allow it.") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory: cut it into smaller pictures.") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path.name} is not an image that can be read: {_READ}.") from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path.name} has more pixels than a picture of this kind may have: save it as TIFF."
        ) from error
    except Exception as error:  # a broken file can break a parser anywhere
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{path} cannot be read: {_reason(error)}.") from error
        raise InputError(f"{path.name} is damaged ({_reason(error)}): write or copy it again.") from error


@contextlib.contextmanager
def open_with_pillow(path: Path) -> Iterator[Image.Image]:
    """Open a picture; 90 million pixels are no attack and need no warning, twice as many are refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            yield image


def read_otherwise(path: Path, error: Exception, read: Callable[[Path], Read]) -> Read:
    """Leave to Pillow what tifffile reads only together with imagecodecs, e.g. LZW; other errors stay."""
    if "imagecodecs" not in str(error):
        raise error
    try:
        return read(path)
    except MemoryError:
        raise
    except Exception:
        raise InputError(
            f"{path.name} is compressed in a way that needs one more package: pip install imagecodecs."
        ) from error


def is_tiff(path: Path) -> bool:
    """Whether a file begins as TIFF files do; not so of one that cannot be read, which its reader tells."""
    try:
        with path.open("rb") as file:
            return file.read(4) in TIFF_MAGIC
    except OSError:
        return False


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, but an image is expected: name the files in it.")
        if not path.exists():
            raise InputError(f"{path} does not exist: check the name and the folder.")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is an empty file: it may not have been copied whole.")
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise InputError(f"{path} cannot be reached: {_reason(error)}.") from error


def _read_tiff(path: Path, channel_axis: int | None) -> tuple[NDArray[Any], str]:
    try:
        with tifffile.TiffFile(path) as file:
            if len(file.series) != 1:
                raise InputError(
                    f"{path.name} holds {len(file.series)} pictures, but one is expected: save the one you "
                    "want as a file of its own."
                )
            series = file.series[0]
            page = series.keyframe
            if page.photometric in (tifffile.PHOTOMETRIC.PALETTE, tifffile.PHOTOMETRIC.SEPARATED):
                return _read_with_pillow(path)  # which knows how colour tables and inks look
            coloured = page.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
            axes = series.axes if coloured else series.axes.replace("S", "C")
            # the header says what would not serve, before gigabytes are read
            arrange(path.name, np.broadcast_to(np.zeros((), series.dtype), series.shape), axes, channel_axis)
            return series.asarray(), axes
    except (SlipError, OSError, MemoryError):
        raise
    except Exception as error:
        return read_otherwise(path, error, _read_with_pillow)


def _read_with_pillow(path: Path) -> tuple[NDArray[Any], str]:
    with open_with_pillow(path) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":  # MPO: a telephone's JPEG with a second view
            raise InputError(
                f"{path.name} is a stack of {frames} pictures, but one plane is expected: save "
                "the one you want as a file of its own."
            )
        if _is_deep(image):
            raise InputError(
                f"{path.name} has 16 bits for each colour, of which a PNG gives 8 here: save it as TIFF."
            )
        pixels = np.asarray(_plain_mode(image))
    return pixels, "YXS" if pixels.ndim == 3 else "YX"


def _is_deep(image: Image.Image) -> bool:
    """Whether a PNG has 16 bits for each colour, of which Pillow keeps 8; of grey it keeps them all."""
    coded = str(getattr(image, "tile", ""))
    return image.format == "PNG" and image.mode in ("RGB", "RGBA") and "16B" in coded


def _plain_mode(image: Image.Image) -> Image.Image:
    """Turn palettes, inks and grey with alpha into RGB or RGBA; leave grey, RGB and RGBA as they are."""
    if image.mode in ("P", "PA", "LA", "La", "RGBa"):
        transparent = "transparency" in image.info or image.mode != "P"
        return image.convert("RGBA" if transparent else "RGB")
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return image.convert("RGB")
    image.load()
    return image


def _reason(error: Exception) -> str:
    """Make what a library says a part of a sentence."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(said.split()).rstrip(".").replace("<", "").replace(">", "")
