"""A model and what is known of it in one file, for machines without a network."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_slip.atomic import replacing
from napari_slip.errors import InputError, ModelError
from napari_slip.hashing import file_hash
from napari_slip.models.fetching import check, find, known_hash, weights_of
from napari_slip.models.folders import models_folder, record
from napari_slip.models.hub import is_hub_name
from napari_slip.models.registry import add_entry, as_toml, known_models, read_entry, refuse_taken
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slip.models.registry import Entry

CARD = "napari-slip-model.toml"
"""What tells a model's folder in a pack from any other."""

MOST_FILES = 1000
"""Files that a pack may hold; a model has a dozen."""

PIECE = 1 << 20


def export_pack(entries: Sequence[Entry], path: Path, progress: Progress | None = None) -> None:
    """Pack models that lie on this machine, each in a folder of its name with its card.

    Parameters
    ----------
    entries : sequence of Entry
        Which.
    path : Path
        The file to write, a ZIP archive; it appears when it is whole.
    progress : Progress, optional
        Hears ``("pack", done, total)`` in bytes, and can stop it.

    Raises
    ------
    ModelError
        If a model is not on this machine.
    InputError
        If the file exists already.
    """
    progress = progress or Progress()
    if path.exists():
        raise InputError(f"{path} exists already: name another file, or move it away.")
    inside: list[tuple[Path, str]] = []
    cards = []
    for entry in entries:
        if entry.shipped:
            continue
        place = find(entry)
        weights = weights_of(entry, place) if place else None
        if place is None or weights is None or not weights.is_file():
            raise ModelError(
                f"{entry.name} is not on this machine: fetch it first with napari-slip models fetch "
                f"{entry.name}."
            )
        if is_hub_name(entry.name):
            raise InputError(
                f"{entry.name} has no name of its own: give it one first with napari-slip models add NAME "
                f"{entry.name} --kind {entry.kind}."
            )
        root = weights.parent
        inside += [(file, f"{entry.name}/{file.relative_to(root)}") for file in _files(entry, place, weights)]
        told = replace(entry, sha256=known_hash(entry) or file_hash(weights)[7:], file=weights.name)
        cards.append((f"{entry.name}/{CARD}", as_toml(replace(told, size=weights.stat().st_size))))
    if not inside:
        raise InputError("Nothing was packed: these models are part of napari-slip and are there already.")
    total, done = sum(file.stat().st_size for file, _ in inside), 0
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
        for name, text in cards:
            archive.writestr(name, text)
        for file, name in inside:
            # weights are random numbers to a compressor: stored they are as small, and sooner there
            with file.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    done += len(piece)
                    progress("pack", done, total)


def _files(entry: Entry, place: Path, weights: Path) -> list[Path]:
    """Return the weights, and what else of their folder the model needs."""
    beside = [file for pattern in entry.also for file in place.glob(pattern)] if place.is_dir() else []
    return list(dict.fromkeys([weights, *(file for file in beside if file.is_file())]))


def import_pack(path: Path, progress: Progress | None = None) -> list[Entry]:
    """Unpack models into the folder of models; each appears when it is whole and its hash is right.

    Parameters
    ----------
    path : Path
        A file that `export_pack` wrote.
    progress : Progress, optional
        Hears ``("unpack", done, total)`` in bytes, and can stop it.

    Returns
    -------
    list of Entry
        The models that are there now.

    Raises
    ------
    ModelError
        If the file is no pack, is damaged, or would write anywhere else.
    InputError
        If a model's name or folder is taken by something else.
    """
    progress = progress or Progress()
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            cards = {_folder(member): member for member in members if member.filename.endswith(f"/{CARD}")}
            if not cards or {_folder(member) for member in members} - set(cards):
                raise _no_pack(path, "a folder has no card")
            entries = [_card(archive, member, name, path) for name, member in cards.items()]
            wanted = [entry for entry in entries if not _is_here(entry)]
            models_folder().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=models_folder(), prefix=".import-") as temporary:
                _unpack(archive, members, Path(temporary), progress)
                for entry in wanted:
                    _settle(entry, Path(temporary) / entry.name)
    except FileNotFoundError as error:
        raise ModelError(f"There is no file {path}: expected a pack of napari-slip models export.") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise _no_pack(path, "it may have been cut off on its way") from error
    return entries


