"""Folders of models on the Hugging Face hub: fetched once, then found without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slip.errors import Cancelled, ModelError

if TYPE_CHECKING:
    from napari_slip.progress import Progress

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of the files that may hold a CLIP's weights, the safer format first."""

_SMALL_FILES = ("*.json", "merges.txt")


def is_hub_name(name: str) -> bool:
    """Whether a name looks like ``owner/model``."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name) is not None


def fetch_folder(name: str, progress: Progress | None = None) -> Path:
    """Return the folder of a model of the hub, downloading what is not there yet.

    Parameters
    ----------
    name : str
        ``owner/model``.
    progress : Progress, optional
        Hears ``("download", done, total)`` in bytes, and can stop it.

    Returns
    -------
    Path
        In the hub's own cache, which ``HF_HOME`` moves.

    Raises
    ------
    ModelError
        If the model is neither in the cache nor can be downloaded.
    Cancelled
        If `progress` was cancelled.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    if kept := _kept(name):
        return kept
    try:
        files = {file.rfilename for file in HfApi().model_info(name, timeout=30).siblings or ()}
        weights = next((file for file in WEIGHT_FILES if file in files), None)
        if weights is None:
            raise ModelError(
                f"{name} on the hub has no {' or '.join(WEIGHT_FILES)}: expected a CLIP for transformers."
            )
        patterns = [*_SMALL_FILES, weights]
        return Path(snapshot_download(name, allow_patterns=patterns, tqdm_class=_bar(progress)))
    except (Cancelled, ModelError):
        raise
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(
            f"There is no model {name!r} on the hub that may be read without signing in: check its name, or "
            "give the "
            "path of a folder."
        ) from error
    except Exception as error:  # whatever the network, the server and the disk can do
        raise ModelError(
            f"{name} is not in the cache and could not be downloaded from the hub ({type(error).__name__}): "
            "connect to "
            "the network once, or give the path of a folder with its files."
        ) from error


def _kept(name: str) -> Path | None:
    """Return the folder of a model that was fetched whole, without asking the network."""
    from huggingface_hub import try_to_load_from_cache

    for weights in WEIGHT_FILES:
        path = try_to_load_from_cache(name, weights)
        if not isinstance(path, str):
            continue
        folder = Path(path).parent
        tokenizer = [folder / file for file in ("tokenizer.json", "vocab.json")]
        if (folder / "config.json").is_file() and any(file.is_file() for file in tokenizer):
            return folder
    return None


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
