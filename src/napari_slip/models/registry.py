"""The models that have a name: those of ``registry.toml``, and those that a user has added."""

from __future__ import annotations

import importlib.resources
import json
import re
import tomllib
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from napari_slip.atomic import replacing
from napari_slip.errors import InputError, ModelError
from napari_slip.models.folders import changing, models_folder
from napari_slip.models.tables import without

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["sam", "clip"]
KINDS: tuple[Kind, Kind] = ("sam", "clip")

OWN = "models.toml"
"""A user's own registry, in the folder of models."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model that has a name.

    Parameters
    ----------
    name : str
        By which it is asked for.
    kind : str
        ``"sam"``, which finds segments, or ``"clip"``, which compares them with texts.
    source : str
        ``"package"``, an address, ``"hub:owner/name"`` on the Hugging Face hub, or a path.
    title : str
        For people, in a few words.
    revision : str
        Of the hub's repository; what is pinned cannot change under its name.
    file : str
        Name of the file of weights.
    also : tuple of str
        Patterns of the other files of the hub's repository that are needed.
    sha256 : str
        Of the file of weights, 64 hexadecimal digits; where it is empty it is recorded at the first download.
    size : int
        Of the weights, in bytes; about, where there is no `sha256`; 0 where it is not known.
    licence, good_at, paper : str
        Of the weights; in a few words; where the model is described.
    gated : str
        What must be done before the hub hands it out; empty if nothing.
    images : str
        Name of the CLIP whose image encoder it shares; empty if it has its own.
    work : int
        In millions of multiplications, about: of a SAM for a picture of 1024 x 1024 pixels, of a CLIP for
        the picture of one segment; 0 where it is not known.
    """

    name: str
    kind: Kind
    source: str
    title: str = ""
    revision: str = ""
    file: str = ""
    also: tuple[str, ...] = ("*.json", "merges.txt")
    sha256: str = ""
    size: int = 0
    licence: str = "not stated"
    good_at: str = ""
    paper: str = ""
    gated: str = ""
    images: str = ""
    work: int = 0

    @property
    def repository(self) -> str:
        """``owner/name`` on the hub; empty for any other source."""
        return self.source.removeprefix("hub:") if self.source.startswith("hub:") else ""

    @property
    def address(self) -> str:
        """Where the file is published; empty for any other source."""
        return self.source if re.match(r"https?://", self.source) else ""

    @property
    def shipped(self) -> bool:
        """Whether it is part of this package."""
        return self.source == "package"

    @property
    def megabytes(self) -> int:
        """Size of the weights, rounded up."""
        return -(-self.size // 1_000_000)


@dataclass(frozen=True)
class Preset:
    """A SAM and a CLIP that go together.

    Parameters
    ----------
    sam, clip : str
        As `load_sam` and `load_clip` take them.
    title : str
        For people, in a few words.
    size_mb : int
        Of both together on disk, in megabytes.
    licence : str
        Of the weights.
    needs_download : bool
        Whether the weights are no part of the package.
    suits : tuple of str
        What it may be recommended for, as `napari_slip.recommending.KINDS` has it.
    """

    sam: str
    clip: str
    title: str
    size_mb: int = 0
    licence: str = ""
    needs_download: bool = True
    suits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Registry:
    """All models and presets that have a name.

    Parameters
    ----------
    models : dict
        Entries by kind and name.
    presets : dict of str to Preset
        The first is the default.
    """

    models: dict[tuple[Kind, str], Entry] = field(default_factory=dict)
    presets: dict[str, Preset] = field(default_factory=dict)

    def get(self, kind: Kind, name: str) -> Entry | None:
        """Return the model of a name, if there is one."""
        return self.models.get((kind, name))

    def of(self, kind: Kind) -> list[str]:
        """Return the names of all models of a kind."""
        return [name for found, name in self.models if found == kind]

    def named(self, name: str, *, whole: bool = True) -> list[Entry]:
        """Return what a name stands for: the parts of a preset, or the models of that name.

        Parameters
        ----------
        name : str
            Of a preset or a model.
        whole : bool
            Whether a preset stands for all that it needs; otherwise a model of that name comes first.

        Raises
        ------
        InputError
            If nothing is called so.
        """
        found = [entry for (_, called), entry in self.models.items() if called == name]
        if (preset := self.presets.get(name)) and (whole or not found):
            pair: tuple[tuple[Kind, str], ...] = (("sam", preset.sam), ("clip", preset.clip))
            found = [self.models[key] for key in pair if key in self.models]
        if not found:
            known = ", ".join(dict.fromkeys([*self.presets, *(called for _, called in self.models)]))
            raise InputError(f"No model is called {name!r}: expected one of {known}.")
        return [each for entry in found for each in (self._with_images(entry) if whole else [entry])]

    def _with_images(self, entry: Entry) -> list[Entry]:
        shared = self.models.get(("clip", entry.images))
        return [entry, *([shared] if shared else [])]


def known_models() -> Registry:
    """Return the models that have a name: those of the package, then those of the user's own file.

    Raises
    ------
    ModelError
        If the user's file cannot be read.
    """
    known = _shipped()
    path = models_folder() / OWN
    if not path.is_file():
        return known
    try:
        return _read(path.read_text(encoding="utf-8"), known)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path} is no list of models ({str(error).splitlines()[0]}): expected TOML with tables such as "
            "[sam.NAME] that say their source; mend it or take it away."
        ) from error


