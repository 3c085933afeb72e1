"""How the memory of a GPU is shared: smaller pieces, then the processor; and given back when nobody works."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import torch

from napari_slip.models.devices import free_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

T = TypeVar("T")

# When each network on a GPU was last worked with, and where those at rest came from.
_used: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
_homes: WeakKeyDictionary[Any, torch.device] = WeakKeyDictionary()


def fitting(device: torch.device, bytes_each: int, *, on_processor: int, most: int) -> int:
    """Return how many items should be worked on at once.

    Parameters
    ----------
    device : torch.device
        Where.
    bytes_each : int
        What one item needs at its worst.
    on_processor : int
        How many suit a processor, whose caches decide and not its memory.
    most : int
        Limit on a GPU, which keeps the work stoppable.

    Returns
    -------
    int
        At least 1; on a GPU such that half of the memory that is free suffices.
    """
    if device.type != "cuda":
        return on_processor
    return max(1, min(most, free_memory(device) // 2 // bytes_each))


def in_chunks(items: Tensor, size: int, work: Callable[[Tensor], None]) -> None:
    """Hand on `items` piece by piece, in halves of a piece for which the device's memory does not suffice.

    Parameters
    ----------
    items : (N, ...) Tensor
    size : int
        Items at once.
    work : callable
        Takes some of the items; has no effect when it fails.

    Raises
    ------
    torch.OutOfMemoryError
        If the memory does not suffice for a single item.
    """
    done = 0
    while done < len(items):
        try:
            work(items[done : done + size])
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            torch.cuda.empty_cache()
        else:
            done += size


def sparing(network: Any, name: str, work: Callable[[], T]) -> T:
    """Do some work with a network, on the processor if a GPU's memory does not suffice for the least of it.

    The network stays on the processor, so that there is one notice and not one for each image.

    Parameters
    ----------
    network : Module
        What the work is done with; it says on which `device` it is.
    name : str
        Of the network, for the notice.
    work : callable
        Asks the network where it is each time.

    Returns
    -------
    What the work returns.

    Raises
    ------
    torch.OutOfMemoryError
        If the memory does not suffice on the processor either.
    """
    try:
        if (home := _homes.pop(network, None)) is not None:
            network.to(home)
        return work()
    except torch.OutOfMemoryError:
        if network.device.type == "cpu" and home is None:
            raise
    finally:
        if network.device.type != "cpu":
            _used[network] = time.monotonic()
    warnings.warn(
        f"The GPU has too little free memory for {name}: it runs on the processor from now on.",
        stacklevel=3,
    )
    network.to("cpu")
    torch.cuda.empty_cache()
    return work()


def rest(idle: float = 0.0) -> int:
    """Move networks that nobody works with from a GPU to the processor's memory; `sparing` brings them back.

    To be called by the thread that works with them.

    Parameters
    ----------
    idle : float
        Seconds for which they were not used.

    Returns
    -------
    int
        How many were moved.
    """
    now, moved = time.monotonic(), 0
    for network, last in list(_used.items()):
        if network.device.type != "cpu" and now - last >= idle:
            _homes[network] = network.device
            network.to("cpu")
            del _used[network]
            moved += 1
    if moved:
        torch.cuda.empty_cache()
    return moved
