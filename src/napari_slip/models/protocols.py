"""What the chain asks of a model that compares pictures with texts; another is one module that does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_slip.progress import Progress


@dataclass(frozen=True)
class Calibration:
    """How a cosine becomes a score that means the same for every prompt.

    ``sigmoid(a * (cosine - rival) + b)``, where the rival is the best of the negatives and null prompts.

    Parameters
    ----------
    a, b : float
        Slope and offset, fitted on validation scenes and kept on the model card.
    null_prompts : tuple of str
        Texts that every match must beat, so that "nothing matches" is an answer.
    """

    a: float = 100.0
    b: float = 0.0
    null_prompts: tuple[str, ...] = ("background", "texture", "something")


@dataclass(frozen=True)
class EncoderCard:
    """What a dual encoder says of itself.

    Parameters
    ----------
    name : str
        Registry name or path.
    hash : str
        ``sha256:...`` of its weights.
    image_size : int
        Side of the square pictures that it takes, in pixels.
    mean : tuple of float
        Its training data's mean colour, 0..1; what lies outside of a mask is painted with it.
    templates : tuple of str
        Sentences with one ``{}`` whose embeddings are averaged.
    calibration : Calibration
        From cosine to score.
    vocabulary : frozenset of str, optional
        The words that it was trained on; None if it knows (about) every word.
    """

    name: str
    hash: str
    image_size: int
    mean: tuple[float, float, float]
    templates: tuple[str, ...] = ("a photo of a {}.",)
    calibration: Calibration = field(default_factory=Calibration)
    vocabulary: frozenset[str] | None = None


@runtime_checkable
class DualEncoder(Protocol):
    """An image encoder and a text encoder into one space, as CLIP has them."""

    @property
    def card(self) -> EncoderCard:
        """What the encoder says of itself."""

    def encode_images(
        self, pictures: NDArray[np.uint8], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed (N, S, S, 3) uint8 RGB pictures as (N, D) float32 rows of unit length."""

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as (N, D) float32 rows of unit length."""
