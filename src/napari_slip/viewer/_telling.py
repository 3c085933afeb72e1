"""What goes wrong in what a person asks for becomes one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from napari_slip.errors import SlipError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_slip.viewer._desk import Desk

P = ParamSpec("P")


@contextmanager
def telling(desk: Desk) -> Iterator[None]:
    """Do what is within as far as it goes, and let the desk tell why it went no further."""
    try:
        yield
    except SlipError as error:
        desk.fail(str(error))


def told(action: Callable[Concatenate[Desk, P], None]) -> Callable[Concatenate[Desk, P], None]:
    """Make what goes wrong in an action of a desk one notification."""

    @wraps(action)
    def wrapped(desk: Desk, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with telling(desk):
            action(desk, *args, **kwargs)

    return wrapped
