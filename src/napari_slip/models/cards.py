"""What a CLIP says of itself: the card beside its weights, or what can be said of any CLIP."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from napari_slip.errors import ModelError
from napari_slip.models.protocols import Calibration, EncoderCard

if TYPE_CHECKING:
    from pathlib import Path

CARD = "card.json"

TEMPLATES = ("a photo of a {}.", "a close-up photo of a {}.", "a picture of one {}.", "an image of a {}.")
"""For CLIPs without a card; several sentences beat one (Radford et al., arXiv 2103.00020)."""

# The normalisation that OpenAI's CLIPs were trained with, and those after them have kept.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

Colour = tuple[float, float, float]
"""Red, green and blue, 0..1."""


def read_card(folder: Path, *, name: str, hash: str, image_size: int, logit_scale: float) -> EncoderCard:
    """Read the card of a CLIP.

    ``card.json`` beside the weights may hold ``calibration`` (``{"a": ..., "b": ...}``), ``null_prompts``,
    ``templates`` and ``vocabulary``, a list of words; without words the CLIP knows (about) every word.
    Without a calibration the slope `a` is the CLIP's own logit scale and `b` is 0: the score is then the
    softmax that CLIP was trained with, of the prompt against its best rival.

    Parameters
    ----------
    folder : Path
        Where the weights lie.
    name, hash : str
        Of the CLIP.
    image_size : int
        Side of its pictures, in pixels.
    logit_scale : float
        The logarithm of the scale, as CLIP learns it.

    Returns
    -------
    EncoderCard

    Raises
    ------
    ModelError
        If the card is damaged.
    """
    path = folder / CARD
    mean, _ = normalisation(folder)
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        slope = values.get("calibration", {})
        nulls = tuple(values.get("null_prompts", Calibration.null_prompts))
        calibration = Calibration(
            float(slope.get("a", math.exp(logit_scale))), float(slope.get("b", 0.0)), nulls
        )
        templates = tuple(values.get("templates", TEMPLATES))
        if not all(template.count("{}") == 1 for template in templates) or not templates:
            raise ValueError("templates")
        words = values.get("vocabulary")
        vocabulary = frozenset(word.lower() for word in words) if words else None
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is no card of a CLIP: expected JSON with calibration (a, b), null_prompts, templates "
            f"with one {{}} "
            "each, and vocabulary; mend it or take it away."
        ) from error
    return EncoderCard(name, hash, image_size, mean, templates, calibration, vocabulary)


def normalisation(folder: Path, otherwise: tuple[Colour, Colour] = (MEAN, STD)) -> tuple[Colour, Colour]:
    """Return each colour's mean and standard deviation, 0..1, by which a model's pictures are scaled.

    Parameters
    ----------
    folder : Path
        Of the model.
    otherwise : two times three floats
        Where the folder says nothing.

    Raises
    ------
    ModelError
        If it says something else than three numbers.
    """
    for file in ("preprocessor_config.json", "processor_config.json"):
        values: dict[str, Any] = read_json(folder / file) if (folder / file).is_file() else {}
        inner = values.get("image_processor")
        values = inner if isinstance(inner, dict) else values
        if "image_mean" in values and "image_std" in values:
            try:
                return _three(values["image_mean"]), _three(values["image_std"])
            except (TypeError, ValueError) as error:
                raise ModelError(
                    f"{folder / file} has an image_mean or image_std that is not three numbers: fetch or "
                    "copy it again."
                ) from error
    return otherwise


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds a mapping.

    Raises
    ------
    ModelError
        If it is missing or holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return values
    except FileNotFoundError as error:
        raise ModelError(
            f"{path.parent} has no {path.name}: expected a folder as transformers writes it, with "
            f"{path.name}."
        ) from error
    except (ValueError, OSError) as error:
        raise ModelError(f"{path} cannot be read as JSON: fetch or copy it again.") from error
    raise ModelError(f"{path} holds no settings: fetch or copy it again.")


def _three(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
