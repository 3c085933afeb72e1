"""The card beside a trained model: what it was trained on, and how its cosines become scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.models.protocols import Calibration
from napari_slip.models.words import words
from napari_slip.training.own.examples import class_names, class_phrases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_slip.training.own.examples import Example
    from napari_slip.training.own.history import Epoch
    from napari_slip.training.own.learner import Learner
    from napari_slip.training.own.settings import TrainSettings
    from napari_slip.training.own.settling import Settled
    from napari_slip.training.own.splitting import Split


def write_card(
    folder: Path,
    learner: Learner,
    settings: TrainSettings,
    epoch: Epoch,
    data: Split,
    settled: Settled | None = None,
) -> None:
    """Write ``card.json``: what a model of a known base knew stays known, the new classes join it.

    Parameters
    ----------
    folder : Path
        Of the model.
    learner : Learner
        With the card of the model that was trained further.
    settings : TrainSettings
        How it was trained.
    epoch : Epoch
        What the pass gave.
    data : Split
        What it was trained on: its classes, and the words that it was told.
    settled : Settled, optional
        How much of the old model was kept.
    """
    before = learner.card
    nulls = before.calibration.null_prompts if before else ("background", "something")
    card: dict[str, Any] = {
        "templates": list(before.templates if before else settings.templates),
        "null_prompts": list(nulls),
        "base": before.name if before else f"{settings.image_model} and {settings.text_model}",
        "classes": class_names((*data.training, *data.validation)),
        "training": {"pass": epoch.number, "settings": settings.to_dict()},
        "figures": {"validation loss": epoch.validation_loss, "accuracy": epoch.accuracy},
        "licence": "that of the base and of the pictures",
    }
    if settled is not None:
        card["figures"] |= {
            "accuracy": settled.accuracy,
            "share of the new weights": settled.share,
            "drawn things named, before": settled.knew,
            "drawn things named, after": settled.knows,
        }
    if before and before.vocabulary is not None:
        taught = {word for e in data.training for word in words(e.caption or " ".join(e.called))}
        card["vocabulary"] = sorted(before.vocabulary | taught)
    if before:
        card["calibration"] = {"a": before.calibration.a, "b": before.calibration.b}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def calibrate(folder: Path, validation: Sequence[Example], *, seed: int = 0) -> Calibration:
    """Fit how the cosines of a trained model become scores, and write it on its card.

    Each validation picture is asked for its own class, and for another one that is not there.

    Parameters
    ----------
    folder : Path
        Of the model.
    validation : sequence of Example
        Pictures that it was not trained on.
    seed : int
        Of the absent classes.

    Returns
    -------
    Calibration
    """
    from napari_slip.matching.prompts import Prompts
    from napari_slip.matching.texts import embed_texts
    from napari_slip.models import load_clip
    from napari_slip.training.mini.clip_card import fit
    from napari_slip.training.own.pictures import embed_examples

    encoder = load_clip(folder, device="cpu")
    card = encoder.card
    seen = embed_examples(validation, encoder)
    nulls = card.calibration.null_prompts
    asked = Prompts.read(class_phrases(validation), (), nulls)
    texts = embed_texts([*asked.phrases, *nulls], encoder, card.templates)
    of_phrases, of_nulls = np.split(seen @ texts.T, [len(asked.phrases)], axis=1)
    cosines, rival, names = asked.best(of_phrases), of_nulls.max(axis=1), asked.names
    own = np.array([names.index(example.name) for example in validation])
    other = (own + np.random.default_rng(seed).integers(1, max(2, len(names)), len(own))) % len(names)
    rows = np.arange(len(own))
    margin = np.concatenate([cosines[rows, own] - rival, cosines[rows, other] - rival])
    present = np.repeat([True, False], len(own))
    if not np.isfinite(margin).all():  # a rate so high that nothing was learnt
        return card.calibration
    a, b = fit(margin, present)
    path = folder / "card.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["calibration"] = {"a": round(a, 4), "b": round(b, 4)}
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return Calibration(a, b, nulls)
