"""Whether half precision pays on this machine.

Output-changing: bfloat16 has 8 bits of mantissa, so masks come out a little different. It is used for the
image encoder alone, which is most of the arithmetic and whose layer norms forgive it.
"""

from __future__ import annotations

import time
from functools import lru_cache

import torch

PAYS = 1.3
"""Gain from which on bfloat16 is used."""


@lru_cache
def bfloat16_pays(device: torch.device) -> bool:
    """Measure, once for a device, whether it multiplies matrices of a transformer's size faster in bfloat16.

    Processors without instructions for it take several times as long, those with them a third of the time.
    """
    if device.type == "mps" or (
        device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        return False
    return _seconds(device, torch.float32) > PAYS * _seconds(device, torch.bfloat16)


def _seconds(device: torch.device, dtype: torch.dtype) -> float:
    left = torch.ones(512, 768, device=device, dtype=dtype)
    right = torch.ones(768, 768, device=device, dtype=dtype)
    times = []
    for _ in range(4):  # the first one also sets things up
        _wait(device)
        start = time.perf_counter()
        left @ right
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
