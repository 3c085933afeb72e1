"""A model that has a name becomes a file or a folder on this machine: found, fetched, checked, removed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from napari_slip.errors import Cancelled, ModelError
from napari_slip.hashing import file_hash
from napari_slip.models.folders import models_folder, names_recorded, own_path, record, recorded
from napari_slip.models.hub import (
    TOKENIZER_FILES,
    WEIGHT_FILES,
    Unfetched,
    fetch_folder,
    is_hub_name,
    kept_folder,
    offline,
)
from napari_slip.models.registry import KINDS, drop_entry, known_models, of_the_hub

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slip.models.registry import Entry, Kind
    from napari_slip.progress import Progress


def find(entry: Entry) -> Path | None:
    """Return where a model lies on this machine, without asking any network; None if it does not.

    A folder with the model's name in the folder of models comes first: that is where `import_pack` puts a
    model, and where files that were carried here by hand belong.

    Returns
    -------
    Path, optional
        The file of weights, or for a model of the hub the folder that holds it.
    """
    folder = models_folder() / entry.name
    if entry.file and (folder / entry.file).is_file():
        return folder if entry.repository or (folder / "config.json").is_file() else folder / entry.file
    if entry.repository:
        either = TOKENIZER_FILES if entry.kind == "clip" else ()
        return kept_folder(entry.repository, entry.revision, entry.file, either)
    path = models_folder() / entry.file if entry.address else own_path(entry.source)
    return path if path.exists() and not entry.shipped else None


def place_of(kind: Kind, name: str, progress: Progress | None = None) -> tuple[Path, Entry | None]:
    """Return where what was named lies, fetching it if it is not there yet, and what is known of it.

    Parameters
    ----------
    kind : str
        ``"sam"`` or ``"clip"``.
    name : str
        A name of the registry, of a folder in the folder of models, or on the hub; or a path.
    progress : Progress, optional
        As for `fetch`.

    Returns
    -------
    place : Path
        A file or a folder; it does not exist if nothing is called so.
    entry : Entry, optional
        What is known of it; None for a path.

    Raises
    ------
    ModelError, Cancelled
        As `fetch`.
    """
    entry = known_models().get(kind, name)
    path = own_path(name)
    if entry is None and not path.exists():
        if (models_folder() / name).is_dir():
            return models_folder() / name, None
        if is_hub_name(name):
            entry = of_the_hub(kind, name)
    return (path, None) if entry is None else (fetch(entry, progress), entry)


def weights_of(entry: Entry, place: Path) -> Path:
    """Return the file of weights of a model that lies at `place`."""
    if place.is_file():
        return place
    names = [entry.file] if entry.file else WEIGHT_FILES
    return next((place / name for name in names if (place / name).is_file()), place / names[0])


def fetch(entry: Entry, progress: Progress | None = None) -> Path:
    """Return where a model lies on this machine, fetching it if it is not there yet.

    Parameters
    ----------
    entry : Entry
        Which one.
    progress : Progress, optional
        Hears ``("download", done, total)`` in bytes, and can stop it.

    Returns
    -------
    Path
        As `find`.

    Raises
    ------
    ModelError
        If it can neither be found nor fetched, or arrives as another one than is known.
    Cancelled
        If `progress` was cancelled.
    """
    if place := find(entry):
        return place
    if entry.repository:
        place = _from_the_hub(entry, progress)
    elif entry.address:
        place = _from_an_address(entry, progress)
    else:
        raise ModelError(
            f"{entry.name} is said to lie at {entry.source}, but nothing is there: copy it back, or remove "
            f"the name with: napari-slip models remove {entry.name}."
        )
    weights = weights_of(entry, place)
    if not entry.sha256:
        seen = file_hash(weights)
        check(entry, seen)  # it may have been here once, and be another by now
        record(entry.kind, entry.name, {"sha256": seen[7:], "size": weights.stat().st_size})
    return place


def check(entry: Entry, seen: str) -> None:
    """Compare a model's hash with the one that is known of it, or that was seen at its first download.

    Parameters
    ----------
    entry : Entry
        Which model.
    seen : str
        ``sha256:...`` of its weights.

    Raises
    ------
    ModelError
        If it is another one.
    """
    known = known_hash(entry)
    if known and seen != f"sha256:{known}":
        forgets = "" if entry.sha256 else ", which forgets the first hash too"
        raise ModelError(
            f"The weights of {entry.name} are not those that were published or first fetched (their SHA-256 "
            f"begins {seen[7:15]}, but {known[:8]} is expected): remove them with napari-slip models remove "
            f"{entry.name}{forgets}, and fetch them again."
        )


def known_hash(entry: Entry) -> str:
    """Return the SHA-256 of a model's weights, as published or as first seen here; empty if unknown."""
    return entry.sha256 or str(recorded(entry.kind, entry.name).get("sha256", ""))


