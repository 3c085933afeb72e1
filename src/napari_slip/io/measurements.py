"""Objects measured: one row for each, in pixels and in physical units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from skimage.measure import regionprops

from napari_slip.errors import InputError
from napari_slip.io.whole import whole_file
from napari_slip.objects import Object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.session import Session

LENGTHS = (
    "perimeter",
    "axis_major_length",
    "axis_minor_length",
    "equivalent_diameter_area",
    "feret_diameter_max",
)
SHAPES = ("eccentricity", "solidity", "extent", "orientation", "euler_number")


def measure(
    session: Session,
    pixels: Callable[[tuple[int, ...]], NDArray[Any]] | None = None,
    *,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    unit: str = "px",
) -> pd.DataFrame:
    """Measure every object that is not rejected, by its whole mask, also where another lies in front.

    Parameters
    ----------
    session : Session
        Its objects.
    pixels : callable, optional
        Returns a plane, (H, W) or (H, W, C), by its index; without it no intensities are measured.
    pixel_size : (height, width)
        Of a pixel, in `unit`.
    unit : str
        Of length, such as "um"; lengths and areas are then given in it too. The perimeter only where pixels
        are square: nobody has said what it is elsewhere.

    Returns
    -------
    DataFrame
        Centroids and boxes in pixels, the others as scikit-image's ``regionprops`` defines them. Of no
        objects the columns without intensities, whose number only a plane could tell.

    Raises
    ------
    InputError
        If a plane has another shape than the session's.
    """
    rows: dict[int, dict[str, Any]] = {}
    planes: dict[tuple[int, ...], NDArray[Any]] = {}
    for o in sorted(session.objects.values(), key=lambda o: o.plane):
        if o.status == "rejected":
            continue
        if pixels is not None and o.plane not in planes:
            planes = {o.plane: np.asarray(pixels(o.plane))}  # one at a time: stacks can be long
            if planes[o.plane].shape[:2] != session.shape:
                raise InputError(
                    f"The picture is {planes[o.plane].shape[:2]}, but the session's planes are "
                    f"{session.shape}: name the picture that it belongs to."
                )
        rows[o.id] = _row(o, planes.get(o.plane), pixel_size, unit)
    if not rows:  # a file without columns could not be read again
        pixel = Object(1, "", "accepted", np.ones((1, 1), bool), (0, 0))
        return pd.DataFrame(columns=list(_row(pixel, None, pixel_size, unit)))
    return pd.DataFrame([row for _, row in sorted(rows.items())])


def write_measurements(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all."""
    with whole_file(path) as part:
        table.to_csv(part, index=False)


def _row(o: Object, plane: NDArray[Any] | None, size: tuple[float, float], unit: str) -> dict[str, Any]:
    window = None if plane is None else plane[o.window]
    padded = np.pad(o.crop, 1).astype(np.uint8)
    (found,) = regionprops(padded)
    x, y = o.origin
    height, width = o.crop.shape
    row: dict[str, Any] = {
        "object": o.id,
        "track": o.label,
        "class": o.class_name,
        "status": o.status,
        "plane": "-".join(map(str, o.plane)),
        "score": o.score,
        "area": o.area,
        "centroid_x": x + found.centroid[1] - 1,
        "centroid_y": y + found.centroid[0] - 1,
        "bbox_x0": x,
        "bbox_y0": y,
        "bbox_x1": x + width,
        "bbox_y1": y + height,
        **{name: float(found[name]) for name in (*LENGTHS, *SHAPES)},
    }
    if unit != "px":
        (real,) = regionprops(padded, spacing=size)
        row[f"area_{unit}2"] = float(real.area)
        lengths = LENGTHS if size[0] == size[1] else LENGTHS[1:]
        row |= {f"{name}_{unit}": float(real[name]) for name in lengths}
    if window is not None:
        channels = window[..., None] if window.ndim == 2 else window
        for c in range(channels.shape[-1]):
            values = channels[..., c][o.crop].astype(float)
            name = "intensity" if channels.shape[-1] == 1 else f"intensity_{c}"
            row |= {
                f"{name}_mean": values.mean(),
                f"{name}_std": values.std(),
                f"{name}_min": values.min(),
                f"{name}_max": values.max(),
                f"{name}_sum": values.sum(),
            }
    return row
