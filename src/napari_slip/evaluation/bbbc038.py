"""Real nuclei: the validation images of BBBC038, asked for by text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.io import imread

from napari_slip.errors import InputError
from napari_slip.evaluation.baseline import otsu_watershed
from napari_slip.evaluation.metrics import average_precision, iou_of_labels
from napari_slip.evaluation.report import Row, mean
from napari_slip.progress import Progress
from napari_slip.training.mini.sam_data import kind_of, validation_stems

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.pipeline import Slip

PROMPT = "cell nucleus"
ABSENT = "red apple"
NEGATIVES: tuple[str, ...] = ()
SELECT = "above:0.5"

KINDS = {
    "fluorescence small": "fluorescence, small images",
    "fluorescence large": "fluorescence, large images",
    "brightfield": "brightfield and H&E",
}


def validation_images(
    data: Path, limit: int | None = None
) -> list[tuple[NDArray[np.uint8], NDArray[np.integer]]]:
    """Read the images that no training sees, with their label maps.

    Parameters
    ----------
    data : Path
        Folder that holds ``bbbc038/images`` and ``bbbc038/labels``.
    limit : int, optional
        Read that many only, taken evenly from all.

    Returns
    -------
    list of (image, labels)
        Image (H, W) or (H, W, 3 or 4) uint8; labels (H, W) integer, one id per nucleus, 0 for the background.

    Raises
    ------
    InputError
        If the folder has no such images.
    """
    folder = data / "bbbc038"
    stems = [stem for stem in sorted(validation_stems()) if (folder / "images" / f"{stem}.png").is_file()]
    if not stems:
        raise InputError(
            f"{data} has no images of BBBC038: expected bbbc038/images and bbbc038/labels in it."
        )
    stems = stems[:: max(1, len(stems) // limit)][:limit] if limit else stems
    return [
        (imread(folder / "images" / f"{stem}.png"), imread(folder / "labels" / f"{stem}.png"))
        for stem in stems
    ]


def nuclei_rows(
    slip: Slip, data: Path, progress: Progress | None = None, limit: int | None = None
) -> list[Row]:
    """Measure how well "cell nucleus" finds nuclei, beside a baseline, and what an absent prompt finds.

    Parameters
    ----------
    slip : Slip
        What is measured.
    data : Path
        Folder that holds ``bbbc038``.
    progress : Progress, optional
        Hears ``("bbbc038", i, n)``, and can stop the work.
    limit : int, optional
        Look at that many images only, taken evenly from all.

    Returns
    -------
    list of Row
    """
    progress = progress or Progress()
    images = validation_images(data, limit)
    ours: dict[str, list[float]] = {kind: [] for kind in KINDS}
    theirs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    accepted = np.zeros(2, int)
    for i, (image, truth) in enumerate(images):
        progress("bbbc038", i, len(images))
        kind = kind_of(image)
        segments = slip.segment(image, progress=progress)
        match = slip.match(segments, [PROMPT, ABSENT], negatives=NEGATIVES)
        column = match.accepted(SELECT)
        ours[kind].append(average_precision(iou_of_labels(truth, segments.labels(column[:, 0]))))
        theirs[kind].append(average_precision(iou_of_labels(truth, otsu_watershed(image))))
        accepted += column.sum(axis=0)
    progress("bbbc038", len(images), len(images))
    return [
        mean("BBBC038, cell nucleus: AP50", [ap for group in ours.values() for ap in group], 0.80),
        *(mean(f"BBBC038, {title}: AP50", ours[kind], 0.55) for kind, title in KINDS.items()),
        mean("Otsu and watershed: AP50", [ap for group in theirs.values() for ap in group]),
        *(mean(f"Otsu and watershed, {title}: AP50", theirs[kind]) for kind, title in KINDS.items()),
        Row(
            name=f'accepted by "{ABSENT}" for each accepted by "{PROMPT}"',
            value=float(accepted[1] / accepted[0]) if accepted[0] else float("nan"),
            n=int(accepted[0]),
            bar=0.05,
            better="lower",
        ),
    ]
