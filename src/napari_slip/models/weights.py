"""Files of weights: where they lie, how they are fetched, how they are read safely."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from napari_slip.errors import Cancelled, ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_slip.models.registry import Weights
    from napari_slip.progress import Progress

FOLDER_VARIABLE = "NAPARI_SLIP_MODELS"
"""Environment variable that names a folder in which weights are looked for first."""


def models_folder() -> Path:
    """Return the folder where weights are kept: ``$NAPARI_SLIP_MODELS``, or one in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("napari-slip") / "models"


def fetch(remote: Weights, progress: Progress | None = None) -> Path:
    """Return the path of a file of weights, downloading it if it is not there yet.

    A download goes to a temporary file that takes its name only when its hash is right, so that a cut
    connection or a full disk leaves nothing behind that looks like weights.

    Parameters
    ----------
    remote : Weights
        What is wanted.
    progress : Progress, optional
        Hears ``("download", done, total)`` in bytes, and can stop it.

    Returns
    -------
    Path

    Raises
    ------
    ModelError
        If the file can neither be found nor downloaded, or arrives damaged.
    Cancelled
        If `progress` was cancelled.
    """
    import pooch

    folder = models_folder()
    path = folder / remote.file
    if path.is_file():
        return path
    pooch.get_logger().setLevel(logging.WARNING)  # who wants to hear of the download passes a progress
    downloader = pooch.HTTPDownloader(progressbar=_Bar(progress, remote.size), timeout=30)
    try:
        pooch.retrieve(
            remote.url, f"sha256:{remote.sha256}", fname=remote.file, path=folder, downloader=downloader
        )
    except Cancelled:
        raise
    except ValueError as error:  # what pooch raises for a wrong hash
        raise ModelError(
            f"{remote.url} gave a file whose hash is not the known one, so it was thrown away: try again, "
            f"or put {remote.file} into {folder} yourself."
        ) from error
    except Exception as error:  # whatever the network, the server and the disk can do
        raise ModelError(
            f"{remote.file} ({remote.size / 1e6:.0f} MB) is not in {folder} and could not be downloaded "
            f"({_brief(error)}): fetch {remote.url} where there is a network, and put the file there."
        ) from error
    return path


def sha256_of(path: Path) -> str:
    """Return ``sha256:...`` of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a network's tensors from a checkpoint of torch or safetensors, running no code from it.

    Parameters
    ----------
    path : Path
        A file as ``torch.save`` or safetensors writes it.

    Returns
    -------
    dict of str to Tensor
        On the processor, mapped from the file where its format allows it.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or holds anything but tensors.
    """
    import torch
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(
            f"There is no file {path}: expected the path of a checkpoint (.pth, .pt or .safetensors)."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():  # about old pickle protocols, which nobody here can answer
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "unsupported global" in str(error).lower():
            raise ModelError(
                f"{path} was not loaded because it holds more than numbers, and reading such a pickle can "
                "run any program: expected tensors only, so save its state_dict, or use safetensors."
            ) from error
        raise _damaged(path) from error
    except Exception as error:  # what an unpickler makes of arbitrary bytes can be anything
        raise _damaged(path) from error
    if not (isinstance(state, dict) and state and all(isinstance(v, torch.Tensor) for v in state.values())):
        raise ModelError(f"{path} holds no network: expected a state_dict, which maps names to tensors.")
    return state


def _damaged(path: Path) -> ModelError:
    return ModelError(
        f"{path} cannot be read as a checkpoint; it may have been cut off on its way, or be no file of "
        "weights at all: expected what torch.save or safetensors wrote, so fetch or copy it again."
    )


def _brief(error: Exception) -> str:
    """Return the first line of an error, which for some libraries is the only one short enough to show."""
    line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {line[:120]}" if line else type(error).__name__


class _Bar:
    """What pooch takes for a progress bar, told on to a `Progress`."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._done = 0
        self.total: Any = total

    def update(self, n: int) -> None:
        """Count `n` more bytes."""
        self._done += n
        if self._progress is not None:
            self._progress("download", min(self._done, int(self.total)), int(self.total))

    def reset(self) -> None:
        """Count from nothing."""
        self._done = 0

    def close(self) -> None:
        """Do nothing: there is nothing to tidy up."""
