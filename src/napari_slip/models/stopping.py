"""Stopping a network that is running."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_slip.progress import Progress


@contextmanager
def stoppable(module: nn.Module, progress: Progress) -> Iterator[None]:
    """Let `progress` stop a network before each of its blocks, for as long as the context lasts.

    Parameters
    ----------
    module : Module
        Its direct children, and the members of their lists, are what it can stop before.
    progress : Progress
        Asked by the thread that entered the context only: another one may be running the same network.
    """
    thread = threading.get_ident()

    def check(*_: Any) -> None:
        if threading.get_ident() == thread:
            progress.check()

    hooks = [block.register_forward_pre_hook(check) for block in _blocks(module)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, nn.ModuleList | nn.Sequential):
            yield from child
        else:
            yield child