def of_the_hub(kind: Kind, repository: str) -> Entry:
    """Describe a model of the hub that is in no registry; its newest revision is meant."""
    return Entry(name=repository, kind=kind, source=f"hub:{repository}", title=f"{repository} on the hub")


def add_entry(entry: Entry) -> Path:
    """Write a model into the user's own file, and return the file.

    Raises
    ------
    InputError
        If the name is no plain word, or is taken.
    """
    with changing():
        refuse_taken(entry)
        return _append(as_toml(entry))


def refuse_taken(entry: Entry) -> None:
    """Refuse a name for a new model that is no plain word, or that is taken.

    Raises
    ------
    InputError
        If it is; also by a model of the other kind, because both would have one folder.
    """
    if not re.fullmatch(r"\w[\w.-]*", entry.name):
        raise InputError(
            f"{entry.name!r} is no name for a model: expected letters, digits, dots, - and _ without spaces."
        )
    known = known_models()
    if any(known.get(kind, entry.name) for kind in KINDS) or entry.name in known.presets:
        raise InputError(
            f"{entry.name!r} is taken: choose another name, or remove it from {models_folder() / OWN} first."
        )


def add_preset(name: str, preset: Preset) -> Path:
    """Write a SAM and a CLIP that go together into the user's own file, and return the file.

    Raises
    ------
    InputError
        If there is a preset of that name.
    """
    lines = [
        f"{key} = {json.dumps(getattr(preset, key), ensure_ascii=False)}" for key in ("sam", "clip", "title")
    ]
    with changing():
        if name in known_models().presets:
            raise InputError(f"There is a preset called {name!r} already: choose another name.")
        return _append(f'[presets."{name}"]\n' + "\n".join(lines) + "\n")


def _append(table: str) -> Path:
    path = models_folder() / OWN
    text = path.read_text(encoding="utf-8") + "\n" if path.is_file() else ""
    with replacing(path) as unfinished:
        unfinished.write_text(text + table, encoding="utf-8")
    return path


def drop_entry(entry: Entry) -> bool:
    """Take a model, and presets that need it, out of the user's own file; say whether it was there.

    Raises
    ------
    InputError
        If it is written there in a way that only a person can take out.
    """
    path = models_folder() / OWN
    if not path.is_file():
        return False
    with changing():
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
        if entry.name not in tables.get(entry.kind, {}):
            return False
        pairs = tables.get("presets", {}).items()
        needing = [("presets", name) for name, pair in pairs if pair.get(entry.kind) == entry.name]
        kept = without(text, [(entry.kind, entry.name), *needing])
        if kept is None:
            raise InputError(
                f"{entry.name} is no table of its own in {path}, so that it cannot be taken out from here: "
                "take out its lines by hand."
            )
        with replacing(path) as unfinished:
            unfinished.write_text(kept, encoding="utf-8")
    return True


