"""What is looked for, and against what: the texts of one match, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Prompts:
    """The texts of one match.

    Parameters
    ----------
    names : tuple of str
        P classes; of a plain prompt, the prompt.
    phrases : tuple of str
        All phrases, one class after the other.
    starts : tuple of int
        Where each class begins in `phrases`.
    rivals : tuple of str
        The negatives and the null prompts.
    own_rival : (len(phrases), len(rivals)) bool array
        Where a phrase stands among the null prompts too, and so must not compete with itself.
    """

    names: tuple[str, ...]
    phrases: tuple[str, ...]
    starts: tuple[int, ...]
    rivals: tuple[str, ...]
    own_rival: NDArray[np.bool_]

    @classmethod
    def read(
        cls,
        prompts: Sequence[str] | Mapping[str, Sequence[str]],
        negatives: Sequence[str],
        null_prompts: Sequence[str],
    ) -> Prompts:
        """Check what a user gave.

        Raises
        ------
        InputError
            If there is no prompt, a text is blank, a name is given twice, or a prompt is a negative too.
        """
        named = isinstance(prompts, Mapping)
        given = (
            list(prompts.items()) if isinstance(prompts, Mapping) else [(text, (text,)) for text in prompts]
        )
        classes: dict[str, list[str]] = {}
        for raw, texts in given:
            tidy = _text(raw, "prompt")
            name = raw if named else tidy  # the name of a class is its owner's
            if isinstance(texts, str) or not texts:
                raise InputError(
                    f"The class {name!r} has the phrases {texts!r}, but a list of texts is expected."
                )
            if name in classes:
                raise InputError(f"The prompt {name!r} is given twice: give each prompt once.")
            classes[name] = [_text(text, "prompt") for text in texts]
        if not classes:
            raise InputError("There is no prompt: give at least one text that says what to look for.")
        rivals = [*(_text(negative, "negative") for negative in negatives), *null_prompts]
        phrases = tuple(phrase for group in classes.values() for phrase in group)
        against = {negative.casefold() for negative in rivals[: len(negatives)]}
        if both := [phrase for phrase in phrases if phrase.casefold() in against]:
            raise InputError(f"{both[0]!r} is both a prompt and a negative: take it out of one of them.")
        own = [[phrase.casefold() == rival.casefold() for rival in rivals] for phrase in phrases]
        return cls(
            names=tuple(classes),
            phrases=phrases,
            starts=tuple(np.cumsum([0, *map(len, classes.values())])[:-1].tolist()),
            rivals=tuple(rivals),
            own_rival=np.asarray(own, bool).reshape(len(phrases), len(rivals)),
        )

    def best(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Reduce the (N, phrases) scores to (N, P): of each class the best phrase."""
        best: NDArray[np.float32] = np.maximum.reduceat(scores, self.starts, axis=1)
        return best

    def by_name(self) -> dict[str, tuple[str, ...]]:
        """Return each class's phrases."""
        ends = (*self.starts[1:], len(self.phrases))
        return {n: self.phrases[a:b] for n, a, b in zip(self.names, self.starts, ends, strict=True)}


def _text(text: object, role: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"The {role} {text!r} is blank, but a text that names something is expected.")
    return " ".join(text.split())
