"""How commands end: in a sentence and an exit code, never in a traceback."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import typer

from napari_slip.errors import SlipError

if TYPE_CHECKING:
    from collections.abc import Callable

DONE, SOME_FAILED, USAGE, STOPPED = 0, 1, 2, 130
"""Exit codes; 130 is what shells expect of a program that Ctrl-C ended."""

P = ParamSpec("P")


def say(sentence: str) -> None:
    """Tell a person something, on stderr."""
    typer.echo(sentence, err=True)


def fail(sentence: str, code: int = USAGE) -> NoReturn:
    """End the command with a sentence."""
    say(sentence)
    raise typer.Exit(code)


def sentences(command: Callable[P, None]) -> Callable[P, None]:
    """Decorate a command so that what the user can mend, and Ctrl-C, end it in a sentence.

    Most files are asked about where they are used; what is left are folders that may not be written, full
    disks and the like.
    """

    @functools.wraps(command)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SlipError as error:
            fail(str(error))
        except OSError as error:
            if error.filename is None:
                raise
            fail(
                f"{error.filename} could not be read or written ({error.strerror}): check that it is there, "
                "that you may use it, and that the disk is not full."
            )
        except KeyboardInterrupt:
            fail("Stopped before it was done.", STOPPED)

    return spoken
