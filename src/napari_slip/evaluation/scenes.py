"""Drawn scenes of named things: whether they are found, and whether their names find them."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.evaluation.difficulty import is_faint, is_thin
from napari_slip.evaluation.metrics import auroc, iou_of_masks
from napari_slip.evaluation.report import Row, share
from napari_slip.progress import Progress
from napari_slip.synthesis import (
    NAMES,
    any_sprite,
    background,
    draw_scene,
    emoji_sprites,
    photograph,
    synonyms,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.matching import Match
    from napari_slip.pipeline import Slip
    from napari_slip.synthesis import Scene, Sprite

SEED = 40_000
"""First of the seeds of these scenes; training and calibration use none of them."""

SMALLEST = 60
"""Pixels that must be seen of an object for it to be looked for."""


def validation_scenes(data: Path | None, n: int) -> Iterator[Scene]:
    """Draw scenes of 3 to 12 objects that overlap, on textures and photographs, with noise and blur.

    Parameters
    ----------
    data : Path, optional
        Folder that holds ``emoji``; with it half of the objects are emoji, without it all are drawn things.
    n : int
        How many scenes.

    Yields
    ------
    Scene
        512 x 512 pixels; every second one lies on a photograph.
    """
    emoji = emoji_sprites(data) if data else None

    def both(rng: np.random.Generator, size: float) -> Sprite:
        return emoji(rng, size) if emoji and rng.random() < 0.5 else any_sprite(rng, size)

    for k in range(n):
        ground = photograph if k % 2 else background
        yield draw_scene(np.random.default_rng([SEED, k]), (512, 512), (3, 12), sprites=both, ground=ground)


def all_names(data: Path | None) -> tuple[str, ...]:
    """Return every name that an object of these scenes can have."""
    return tuple(dict.fromkeys([*NAMES, *(emoji_sprites(data).names if data else ())]))


def scene_rows(slip: Slip, data: Path | None, progress: Progress | None = None, n: int = 60) -> list[Row]:
    """Measure the recall of automatic segments, the retrieval of names, and whether absent names stay low.

    Recall is told of thin and of faint objects (see `difficulty`) besides, and of those that are neither.

    A name is looked for wherever an object of that name is; an equal number of names is asked for that are
    not in the scene and share no word with one that is.

    Parameters
    ----------
    slip : Slip
        What is measured.
    data : Path, optional
        Folder that holds ``emoji``.
    progress : Progress, optional
        Hears ``("scenes", i, n)``, and can stop the work.
    n : int
        How many scenes.

    Returns
    -------
    list of Row
    """
    progress = progress or Progress()
    names = all_names(data)
    recalled: list[bool] = []
    thin: list[bool] = []
    faint: list[bool] = []
    right: list[bool] = []
    scores: dict[bool, list[float]] = {True: [], False: []}
    for k, scene in enumerate(validation_scenes(data, n)):
        progress("scenes", k, n)
        segments = slip.segment(scene.image, progress=progress)
        iou = iou_of_masks(scene.labels, segments.masks)
        seen = np.bincount(scene.labels.ravel(), minlength=len(iou) + 1)[1:] >= SMALLEST
        recalled += (iou.max(axis=1, initial=0) >= 0.75)[seen].tolist()
        objects = [scene.labels == row + 1 for row in np.flatnonzero(seen)]
        thin += [is_thin(mask) for mask in objects]
        faint += [is_faint(scene.image, mask) for mask in objects]
        present = sorted({s.name for s, visible in zip(scene.sprites, seen, strict=False) if visible})
        absent = absent_names(present, names, np.random.default_rng([SEED, k, 1]))
        if not present:
            continue
        match = slip.match(segments, [*present, *absent])
        right += found_by_name(match, scene, iou, present)
        for column, score in enumerate(_best_scores(match.calibrated, match.selection)):
            scores[column < len(present)].append(score)
    progress("scenes", n, n)
    plain = [not (slim or pale) for slim, pale in zip(thin, faint, strict=True)]
    return [
        share("object scenes: recall at IoU 0.75", recalled, 0.90),
        share("object scenes, thin objects: recall at IoU 0.75", compress(recalled, thin)),
        share("object scenes, faint objects: recall at IoU 0.75", compress(recalled, faint)),
        share("object scenes, neither thin nor faint: recall at IoU 0.75", compress(recalled, plain)),
        share("object scenes: the best match of a name is that object", right, 0.95),
        Row(
            name="object scenes: AUROC of present against absent names",
            value=auroc(scores[True], scores[False]),
            n=len(scores[True]) + len(scores[False]),
            bar=0.95,
        ),
    ]


def found_by_name(match: Match, scene: Scene, iou: NDArray[np.float64], names: list[str]) -> list[bool]:
    """Return for each name whether its best match is an object of that name.

    Parameters
    ----------
    match : Match
        Of the names, and perhaps further prompts after them, with the scene's segments.
    scene : Scene
        Which holds an object of each name.
    iou : (T, F) array
        Of the scene's objects with the segments; 0.5 is asked for.
    names : list of str
        A "red apple" answers "apple" too.
    """
    right = []
    for name, label in zip(names, match.best, strict=False):
        words = set(name.split())
        own = [row for row in range(len(iou)) if words <= set(scene.sprites[row].name.split())]
        right.append(label is not None and bool(iou[own, label - 1].max(initial=0) >= 0.5))
    return right


def absent_names(present: list[str], names: tuple[str, ...], rng: np.random.Generator) -> list[str]:
    """Choose as many names as are present that share no word with these or their synonyms."""
    taken = {word for name in present for text in (name, *synonyms(name)) for word in text.split()}
    free = (str(name) for name in rng.permutation(np.asarray(names, object)) if not taken & _words(str(name)))
    return [name for name, _ in zip(free, present, strict=False)]


def _words(name: str) -> set[str]:
    return {word for text in (name, *synonyms(name)) for word in text.split()}


def _best_scores(calibrated: NDArray[np.float32], selection: NDArray[np.bool_]) -> list[float]:
    scores: list[float] = calibrated[selection].max(axis=0, initial=0).tolist()
    return scores
