"""Which words of a prompt a model has been trained on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slip.models.protocols import EncoderCard

# Words that every caption has and that say nothing about an object.
_FILLERS = frozenset({"a", "an", "and", "in", "is", "of", "on", "or", "that", "the", "with"})


def words(text: str) -> list[str]:
    """Split a text into words, in lower case: letters and digits, with hyphens and apostrophes inside."""
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.lower())


def known_words(prompt: str, card: EncoderCard) -> list[str]:
    """Return the words of a prompt that a model was trained on.

    A word counts also by the parts of its hyphens and by the singular of a plural; words such as "a" and "of"
    are always known.

    Parameters
    ----------
    prompt : str
        What a user typed.
    card : EncoderCard
        The model's card; without a vocabulary it knows every word.

    Returns
    -------
    list of str
        In lower case, in the prompt's order.
    """
    return [word for word in words(prompt) if _knows(card, word)]


def unknown_words(prompt: str, card: EncoderCard) -> list[str]:
    """Return the words of a prompt that a model was never trained on; see `known_words`."""
    return [word for word in words(prompt) if not _knows(card, word)]


def _knows(card: EncoderCard, word: str) -> bool:
    vocabulary = card.vocabulary
    if vocabulary is None or word in _FILLERS:
        return True
    forms = (word, word.removesuffix("s"), word.removesuffix("es"), re.sub("ies$", "y", word))
    parts = re.split("['-]", word)
    return any(form in vocabulary for form in forms) or (
        len(parts) > 1 and all(not part or _knows(card, part) for part in parts)
    )
