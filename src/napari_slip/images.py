"""Planes of any kind, made into the RGB pictures that the models see."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_slip.settings import Contrast

MIN_SIDE = 2
"""Pixels that each side of a plane must have: an object in fewer cannot be told from noise."""

BAND = 256
"""Rows of a plane that are stretched at once."""


def to_rgb(
    image: NDArray[Any],
    *,
    channel_axis: int | None = None,
    contrast: Contrast | None = None,
    copy: bool = True,
) -> NDArray[np.uint8]:
    """Make one plane of any numeric type into RGB, uint8.

    Grey planes and RGB pictures are stretched by one pair of limits, so that colours keep their
    balance; the channels of a `channel_axis` are stretched one by one (their units differ) and blended
    additively, each in its own hue. NaN becomes black, infinities the ends of the range, and alpha
    is blended over black, as napari shows it.

    Parameters
    ----------
    image : (H, W), (H, W, 3) or (H, W, 4) array, or 3D with `channel_axis`
        Any integer, float or boolean type.
    channel_axis : int, optional
        The axis of the channels. Without it, only a last axis of length 3 or 4 is read as colour.
    contrast : Contrast, optional
        Limits or percentiles; the default percentiles if not given.
    copy : bool
        Whether a picture that is shown as it is becomes another array, as it should where it is kept.

    Returns
    -------
    (H, W, 3) uint8 array

    Raises
    ------
    InputError
        If the array is no single plane, is empty, or is not numeric.
    """
    from napari_slip.settings import Contrast

    contrast = contrast or Contrast()
    image = np.asarray(image)
    _check_type(image)
    if channel_axis is not None:
        return _blend(_channels_first(image, channel_axis), contrast)
    if image.ndim == 3 and image.shape[-1] in (3, 4):
        _check_size(image.shape[:2])
        return _colour(image, contrast, copy=copy)
    if image.ndim != 2:
        raise InputError(
            f"The image has shape {image.shape}, but one plane is expected, (height, width) or "
            "(height, width, 3 or 4): choose one plane of the stack, or name the axis of its channels with "
            "channel_axis."
        )
    _check_size(image.shape)
    limits = _limits(image, contrast)
    return _by_bands(image.shape, lambda rows: _stretch(image[rows], limits)[..., None])


WHITE = 3 * 255
"""Brightness of a white pixel; see `brightness_of`."""


def brightness_of(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Brightness of each pixel of an RGB plane, in whole numbers: half as much memory as a float takes.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 array

    Returns
    -------
    (H, W) uint16 array in 0..765, the sum of the three colours
    """
    brightness: NDArray[np.uint16] = np.add(rgb[..., 0], rgb[..., 1], dtype=np.uint16)
    brightness += rgb[..., 2]
    return brightness


def _check_type(image: NDArray[Any]) -> None:
    if image.dtype.kind not in "buif":
        raise InputError(
            f"The image has values of type {image.dtype}, but integers, real floats or booleans are "
            "expected: convert it first."
        )


def _check_size(shape: tuple[int, ...]) -> None:
    if min(shape) < MIN_SIDE:
        raise InputError(
            f"The image is {shape[0]} x {shape[1]} pixels, but at least {MIN_SIDE} x {MIN_SIDE} are needed: "
            "check that it was read whole."
        )


def _channels_first(image: NDArray[Any], channel_axis: int) -> NDArray[Any]:
    if image.ndim != 3 or not -3 <= channel_axis < 3:
        raise InputError(
            f"channel_axis={channel_axis} was given for an image of shape {image.shape}, but a plane with "
            "channels has three axes, one of them the channels: choose one plane of the stack first."
        )
    channels = np.moveaxis(image, channel_axis, 0)
    _check_size(channels.shape[1:])
    if not len(channels):
        raise InputError(f"The image of shape {image.shape} has no channels along axis {channel_axis}.")
    return channels


