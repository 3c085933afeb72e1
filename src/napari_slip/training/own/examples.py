"""What is learnt from: pictures with captions, from a folder by class or from a table."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_slip.errors import InputError
from napari_slip.io.crops import read_phrases, safe_name
from napari_slip.io.stacks import PICTURES
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MASK = ".mask.png"
"""How the file of an object's mask ends that lies beside its picture."""


@dataclass(frozen=True)
class Example:
    """One picture to learn from.

    Parameters
    ----------
    path : Path
        Of the picture.
    name : str
        Its class; or its caption, where a table tells no class.
    caption : str, optional
        What is said of it; without one, a template with the class.
    group : str
        Pictures of one group are near-duplicates, and stay on one side of a split.
    classed : bool
        Whether the name is that of a class.
    phrases : tuple of str
        By which its class is looked for; none if the class is looked for by its name.
    """

    path: Path
    name: str
    caption: str | None = None
    group: str = ""
    classed: bool = True
    phrases: tuple[str, ...] = ()

    @property
    def called(self) -> tuple[str, ...]:
        """What its class is called: its phrases, or its name where it has none."""
        return self.phrases or (self.name,)

    @cached_property
    def digest(self) -> str:
        """Of the file: what tells a picture from others, wherever it lies and whatever it is called."""
        return hashlib.blake2b(self.path.read_bytes(), digest_size=16).hexdigest()

    @cached_property
    def mask(self) -> Path | None:
        """The file with the object's mask; None if there is none.

        That is ``NAME.mask.png`` beside the picture, or the picture itself if a part of it is transparent.
        """
        path = self.path.with_name(self.path.stem + MASK)
        if path.is_file():
            return path
        return self.path if _partly_transparent(self.path) else None


def read_examples(source: Path) -> list[Example]:
    """Read a folder by class, or a table of captions.

    Parameters
    ----------
    source : Path
        A folder with one folder of pictures for each class, and perhaps `PHRASES`; or a CSV file with the
        columns ``image`` (a path, from the table's folder on) and ``caption`` or ``class`` or both, and
        perhaps ``group``.

    Returns
    -------
    list of Example
        In the order of classes and files, with near-duplicates and the crops of one track grouped.

    Raises
    ------
    InputError
        If there are no pictures, or a row of the table is wrong.
    """
    if source.is_dir():
        found = _folder(source)
    elif source.is_file() and source.suffix.lower() == ".csv":
        found = _table(source)
    else:
        raise InputError(
            f"{source} is neither a folder with one folder of pictures for each class nor a CSV file with "
            "the columns image and caption or class: give one of these."
        )
    return _grouped(found)


