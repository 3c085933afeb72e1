"""What mini CLIP is taught to tell apart, and which caption is true of which crop.

Captions and crops are both a concept with attributes. Truth follows from them, not from which caption
was written for which crop: "fish" is true of every fish in the batch, and "striped" is neither true nor
false of a crop whose texture nobody knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.synthesis import COLOURS, NAMES, TEXTURES, THINGS, choose, described, synonyms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "colour": COLOURS,
    "texture": TEXTURES,
    "shape": ("round", "elongated"),
    "brightness": ("bright", "dark"),
}
"""Kinds of attributes with their values; a row of attributes holds an index into each, -1 where unknown."""

ANYTHING = -1
"""The concept of a caption that names no thing."""
NOTHING = -2
"""The concept of a text that is true of no crop."""

SPECIAL: dict[str, tuple[str, ...]] = {
    "fluorescent nucleus": ("fluorescent nucleus", "fluorescence nucleus", "dapi nucleus", "glowing nucleus"),
    "tissue nucleus": (
        "purple nucleus in tissue",
        "nucleus in tissue",
        "nucleus in stained tissue",
        "h&e nucleus",
    ),
    "cluster of nuclei": ("cluster of nuclei", "clump of nuclei", "several nuclei", "touching nuclei"),
    "background": ("background", "empty background", "nothing", "ground", "texture", "empty space"),
    "tissue background": ("tissue background", "tissue", "stained tissue"),
    "group": ("several objects", "group of objects", "cluster of objects", "things together"),
    "part": ("part of an object", "part", "fragment", "piece of something"),
    "scenery": ("scenery", "surroundings", "landscape"),
}
"""Concepts that are no sprite, with all that they are called."""

_NUCLEUS = ("cell nucleus", "nucleus", "nuclei", "cell nuclei", "stained nucleus", "microscopy cell nucleus")
_NUCLEI = ("cell nucleus", "fluorescent nucleus", "tissue nucleus")
MANY = 0.15
"""Share of the captions that speak of many, as most people do who look for all of a kind."""

_OF_MANY = (
    "{}",
    "{}",
    "{}",
    "the {}",
    "all {}",
    "a photo of {}",
    "a picture of {}",
    "these are {}",
    "find the {}",
)
_PLURALS = frozenset("nuclei bacteria algae children men women people feet teeth mice dice".split())
"""Words that speak of many without a letter that tells it."""

_IN_SCENERY = frozenset(
    """
    bird bottle bridge brush clock cloud dog door drum fence flower forest frost glass grass house lake lamp
    leaf light mountain ocean paint petal plant river road rock roof sand sky soil stone sun table tree wall
    water window wine wire wood
    """.split()
)
"""What photographs of surroundings may truly show, so that nobody can say that these words are false."""

_GENERIC = ("something", "object", "thing", "an object", "something", "anything")
_CONSONANTS, _VOWELS = list("bcdfghklmnprstvwz"), list("aeiou")
_TRIVIAL = frozenset("of with and without the a an in on for small large black white symbol".split())

# Everyday and scientific words that no crop shows: texts that must not match.
STRANGERS: tuple[str, ...] = tuple(
    """
    axon mitochondrion organelle vesicle membrane cytoplasm tumour embryo tissue section zebrafish mouse
    brain retina muscle bone artery vein lung liver kidney skin hair follicle crypt gland spheroid
    organoid colony plaque crystallite precipitate filament microtubule actin chromosome ribosome virus
    capsid plankton root stomata xylem seed grain rice wheat corn soil rock sand river lake ocean
    mountain range forest street road traffic pavement bridge deck roof wall window frame door floor
    ceiling carpet curtain table chair sofa bed desk shelf cupboard drawer mirror screen keyboard key
    pad cable wire plug socket battery pack engine wheel rim tyre tractor lorry van wagon canoe raft
    shirt sleeve trousers jacket hat glove sock shoe lace belt scarf zip needle thread wool cotton paper
    clip envelope stamp newspaper page book cover map poster painting statue fountain fence gate brick
    tile plank nail screw bolt nut hammer head saw drill pliers wrench set rope chain hook anchor line
    sail net basket bucket barrel jar lid can tin box file parcel crate sack bag wallet purse ring
    necklace bracelet watch strap glasses case helmet mask shield sword arrowhead bow spear drum kit
    flute harp organ pipe bell whistle horn radio television telephone camera lens telescope mount
    microscope slide pipette beaker glass test strip syringe pill capsule shell tablet press bandage
    soup stew salad noodle sausage steak yoghurt butter jam sugar salt pepper flour oil vinegar tea
    juice beer wine water smoke steam dust rain drop hail frost dew fog bank storm lightning rod shadow
    light reflection noise pixel curve edge corner surface hole punch crack scratch stain spot smear
    bubble wrap foam sponge wax clay metal plastic rubber leather marble granite quartz amber pearl
    ivory antler claw fang beak wing tip tail fin gill hoof mane fur scale spine skull cap rib tooth
    brush tongue twister nose ear eye lip cheek chin neck shoulder elbow wrist finger thumb knee ankle
    heel toe person child woman man crowd face portrait dog horse cow sheep lion tiger
    """.split()
)


@dataclass(frozen=True)
class Concepts:
    """The table of everything that a crop can show.

    Attributes
    ----------
    names
        Sprites first (`NAMES`, then emoji), then the keys of `SPECIAL`.
    strangers
        Words that share no stem with any concept.
    relation
        (C + 2, C) int8: 1 where a caption of the row's concept is true of a crop of the column's, 0 where
        it is false, -1 where nobody can say. The last two rows are `NOTHING` and `ANYTHING`.
    """

    names: tuple[str, ...]
    relation: NDArray[np.int8]
    strangers: tuple[str, ...] = ()

    @classmethod
    def of(cls, emoji: Iterable[str] = ()) -> Concepts:
        """Build the table from the drawn names and those of emoji."""
        names = tuple(dict.fromkeys([*NAMES, *sorted(set(emoji)), *SPECIAL]))
        known = set().union(
            *(_stems(name) for name in names), *(_stems(w) for words in SPECIAL.values() for w in words)
        )
        strange = tuple(word for word in STRANGERS if not _stems(word) & (known | _IN_SCENERY))
        return cls(names, _relation(names), strange)

    def index(self, name: str) -> int:
        """Column of a concept."""
        return self.names.index(name)

    def words(self, concept: int) -> tuple[str, ...]:
        """Everything that a concept is called, its usual name first."""
        name = self.names[concept]
        if name in SPECIAL:
            return SPECIAL[name]
        return _NUCLEUS if name == "cell nucleus" else (name, *synonyms(name))


@dataclass(frozen=True)
class Caption:
    """A text with its meaning: a concept (or `ANYTHING`, `NOTHING`), and attributes (-1: not named)."""

    text: str
    concept: int
    attributes: tuple[int, ...] = (-1,) * len(ATTRIBUTES)


def encode(attributes: dict[str, str]) -> tuple[int, ...]:
    """Row of indices for attribute words, -1 where one is missing."""
    return tuple(
        values.index(attributes[kind]) if attributes.get(kind) in values else -1
        for kind, values in ATTRIBUTES.items()
    )


def caption(rng: np.random.Generator, concepts: Concepts, concept: int, attributes: Sequence[int]) -> Caption:
    """Write one true caption of a crop."""
    name = concepts.names[concept]
    many = rng.random() < MANY
    if name in _NUCLEI and rng.random() < 0.12:
        concept = concepts.index("cell")
        return Caption(_said(rng, str(rng.choice(concepts.words(concept))), [], many), concept)
    words = concepts.words(concept)
    if name in SPECIAL:
        if name.endswith(" nucleus") and rng.random() < 0.7:
            concept, words = concepts.index("cell nucleus"), _NUCLEUS
        return Caption(described(str(rng.choice(words)), [], rng), concept)
    if rng.random() < 0.05:
        return Caption(str(rng.choice(_GENERIC)), ANYTHING)
    kinds = [kind for kind, value in zip(ATTRIBUTES, attributes, strict=True) if value >= 0]
    if name == "cell nucleus":
        chosen, named = str(rng.choice(words)), []
        if kinds and rng.random() < 0.4:
            named = [str(rng.choice(kinds))]
    else:
        word, named = choose(rng, words[0], words[1:], kinds)
        chosen = "" if word is None else word
    row = [value if kind in named else -1 for kind, value in zip(ATTRIBUTES, attributes, strict=True)]
    if not chosen:
        concept = ANYTHING
        chosen = str(rng.choice(THINGS)) if rng.random() < 0.6 else ""
    values = [ATTRIBUTES[kind][row[k]] for k, kind in enumerate(ATTRIBUTES) if row[k] >= 0]
    text = _said(rng, chosen, [str(v) for v in rng.permutation(values)], many)
    return Caption(text, concept, tuple(row))


def _said(rng: np.random.Generator, name: str, attributes: list[str], many: bool) -> str:
    """Say a name, "" for attributes alone, of one or of many."""
    if many and name:
        return described(plural(name), attributes, rng, _OF_MANY)
    return described(name, attributes, rng)


@cache
def plural(name: str) -> str:
    """Say a name of many; one that speaks of many already stays as it is."""
    import inflect  # here, because only training needs it

    last = name.split()[-1]
    if last in _PLURALS or (last.endswith("s") and not last.endswith(("ss", "us", "is"))):
        return name
    return inflect.engine().plural_noun(name)


def strangers(rng: np.random.Generator, concepts: Concepts, n: int) -> list[Caption]:
    """Texts that are true of nothing: words that no crop shows, and words that do not exist."""
    texts = []
    for _ in range(n):
        if rng.random() < 0.6:
            word = str(rng.choice(concepts.strangers))
        else:
            syllables = int(rng.integers(2, 5))
            word = "".join(
                c + v
                for c, v in zip(
                    rng.choice(_CONSONANTS, syllables), rng.choice(_VOWELS, syllables), strict=True
                )
            )
        texts.append(Caption(_said(rng, word, [], rng.random() < MANY), NOTHING))
    return texts


def truth(
    captions: Sequence[Caption],
    concepts: Concepts,
    concept: NDArray[np.integer],
    attributes: NDArray[np.integer],
) -> NDArray[np.int8]:
    """Say which captions are true of which crops.

    Parameters
    ----------
    captions
        T captions.
    concepts
        The table that their concepts, and those of the crops, index.
    concept
        (N,) concept of each crop.
    attributes
        (N, K) attributes of each crop, -1 where unknown.

    Returns
    -------
    ndarray, (N, T) int8
        1 true, 0 false, -1 unknown: one false part makes the whole false.
    """
    rows = np.array([c.concept for c in captions])
    answer: NDArray[np.int8] = concepts.relation[rows][:, concept].T.copy()
    asked = np.array([c.attributes for c in captions])
    for k in range(attributes.shape[1]):
        named, seen = asked[None, :, k], attributes[:, k, None]
        wrong = (named >= 0) & (seen >= 0) & (named != seen)
        unsure = (named >= 0) & (seen < 0)
        answer[unsure & (answer == 1)] = -1
        answer[wrong] = 0
    return answer


def _stems(name: str) -> set[str]:
    words = [name, *synonyms(name)]
    parts = {word for phrase in words for word in re.findall(r"[a-z]{3,}", phrase.lower())} - _TRIVIAL
    return {re.sub(r"(ies|y)$", "i", part).removesuffix("s") for part in parts}


def _relation(names: tuple[str, ...]) -> NDArray[np.int8]:
    n = len(names)
    table = np.zeros((n + 2, n), dtype=np.int8)
    table[:n] = np.eye(n, dtype=np.int8)
    stems = [_stems(name) for name in names]
    drawn = len(NAMES)
    sprites = [k for k, name in enumerate(names) if name not in SPECIAL]
    for i in sprites:
        for j in sprites:
            # "fish" and "tropical fish": true or not is a matter of taste. The drawn names are all distinct.
            if i != j and (i >= drawn or j >= drawn) and stems[i] & stems[j]:
                table[i, j] = -1
    at = {name: k for k, name in enumerate(names)}
    for kind in ("fluorescent nucleus", "tissue nucleus"):
        table[at["cell nucleus"], at[kind]] = 1
        table[at[kind], at["cell nucleus"]] = -1
    table[at["cell"], [at[kind] for kind in _NUCLEI]] = 1  # what most people call them
    table[at["cell"], [at[kind] for kind in ("neuron", "bacterium", "cluster of nuclei")]] = -1
    table[at["cell"], at["red blood cell"]] = 1
    table[at["background"], at["tissue background"]] = 1
    anything = table[ANYTHING]
    anything[:] = 1
    anything[[at["background"], at["tissue background"], at["part"]]] = 0
    anything[[at["group"], at["cluster of nuclei"]]] = -1
    scenery = at["scenery"]
    maybe = [k for k, name in enumerate(names) if _stems(name) & _IN_SCENERY]
    table[[*maybe, at["background"], at["group"], at["part"], ANYTHING], scenery] = -1
    table[scenery, at["background"]] = -1
    return table
