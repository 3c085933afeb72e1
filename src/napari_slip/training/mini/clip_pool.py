"""Crops to train mini CLIP on: scenes and microscopy, cut by the very code that the pipeline uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_slip.atomic import replacing
from napari_slip.matching.crops import Cropper
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
    coin_scene,
    draw,
    draw_nuclei,
    draw_scene,
    emoji_sprites,
)
from napari_slip.training.mini.clip_concepts import ATTRIBUTES, Concepts, encode
from napari_slip.training.mini.clip_masks import cut, imperfect, patch
from napari_slip.training.mini.clip_microscopy import Microscopy, clusters, nuclei_of
from napari_slip.training.mini.clip_segments import told
from napari_slip.training.mini.scenery import drawn_ground, photographs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""CLIP's mean colour, 0..1."""
IMAGE_SIZE = 60
"""Side of a crop in pixels."""

Rng = np.random.Generator
Mask = NDArray[np.bool_]
UNKNOWN = (-1,) * len(ATTRIBUTES)

PHOTOGRAPHED = 0.35
"""Share of the scenes that lie on photographs, where there are any."""
SEGMENTED = 0.45
"""Share of the pictures whose segments are a segmenter's."""
MOST_SEGMENTS = 24
"""Segments that are shown of one picture."""

_IN_SCENES = {"part": "part", "group": "group"}
_AMONG_NUCLEI = {"part": "part", "group": "cluster of nuclei", "ground": "background"}
_IN_TISSUE = _AMONG_NUCLEI | {"ground": "tissue background"}


@dataclass(frozen=True)
class Shown:
    """What one mask shows; the mask is given within its window, whose corner is `origin` (x, y)."""

    mask: Mask
    origin: tuple[int, int]
    concept: int
    attributes: tuple[int, ...] = UNKNOWN


@dataclass(frozen=True)
class Crops:
    """N crops with their meaning.

    Attributes
    ----------
    images
        (N, S, S, 3) uint8.
    concept
        (N,) int16.
    attributes
        (N, K) int8, -1 where unknown.
    scene
        (N,) int32: crops of one picture share a number and follow each other.
    """

    images: NDArray[np.uint8]
    concept: NDArray[np.int16]
    attributes: NDArray[np.int8]
    scene: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.images)

    def save(self, file: Path) -> None:
        """Write to a file (npz) that is complete or absent."""
        with replacing(file) as unfinished, unfinished.open("wb") as opened:
            np.savez(opened, **vars(self))

    @classmethod
    def load(cls, file: Path) -> Crops:
        """Read what `save` wrote."""
        with np.load(file) as arrays:
            return cls(**arrays)

    @classmethod
    def join(cls, parts: Iterable[Crops]) -> Crops:
        """Put crops together; scenes are numbered on."""
        parts = list(parts)
        before = np.cumsum([0, *(int(part.scene.max()) + 1 for part in parts)])
        scene = [part.scene + n for part, n in zip(parts, before, strict=False)]
        joined = {
            name: np.concatenate([vars(p)[name] for p in parts])
            for name in ("images", "concept", "attributes")
        }
        return cls(scene=np.concatenate(scene).astype(np.int32), **joined)


