"""Teaching: a head on frozen embeddings, learnt in seconds from a few examples of each class."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_limits

from napari_slip.atomic import replacing
from napari_slip.errors import InputError
from napari_slip.matching.similarity import unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.models.protocols import DualEncoder

FORMAT = "napari-slip head 1"
FOLDS = 5
PULLS = (0.01, 0.003, 0.001, 0.0003)
"""How strongly the head is held to what the texts say; the best is chosen by cross-validation."""

SCALE = 30.0
"""Factor on the cosines: near what CLIPs learn, and kind to those that were trained shortly."""


@dataclass(frozen=True, eq=False)
class Head:
    """What was taught: one direction for each class in the space of one CLIP, and one for anything else.

    Parameters
    ----------
    name : str
        For people.
    classes : tuple of str
        C classes.
    weights : (C + 1, D) float32 array
        The last row stands for none of them.
    bias : (C + 1,) float32 array
        Added to the products.
    clip : str
        Hash of the CLIP whose embeddings it reads.
    examples : int
        How many it was taught with.
    before, after : float
        Accuracy of the texts alone, and of the head in cross-validation, on the same examples: those of
        classes that have at least two. "None of them" is an answer too, and a wrong one. nan where there are
        no such examples.
    """

    name: str
    classes: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    clip: str
    examples: int = 0
    before: float = float("nan")
    after: float = float("nan")

    def scores(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how likely (N, D) embeddings are each class and nothing else, (N, C) within 0..1."""
        chances = softmax(embedding @ self.weights.T + self.bias, axis=1)
        return np.asarray(chances[:, :-1], np.float32)

    def check(self, encoder: DualEncoder) -> None:
        """See that the head was taught to this encoder.

        Raises
        ------
        InputError
            If it was another.
        """
        if self.clip != encoder.card.hash:
            raise InputError(
                f"The head {self.name!r} was taught with another CLIP than {encoder.card.name}: switch it "
                "off, teach again, or go back to that model."
            )

    def save(self, path: Path) -> None:
        """Write the head to a file, whole or not at all; it can be given to others."""
        header = {
            "format": FORMAT,
            "name": self.name,
            "classes": self.classes,
            "clip": self.clip,
            "examples": self.examples,
            "accuracy": [self.before, self.after],
        }
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(
                file,
                header=np.frombuffer(json.dumps(header).encode(), np.uint8),
                weights=self.weights,
                bias=self.bias,
            )

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is missing, damaged or no head.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                header = json.loads(file["header"].tobytes())
                weights, bias = file["weights"], file["bias"]
            classes = tuple(str(name) for name in header["classes"])
            if header["format"] != FORMAT or (len(weights), len(bias)) != (len(classes) + 1,) * 2:
                raise ValueError("format")
            before, after = header["accuracy"]
            return cls(
                str(header["name"]),
                classes,
                weights,
                bias,
                str(header["clip"]),
                int(header["examples"]),
                float(before),
                float(after),
            )
        except Exception as error:  # what a damaged archive raises has many names
            raise InputError(
                f"{path} holds no taught head that can be read: choose a file that Teach has saved."
            ) from error


def teach(
    embedding: NDArray[np.float32],
    names: Sequence[str | None],
    texts: NDArray[np.float32],
    classes: Sequence[str],
    nulls: NDArray[np.float32],
    *,
    clip: str,
    name: str = "taught",
    seed: int = 0,
) -> Head:
    """Learn a head from examples, with the texts as what is believed without any.

    A class begins as its text, as in Tip-Adapter (Zhang et al., arXiv 2111.03930), and moves as far as its
    examples ask for; how far is chosen by cross-validation.

    Parameters
    ----------
    embedding : (M, D) float32 array
        Of the examples, of unit length.
    names : sequence of str or None
        Class of each example; None is none of the classes, such as what was rejected.
    texts : (C, D) float32 array
        The texts of the classes.
    classes : sequence of str
        C names.
    nulls : (R, D) float32 array
        Texts of what is no class: the model's null prompts.
    clip : str
        Hash of the CLIP that made the embeddings.
    name : str
        Of the head.
    seed : int
        Of the cross-validation.

    Returns
    -------
    Head

    Raises
    ------
    InputError
        If there are examples of fewer than two kinds, or of a class that is not among the classes.
    """
    classes = tuple(classes)
    unknown = sorted({n for n in names if n is not None} - set(classes))
    if unknown:
        raise InputError(f"There are examples of {unknown[0]!r}, which is none of the classes: add it.")
    labels = np.array([len(classes) if n is None else classes.index(n) for n in names], int)
    if len(np.unique(labels)) < 2:
        raise InputError(
            "There are examples of one kind alone: accept some of a second class, or reject some that are "
            "no match, so that there is a difference to learn."
        )
    nothing = unit(nulls.mean(axis=0)) if len(nulls) else np.zeros(embedding.shape[1], np.float32)
    prior = SCALE * np.vstack([texts, nothing[None]]).astype(np.float64)
    x = np.asarray(embedding, np.float64)
    # numpy's threads and scipy's wait for each other in turns: with two of each it takes nine times as long
    with threadpool_limits(1, "blas"):
        pull, before, after = _check(x, labels, prior, seed)
        weights, bias = _fit(x, labels, prior, pull)
    return Head(
        name,
        classes,
        weights.astype(np.float32),
        bias.astype(np.float32),
        clip,
        len(labels),
        before,
        after,
    )


