"""Which view of a segment lets CLIP know it best: what chose the default of `CropSettings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.evaluation.bbbc038 import PROMPT, validation_images
from napari_slip.evaluation.metrics import auroc, iou_of_masks
from napari_slip.evaluation.outlines import in_front
from napari_slip.evaluation.scenes import SEED, absent_names, all_names, found_by_name, validation_scenes
from napari_slip.images import to_rgb
from napari_slip.matching import embed_segments
from napari_slip.progress import Progress
from napari_slip.segments import Segments
from napari_slip.settings import CropSettings, View

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.pipeline import Slip
    from napari_slip.synthesis import Scene

COMBINATIONS: tuple[tuple[View, ...], ...] = (
    ("black",),
    ("mean",),
    ("dimmed",),
    ("box",),
    ("black", "dimmed"),
    ("mean", "dimmed"),
    ("mean", "box"),
    ("black", "mean", "dimmed", "box"),
)


@dataclass(frozen=True)
class _Seen:
    """A picture and its segments for every view: the true objects, then SAM's proposals."""

    rgb: NDArray[np.uint8]
    segments: Segments
    iou: NDArray[np.float64]


def compare_views(
    slip: Slip, data: Path | None, progress: Progress | None = None, *, scenes: int = 40, images: int = 30
) -> str:
    """Compare the views on drawn scenes and on BBBC038, with the same segments for all of them.

    The segments are the true objects, so that it is CLIP that is measured, and among them all that SAM
    proposes: parts of objects, groups of them, pieces of the ground.

    Parameters
    ----------
    slip : Slip
        Whose SAM makes the proposals, once, and whose CLIP looks at them.
    data : Path, optional
        Folder that holds ``bbbc038`` and ``emoji``; without it only drawn things are looked at.
    progress : Progress, optional
        Hears ``("views", i, n)``, and can stop the work.
    scenes, images : int
        How many drawn scenes and images of BBBC038.

    Returns
    -------
    str
        A table in Markdown: the share of names whose best match is right, the AUROC of present against absent
        names, and that of nuclei against all other segments.
    """
    progress = progress or Progress()
    drawn = [
        (scene, _look(slip, scene.image, scene.labels, progress)) for scene in validation_scenes(data, scenes)
    ]
    real = validation_images(data, images) if data else []
    nuclei = [_look(slip, image, labels, progress) for image, labels in real]
    names = all_names(data)
    lines = ["| views | names | present or absent | nucleus or not |", "|---|---|---|---|"]
    for i, views in enumerate(COMBINATIONS):
        progress("views", i, len(COMBINATIONS))
        crops = CropSettings(views=views)
        figures = *_scene_figures(slip, drawn, names, crops), _nuclei_figure(slip, nuclei, crops)
        lines.append(f"| {' + '.join(views)} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")
    progress("views", len(COMBINATIONS), len(COMBINATIONS))
    return "\n".join(lines)


def _look(slip: Slip, image: NDArray[np.uint8], labels: NDArray[np.integer], progress: Progress) -> _Seen:
    rgb = to_rgb(image)
    proposed = slip.propose(slip.encode(rgb, progress=progress), progress=progress).masks
    masks = in_front([labels == i for i in np.unique(labels[labels > 0])], proposed)
    n, ones = len(masks), np.ones(len(masks), np.float32)
    segments = Segments(
        shape=labels.shape,
        masks=masks,
        predicted_iou=ones,
        stability_score=ones,
        mean_intensity=ones,
        area=np.array([masks.crop(row).sum() for row in range(n)], np.int64),
        roundness=ones,
        parent=np.full(n, -1, np.int32),
        background=np.zeros(n, bool),
    )
    return _Seen(rgb, segments, iou_of_masks(labels, masks))


def _scene_figures(
    slip: Slip, drawn: list[tuple[Scene, _Seen]], names: tuple[str, ...], crops: CropSettings
) -> tuple[float, float]:
    right: list[bool] = []
    present_scores: list[float] = []
    absent_scores: list[float] = []
    for k, (scene, seen) in enumerate(drawn):
        present = sorted({sprite.name for sprite in scene.sprites})
        if not present:
            continue
        absent = absent_names(present, names, np.random.default_rng([SEED, k, 1]))
        segments = embed_segments(seen.segments, seen.rgb, slip.encoder, crops)
        match = slip.match(segments, [*present, *absent])
        right += found_by_name(match, scene, seen.iou, present)
        best = match.calibrated.max(axis=0).tolist()
        present_scores += best[: len(present)]
        absent_scores += best[len(present) :]
    return float(np.mean(right)) if right else float("nan"), auroc(present_scores, absent_scores)


def _nuclei_figure(slip: Slip, nuclei: list[_Seen], crops: CropSettings) -> float:
    scores: dict[bool, list[float]] = {True: [], False: []}
    for seen in nuclei:
        segments = embed_segments(seen.segments, seen.rgb, slip.encoder, crops)
        match = slip.match(segments, [PROMPT])
        is_nucleus = (seen.iou >= 0.5).any(axis=0)
        for nucleus in (True, False):
            scores[nucleus] += match.calibrated[is_nucleus == nucleus, 0].tolist()
    return auroc(scores[True], scores[False])


def main() -> None:
    """Print the comparison: ``python -m napari_slip.evaluation.views MODEL [DATA]``."""
    import argparse
    from pathlib import Path

    from napari_slip.loading import load

    parser = argparse.ArgumentParser(description="Compare the ways of showing a segment to CLIP.")
    parser.add_argument("model", help="a preset, such as mini")
    parser.add_argument("data", nargs="?", type=Path, help="folder with bbbc038 and emoji")
    arguments = parser.parse_args()
    print(compare_views(load(arguments.model), arguments.data))


if __name__ == "__main__":
    main()
