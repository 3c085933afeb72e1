"""Folders of models on the Hugging Face hub: fetched once, then found without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slip.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slip.progress import Progress

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of the files that may hold a model's weights, the safer format first."""

SMALL_FILES = ("*.json", "merges.txt")
"""What else a model of transformers needs."""

TOKENIZER_FILES = ("tokenizer.json", "vocab.json")
"""Names of the files, one of which says how a CLIP cuts texts."""


class Unfetched(Exception):
    """Why a model of the hub could not be had, as part of a sentence."""


def is_hub_name(name: str) -> bool:
    """Whether a name looks like ``owner/model``; what ends like weights is a path that was meant."""
    if name.endswith((".pth", ".pt", ".safetensors", ".bin", ".onnx")):
        return False
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name) is not None


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` says that no network is to be asked, neither the hub's nor any other."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def kept_folder(
    repository: str, revision: str = "", weights: str = "", either: Sequence[str] = ()
) -> Path | None:
    """Return the folder of a model that was fetched whole, without asking the network.

    Parameters
    ----------
    repository : str
        ``owner/name``.
    revision : str
        Which one; the newest that was fetched if empty.
    weights : str
        The file of weights; any of `WEIGHT_FILES` if empty.
    either : sequence of str
        Files of which one is needed too: other programs fetch into this cache, and only what they need.

    Returns
    -------
    Path, optional
        In the hub's own cache, which ``HF_HOME`` moves.
    """
    from huggingface_hub import try_to_load_from_cache

    for name in [weights] if weights else WEIGHT_FILES:
        path = try_to_load_from_cache(repository, name, revision=revision or None)
        if not isinstance(path, str) or not (Path(path).parent / "config.json").is_file():
            continue
        if not either or any((Path(path).parent / file).is_file() for file in either):
            return Path(path).parent
    return None


def fetch_folder(
    repository: str,
    revision: str = "",
    weights: str = "",
    also: Sequence[str] = SMALL_FILES,
    progress: Progress | None = None,
) -> Path:
    """Fetch a model of the hub into the hub's own cache; what has arrived is not fetched again.

    Parameters
    ----------
    repository, revision, weights : str
        As for `kept_folder`.
    also : sequence of str
        Patterns of the other files that are needed.
    progress : Progress, optional
        Hears ``("download", done, total)`` in bytes, and can stop it.

    Returns
    -------
    Path

    Raises
    ------
    Unfetched
        If the model cannot be had.
    Cancelled
        If `progress` was cancelled.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        # asked first: without a network this fails at once, where the download would try for long
        info = HfApi().model_info(repository, revision=revision or None, timeout=30)
        if not weights:
            files = {file.rfilename for file in info.siblings or ()}
            weights = next((file for file in WEIGHT_FILES if file in files), "")
            if not weights:
                raise Unfetched(f"it has no {' or '.join(WEIGHT_FILES)}: expected a model for transformers")
        patterns = [*also, weights]
        bar = _bar(progress)
        folder = snapshot_download(
            repository, revision=revision or None, allow_patterns=patterns, tqdm_class=bar
        )
    except (Cancelled, Unfetched):
        raise
    except GatedRepoError as error:
        raise Unfetched("its owner hands it out only to those who were granted access") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise Unfetched("the hub has no such model that may be read without signing in") from error
    except Exception as error:  # whatever the network, the server and the disk can do
        raise Unfetched(_told(error)) from error
    return Path(folder)


def _told(error: Exception) -> str:
    """Say what went wrong, as part of a sentence."""
    if offline():
        return "HF_HUB_OFFLINE is set"
    # by name, because the library that the hub's client connects with is not always the same
    names = {kind.__name__ for kind in type(error).__mro__}
    if "TimeoutException" in names:
        return "the hub does not answer in time"
    if names & {"ConnectError", "ConnectionError"}:
        return "there is no connection to the hub"
    if "TransportError" in names:
        return "the connection to the hub broke"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _bar(progress: Progress | None) -> type[Any]:
    """Return a class that the hub takes for a progress bar and that draws nothing."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # The hub has three bars; only this one counts all bytes, those that were there before too.
            self._counts = kwargs.get("name") == "huggingface_hub.snapshot_download"
            self._done = int(kwargs.get("initial") or 0)
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self._done += int(n or 0)
            if progress is not None and self._counts:
                total = int(self.total or 0)
                progress("download", min(self._done, total), total)

    return Bar
