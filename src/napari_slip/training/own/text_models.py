"""The text half of a new dual encoder: by name from the hub, or from nothing with a tokenizer of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_slip.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenizers import Tokenizer
    from torch import Tensor

LONGEST = 64
"""Tokens of a caption; what follows is cut off."""


def text_model(
    spec: str, texts: Iterable[str], *, pretrained: bool
) -> tuple[dict[str, Any], Tokenizer, dict[str, Tensor] | None]:
    """Find a text model.

    Parameters
    ----------
    spec : str
        A name on the hub or a folder, with `pretrained`; otherwise a type of transformers such as
        ``"distilbert"``, perhaps with settings, ``"distilbert:dim=64,n_layers=2"``.
    texts : iterable of str
        Of which the tokenizer of a new model is learnt.
    pretrained : bool
        Whether published weights are fetched.

    Returns
    -------
    config : dict
        With ``model_type``.
    tokenizer : Tokenizer
        Whose texts begin with a class token.
    weights : dict or None
        None for a random start.
    """
    return _published(spec) if pretrained else _new(spec, texts)


def _new(spec: str, texts: Iterable[str]) -> tuple[dict[str, Any], Tokenizer, None]:
    from napari_slip.training.mini.clip_model import train_tokenizer

    kind, _, rest = spec.partition(":")
    config: dict[str, Any] = {"model_type": kind}
    for setting in filter(None, rest.split(",")):
        name, equals, value = setting.partition("=")
        if not equals:
            raise InputError(
                f"{setting!r} is no setting of a text model: expected NAME=NUMBER, as in distilbert:dim=64."
            )
        try:
            config[name.strip()] = float(value) if "." in value else int(value)
        except ValueError as error:
            raise InputError(f"{name} of the text model is {value!r}, but a number is expected.") from error
    tokenizer = train_tokenizer(texts).backend_tokenizer
    tokenizer.enable_truncation(LONGEST)
    return config | {"vocab_size": tokenizer.get_vocab_size()}, tokenizer, None


def _published(spec: str) -> tuple[dict[str, Any], Tokenizer, dict[str, Tensor]]:
    from pathlib import Path

    from transformers import AutoModel, AutoTokenizer

    from napari_slip.models.hub import fetch_folder, is_hub_name

    if not Path(spec).is_dir() and not is_hub_name(spec):
        raise ModelError(
            f"{spec!r} is no name on the hub and no folder: expected one, such as "
            "distilbert/distilbert-base-uncased."
        )
    folder = Path(spec) if Path(spec).is_dir() else fetch_folder(spec)
    try:
        model = AutoModel.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder).backend_tokenizer
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{spec} holds no text model that transformers can read: expected a folder such as "
            "distilbert-base-uncased."
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    config = {k: v for k, v in model.config.to_diff_dict().items() if isinstance(v, int | float | str | bool)}
    return config | {"model_type": model.config.model_type}, tokenizer, model.state_dict()