def _members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """Return the files of a pack, all of which lie in a folder of the pack and are stored as they are."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MOST_FILES:
        raise _no_pack(path, f"it holds {len(members)} files")
    for member in members:
        parts = PurePosixPath(member.filename).parts
        kind = stat.S_IFMT(member.external_attr >> 16)
        plain = kind in (0, stat.S_IFREG) and "\\" not in member.filename and ":" not in member.filename
        if len(parts) < 2 or ".." in parts or member.filename.startswith("/") or not plain:
            raise _no_pack(
                path, f"it would write to {member.filename[:80]!r}, outside of the folder of models"
            )
        if member.compress_type != zipfile.ZIP_STORED:
            raise _no_pack(path, "it is compressed, which packs are not, and may unpack to any size")
    if len({member.filename.casefold() for member in members}) != len(members):
        raise _no_pack(path, "it holds two files of one name")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise _no_pack(path, "it says that it holds more than it is large")
    return members


def _folder(member: zipfile.ZipInfo) -> str:
    return PurePosixPath(member.filename).parts[0]


def _card(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, path: Path) -> Entry:
    try:
        entry = read_entry(archive.read(member).decode("utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise _no_pack(path, f"the card of {name} cannot be read") from error
    if entry.name != name or not entry.file or not entry.sha256 or name.startswith("."):
        raise _no_pack(path, f"the card in {name} is of another model")
    return entry


def _is_here(entry: Entry) -> bool:
    """Say whether a name means this very model already; refuse a name or a folder of something else."""
    known = known_models().get(entry.kind, entry.name)
    if known is None:
        refuse_taken(entry)
    else:
        check(known, f"sha256:{entry.sha256}")
        if known.shipped or known.file != entry.file:  # `find` would not look for it where packs are unpacked
            place = find(known)
            weights = weights_of(known, place) if place else None
            if weights and weights.is_file() and file_hash(weights) == f"sha256:{entry.sha256}":
                return True
            raise InputError(
                f"{entry.name} means another model here ({known.source}) than in this pack: remove that name "
                f"with napari-slip models remove {entry.name}, and import again."
            )
    place = models_folder() / entry.name
    if os.path.lexists(place) and not (place / CARD).is_file():
        raise InputError(
            f"{place} is there already and came from no pack, so that it is not replaced: move it away, and "
            "import again."
        )
    return False


def _unpack(
    archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], folder: Path, progress: Progress
) -> None:
    total, done = sum(member.file_size for member in members), 0
    for member in members:
        target = folder.joinpath(*PurePosixPath(member.filename).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("wb") as file:
            while piece := source.read(PIECE):
                file.write(piece)
                done += len(piece)
                progress("unpack", done, total)


def _settle(entry: Entry, unpacked: Path) -> None:
    """Give an unpacked model its place, if its weights are those of its card."""
    weights = unpacked / entry.file
    if not weights.is_file() or file_hash(weights) != f"sha256:{entry.sha256}":
        raise ModelError(
            f"The weights of {entry.name} in the pack are not those of its card: copy or export it again."
        )
    place = models_folder() / entry.name
    before = unpacked.with_name(f".{entry.name}")  # no model of the pack is called so, and it goes with them
    if place.exists():
        os.replace(place, before)
    try:
        os.replace(unpacked, place)
    except OSError:
        if before.exists():
            os.replace(before, place)
        raise
    known = known_models().get(entry.kind, entry.name)
    if known is None:
        add_entry(replace(entry, source=str(place)))
    elif not known.sha256:
        record(entry.kind, entry.name, {"sha256": entry.sha256, "size": entry.size})


def _no_pack(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path} is no pack of models ({why}): expected what napari-slip models export wrote; nothing was "
        "unpacked."
    )
