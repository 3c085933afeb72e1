"""Fine-tuning beside other work: a process that trains, and whether the new model is better than the old.

``python -m napari_slip.training.own.fine_tuning DATA FOLDER --base mini`` says each step as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.errors import InputError, SlipError
from napari_slip.progress import Progress
from napari_slip.training.own.examples import class_names, class_phrases, listed, read_examples
from napari_slip.training.own.history import read_log
from napari_slip.training.own.settings import OPEN_ENDED, TrainSettings
from napari_slip.training.own.splitting import Split, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_slip.models.protocols import DualEncoder
    from napari_slip.training.own.examples import Example
    from napari_slip.training.own.history import Epoch

TEMPLATES = ("{}", "a {}", "a photo of a {}")

SMALL = 20_000_000
"""Parameters up to which all of a network learns, and at the rates of a small one."""

LEAST = 3
"""Different pictures of each class: to learn from, to choose the best pass by, and to compare by."""

MODEL, JOB = "model", "job.json"
REPORT_S = 0.3


@dataclass(frozen=True)
class Comparison:
    """Old and new model on the same pictures, which neither has learnt from.

    Parameters
    ----------
    old, new : int
        Pictures that each names rightly.
    asked : int
        Of so many.
    """

    old: int
    new: int
    asked: int

    @property
    def better(self) -> bool:
        """Whether the new model is right more often."""
        return self.new > self.old


def small_network(epochs: int = 40) -> TrainSettings:
    """Return how a small network such as mini is trained further."""
    return TrainSettings(
        base="mini",
        templates=TEMPLATES,
        epochs=epochs,
        head_rate=5e-4,
        image_rate=4e-4,
        text_rate=4e-4,
        stop_after=10,
    )


def fine_tune(
    data: Path,
    base: str,
    folder: Path,
    *,
    epochs: int = 40,
    device: str = "auto",
    progress: Progress | None = None,
    hear: Callable[[Epoch], None] | None = None,
) -> Comparison:
    """Train a model further and compare it with what it was, or go on with what was stopped.

    A fifth of the examples of each class is learnt from by nobody: old and new are compared by it. Where the
    old model was fine-tuned itself, it is a fifth that it had not learnt from either.

    Parameters
    ----------
    data : Path
        As `read_examples` takes it.
    base : str
        The old model, as `load_clip` takes it.
    folder : Path
        Gets ``model`` and the description of the job; another job that was begun there gives way.
    epochs : int
        The most passes; what was stopped, or has ended, goes on with more of them.
    device : str
        Where it is trained.
    progress : Progress, optional
        As `train` reports.
    hear : callable, optional
        Called with each pass, those before a pause included.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there are too few examples, or the old model has learnt from all of them.
    ModelError
        If the old model cannot be loaded or trained.
    Cancelled
        If `progress` was cancelled.
    """
    from napari_slip.models import load_clip
    from napari_slip.training.own.beginning import learnt_by, spare
    from napari_slip.training.own.loop import train

    progress = progress or Progress()
    examples = read_examples(data)
    progress("model", 0, 1)
    spare(base, folder / MODEL, progress)
    rest, test = _kept_apart(examples, learnt_by(base, examples, progress))
    old = load_clip(base, device="cpu")
    settings = _settings(old, base, epochs)
    kept = {name: value for name, value in settings.to_dict().items() if name not in OPEN_ENDED}
    pictures = listed((*rest.training, *rest.validation))
    _begin(folder, {"base": old.card.hash, "settings": kept, "pictures": pictures})
    for epoch in read_log(folder / MODEL / "log.csv"):
        if hear is not None:
            hear(epoch)
    train(rest, settings, folder / MODEL, device=device, progress=progress, hear=hear)
    progress("comparison", 0, 1)
    new = load_clip(folder / MODEL, device="cpu")
    phrases = class_phrases(test)
    old_right, new_right = (right_names(encoder, test, phrases) for encoder in (old, new))
    progress("comparison", 1, 1)
    return Comparison(sum(old_right), sum(new_right), len(test))


def right_names(
    encoder: DualEncoder, examples: Sequence[Example], phrases: Mapping[str, tuple[str, ...]]
) -> list[bool]:
    """Return for each example whether its class is the best, seen and looked for as matching does."""
    from napari_slip.matching.prompts import Prompts
    from napari_slip.matching.texts import embed_texts
    from napari_slip.training.own.pictures import embed_examples

    asked = Prompts.read(phrases, (), ())
    texts = embed_texts(asked.phrases, encoder, encoder.card.templates)
    answers = asked.best(embed_examples(examples, encoder) @ texts.T).argmax(axis=1)
    return [asked.names[k] == e.name for k, e in zip(answers, examples, strict=True)]


def _settings(encoder: DualEncoder, base: str, epochs: int) -> TrainSettings:
    network: Any = getattr(encoder, "network", None)
    size = sum(p.numel() for p in network.parameters()) if network is not None else 0
    if size <= SMALL:
        return TrainSettings.from_dict(small_network(epochs).to_dict() | {"base": base})
    return TrainSettings(
        base=base,
        train="last:2",
        templates=encoder.card.templates,
        epochs=epochs,
        image_rate=1e-5,
        text_rate=1e-5,
        stop_after=10,
    )


def _kept_apart(
    examples: Sequence[Example], known: Sequence[Example] = ()
) -> tuple[Split, tuple[Example, ...]]:
    """Split into pictures for training and validation, and pictures to compare by, none of which is known."""
    names = class_names(examples)
    few = [name for name in names if len({e.group for e in examples if e.name == name}) < LEAST]
    if few or len(names) < 2:
        raise InputError(
            f"Fine-tuning needs two classes or more with {LEAST} different examples of each, better 20"
            + (f", but {few[0]!r} has fewer (an object on many planes is one)" if few else "")
            + ": give more, or press Teach, which needs fewer."
        )
    first = split(examples, 0.2, seed=1, known=known)
    if not first.validation:
        raise InputError(
            "The old model has learnt from all of these pictures, so that none is left to compare by: add "
            "new ones, or choose the model that it began with."
        )
    return split(first.training, 0.2), first.validation


def _begin(folder: Path, job: dict[str, Any]) -> None:
    """Go on with the same job; whatever else was begun in the folder gives way."""
    path, text = folder / JOB, json.dumps(job, indent=1) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder / MODEL, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(words: Sequence[str] | None = None) -> int:
    """Fine-tune as told on the command line, and say each step on stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", default="mini")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(words)
    if hasattr(os, "nice"):
        os.nice(10)  # whoever waits in front of a window comes first
    said = 0.0

    def report(step: str, done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= REPORT_S:
            said = time.monotonic()
            _say(step=step, done=done, total=total)

    def hear(epoch: Epoch) -> None:
        _say(epoch={k: None if np.isnan(v) else v for k, v in epoch.to_dict().items()})

    try:
        found = fine_tune(
            given.data,
            given.base,
            given.folder,
            epochs=given.epochs,
            device=given.device,
            progress=Progress(report),
            hear=hear,
        )
    except SlipError as error:
        _say(error=str(error))
        return 1
    _say(comparison=asdict(found))
    return 0


def _say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
