"""Which examples are learnt from, and which are kept back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError
from napari_slip.training.own.examples import Example, class_names

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Split:
    """Examples for training, for validation, and of classes that are never shown."""

    training: tuple[Example, ...]
    validation: tuple[Example, ...]
    held_out: tuple[Example, ...] = ()


def split(examples: Sequence[Example], share: float = 0.2, seed: int = 42, hold_out: int = 0) -> Split:
    """Split examples at random, class by class, and never through a group of near-duplicates.

    Parameters
    ----------
    examples : sequence of Example
        With groups.
    share : float
        Of each class for validation, at least one group.
    seed : int
        Same seed, same split, whatever the order of the examples.
    hold_out : int
        How many whole classes are held out.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If fewer than two classes would be left, or a class has one group alone.
    """
    names = class_names(examples)
    if len(names) - hold_out < 2:
        raise InputError(
            f"{hold_out} of {len(names)} classes were to be held out, but at least 2 must be left to learn."
        )
    rng = np.random.default_rng(seed)
    away = set(rng.permutation(np.asarray(names, object))[:hold_out])
    training: list[Example] = []
    validation: list[Example] = []
    many = len(names) == len(examples)  # a caption for each picture: there is nothing to balance
    for name in ["all pictures"] if many else [name for name in names if name not in away]:
        own = sorted((e for e in examples if many or e.name == name), key=lambda e: str(e.path))
        groups = sorted({e.group for e in own})
        if len(groups) < 2:
            raise InputError(
                f"The class {name!r} has {len(own)} pictures that all look alike or are one: at least 2 "
                "different ones are needed, one to learn from and one to check."
            )
        order = rng.permutation(len(groups))
        kept = {groups[k] for k in order[: max(1, round(share * len(groups)))]}
        kept = kept if len(kept) < len(groups) else set(list(kept)[1:])
        training += [e for e in own if e.group not in kept]
        validation += [e for e in own if e.group in kept]
    held = tuple(e for e in examples if e.name in away and not many)
    return Split(tuple(training), tuple(validation), held)
