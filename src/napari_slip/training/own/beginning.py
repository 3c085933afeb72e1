"""What is written down when a training begins, and where one may begin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_slip.errors import InputError
from napari_slip.models.fetching import place_of
from napari_slip.models.hub import WEIGHT_FILES
from napari_slip.training.own.examples import identity, listed
from napari_slip.training.own.settings import OPEN_ENDED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_slip.progress import Progress
    from napari_slip.training.own.examples import Example
    from napari_slip.training.own.settings import TrainSettings
    from napari_slip.training.own.splitting import Split

CHECKPOINT = "checkpoint.pt"
SETTINGS, PICTURES = "settings.json", "pictures"
BEFORE = "pictures of the base"
"""What the base, and whatever it began with, had learnt from."""


def begin(data: Split, settings: TrainSettings, folder: Path, progress: Progress | None = None) -> None:
    """Write down what is trained, or see that it is what was begun here; more passes change nothing.

    Parameters
    ----------
    data : Split
        What is learnt from.
    settings : TrainSettings
        How.
    folder : Path
        Of the training.
    progress : Progress, optional
        Hears of the base's download, and can stop it.

    Raises
    ------
    InputError
        If the folder is that of the base, or holds another training or another model.
    """
    spare(settings.base, folder, progress)
    path, begun = folder / SETTINGS, (folder / CHECKPOINT).is_file()
    values = json.loads(json.dumps(settings.to_dict() | {PICTURES: listed(data.training)}))
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same = values | {PICTURES: _shortened(values[PICTURES], before.get(PICTURES, []))}
    changed = [k for k in same if k not in OPEN_ENDED and same[k] != before.get(k)]
    if changed and begun and before:
        other = "other pictures or captions" if changed == [PICTURES] else f"another {changed[0]}"
        raise InputError(
            f"{folder} holds a training with {other}: choose another folder, or the same "
            "settings to go on with it."
        )
    if changed and not begun and any((folder / name).is_file() for name in WEIGHT_FILES):
        raise InputError(
            f"{folder} holds a model, but no training that could go on: choose a folder that is empty or not "
            "there yet."
        )
    folder.mkdir(parents=True, exist_ok=True)
    values[BEFORE] = _rows(settings.base, progress)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def spare(base: str, folder: Path, progress: Progress | None = None) -> None:
    """See that a model is not trained into the folder of the model that it begins with.

    Raises
    ------
    InputError
        If it is.
    """
    place = _place(base, progress)
    if place is not None and place.resolve() == folder.resolve():
        raise InputError(
            f"{folder} holds the base {base}, which the new model would overwrite: choose another folder for "
            "the new one."
        )


def learnt_by(
    model: str | Path, examples: Sequence[Example], progress: Progress | None = None
) -> list[Example]:
    """Return the examples that a model, or one that it began with, was trained with.

    Parameters
    ----------
    model : str or Path
        As `load_clip` takes it.
    examples : sequence of Example
        Those that it is asked about.
    progress : Progress, optional
        Hears of the model's download, and can stop it.

    Returns
    -------
    list of Example
        None of them where nothing tells.
    """
    rows = _rows(str(model), progress)
    digests = {row[3] for row in rows if len(row) > 3}
    known = {tuple(row[:2]) for row in rows if len(row) == 3}
    return [e for e in examples if (digests and e.digest in digests) or (known and identity(e) in known)]


def _rows(model: str, progress: Progress | None = None) -> list[list[Any]]:
    """Return what is written down of the pictures that a model and those before it have learnt from."""
    place = _place(model, progress)
    path = None if place is None else place / SETTINGS
    values = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else {}
    return [*values.get(PICTURES, []), *values.get(BEFORE, [])]


def _place(model: str, progress: Progress | None = None) -> Path | None:
    """Return where a model lies; None for those that no pictures of a user have made."""
    return None if model in ("dual", "mini") else place_of("clip", model, progress)[0]


def _shortened(rows: list[list[Any]], like: list[list[Any]]) -> list[list[Any]]:
    """Leave out of rows what others, which are older, do not say."""
    return sorted(row[:3] for row in rows) if like and len(like[0]) == 3 else rows
