"""Which examples are learnt from, and which are kept back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError
from napari_slip.training.own.examples import Example, class_names
from napari_slip.wording import counted

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


@dataclass(frozen=True)
class Split:
    """Examples for training, for validation, and of classes that are never shown."""

    training: tuple[Example, ...]
    validation: tuple[Example, ...]
    held_out: tuple[Example, ...] = ()


def split(
    examples: Sequence[Example],
    share: float = 0.2,
    seed: int = 42,
    hold_out: int = 0,
    known: Sequence[Example] = (),
) -> Split:
    """Split examples at random, class by class, and never through a group of near-duplicates.

    Examples without a class are split as one class is.

    Parameters
    ----------
    examples : sequence of Example
        With groups.
    share : float
        Of each class for validation, at least one group.
    seed : int
        Same seed, same split, whatever the order of the examples. Each class has its own chance, so that
        what becomes of one depends neither on the other classes nor on which of them are held out.
    hold_out : int
        How many whole classes are held out.
    known : sequence of Example
        Those that may not be kept back, nor their groups; a class of these alone has nothing kept back.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If fewer than two classes would be left, a class has one group alone, or shares all its groups with
        classes before it that left it on one side.
    """
    names = class_names([e for e in examples if e.classed])
    loose = [e for e in examples if not e.classed]
    if hold_out and not names:
        raise InputError(
            f"--hold-out is {hold_out}, but the table names captions and no classes: hold out 0, or add a "
            "column class."
        )
    if len(names) - hold_out < 2 and not loose:
        raise InputError(
            f"{hold_out} of {len(names)} classes were to be held out, but at least 2 must be left to learn."
        )
    away = sorted(names, key=lambda name: _chance(seed, name, "away").random())[:hold_out]
    held = [e for e in examples if e.classed and e.name in away]
    barred = {e.group for e in known}
    kept: dict[str, bool] = {}
    for name in [name for name in names if name not in away]:
        own = [e for e in examples if e.classed and e.name == name]
        _keep_back(f"The class {name!r}", own, share, _chance(seed, name), kept, barred)
    if loose:
        _keep_back("The table", loose, share, _chance(seed), kept, barred)
    rest = sorted((e for e in examples if not (e.classed and e.name in away)), key=lambda e: str(e.path))
    rest.sort(key=lambda e: e.name if e.classed else "")
    training = tuple(e for e in rest if not kept[e.group])
    return Split(training, tuple(e for e in rest if kept[e.group]), tuple(held))


def _keep_back(
    what: str,
    own: Sequence[Example],
    share: float,
    rng: np.random.Generator,
    kept: dict[str, bool],
    barred: Container[str],
) -> None:
    """Choose which groups are kept back; what another class has chosen for a group it shares holds."""
    groups = sorted({e.group for e in own})
    if len(groups) < 2:
        raise InputError(
            f"{what} has {counted(len(own), 'picture')} that all look alike or are one: at least 2 "
            "different ones are needed, one to learn from and one to check."
        )
    order = [groups[k] for k in rng.permutation(len(groups)).tolist()]
    wanted = min(max(1, round(share * len(groups))), len(groups) - 1)
    kept |= {group: False for group in order if group in barred}
    wanted -= sum(kept.get(group, False) for group in order)
    free = [group for group in order if group not in kept]
    kept |= {group: k < wanted for k, group in enumerate(free)}
    if len({kept[group] for group in groups}) < 2 and not all(group in barred for group in groups):
        raise InputError(
            f"{what} shares all its groups with other classes, and all of them fell on one side: add "
            "pictures of another group, or take another seed."
        )


def _chance(seed: int, *words: str) -> np.random.Generator:
    """Draw by seed and words alone, the same in every process."""
    return np.random.default_rng([seed, *"\n".join(words).encode()])