class Painter:
    """Makes crops without end from drawn scenes, emoji and, where the data is there, real microscopy.

    Parameters
    ----------
    data
        Folder with ``emoji`` and ``bbbc038``; None draws everything.
    segmenter
        Finds the segments of a picture, (H, W, 3) uint8: what it makes is shown of some pictures, true masks
        a little spoilt of the others, and of all pictures without it.
    """

    def __init__(
        self, data: Path | None, segmenter: Callable[[NDArray[np.uint8]], PackedMasks] | None = None
    ) -> None:
        self.segmenter = segmenter
        self.data = data
        self.emoji: EmojiSprites | None = emoji_sprites(data) if data else None
        self.microscopy = Microscopy.training(data / "bbbc038") if data else None
        self.concepts = Concepts.of(self.emoji.names if self.emoji else ())

    def shard(self, seed: int, number: int, size: int) -> Crops:
        """Make one shard of `size` crops; the same seed and number make the same pixels."""
        rng = np.random.default_rng([seed, number])
        images, concept, attributes, scene = [], [], [], []
        total, count = 0, 0
        while total < size:
            picture, shown = self.picture(rng)
            for view_images, items in views(rng, picture, shown):
                images.append(view_images)
                concept += [item.concept for item in items]
                attributes += [item.attributes for item in items]
                scene += [count] * len(items)
                total += len(items)
            count += 1
        return Crops(
            np.concatenate(images)[:size],
            np.array(concept[:size], dtype=np.int16),
            np.array(attributes[:size], dtype=np.int8),
            np.array(scene[:size], dtype=np.int32),
        )

    def picture(self, rng: Rng) -> tuple[NDArray[np.uint8], list[Shown]]:
        """Make one picture with all masks that are to be cut from it."""
        kind = rng.random()
        if kind < 0.14 and self.microscopy is not None:
            return self._nuclei(rng, *self.microscopy.window(rng))
        if kind < 0.19:
            return self._drawn_nuclei(rng)
        if kind < 0.22:
            side = int(rng.integers(256, 360))
            return self._objects(rng, coin_scene(rng, (side, side)))
        shape = (int(rng.integers(200, 320)), int(rng.integers(200, 320)))
        source: SpriteSource | None = None
        if kind < 0.46:
            name = str(rng.choice(NAMES))
            source = partial(_varied, name)
        elif kind < 0.56:
            source = partial(_tinted, str(rng.choice(COLOURS)))
        elif kind < 0.76 and self.emoji is not None:
            source = self.emoji
        ground = photographs(self.data) if self.data and rng.random() < PHOTOGRAPHED else None
        scene = draw_scene(
            rng, shape, (4, 10), sprites=source, ground=ground or drawn_ground, size=(0.1, 0.5)
        )
        return self._objects(rng, scene, "scenery" if ground else "background")

    def _objects(
        self, rng: Rng, scene: Scene, ground: str = "background"
    ) -> tuple[NDArray[np.uint8], list[Shown]]:
        if self._is_segmented(rng):
            meanings = [(self.concepts.index(s.name), encode(dict(s.attributes))) for s in scene.sprites]
            return scene.image, self._segmented(
                rng, scene.image, scene.labels, meanings, _IN_SCENES | {"ground": ground}
            )
        shown = []
        order = rng.permutation(len(scene.sprites))[:12]
        boxes = [window_of(scene.labels == k + 1, 0.15) for k in order]
        for k, window in zip(order, boxes, strict=True):
            sprite = scene.sprites[k]
            mask = scene.labels[window] == k + 1
            if mask.sum() < 12:
                continue
            concept = self.concepts.index(sprite.name)
            attributes = encode(dict(sprite.attributes))
            shown.append(_shown(imperfect(rng, mask), window, concept, attributes))
            if rng.random() < 0.05 and mask.sum() > 80:
                part = cut(rng, mask, rng.uniform(0.12, 0.35))
                shown.append(_shown(part, window, self.concepts.index("part")))
        if len(order) > 1 and rng.random() < 0.3:
            chosen = rng.choice(order, size=min(len(order), int(rng.integers(2, 4))), replace=False)
            mask = np.isin(scene.labels, chosen + 1)
            if mask.sum() > 40:
                shown.append(_shown(mask, np.s_[:, :], self.concepts.index("group")))
        shown += self._backgrounds(rng, scene.labels, ground)
        return scene.image, shown

    def _backgrounds(self, rng: Rng, labels: NDArray[np.integer], name: str, most: int = 2) -> list[Shown]:
        """Spots without an object, and now and then all of the ground."""
        found = []
        for _ in range(int(rng.integers(1, most + 1))):
            mask = patch(rng, labels == 0, np.exp(rng.uniform(np.log(8), np.log(0.6 * min(labels.shape)))))
            if mask is not None:
                found.append(_shown(mask, np.s_[:, :], self.concepts.index(name)))
        if rng.random() < 0.12 and (labels == 0).sum() > 100:
            found.append(_shown(labels == 0, np.s_[:, :], self.concepts.index(name)))
        return found

    def _is_segmented(self, rng: Rng) -> bool:
        return self.segmenter is not None and rng.random() < SEGMENTED

    def _segmented(
        self,
        rng: Rng,
        image: NDArray[np.uint8],
        labels: NDArray[np.integer],
        meanings: Sequence[tuple[int, tuple[int, ...]]],
        others: Mapping[str, str],
    ) -> list[Shown]:
        """Show what the segmenter finds: objects by their meanings, label 1 first, the rest by its names."""
        assert self.segmenter is not None
        masks = self.segmenter(image)
        found = list(told(masks, labels))
        shown = []
        for row, what in (found[k] for k in rng.permutation(len(found))[:MOST_SEGMENTS]):
            named = isinstance(what, str)
            concept, attributes = (
                (self.concepts.index(others[what]), UNKNOWN) if named else meanings[what - 1]
            )
            x, y = masks.boxes[row, :2].tolist()
            shown.append(Shown(masks.crop(row), (x, y), concept, attributes))
        return shown

    def _drawn_nuclei(self, rng: Rng) -> tuple[NDArray[np.uint8], list[Shown]]:
        modality = str(rng.choice(["fluorescence", "brightfield", "tissue"]))
        side = int(rng.integers(160, 300))
        scene = draw_nuclei(rng, (side, side), modality=modality)
        name = {"fluorescence": "fluorescent nucleus", "tissue": "tissue nucleus"}.get(
            modality, "cell nucleus"
        )
        return self._nuclei(rng, scene.image, scene.labels, name)

    def _nuclei(
        self, rng: Rng, image: NDArray[np.uint8], labels: NDArray[np.integer], name: str
    ) -> tuple[NDArray[np.uint8], list[Shown]]:
        if self._is_segmented(rng):
            others = _IN_TISSUE if name == "tissue nucleus" else _AMONG_NUCLEI
            meanings = [(self.concepts.index(name), UNKNOWN)] * int(labels.max())
            return image, self._segmented(rng, image, labels, meanings, others)
        shown = []
        for window, mask, attributes in nuclei_of(rng, image, labels, 10):
            if rng.random() < 0.05 and mask.sum() > 60:
                shown.append(
                    _shown(cut(rng, mask, rng.uniform(0.15, 0.4)), window, self.concepts.index("part"))
                )
            shown.append(_shown(imperfect(rng, mask), window, self.concepts.index(name), encode(attributes)))
        for window, mask in clusters(rng, labels, 2):
            shown.append(_shown(mask, window, self.concepts.index("cluster of nuclei")))
        ground = "tissue background" if name == "tissue nucleus" else "background"
        return image, shown + self._backgrounds(rng, labels, ground, 3)


