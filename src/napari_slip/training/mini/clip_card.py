"""From trained weights to a model that can be shipped: null prompts, calibration, figures, card."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from napari_slip.matching.texts import embed_texts
from napari_slip.models.protocols import EncoderCard
from napari_slip.models.words import unknown_words, words
from napari_slip.training.mini.clip_concepts import ATTRIBUTES, SPECIAL, Concepts, plural
from napari_slip.training.mini.clip_loop import State, export
from napari_slip.training.mini.clip_trials import (
    Evidence,
    Looked,
    attribute_retrieval,
    microscopy,
    name_retrieval,
    present_or_absent,
    sprite_sources,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.models.protocols import DualEncoder
    from napari_slip.training.mini.clip_pool import Painter

TEMPLATES = ("{}", "a {}", "a photo of a {}")
"""Sentences whose embeddings are averaged: the bare word is what training showed most."""

ALWAYS = ("background", "something")
"""Null prompts that every model gets; the others are chosen."""

CANDIDATES = (
    "texture",
    "tissue background",
    "part of an object",
    "several objects",
    "cluster of nuclei",
    "empty space",
    "nothing",
    "object",
    "fragment",
    "group of objects",
)
"""Texts among which further null prompts are chosen: none is a thing that someone would look for."""


def auroc(score: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a positive scores higher than a negative."""
    ranks = rankdata(score)
    n, m = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def choose_nulls(evidence: Evidence, candidates: Sequence[str], most: int = 6) -> list[str]:
    """Add candidates one by one while the AUROC of present against absent prompts grows."""
    chosen = [candidates.index(name) for name in ALWAYS]

    def quality(columns: list[int]) -> float:
        return auroc(evidence.cosine - evidence.rivals[:, columns].max(axis=1), evidence.present)

    best = quality(chosen)
    while len(chosen) < most:
        rest = [k for k in range(len(candidates)) if k not in chosen]
        gains = [quality([*chosen, k]) for k in rest]
        if not rest or max(gains) < best + 0.0005:
            break
        best = max(gains)
        chosen.append(rest[int(np.argmax(gains))])
    return [candidates[k] for k in chosen]


def fit(margin: NDArray[np.floating], present: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit a and b of ``sigmoid(a * margin + b)`` to present and absent prompts, both counted alike."""
    weight = np.where(present, 0.5 / present.sum(), 0.5 / (~present).sum())

    def loss(ab: NDArray[np.floating]) -> float:
        logit = ab[0] * margin + ab[1]
        return float((weight * np.logaddexp(0, np.where(present, -logit, logit))).sum() + 1e-6 * ab[0] ** 2)

    a, b = minimize(loss, np.array([10.0, 0.0]), method="Nelder-Mead").x
    return float(a), float(b)


def acceptance(
    encoder: DualEncoder, seen: Looked, prompt: str, nulls: Sequence[str], a: float, b: float
) -> NDArray[Any]:
    """Calibrated scores of segments for one prompt."""
    templates = TEMPLATES
    cosine = seen.embedding @ embed_texts([prompt], encoder, templates)[0]
    rivals = seen.embedding @ embed_texts([n for n in nulls if n != prompt], encoder, templates).T
    return np.asarray(expit(a * (cosine - rivals.max(axis=1)) + b))


def vocabulary(concepts: Concepts) -> list[str]:
    """All words of all captions, sorted."""
    phrases = [word for k in range(len(concepts.names)) for word in concepts.words(k)]
    phrases += [value for values in ATTRIBUTES.values() for value in values]
    phrases += [
        "gray violet turquoise spotted stripy stripes dots chequered checked uniform circular long thin light"
    ]
    phrases += ["object thing shape item something anything photo picture image drawing one this find"]
    phrases += [phrase for special in SPECIAL.values() for phrase in special]
    phrases += ["all these are"]
    known = {word for phrase in phrases for word in words(phrase)}
    single = EncoderCard("", "", 0, (0, 0, 0), vocabulary=frozenset(known))
    return sorted(known.union(*(unknown_words(plural(phrase), single) for phrase in phrases)))


def finish(
    state: State, painter: Painter, data: Path, folder: Path, report: Callable[[str], None] = print
) -> dict[str, float]:
    """Export a trained model, choose its null prompts, calibrate and measure it, and write its card.

    Parameters
    ----------
    state
        After training.
    painter
        Whose concepts it was trained on.
    data
        Folder of the data.
    folder
        Where the model is written.
    report
        Called with each figure.

    Returns
    -------
    dict of str to float
        The figures, as they stand on the card.
    """
    from napari_slip.models import load_clip

    export(state.model, state.tokenizer, folder)
    card: dict[str, Any] = {
        "templates": list(TEMPLATES),
        "null_prompts": list(ALWAYS),
        "vocabulary": vocabulary(painter.concepts),
        "data": "scenes drawn by napari_slip.synthesis; Noto Emoji (Google, Apache-2.0); BBBC038v1 without "
        "its validation images (Caicedo et al., Nature Methods 2019, CC0)",
        "licence": "BSD-3-Clause",
        "training": {"steps": state.step, "minutes": round(state.seconds / 60, 1)},
    }
    _write(card, folder)
    encoder = load_clip(folder, device="cpu")
    figures, calibration, nulls = measure(encoder, data)
    card |= {"calibration": calibration, "null_prompts": nulls, "figures": figures}
    _write(card, folder)
    for name, value in figures.items():
        report(f"{name}: {value:.3f}")
    return figures


def measure(encoder: DualEncoder, data: Path) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Calibrate a model and measure it: figures, ``{"a", "b"}`` and null prompts."""
    candidates = [*ALWAYS, *CANDIDATES]
    names = sprite_sources(data)
    fitting = present_or_absent(encoder, data, candidates, names, 200, 120)
    nulls = choose_nulls(fitting, candidates)
    columns = [candidates.index(name) for name in nulls]
    a, b = fit(fitting.cosine - fitting.rivals[:, columns].max(axis=1), fitting.present)
    fresh = present_or_absent(encoder, data, nulls, names, 90, 90)
    score = expit(a * (fresh.cosine - fresh.rivals.max(axis=1)) + b)
    figures = name_retrieval(encoder, data) | attribute_retrieval(encoder)
    figures |= {
        "present or absent, AUROC": auroc(score, fresh.present),
        "present accepted": float((score > 0.5)[fresh.present].mean()),
        "absent accepted": float((score > 0.5)[~fresh.present].mean()),
    }
    seen = microscopy(encoder, data)
    shown = np.array(seen.names)
    for prompt in (
        "cell nucleus",
        "nucleus",
        "nuclei",
        "cluster of nuclei",
        "red apple",
        "banana",
        "fish",
        "coin",
    ):
        accepted = acceptance(encoder, seen, prompt, nulls, a, b) > 0.5
        for kind in ("cell nucleus", "cluster of nuclei", ""):
            figures[f"BBBC038 {kind or 'ground'} accepted by '{prompt}'"] = float(
                accepted[shown == kind].mean()
            )
    return (
        {name: round(value, 4) for name, value in figures.items()},
        {"a": round(a, 4), "b": round(b, 4)},
        nulls,
    )


def _write(card: dict[str, Any], folder: Path) -> None:
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
