"""Whether half precision pays on this machine.

Output-changing: bfloat16 has 8 bits of mantissa, so results come out a little different. It is used for the
image encoders alone, which are most of the arithmetic and whose layer norms forgive it.
"""

from __future__ import annotations

import contextlib
import json
import platform
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import platformdirs
import torch

from napari_slip.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAYS = 1.3
"""Gain from which on bfloat16 is used."""


_settled: dict[str, bool] = {}  # by type of device


@contextlib.contextmanager
def settled(device: torch.device, bfloat16: bool) -> Iterator[None]:
    """Within the block, use bfloat16 on a device or do not, whichever is faster.

    An earlier run is repeated to the same pixels only in the precision of that run.

    Parameters
    ----------
    device : torch.device
    bfloat16 : bool
    """
    before = dict(_settled)
    _settled[device.type] = bfloat16
    try:
        yield
    finally:
        _settled.clear()
        _settled.update(before)


def bfloat16_pays(device: torch.device) -> bool:
    """Tell whether to use bfloat16 on a device: if it is faster there, unless it is `settled` otherwise.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    bool
    """
    return _settled[device.type] if device.type in _settled else _faster(device)


@lru_cache
def _faster(device: torch.device) -> bool:
    """Tell whether matrices of a transformer's size are multiplied faster in bfloat16 on a device.

    Processors without instructions for it take several times as long, those with them a third of the time.
    It is measured once and kept in the user's cache folder, so that a busy moment does not change the masks
    of the next start.
    """
    if device.type == "mps" or (
        device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        return False
    file = platformdirs.user_cache_path("napari-slip") / "precision.json"
    kept, machine = _read(file), _machine(device)
    if machine not in kept:
        kept[machine] = _seconds(device, torch.float32) > PAYS * _seconds(device, torch.bfloat16)
        _write(file, kept)
    return kept[machine]


def _machine(device: torch.device) -> str:
    """Name what the answer depends on."""
    if device.type == "cuda":
        return f"torch {torch.__version__}, {torch.cuda.get_device_name(device)}"
    processor = f"{platform.node()} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return f"torch {torch.__version__}, {processor}"


def _read(file: Path) -> dict[str, bool]:
    try:
        kept = json.loads(file.read_text())
    except (OSError, ValueError):  # not there, or damaged: measured again
        return {}
    return {k: v for k, v in kept.items() if isinstance(v, bool)} if isinstance(kept, dict) else {}


def _write(file: Path, kept: dict[str, bool]) -> None:
    """Keep the answers, whole or not at all; where nothing can be written, they are measured each time."""
    with contextlib.suppress(OSError), replacing(file) as unfinished:
        unfinished.write_text(json.dumps(kept, indent=1))


def _seconds(device: torch.device, dtype: torch.dtype) -> float:
    left = torch.ones(512, 768, device=device, dtype=dtype)
    right = torch.ones(768, 768, device=device, dtype=dtype)
    times = []
    for _ in range(8):  # the first one also sets things up
        _wait(device)
        start = time.perf_counter()
        left @ right
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