def fetched_from_the_hub(name: str = "") -> list[Entry]:
    """Return the models that were fetched by their names on the hub, or those of one such name."""
    found = [(kind, each) for kind in KINDS for of, each in names_recorded() if of == kind]
    return [of_the_hub(kind, each) for kind, each in found if is_hub_name(each) and name in ("", each)]


def remove(entry: Entry) -> int:
    """Delete a model from this machine, and forget a name that the user added; files of one's own stay.

    Returns
    -------
    int
        Bytes that are free again.
    """
    freed = 0
    folder = models_folder() / entry.name
    if folder.is_dir() and (folder / entry.file).is_file():
        freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    if entry.address:
        for path in models_folder().glob(f"{entry.file}*"):
            if path.name.removeprefix(entry.file) in ("", ".part", ".part.tag", ".lock"):
                freed += path.stat().st_size
                path.unlink()
    if entry.repository:
        freed += _remove_from_the_hubs_cache(entry.repository)
    record(entry.kind, entry.name, None)
    drop_entry(entry)
    return freed


def _from_an_address(entry: Entry, progress: Progress | None) -> Path:
    from napari_slip.models.download import download, told

    path = models_folder() / entry.file
    try:
        if offline():
            raise Unfetched("HF_HUB_OFFLINE is set")
        exact = entry.size if entry.sha256 else 0
        download(entry.address, path, sha256=entry.sha256, size=exact, progress=progress)
    except Cancelled:
        raise
    except Exception as error:
        raise _missing(entry, told(error)) from error
    return path


def _from_the_hub(entry: Entry, progress: Progress | None) -> Path:
    try:
        place = fetch_folder(entry.repository, entry.revision, entry.file, entry.also, progress)
    except Unfetched as error:
        raise _missing(entry, str(error)) from error
    weights = weights_of(entry, place)
    if entry.sha256 and file_hash(weights) != f"sha256:{entry.sha256}":
        weights.resolve().unlink()
        weights.unlink(missing_ok=True)
        raise _missing(entry, "it is another file: its hash is not the known one")
    return place


def _missing(entry: Entry, reason: str) -> ModelError:
    """Say in one sentence what is missing, why, and how it comes here."""
    size = f" ({entry.megabytes} MB)" if entry.size else ""
    first = f"{entry.gated}; then " if entry.gated else ""
    there = f"on a machine with a network run napari-slip models fetch {entry.name}"
    if is_hub_name(entry.name):
        carry = f"{there}, and copy its folder from there to"
    else:
        carry = (
            f"{there} and napari-slip models export {entry.name}, and here napari-slip models import "
            f"{entry.name}.zip; or put its files into"
        )
    return ModelError(
        f"{entry.name}{size} is not on this machine and could not be downloaded ({reason}): {first}{carry} "
        f"{models_folder() / entry.name}."
    )


def _remove_from_the_hubs_cache(repository: str) -> int:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir()
    except CacheNotFound:
        return 0
    hashes = [
        version.commit_hash
        for repo in cache.repos
        if repo.repo_id == repository and repo.repo_type == "model"
        for version in repo.revisions
    ]
    if not hashes:
        return 0
    strategy = cache.delete_revisions(*hashes)
    strategy.execute()
    return int(strategy.expected_freed_size)
