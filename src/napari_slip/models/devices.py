"""Where a network runs."""

from __future__ import annotations

import re

import torch

from napari_slip.errors import InputError


def resolve_device(name: str = "auto") -> torch.device:
    """Find the device that a name means.

    Parameters
    ----------
    name : str
        ``"auto"`` (the best that is there), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Returns
    -------
    torch.device

    Raises
    ------
    InputError
        If the name is none of these, or this machine has no such device.
    """
    if name == "auto":
        return torch.device(_best())
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise InputError(f"{name!r} is no device: expected auto, cpu, cuda, cuda:1 or mps.")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"The device {name!r} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices "
            "here: choose auto or cpu, or install a torch built for this machine's GPU."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"The device {name!r} was asked for, but torch sees none here: choose auto or cpu.")
    return device


def free_memory(device: torch.device) -> int:
    """Return the bytes that may still be taken on a CUDA device; 0 for any other, where it is not known."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
