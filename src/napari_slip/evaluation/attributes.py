"""Questions about what things look like: "red circle", "striped", "elongated", "bright"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.evaluation.metrics import iou_of_masks
from napari_slip.evaluation.report import Row, share
from napari_slip.evaluation.scenes import SEED
from napari_slip.progress import Progress
from napari_slip.synthesis import COLOURS, NAMES, TEXTURES, draw, draw_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_slip.pipeline import Slip
    from napari_slip.synthesis import Scene, Sprite

SHAPES = ("circle", "square", "triangle", "star", "heart", "hexagon", "ring", "cross")
TEXTURED = ("circle", "square", "heart", "hexagon", "egg", "vase", "fish", "cup")
OPPOSITES = {"elongated": "round", "round": "elongated", "bright": "dark", "dark": "bright"}

DISTRACTORS = 7
"""Objects in a scene that are not asked for; where there is no room for six, the question is left out."""


def attribute_rows(slip: Slip, progress: Progress | None = None, n: int = 40) -> list[Row]:
    """Ask for one object among six or seven that differ from it in what the question names.

    Parameters
    ----------
    slip : Slip
        What is measured.
    progress : Progress, optional
        Hears ``("attributes", i, n)``, and can stop the work.
    n : int
        Questions of each kind.

    Returns
    -------
    list of Row
        For all questions together and for each kind.
    """
    progress = progress or Progress()
    kinds: dict[str, Callable[[np.random.Generator], tuple[str, Sprite, list[Sprite]]]] = {
        "colour and shape": _colour_and_shape,
        "texture": _texture,
        "proportions and brightness": _opposite,
    }
    right: dict[str, list[bool]] = {kind: [] for kind in kinds}
    for i, (kind, question) in enumerate(kinds.items()):
        for k in range(n):
            progress("attributes", i * n + k, len(kinds) * n)
            rng = np.random.default_rng([SEED, 2, i, k])
            text, target, others = question(rng)
            scene = _scene(rng, [target, *others])
            answer = ask(slip, scene, text, target, progress)
            if answer is not None:
                right[kind].append(answer)
    progress("attributes", len(kinds) * n, len(kinds) * n)
    return [
        share(
            "attributes: the right one of 7 or 8", [a for answers in right.values() for a in answers], 0.95
        ),
        *(share(f"attributes, {kind}", answers) for kind, answers in right.items()),
    ]


def ask(slip: Slip, scene: Scene, text: str, target: Sprite, progress: Progress) -> bool | None:
    """Return whether the best match of a text is the target, by IoU 0.5; None if the scene lacks objects."""
    places = [row for row, sprite in enumerate(scene.sprites) if sprite is target]
    if not places or len(scene.sprites) < DISTRACTORS:
        return None
    segments = slip.segment(scene.image, progress=progress)
    (label,) = slip.match(segments, [text]).best
    iou = iou_of_masks(scene.labels, segments.masks)
    return label is not None and bool(iou[places[0], label - 1] >= 0.5)


def _scene(rng: np.random.Generator, sprites: list[Sprite]) -> Scene:
    waiting = iter([sprites[int(i)] for i in rng.permutation(len(sprites))])
    n = len(sprites)
    return draw_scene(
        rng, (448, 448), (n, n), sprites=lambda _rng, _size: next(waiting), overlap=0, degradation=0.6
    )


def _size(rng: np.random.Generator) -> float:
    return float(rng.uniform(60, 110))


def _others(rng: np.random.Generator, values: Sequence[str], value: str, n: int) -> list[str]:
    rest = [v for v in values if v != value]
    return [str(v) for v in rng.choice(rest, n, replace=len(rest) < n)]


def _colour_and_shape(rng: np.random.Generator) -> tuple[str, Sprite, list[Sprite]]:
    """One of a colour and a shape; four have its shape in other colours, three its colour in other shapes."""
    shape, colour = str(rng.choice(SHAPES)), str(rng.choice(COLOURS))
    pairs = [(shape, other) for other in _others(rng, COLOURS, colour, 4)]
    pairs += [(other, colour) for other in _others(rng, SHAPES, shape, 3)]
    target, *rest = (
        draw(s, rng, _size(rng), colour=c, texture="plain") for s, c in [(shape, colour), *pairs]
    )
    return f"{colour} {shape}", target, rest


def _texture(rng: np.random.Generator) -> tuple[str, Sprite, list[Sprite]]:
    """One of a texture, among others of any colour; half of the questions name the thing too."""
    texture = str(rng.choice([t for t in TEXTURES if t != "plain"]))
    name = str(rng.choice(TEXTURED))
    named = rng.random() < 0.5
    names = [name] * DISTRACTORS if named else _others(rng, TEXTURED, name, DISTRACTORS)
    textures = _others(rng, TEXTURES, texture, DISTRACTORS)
    target, *rest = (
        draw(s, rng, _size(rng), colour=str(rng.choice(COLOURS)), texture=t)
        for s, t in zip([name, *names], [texture, *textures], strict=True)
    )
    return f"{texture} {name}" if named else texture, target, rest


def _opposite(rng: np.random.Generator) -> tuple[str, Sprite, list[Sprite]]:
    """One that is round, elongated, bright or dark, among those that clearly are the opposite."""
    value = str(rng.choice(list(OPPOSITES)))
    targets: list[Sprite] = []
    rest: list[Sprite] = []
    while not targets or len(rest) < DISTRACTORS:
        name, colour = str(rng.choice(NAMES)), str(rng.choice(COLOURS))
        sprite = draw(name, rng, _size(rng), colour=colour, texture="plain")
        if value in sprite.attributes.values():
            targets.append(sprite)
        elif OPPOSITES[value] in sprite.attributes.values():
            rest.append(sprite)
    return value, targets[0], rest[:DISTRACTORS]
