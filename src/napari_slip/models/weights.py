"""Files of weights, read without running anything from them."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

from napari_slip.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_WRAPPERS = ("model_state", "model", "state_dict", "model_state_dict")
"""Under which of these names training programs keep a network's state_dict in their checkpoints."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a network's tensors from a checkpoint of torch or safetensors, running no code from it.

    Parameters
    ----------
    path : Path
        A file as ``torch.save`` or safetensors writes it.

    Returns
    -------
    dict of str to Tensor
        On the processor, mapped from the file where its format allows it; all of them finite.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or holds anything but finite tensors.
    """
    import torch
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(
            f"There is no file {path}: expected the path of a checkpoint (.pth, .pt or .safetensors)."
        )
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            _refuse_bombs(path)
            with warnings.catch_warnings():  # about old pickle protocols, which nobody here can answer
                warnings.simplefilter("ignore")
                state = torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        if "unsupported global" in str(error).lower():
            raise ModelError(
                f"{path} was not loaded because it holds more than numbers, and reading such a pickle can "
                "run any program: expected tensors only, so save its state_dict, or use safetensors."
            ) from error
        raise _damaged(path) from error
    except Exception as error:  # what an unpickler makes of arbitrary bytes can be anything
        raise _damaged(path) from error
    if isinstance(state, dict):
        state = next((state[name] for name in _WRAPPERS if isinstance(state.get(name), dict)), state)
    if not (isinstance(state, dict) and state and all(map(_is_plain, state, state.values()))):
        raise ModelError(f"{path} holds no network: expected a state_dict, which maps names to tensors.")
    if packed := next((name for name, values in state.items() if _is_packed(values)), None):
        raise ModelError(
            f"{path} holds numbers of a kind that is not taken ({state[packed].dtype}, in {packed}): "
            "expected a model in float32, float16 or bfloat16."
        )
    if bad := next((name for name, values in state.items() if not _is_finite(values)), None):
        raise ModelError(
            f"{path} holds numbers that are none (NaN or infinite, in {bad}), so that nothing can come of "
            "it: its training has failed, or it was damaged on its way; fetch or copy it again."
        )
    return state


def _refuse_bombs(path: Path) -> None:
    """Refuse an archive that unpacks to more than itself: torch.save compresses nothing."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    total = sum(entry.file_size for entry in entries)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or total > path.stat().st_size:
        raise ModelError(
            f"{path} was not loaded because it is an archive that unpacks to {total / 1e6:.0f} MB from "
            f"{path.stat().st_size / 1e6:.1f} MB: expected what torch.save wrote, which compresses nothing."
        )


def _is_plain(name: Any, value: Any) -> bool:
    import torch

    plain = type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout == torch.strided
    return isinstance(name, str) and plain and value.device.type == "cpu"


def _is_packed(values: Tensor) -> bool:
    """Whether these are numbers of eight bits, which mean nothing without scales that are not here."""
    return values.is_floating_point() and values.dtype.itemsize == 1


def _is_finite(values: Tensor) -> bool:
    import torch

    if not values.is_floating_point() or not values.numel():
        return True
    # what is shown many times over need not be looked at many times
    once = values[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in values.stride())]
    low, high = torch.aminmax(once.detach())
    return bool(torch.isfinite(low) & torch.isfinite(high))


def _damaged(path: Path) -> ModelError:
    return ModelError(
        f"{path} cannot be read as a checkpoint; it may have been cut off on its way, or be no file of "
        "weights at all: expected what torch.save or safetensors wrote, so fetch or copy it again."
    )
