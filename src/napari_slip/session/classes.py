"""The classes of a session: what is looked for, under which name and in which colour."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/) without its black, for colour-blind eyes
PALETTE = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
FORMAT = "napari-slip classes 1"


def red_green_blue(colour: str) -> tuple[int, int, int]:
    """Read ``#rrggbb`` as three numbers within 0..255."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


@dataclass(frozen=True)
class SlipClass:
    """One class.

    Parameters
    ----------
    name : str
        Shown to the user and written to files.
    colour : str
        ``#rrggbb``.
    phrases : tuple of str
        The texts that find it; the best of them counts.
    """

    name: str
    colour: str
    phrases: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.name.strip():
            raise InputError("The class has a blank name: give it a word to be known by.")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.colour):
            raise InputError(
                f"{self.colour!r} is no colour of class {self.name!r}: expected #rrggbb, such as #e69f00."
            )
        if not self.phrases or any(not phrase.strip() for phrase in self.phrases):
            raise InputError(
                f"Class {self.name!r} needs at least one phrase, none of them blank, to be looked for."
            )


@dataclass(frozen=True)
class ClassList:
    """Classes in the user's order; every change is a new list."""

    classes: tuple[SlipClass, ...] = ()

    def __iter__(self) -> Iterator[SlipClass]:
        return iter(self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def __contains__(self, name: object) -> bool:
        """Whether there is a class of that name."""
        return any(c.name == name for c in self.classes)

    def __getitem__(self, name: str) -> SlipClass:
        """Return the class of that name.

        Raises
        ------
        InputError
            If there is none.
        """
        for c in self.classes:
            if c.name == name:
                return c
        names = ", ".join(c.name for c in self.classes) or "none yet"
        raise InputError(f"There is no class {name!r}: the classes are {names}.")

    @property
    def prompts(self) -> dict[str, tuple[str, ...]]:
        """Class name to phrases, as `Slip.match` takes them."""
        return {c.name: c.phrases for c in self.classes}

    def add(self, name: str, phrases: Sequence[str] | None = None, colour: str | None = None) -> ClassList:
        """Add a class; its name is its phrase and the next free colour its colour unless given."""
        name = name.strip()
        if name in self:
            raise InputError(
                f"There is already a class {name!r}: choose another name or add a phrase to that one."
            )
        taken = {c.colour for c in self.classes}
        free = next((c for c in PALETTE if c not in taken), PALETTE[len(self) % len(PALETTE)])
        return ClassList((*self.classes, SlipClass(name, colour or free, tuple(phrases or (name,)))))

    def change(
        self,
        name: str,
        *,
        new_name: str | None = None,
        colour: str | None = None,
        phrases: Sequence[str] | None = None,
    ) -> ClassList:
        """Change a class in place."""
        old = self[name]
        if new_name is not None and new_name != name and new_name in self:
            raise InputError(f"There is already a class {new_name!r}: choose another name for {name!r}.")
        new = replace(
            old,
            name=old.name if new_name is None else new_name.strip(),
            colour=colour or old.colour,
            phrases=old.phrases if phrases is None else tuple(phrases),
        )
        return ClassList(tuple(new if c is old else c for c in self.classes))

    def remove(self, name: str) -> ClassList:
        """Take a class out of the list."""
        gone = self[name]
        return ClassList(tuple(c for c in self.classes if c is not gone))

    def reorder(self, names: Sequence[str]) -> ClassList:
        """Put the classes into another order.

        Raises
        ------
        InputError
            If `names` are not exactly the names there are.
        """
        if sorted(names) != sorted(c.name for c in self.classes):
            raise InputError(
                f"The order {list(names)} must name each class exactly once: {[c.name for c in self]}."
            )
        return ClassList(tuple(self[name] for name in names))

    def to_json(self) -> str:
        """Text that `from_json` reads again."""
        return json.dumps(
            {"format": FORMAT, "classes": [asdict(c) for c in self.classes]}, indent=2, ensure_ascii=False
        )

    @classmethod
    def from_json(cls, text: str, source: str = "the text") -> ClassList:
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If it is something else; `source` names it in the sentence.
        """
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise KeyError("format")
            entries = [SlipClass(c["name"], c["colour"], tuple(c["phrases"])) for c in content["classes"]]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{source} holds no list of classes: expected a file that the class list wrote."
            ) from error
        listed = cls()
        for c in entries:
            listed = listed.add(c.name, c.phrases, c.colour)
        return listed

    def write(self, path: Path) -> None:
        """Write the list to a file."""
        path.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> ClassList:
        """Read a list from a file that `write` wrote."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"The class list {path} cannot be read: choose a file that the class list wrote."
            ) from error
        return cls.from_json(text, str(path))
