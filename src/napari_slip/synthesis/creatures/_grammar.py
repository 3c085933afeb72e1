"""What makes one kind of creature: a few features, drawn from a seeded grammar, and a name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_slip.errors import InputError
from napari_slip.synthesis._colours import other

BODIES = ("ball", "egg", "loaf", "block", "pear", "column")
COATS = (
    "red",
    "orange",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
    "brown",
    "grey",
    "white",
    "black",
)
MARKINGS = ("plain", "striped", "dotted", "checkered", "belly", "socks")
CROWNS = ("pointed ears", "round ears", "horns", "antennae", "crest", "one horn", "bald")
LIMBS = ("two legs", "four legs", "tentacles", "no legs")
ARMS = ("wings", "arms", "fins", "none")
TAILS = ("thin", "bushy", "barbed", "none")

MOST = len(BODIES) * len(COATS)
"""Kinds that differ in body or coat; the other features come on top."""

_BEGIN = (
    "B",
    "Br",
    "D",
    "Dr",
    "F",
    "Fl",
    "G",
    "Gl",
    "K",
    "Kr",
    "L",
    "M",
    "N",
    "Pl",
    "Qu",
    "R",
    "S",
    "Sn",
    "T",
    "Tr",
)
_BEGIN_2 = ("V", "W", "Y", "Z")
_VOWELS = ("a", "e", "i", "o", "u", "oo", "ee", "au")
_MIDDLE = ("b", "bb", "d", "ff", "gl", "k", "l", "mb", "mm", "nd", "p", "rr", "sk", "t", "v", "zz")
_END = ("adon", "el", "ix", "ling", "mo", "nok", "o", "oon", "os", "rak", "tail", "un", "wick", "y")


@dataclass(frozen=True)
class Species:
    """One kind of creature.

    Attributes
    ----------
    name
        What it is called, in lower case.
    body, coat, marking, crown, limbs, arms, tail
        One of `BODIES`, `COATS`, `MARKINGS`, `CROWNS`, `LIMBS`, `ARMS`, `TAILS`.
    second, third
        Colours of the marking, and of the crown, limbs and tail.
    eyes
        1 to 3.
    """

    name: str
    body: str
    coat: str
    second: str
    third: str
    marking: str
    crown: str
    limbs: str
    arms: str
    tail: str
    eyes: int


def bestiary(n: int = 60, seed: int = 0) -> tuple[Species, ...]:
    """Make kinds of creatures; no two share both body and coat, and no two names are alike.

    Parameters
    ----------
    n
        How many, 1 to 72. A shorter list is the beginning of a longer one.
    seed
        Another seed makes other creatures with other names.

    Returns
    -------
    tuple of Species

    Raises
    ------
    InputError
        If there are not so many.
    """
    if not 1 <= n <= MOST:
        raise InputError(f"{n} kinds of creatures were asked for, but from 1 to {MOST} can be made.")
    rng = np.random.default_rng([seed, 7])
    pairs = [(body, coat) for body in BODIES for coat in COATS]
    order = rng.permutation(MOST)
    names = _names(rng)
    return tuple(_species(rng, name, *pairs[k]) for name, k in list(zip(names, order, strict=True)))[:n]


def _species(rng: np.random.Generator, name: str, body: str, coat: str) -> Species:
    second = other(coat, rng)
    third = coat if rng.random() < 0.35 else other(coat, rng)
    return Species(
        name=name,
        body=body,
        coat=coat,
        second=second,
        third=third,
        marking=str(rng.choice(MARKINGS)),
        crown=str(rng.choice(CROWNS)),
        limbs=str(rng.choice(LIMBS)),
        arms=str(rng.choice(ARMS)),
        tail=str(rng.choice(TAILS)),
        eyes=int(rng.choice([1, 2, 2, 2, 3])),
    )


def _names(rng: np.random.Generator) -> list[str]:
    """Coin names of which no two begin with the same four letters or sound alike at the end."""
    names: list[str] = []
    while len(names) < MOST:
        parts = (_BEGIN + _BEGIN_2, _VOWELS, _MIDDLE, _END)
        name = "".join(str(rng.choice(part)) for part in parts).lower()
        if all(_differ(name, known) for known in names):
            names.append(name)
    return names


def _differ(first: str, second: str) -> bool:
    return first[:3] != second[:3] and first[2:] != second[2:]