def as_toml(entry: Entry) -> str:
    """Write a model as a table of a registry."""
    lines = [f'[{entry.kind}."{entry.name}"]']
    for each in fields(entry):
        value = getattr(entry, each.name)
        if each.name not in ("name", "kind") and value != each.default and value not in ("", (), 0):
            # a text, a number or a list of texts of TOML is written as in JSON
            lines.append(f"{each.name} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def read_entry(text: str) -> Entry:
    """Read the one model of a text that `as_toml` wrote.

    Raises
    ------
    ValueError
        If it is something else.
    """
    found = _read(text, Registry()).models
    if len(found) != 1:
        raise ValueError(f"{len(found)} models instead of one")
    return next(iter(found.values()))


@lru_cache
def _shipped() -> Registry:
    text = (importlib.resources.files("napari_slip.models") / "registry.toml").read_text(encoding="utf-8")
    return _read(text, Registry())


def _read(text: str, known: Registry) -> Registry:
    tables = tomllib.loads(text)
    if unknown := set(tables) - {*KINDS, "presets"}:
        raise ValueError(f"unknown table {sorted(unknown)[0]}")
    models, presets = dict(known.models), dict(known.presets)
    for top, named in tables.items():
        if not isinstance(named, dict):
            raise ValueError(f"{top} = {named!r} is no table")
        for name, values in named.items():
            if not isinstance(values, dict):
                raise ValueError(f"{top}.{name} = {values!r} is no table")
    for kind in KINDS:
        for name, values in tables.get(kind, {}).items():
            models[kind, name] = _entry(kind, name, values)
    for name, values in tables.get("presets", {}).items():
        if not all(isinstance(values.get(kind), str) for kind in KINDS):
            raise ValueError(f"presets.{name} names no sam or no clip")
        if not isinstance(values.get("title", ""), str) or not isinstance(values.get("suits", []), list):
            raise ValueError(f"presets.{name} has a title that is no text, or suits that are no list")
        presets[name] = _preset(values, models)
    return Registry(models, presets)


def _entry(kind: Kind, name: str, values: dict[str, Any]) -> Entry:
    wanted = {each.name: each.type for each in fields(Entry)}
    for key, value in values.items():
        expected = {"int": int, "tuple[str, ...]": list}.get(str(wanted.get(key)), str)
        if key not in wanted or key in ("name", "kind") or not isinstance(value, expected):
            raise ValueError(f"{kind}.{name} has {key} = {value!r}")
    if not values.get("source"):
        raise ValueError(f"{kind}.{name} says no source")
    lists = {key: tuple(map(str, value)) for key, value in values.items() if isinstance(value, list)}
    entry = Entry(name=name, kind=kind, **{**values, **lists})
    if entry.sha256 and not re.fullmatch("[0-9a-f]{64}", entry.sha256):
        raise ValueError(f"{kind}.{name} has a sha256 that is no 64 hexadecimal digits")
    if entry.file and not re.fullmatch(r"\w[\w.-]*", entry.file):
        raise ValueError(f"{kind}.{name} has a file that is no plain name")
    return entry


def _preset(values: dict[str, Any], models: dict[tuple[Kind, str], Entry]) -> Preset:
    sam, clip = values["sam"], values["clip"]
    pair = [entry for entry in (models.get(("sam", sam)), models.get(("clip", clip))) if entry]
    for entry in [entry for entry in pair if entry.images]:
        if ("clip", entry.images) not in models:
            raise ValueError(f"{entry.kind}.{entry.name} has images = {entry.images!r}, which names no clip")
        pair.append(models["clip", entry.images])
    return Preset(
        sam,
        clip,
        values.get("title", f"{sam} and {clip}"),
        sum(entry.megabytes for entry in pair),
        ", ".join(dict.fromkeys(entry.licence for entry in pair)),
        not all(entry.shipped for entry in pair),
        tuple(values.get("suits", ())),
    )
