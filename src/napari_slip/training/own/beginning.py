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
    changed = [k for k in values if k not in OPEN_ENDED and values[k] != before.get(k)]
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
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def spare(base: str, folder: Path, progress: Progress | None = None) -> None:
    """See that a model is not trained into the folder of the model that it begins with.

    Raises
    ------
    InputError
        If it is.
    """
    place = None if base in ("dual", "mini") else place_of("clip", base, progress)[0]
    if place is not None and place.resolve() == folder.resolve():
        raise InputError(
            f"{folder} holds the base {base}, which the new model would overwrite: choose another folder for "
            "the new one."
        )


def learnt_by(folder: Path, examples: Sequence[Example]) -> list[Example]:
    """Return the examples that the model in a folder was trained with; none where nothing tells."""
    path = folder / SETTINGS
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known = {tuple(row[:2]) for row in values.get(PICTURES, [])}
    return [e for e in examples if identity(e) in known]
