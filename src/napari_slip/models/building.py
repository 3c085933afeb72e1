"""From a folder as transformers writes it to a network with exactly the weights that lie there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_slip.errors import ModelError
from napari_slip.models.cards import read_json
from napari_slip.models.hub import WEIGHT_FILES
from napari_slip.models.weights import read_state

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer


def build(config_class: Any, network_class: Any, folder: Path) -> tuple[Any, Any, Path]:
    """Build a network without filling it with random numbers first; every weight must arrive.

    Nothing but numbers and settings is taken from the folder, never a program.

    Parameters
    ----------
    config_class, network_class : type
        Of transformers.
    folder : Path
        With ``config.json`` and the weights.

    Returns
    -------
    config, network
        The network is in evaluation mode, on the processor.
    weights : Path
        The file that was read.

    Raises
    ------
    ModelError
        If the folder holds something else, or not all of it.
    """
    values = read_json(folder / "config.json")
    weights = find_weights(folder)
    kind = network_class.__name__.removesuffix("Model")
    try:
        config = config_class.from_dict(values)
    except Exception as error:  # its validation has errors of its own
        raise ModelError(
            f"{folder / 'config.json'} describes no {kind} that can be built: fetch or copy it again."
        ) from error
    state = read_state(weights)
    with torch.device("meta"):
        network = network_class(config)
    fill(network, state, weights, f"{kind} as its config.json describes it")
    # the only numbers of such a network that are not among its weights
    for module in network.modules():
        if "position_ids" in dict(module.named_buffers(recurse=False)):
            module.position_ids = torch.arange(module.position_ids.shape[-1])[None]
    return config, network.float().requires_grad_(False).eval(), weights


def from_pretrained(network_class: Any, folder: Path, config: Any = None) -> Any:
    """Let transformers build a network, which knows how the names in older files have changed since.

    Parameters
    ----------
    network_class : type
        Of transformers; never one that comes with the weights.
    folder : Path
        With ``config.json`` and the weights.
    config : PreTrainedConfig, optional
        Instead of what ``config.json`` says of such a network.

    Returns
    -------
    network
        In evaluation mode, in float32, on the processor.

    Raises
    ------
    ModelError
        If the folder holds something else, or not all of it.
    """
    from transformers.utils import logging

    weights = find_weights(folder)
    read_state(weights)  # says what is wrong with them
    what = f"{network_class.__name__.removesuffix('Model')} as its config.json describes it"
    loudness = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        network, report = network_class.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,
        )
        problem = ", ".join(sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))[:1])
    except Exception as error:  # what transformers makes of a damaged folder can be anything
        problem = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise ModelError(f"{weights} is no {what} ({problem}): fetch or copy it again.") from error
    finally:
        logging.set_verbosity(loudness)
        logging.enable_progress_bar()
    if problem:
        raise ModelError(f"{weights} is no {what} (it lacks {problem}): fetch or copy it again.")
    return network.requires_grad_(False).eval()


def fill(network: Any, state: dict[str, Any], path: Path, what: str) -> None:
    """Give a network its weights, all of them.

    Raises
    ------
    ModelError
        If a weight is missing or of another shape.
    """
    try:
        missing, _ = network.load_state_dict(state, strict=False, assign=True)
        problem = f"it lacks {missing[0]}" if missing else ""
    except RuntimeError as error:
        problem = (str(error).splitlines()[1:] or [str(error)])[0].strip()[:160]
    if problem:
        raise ModelError(f"{path} is no {what} ({problem}): fetch or copy it again.")


def read_tokenizer(folder: Path, longest: int) -> Tokenizer:
    """Read a tokenizer that cuts texts off and does not fill them up.

    Parameters
    ----------
    folder : Path
        With ``tokenizer.json``.
    longest : int
        Tokens of a text that are read.

    Raises
    ------
    ModelError
        If it is missing or damaged.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # a damaged file of tokenizers raises a bare Exception
        raise ModelError(
            f"{folder} has no tokenizer that can be read: expected tokenizer.json; fetch or copy it again."
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer


def find_weights(folder: Path) -> Path:
    """Return the file of weights in a folder, the safer format first.

    Raises
    ------
    ModelError
        If there is none.
    """
    for file in WEIGHT_FILES:
        if (folder / file).is_file():
            return folder / file
    raise ModelError(
        f"{folder} has no {' or '.join(WEIGHT_FILES)}: expected a folder as transformers writes it."
    )
