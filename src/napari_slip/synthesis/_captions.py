"""What people would type to find a sprite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slip.synthesis._catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from napari_slip.synthesis._sprites import Sprite

TEMPLATES: tuple[str, ...] = (
    "{}",
    "{}",
    "a {}",
    "the {}",
    "a photo of a {}",
    "a picture of a {}",
    "an image of a {}",
    "a drawing of a {}",
    "one {}",
    "this is a {}",
    "find the {}",
)
"""Sentences around a name; the bare name counts twice because that is what most people type."""

_WORDS = {
    "striped": ("striped", "striped", "stripy", "with stripes"),
    "dotted": ("dotted", "dotted", "spotted", "with dots"),
    "checkered": ("checkered", "checkered", "chequered", "checked"),
    "plain": ("plain", "plain", "uniform"),
    "round": ("round", "round", "circular"),
    "elongated": ("elongated", "elongated", "long", "thin"),
    "bright": ("bright", "bright", "light"),
    "dark": ("dark",),
    "grey": ("grey", "grey", "gray"),
    "purple": ("purple", "purple", "violet"),
    "cyan": ("cyan", "turquoise"),
}
THINGS: tuple[str, ...] = ("object", "thing", "shape", "item")
"""What a thing is called when only its attributes are."""


def captions(sprite: Sprite, rng: np.random.Generator) -> str:
    """Write one caption: a name or synonym, perhaps with attributes, perhaps in a sentence.

    Parameters
    ----------
    sprite
        What is described; only attributes that it has are named.
    rng
        Source of all variation.

    Returns
    -------
    str
        Lower case, without punctuation.
    """
    words = CATALOGUE[sprite.name].words if sprite.name in CATALOGUE else ()
    name, named = choose(rng, sprite.name, words, sprite.attributes)
    if name is None:
        name = str(rng.choice(THINGS)) if rng.random() < 0.6 else ""
    return described(name, [sprite.attributes[kind] for kind in named], rng)


def choose(
    rng: np.random.Generator, name: str, synonyms: Sequence[str], kinds: Iterable[str]
) -> tuple[str | None, list[str]]:
    """Decide what a caption names: name or synonym (None: attributes alone), and kinds of attributes."""
    if synonyms and rng.random() < 0.25:
        name = str(rng.choice(list(synonyms)))
    known, chance = list(kinds), rng.random()
    if chance < 0.45 or not known:
        return name, []
    named = [str(kind) for kind in rng.permutation(known)[: 1 if chance < 0.88 else 2]]
    return (None if rng.random() < 0.3 else name), named


def described(
    name: str, attributes: list[str], rng: np.random.Generator, templates: Sequence[str] = TEMPLATES
) -> str:
    """Put attribute words and a name ("" for attributes alone) into one of the templates."""
    before: list[str] = []
    after: list[str] = []
    for attribute in attributes:
        word = str(rng.choice(_WORDS.get(attribute, (attribute,))))
        (after if word.startswith("with ") else before).append(word)
    phrase = " ".join([*before, name, *after]).strip()
    if not name:
        return phrase
    sentence = str(rng.choice(templates)).format(phrase)
    return _article(sentence)


def _article(sentence: str) -> str:
    words = sentence.split()
    for k in range(len(words) - 1):
        if words[k] == "a" and words[k + 1][0] in "aeiou" and not words[k + 1].startswith("uni"):
            words[k] = "an"
    return " ".join(words)


def synonyms(name: str) -> tuple[str, ...]:
    """Other words for one of `NAMES`; none for anything else."""
    return CATALOGUE[name].words if name in CATALOGUE else ()
