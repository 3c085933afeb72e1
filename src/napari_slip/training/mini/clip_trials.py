"""Questions that mini CLIP is asked after training, on pictures that it never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.matching.crops import Cropper
from napari_slip.matching.similarity import unit
from napari_slip.matching.texts import embed_texts
from napari_slip.segments import PackedMasks
from napari_slip.settings import CropSettings
from napari_slip.synthesis import (
    COLOURS,
    NAMES,
    TEXTURES,
    EmojiSprites,
    Scene,
    Sprite,
    SpriteSource,
    background,
    draw,
    draw_scene,
    emoji_sprites,
    photograph,
)
from napari_slip.training.mini.clip_masks import imperfect, patch
from napari_slip.training.mini.clip_microscopy import Microscopy, clusters, nuclei_of
from napari_slip.training.mini.clip_pool import window_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.models.protocols import DualEncoder

SEED = 20_000
"""First of the seeds of the validation; training uses none of these."""

Rng = np.random.Generator


@dataclass(frozen=True)
class Looked:
    """Segments as the model sees them: (N, D) unit embeddings, and what each shows ("" for the ground)."""

    embedding: NDArray[np.float32]
    names: tuple[str, ...]
    sprites: tuple[Sprite | None, ...] = ()


def look(
    encoder: DualEncoder,
    image: NDArray[np.uint8],
    masks: Sequence[tuple[NDArray[np.bool_], tuple[int, int]]],
) -> NDArray[np.float32]:
    """Embed masks, given as crops with the (x, y) of their corners, as the pipeline does."""
    packed = PackedMasks.pack([mask for mask, _ in masks], [origin for _, origin in masks])
    cutter = Cropper(image, CropSettings(), size=encoder.card.image_size, mean=encoder.card.mean)
    crops = cutter.cut(packed)
    vectors = encoder.encode_images(crops.reshape(-1, *crops.shape[2:]))
    return unit(vectors.reshape(len(crops), crops.shape[1], -1).mean(axis=1))


def look_at_scene(encoder: DualEncoder, scene: Scene, rng: Rng) -> Looked:
    """Embed a scene's objects under imperfect masks, and two spots of its ground."""
    masks, names = [], []
    sprites: list[Sprite | None] = []
    for k, sprite in enumerate(scene.sprites, start=1):
        window = window_of(scene.labels == k, 0.15)
        mask = scene.labels[window] == k
        if mask.sum() < 12:
            continue
        masks.append((imperfect(rng, mask), (window[1].start, window[0].start)))
        names.append(sprite.name)
        sprites.append(sprite)
    for _ in range(2):
        spot = patch(rng, scene.labels == 0, rng.uniform(0.05, 0.4) * min(scene.labels.shape))
        if spot is not None:
            masks.append((spot, (0, 0)))
            names.append("")
            sprites.append(None)
    return Looked(look(encoder, scene.image, masks), tuple(names), tuple(sprites))


def scenes(data: Path | None, first: int, n: int) -> Iterator[tuple[Scene, Rng]]:
    """Draw validation scenes: named things, emoji and both; half of the grounds photographs."""
    emoji = emoji_sprites(data) if data else None

    def both(rng: Rng, size: float) -> Sprite:
        return emoji(rng, size) if emoji and rng.random() < 0.5 else draw(str(rng.choice(NAMES)), rng, size)

    sources: tuple[SpriteSource | None, ...] = (None, both, emoji or both)
    for k in range(first, first + n):
        rng = np.random.default_rng([SEED, k])
        ground = photograph if k % 2 else background
        shape = (int(rng.integers(256, 513)), int(rng.integers(256, 513)))
        yield draw_scene(rng, shape, (3, 12), sprites=sources[k % 3], ground=ground), rng