def views(
    rng: Rng, picture: NDArray[np.uint8], shown: list[Shown]
) -> Iterator[tuple[NDArray[np.uint8], list[Shown]]]:
    """Cut the crops, most in the two views that the pipeline averages, some in the others."""
    usual = [item for item in shown if rng.random() < 0.8]
    kept = {id(item) for item in usual}
    other = [item for item in shown if id(item) not in kept]
    for items, names in ((usual, ("mean", "dimmed")), (other, ("black", "box"))):
        if items:
            settings = CropSettings(views=names, margin=float(rng.uniform(0.1, 0.2)))  # type: ignore[arg-type]
            masks = PackedMasks.pack([item.mask for item in items], [item.origin for item in items])
            cropped = Cropper(picture, settings, size=IMAGE_SIZE, mean=MEAN).cut(masks)
            yield cropped.reshape(-1, *cropped.shape[2:]), [item for item in items for _ in names]


def window_of(mask: Mask, border: float) -> tuple[slice, slice]:
    """Return the box of a mask with room around it, a share of its longer side; everything if empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    room = 2 + int(border * max(np.ptp(rows), np.ptp(columns)))
    return (
        slice(max(0, rows[0] - room), min(mask.shape[0], rows[-1] + room + 1)),
        slice(max(0, columns[0] - room), min(mask.shape[1], columns[-1] + room + 1)),
    )


def _shown(
    mask: Mask, window: tuple[slice, slice], concept: int, attributes: tuple[int, ...] = UNKNOWN
) -> Shown:
    return Shown(mask, (window[1].start or 0, window[0].start or 0), concept, attributes)


def _varied(name: str, rng: Rng, size: float) -> Sprite:
    """Draw the same thing in any colour and texture: what tells attributes apart."""
    return draw(name, rng, size, colour=str(rng.choice(COLOURS)), texture=str(rng.choice(TEXTURES)))


def _tinted(colour: str, rng: Rng, size: float) -> Sprite:
    """Draw any thing in one colour: what tells names apart."""
    return draw(str(rng.choice(NAMES)), rng, size, colour=colour)
