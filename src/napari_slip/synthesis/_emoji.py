"""Emoji from a folder of pictures as sprites."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from scipy import ndimage

from napari_slip.errors import InputError
from napari_slip.synthesis._colours import COLOURS
from napari_slip.synthesis._fields import resample
from napari_slip.synthesis._sprites import Sprite, colour_of, measured, to_rgba

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Names that say nothing about what is seen, or that no one would search for.
_MEANINGLESS = re.compile(
    r"digit|regional indicator|component|input symbol|squared|enclosed|keycap|flag|copyright|registered|"
    r"trade mark|sign\b|sign of|button|ideograph|fitzpatrick|blood type|part alternation|letter|mark\b|"
    r"o'clock|oclock|-thirty|moon symbol|negative|symbol for|heavy|arrow|number|face with|\bface\b|person|"
    r"man\b|woman|symbol|sexual|customs|accommodation|parking|no |on!|soon|variation|tag |zodiac|aries|"
    r"taurus|gemini|leo$|virgo|libra|scorpius|capricorn|aquarius|pisces|hand\b|backhand|leftwards|rightwards|"
    r"clock face|playing card|asterisk|wavy dash|vs$",
    re.IGNORECASE,
)


class EmojiSprites(Sequence[Sprite]):
    """Emoji as sprites, read from their files when asked for.

    Parameters
    ----------
    folder
        Holds ``names.tsv`` and the RGBA pictures.

    Raises
    ------
    InputError
        If the folder has no ``names.tsv``.
    """

    def __init__(self, folder: Path) -> None:
        table = folder / "names.tsv"
        if not table.is_file():
            raise InputError(
                f"{folder} holds no emoji: names.tsv was expected beside the PNG files; "
                "give the folder of the data."
            )
        self._folder = folder
        self._entries = tuple(_entries(table))

    @property
    def names(self) -> tuple[str, ...]:
        """Unicode names, lower case, in the order of the sprites."""
        return tuple(name for _, name in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Sprite: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sprite]: ...
    def __getitem__(self, index: int | slice) -> Sprite | Sequence[Sprite]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        file, name = self._entries[index]
        return _load(self._folder / file, name)

    def __call__(self, rng: np.random.Generator, size: float) -> Sprite:
        """One emoji at random, turned, mirrored and scaled to `size`, as `draw_scene` asks for it."""
        return turned(self[int(rng.integers(len(self)))], rng, size)


def emoji_sprites(data: Path) -> EmojiSprites:
    """Open the emoji of a data folder.

    Parameters
    ----------
    data
        Folder that holds ``emoji/names.tsv`` and ``emoji/*.png``.

    Returns
    -------
    EmojiSprites
        A sequence of `Sprite` that is also a callable ``(rng, size) -> Sprite``.

    Raises
    ------
    InputError
        If the folder has no emoji.
    """
    return EmojiSprites(Path(data) / "emoji")


def turned(sprite: Sprite, rng: np.random.Generator, size: float) -> Sprite:
    """Copy a sprite with a little rotation, stretch and perhaps mirrored, its board `size` pixels wide."""
    rgba: NDArray[Any] = sprite.rgba.astype(np.float32) / 255
    rgba[..., :3] *= rgba[..., 3:]
    side = max(rgba.shape[:2])
    n = max(6, round(size))
    if n < side:  # shrink first: the rotation is then cheap and does not alias
        scale = n / side
        rgba = resample(rgba, (max(3, round(rgba.shape[0] * scale)), max(3, round(rgba.shape[1] * scale))))
    if rng.random() < 0.5:
        rgba = rgba[:, ::-1]
    angle = rng.normal(0, 0.35) if rng.random() < 0.75 else rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    height, width = rgba.shape[:2]
    shrink = n / (abs(cos) * max(height, width) + abs(sin) * min(height, width))
    stretch = np.diag([1 / rng.uniform(0.85, 1.0), 1.0]) / min(shrink, max(1.0, n / side))
    matrix = np.array([[cos, -sin], [sin, cos]]) @ stretch
    offset = np.array([height - 1, width - 1]) / 2 - matrix @ np.array([n - 1, n - 1]) / 2
    planes = [
        ndimage.affine_transform(rgba[..., k], matrix, offset, output_shape=(n, n), order=1, mode="constant")
        for k in range(4)
    ]
    alpha = planes[3]
    rgb = np.stack(planes[:3], axis=-1) / np.maximum(alpha, 1e-3)[..., None]
    tone = 1 + rng.normal(0, 0.05, 3).astype(np.float32)
    return Sprite(to_rgba(np.clip(rgb * tone, 0, 1), alpha), sprite.name, sprite.attributes)


def _entries(table: Path) -> list[tuple[str, str]]:
    found = []
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file, delimiter="\t"):
            if len(row) < 2:
                continue
            name = row[1].strip().lower()
            path = row[0] if row[0].endswith(".png") else f"{row[0]}.png"
            if name and not _MEANINGLESS.search(name) and (table.parent / path).is_file():
                found.append((path, name))
    return found


@lru_cache(maxsize=1500)
def _load(path: Path, name: str) -> Sprite:
    from skimage.io import imread

    picture: NDArray[np.uint8] = np.asarray(imread(path), dtype=np.uint8)
    rgba = to_rgba(picture[..., :3].astype(np.float32) / 255, picture[..., 3].astype(np.float32) / 255)
    attributes = measured(rgba)
    # A colour in the name is what people will type; "black" and "white" there mean filled and outlined.
    told = [word for word in name.split() if word in COLOURS and word not in ("black", "white")]
    colour = told[0] if told else colour_of(rgba[::3, ::3])
    if colour is not None:
        attributes = {"colour": colour} | attributes
    return Sprite(rgba, name, attributes)