def name_retrieval(encoder: DualEncoder, data: Path | None, n: int = 90) -> dict[str, float]:
    """Share of the names in a scene whose best match is an object of that name, by source of the objects."""
    right: dict[str, list[bool]] = {"drawn": [], "mixed": [], "emoji": []}
    for k, (scene, rng) in enumerate(scenes(data, 0, n)):
        seen = look_at_scene(encoder, scene, rng)
        asked = sorted({name for name in seen.names if name})
        if not asked:
            continue
        best = (seen.embedding @ embed_texts(asked, encoder, encoder.card.templates).T).argmax(axis=0)
        right[("drawn", "mixed", "emoji")[k % 3]] += [
            seen.names[b] == name for b, name in zip(best, asked, strict=True)
        ]
    return {f"name retrieval, {kind}": float(np.mean(found)) for kind, found in right.items() if found}


Question = Callable[[Rng], tuple[str, Sprite, list[Sprite]]]


def attribute_retrieval(encoder: DualEncoder, n: int = 60) -> dict[str, float]:
    """Share of attribute questions answered right, one target among seven others, by kind."""
    questions: dict[str, Question] = {
        "colour": _colour_question,
        "texture": _texture_question,
        "shape": lambda rng: _measured_question(rng, "shape"),
        "brightness": lambda rng: _measured_question(rng, "brightness"),
    }
    result = {}
    for number, (kind, question) in enumerate(questions.items()):
        right = []
        for k in range(n):
            rng = np.random.default_rng([SEED, number + 1, k])
            text, target, distractors = question(rng)
            queue = [target, *distractors]
            place = int(rng.integers(len(queue)))
            queue[0], queue[place] = queue[place], queue[0]
            waiting = iter(queue)
            scene = draw_scene(
                rng,
                (400, 400),
                (len(queue), len(queue)),
                sprites=_in_turn(waiting),
                overlap=0.0,
                degradation=0.7,
            )
            seen = look_at_scene(encoder, scene, rng)
            if not any(sprite is target for sprite in seen.sprites) or len(seen.sprites) < 6:
                continue  # there was no room for the target or for six others
            best = int((seen.embedding @ embed_texts([text], encoder, encoder.card.templates).T).argmax())
            right.append(seen.sprites[best] is target)
        result[f"attribute, {kind}"] = float(np.mean(right))
    return result


def _in_turn(waiting: Iterator[Sprite]) -> SpriteSource:
    return lambda _rng, _size: next(waiting)


def _size(rng: Rng) -> float:
    return float(rng.uniform(50, 105))


def _others(rng: Rng, values: Sequence[str], value: str, n: int) -> list[str]:
    rest = [v for v in values if v != value]
    return [str(v) for v in rng.choice(rest, n, replace=len(rest) < n)]


def _colour_question(rng: Rng) -> tuple[str, Sprite, list[Sprite]]:
    plain = ("circle", "square", "triangle", "star", "heart", "hexagon", "ring", "cross", "fish", "button")
    name, colour = str(rng.choice(plain)), str(rng.choice(COLOURS))
    target = draw(name, rng, _size(rng), colour=colour, texture="plain")
    same_name = [
        draw(name, rng, _size(rng), colour=c, texture="plain") for c in _others(rng, COLOURS, colour, 4)
    ]
    same_colour = [
        draw(o, rng, _size(rng), colour=colour, texture="plain") for o in _others(rng, plain, name, 3)
    ]
    return f"{colour} {name}", target, same_name + same_colour


def _texture_question(rng: Rng) -> tuple[str, Sprite, list[Sprite]]:
    textured = ("circle", "square", "fish", "butterfly", "egg", "heart", "vase", "flower", "hexagon", "cup")
    texture = str(rng.choice([t for t in TEXTURES if t != "plain"]))
    name = str(rng.choice(textured))
    target = draw(name, rng, _size(rng), colour=str(rng.choice(COLOURS)), texture=texture)
    alone = rng.random() < 0.5
    names = _others(rng, textured, name, 7) if alone else [name] * 7
    rest = [
        draw(o, rng, _size(rng), colour=str(rng.choice(COLOURS)), texture=t)
        for o, t in zip(names, _others(rng, TEXTURES, texture, 7), strict=True)
    ]
    return texture if alone else f"{texture} {name}", target, rest