def _by_bands(shape: tuple[int, ...], stretched: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Make a picture some rows at a time: floats of a whole plane would take many times its memory."""
    rgb = np.empty((shape[0], shape[1], 3), np.uint8)
    for top in range(0, shape[0], BAND):
        rows = slice(top, top + BAND)
        rgb[rows] = _to_uint8(stretched(rows))
    return rgb


def _colour(image: NDArray[Any], contrast: Contrast, *, copy: bool) -> NDArray[np.uint8]:
    from napari_slip.settings import Contrast

    colours = image[..., :3]
    as_it_is = image.dtype == np.uint8 and contrast == Contrast() and _spans_its_type(colours)
    if as_it_is and image.shape[-1] == 3 and not copy:
        return np.ascontiguousarray(image)
    limits = (0.0, 255.0) if as_it_is else _limits(colours, contrast)

    def stretched(rows: slice) -> NDArray[np.float32]:
        band = _stretch(colours[rows], limits)
        return band if image.shape[-1] == 3 else band * _opacity(image[rows, :, 3:])

    return _by_bands(image.shape, stretched)


def _spans_its_type(colours: NDArray[Any]) -> bool:
    """Whether an 8-bit picture already fills its range, as photographs do: then it is shown as it is."""
    low, high = np.percentile(colours[::4, ::4], (1, 99)) if min(colours.shape[:2]) > 8 else (0, 255)
    return bool(high - low > 128)


def _opacity(alpha: NDArray[Any]) -> NDArray[np.float32]:
    if alpha.dtype == bool:
        return alpha.astype(np.float32)
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1.0
    opacity: NDArray[np.float32] = np.clip(np.nan_to_num(alpha.astype(np.float32) / full), 0, 1)
    return opacity


def _blend(channels: NDArray[Any], contrast: Contrast) -> NDArray[np.uint8]:
    hues = [np.asarray(hue, np.float32) for hue in _hues(len(channels))]
    limits = [_limits(channel, contrast) for channel in channels]

    def blended(rows: slice) -> NDArray[np.float32]:
        band = np.zeros((*channels[0][rows].shape, 3), np.float32)
        for channel, pair, hue in zip(channels, limits, hues, strict=True):
            band += _stretch(channel[rows], pair)[..., None] * hue
        return band

    return _by_bands(channels.shape[1:], blended)


def _hues(n: int) -> list[tuple[float, float, float]]:
    """White for one channel, green and magenta (safe for colour-blind eyes) for two, else a wheel of hues."""
    if n == 1:
        return [(1.0, 1.0, 1.0)]
    if n == 2:
        return [(0.0, 1.0, 0.0), (1.0, 0.0, 1.0)]
    return [colorsys.hsv_to_rgb(i / n, 1.0, 1.0) for i in range(n)]


def _limits(image: NDArray[Any], contrast: Contrast) -> tuple[float, float]:
    """Return the values that become black and white."""
    if image.dtype == bool:
        return 0.0, 1.0
    return contrast.limits or _percentiles(image, contrast.percentiles)


def _stretch(image: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.float32]:
    """Map the limits to 0..1, as float32."""
    low, high = limits
    if high <= low:  # a flat image has no contrast to show
        return np.zeros(image.shape, np.float32)
    # float64 only where float32 cannot tell neighbours apart
    wide = image.dtype.itemsize > 4 or (image.dtype.kind in "ui" and image.dtype.itemsize == 4)
    values: NDArray[np.float64] = image.astype(np.float64 if wide else np.float32)
    values -= low
    with np.errstate(over="ignore", invalid="ignore"):
        values /= high - low
    finite: NDArray[np.float64] = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    return finite.clip(0, 1).astype(np.float32)


def _percentiles(image: NDArray[Any], percentiles: tuple[float, float]) -> tuple[float, float]:
    # a sample of a million values tells the percentiles of a large plane
    sample = _finite(image.reshape(-1)[:: max(1, image.size // 1_000_000)]).astype(np.float64)
    low, high = np.percentile(sample, percentiles) if sample.size else (0.0, 0.0)
    if high <= low:  # a sparse image: all but a few pixels are alike
        finite = _finite(image)
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return float(low), float(high)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _to_uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return scaled