def _fit(
    x: NDArray[np.float64], labels: NDArray[np.intp], prior: NDArray[np.float64], pull: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit weights and bias by logistic regression that is pulled towards the prior; classes count alike."""
    kinds, dimensions = prior.shape
    counts = np.bincount(labels, minlength=kinds)
    share = 1 / (np.maximum(counts, 1)[labels] * (counts > 0).sum())
    right = np.zeros((len(x), kinds))
    right[np.arange(len(x)), labels] = 1
    start = x @ prior.T

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        change, bias = flat[:-kinds].reshape(kinds, dimensions), flat[-kinds:]
        logits = start + x @ change.T + bias
        logs = log_softmax(logits, axis=1)
        value = -(share * logs[np.arange(len(x)), labels]).sum()
        error = (np.exp(logs) - right) * share[:, None]
        slope = np.concatenate([(error.T @ x + pull * change).ravel(), error.sum(axis=0) + pull * bias])
        return float(value + pull / 2 * (flat**2).sum()), slope

    found = minimize(
        loss, np.zeros(kinds * (dimensions + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 60}
    ).x
    return prior + found[:-kinds].reshape(kinds, dimensions), found[-kinds:]


def _check(
    x: NDArray[np.float64], labels: NDArray[np.intp], prior: NDArray[np.float64], seed: int
) -> tuple[float, float, float]:
    """Choose the pull by cross-validation, and say how good texts and head are.

    The answers of one fifth come from a head that was fitted without it, with the pull that was best when the
    other fifths asked each other (nested cross-validation; Varma and Simon, BMC Bioinformatics 7, 91, 2006).

    Returns
    -------
    (pull, before, after)
    """
    fold = _folds(labels, seed)
    asked = (fold >= 0) & (labels < len(prior) - 1)
    used = np.unique(fold[asked]).tolist()

    def right(pull: float, *away: int) -> NDArray[np.float64]:
        """Whether each example of some fifths is named rightly without them; nan for all others."""
        out, found = np.isin(fold, away), np.full(len(labels), np.nan)
        if len(np.unique(labels[~out])) > 1:
            weights, bias = _fit(x[~out], labels[~out], prior, pull)
            mine = out & asked
            found[mine] = (x[mine] @ weights.T + bias).argmax(axis=1) == labels[mine]
        return found

    alone = {(pull, k): right(pull, k) for pull in PULLS for k in used}
    pairs = {(pull, *two): right(pull, *two) for pull in PULLS for two in combinations(used, 2)}

    after = np.full(len(labels), np.nan)
    for k in used:
        others = {pull: [pairs[pull, *sorted((j, k))][fold == j] for j in used if j != k] for pull in PULLS}
        after[fold == k] = alone[_best(others), k][fold == k]
    counted = ~np.isnan(after)
    if not counted.any():
        return max(PULLS), float("nan"), float("nan")
    before = (x[counted] @ prior.T).argmax(axis=1) == labels[counted]
    pull = _best({pull: [alone[pull, k][fold == k] for k in used] for pull in PULLS})
    return pull, float(before.mean()), float(after[counted].mean())


def _best(right: dict[float, list[NDArray[np.float64]]]) -> float:
    """Return the pull that is right most often; the stronger one of those that are alike."""
    return max(right, key=lambda pull: (np.nansum(np.concatenate([np.zeros(0), *right[pull]])), pull))


def _folds(labels: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Deal the examples of each class that has at least two into fifths; -1 for the others."""
    rng = np.random.default_rng(seed)
    fold = np.full(len(labels), -1)
    for kind in np.unique(labels):
        own = np.flatnonzero(labels == kind)
        if len(own) > 1:
            fold[rng.permutation(own)] = np.arange(len(own)) % FOLDS
    return fold