def _measured_question(rng: Rng, kind: str) -> tuple[str, Sprite, list[Sprite]]:
    """One thing that has the attribute among seven that have the opposite or, for shapes, neither."""
    pair = {"shape": ("round", "elongated"), "brightness": ("bright", "dark")}[kind]
    value = pair[int(rng.integers(2))]
    found: list[Sprite] = []
    rest: list[Sprite] = []
    while not found or len(rest) < 7:
        sprite = draw(
            str(rng.choice(NAMES)), rng, _size(rng), colour=str(rng.choice(COLOURS)), texture="plain"
        )
        has = sprite.attributes.get(kind)
        if has == value and not found:
            found.append(sprite)
        elif has is not None and has != value and len(rest) < 7:
            rest.append(sprite)
    return value, found[0], rest


@dataclass(frozen=True)
class Evidence:
    """Cosines of segments with one prompt each, and with every candidate for a null prompt.

    Attributes
    ----------
    cosine
        (M,) with the prompt.
    rivals
        (M, R) with the candidates.
    present
        (M,) bool: whether the prompt is what the segment shows.
    """

    cosine: NDArray[np.float32]
    rivals: NDArray[np.float32]
    present: NDArray[np.bool_]


def present_or_absent(
    encoder: DualEncoder,
    data: Path | None,
    candidates: Sequence[str],
    vocabulary: Sequence[str],
    first: int,
    n: int,
) -> Evidence:
    """For each name in a scene its best segment, and for as many absent names theirs.

    Parameters
    ----------
    encoder
        The model.
    data
        Folder of the data; None for drawn scenes alone.
    candidates
        Texts that may become null prompts.
    vocabulary
        Names that absent prompts are taken from.
    first, n
        Which validation scenes: fitting and measuring use different ones.
    """
    nulls = embed_texts(list(candidates), encoder, encoder.card.templates)
    cosine, rivals, present = [], [], []
    for scene, rng in scenes(data, first, n):
        seen = look_at_scene(encoder, scene, rng)
        here = sorted({name for name in seen.names if name})
        words = {word for name in here for word in name.split()}
        absent = [name for name in rng.permutation(list(vocabulary)) if not words & set(str(name).split())][
            : len(here)
        ]
        asked = [*here, *(str(name) for name in absent)]
        cosines = seen.embedding @ embed_texts(asked, encoder, encoder.card.templates).T
        against = seen.embedding @ nulls.T
        for column in range(len(asked)):
            best = int(cosines[:, column].argmax())
            cosine.append(cosines[best, column])
            rivals.append(against[best])
            present.append(column < len(here))
    return Evidence(np.array(cosine), np.array(rivals), np.array(present))


def microscopy(encoder: DualEncoder, data: Path, windows: int = 40) -> Looked:
    """Embed segments of BBBC038's validation images: nuclei, clusters, and spots of the ground."""
    images = Microscopy.validation(data / "bbbc038")
    vectors, names = [], []
    for k in range(windows):
        rng = np.random.default_rng([SEED, 9, k])
        image, labels, _ = images.window(rng)
        masks, shown = [], []
        for window, mask, _ in nuclei_of(rng, image, labels, 15):
            masks.append((imperfect(rng, mask), (window[1].start, window[0].start)))
            shown.append("cell nucleus")
        for window, mask in clusters(rng, labels, 2):
            masks.append((mask, (window[1].start, window[0].start)))
            shown.append("cluster of nuclei")
        for _ in range(3):
            spot = patch(rng, labels == 0, rng.uniform(8, 80))
            if spot is not None:
                masks.append((spot, (0, 0)))
                shown.append("")
        if masks:
            vectors.append(look(encoder, image, masks))
            names += shown
    return Looked(np.concatenate(vectors), tuple(names))


def sprite_sources(data: Path | None) -> tuple[str, ...]:
    """Every name that a validation scene can hold."""
    emoji: EmojiSprites | None = emoji_sprites(data) if data else None
    return tuple(dict.fromkeys([*NAMES, *(emoji.names if emoji else ())]))