def class_names(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the classes, sorted."""
    return tuple(sorted({example.name for example in examples}))


def class_phrases(examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
    """Return by which phrases each class is looked for, the classes sorted."""
    return {e.name: e.called for e in sorted(examples, key=lambda e: e.name)}


def identity(example: Example) -> tuple[str, int]:
    """Return class and file, and size in bytes: all that older trainings have written down of a picture."""
    return f"{example.name}/{example.path.name}", example.path.stat().st_size


def listed(examples: Sequence[Example]) -> list[list[Any]]:
    """Return identity, caption or phrases, and digest of each, in order: what tells whether they changed."""
    return sorted([*identity(e), e.caption or ", ".join(e.phrases), e.digest] for e in examples)


def _folder(folder: Path) -> list[Example]:
    told = {safe_name(name): (name, phrases) for name, phrases in read_phrases(folder).items()}
    found = [
        _of_class(path, *told.get(inner.name, (inner.name, ())))
        for inner in sorted(path for path in folder.iterdir() if path.is_dir())
        for path in sorted(inner.iterdir())
        if path.suffix.lower() in PICTURES and not path.name.endswith(MASK)
    ]
    if len({example.name for example in found}) < 2:
        raise InputError(
            f"{folder} holds pictures of {len({e.name for e in found})} classes, but at least 2 are "
            "expected: one folder for each class, named as the class, with its pictures in it."
        )
    return found


def _of_class(path: Path, name: str, phrases: tuple[str, ...]) -> Example:
    return Example(path, name, group=_track(path), phrases=() if phrases == (name,) else phrases)


def _track(path: Path) -> str:
    """Return what the names of a track's crops begin with, ``STEM-track7``; nothing for other pictures."""
    found = re.fullmatch(r"(.+-track\d+)-[\d-]+", path.stem)
    return found[1] if found else ""


def _table(path: Path) -> list[Example]:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a table: expected CSV in UTF-8.") from error
    if "image" not in table or not {"caption", "class"} & set(table):
        raise InputError(
            f"{path} has the columns {', '.join(map(str, table))}, but image and caption or class are "
            "expected, and perhaps group."
        )
    found = []
    for number, row in enumerate(table.to_dict("records"), start=2):
        picture = path.parent / row["image"]
        if not picture.is_file():
            raise InputError(
                f"Line {number} of {path} names {row['image']!r}, which is no file: mend the path."
            )
        name, caption = row.get("class") or row.get("caption"), row.get("caption") or None
        if not name:
            raise InputError(f"Line {number} of {path} has neither a caption nor a class: give one of them.")
        found.append(Example(picture, name, caption, row.get("group", ""), bool(row.get("class"))))
    if len(found) < 2:
        raise InputError(f"{path} names {counted(len(found), 'picture')}, but at least 2 are expected.")
    return found


def _grouped(examples: list[Example]) -> list[Example]:
    """Put pictures of a class, or without any, that look the same at a glance into one group.

    Groups that the table names stay.
    """
    looks = [0 if example.group else _glance(example.path) for example in examples]
    groups: list[Example] = []
    known: dict[str | None, list[tuple[int, str]]] = {}
    for example, look in zip(examples, looks, strict=True):
        group = example.group
        if not group:
            mine = known.setdefault(example.name if example.classed else None, [])
            group = next((g for other, g in mine if (look ^ other).bit_count() <= ALIKE), str(example.path))
            mine.append((look, group))
        groups.append(replace(example, group=group))
    return groups


ALIKE = 3
"""Bits of 256 by which two pictures may differ at a glance to count as near-duplicates."""


def _glance(path: Path) -> int:
    """Which of 16 x 16 places are brighter than their right neighbour, as one number."""
    import numpy as np

    grey = np.asarray(open_picture(path).convert("L").resize((17, 16)), np.int16)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes())


def _partly_transparent(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode != "RGBA":
                return False
            low, high = picture.getchannel("A").getextrema()
    except (OSError, ValueError):  # told when it is opened to be looked at
        return False
    return low == 0 and high != 0


def open_picture(path: Path):  # type: ignore[no-untyped-def]  # Pillow's own class
    """Open a picture as RGB; of what has more than 8 bits or several channels, as it is shown to models.

    Raises
    ------
    InputError
        If it is no picture, or a stack.
    """
    from PIL import Image

    from napari_slip.images import to_rgb
    from napari_slip.io.reading import read_image

    try:
        with Image.open(path) as picture:
            if not _deep(picture):
                return picture.convert("RGB")
    except (OSError, ValueError):  # what nobody can read is told below
        pass
    found = read_image(path)
    return Image.fromarray(to_rgb(found.pixels, channel_axis=found.channel_axis))


def _deep(picture: Any) -> bool:
    """Whether Pillow would clip an open picture's values, or see one of its channels alone."""
    if picture.format == "TIFF":
        return bool(picture.n_frames > 1 or max(picture.tag_v2.get(BITS, (1,))) > 8)
    return bool(picture.mode.startswith(("I", "F")))


BITS = 258
"""TIFF's tag BitsPerSample, one number for each channel."""
