"""Keys: bound to our two layers only, and to the dock while one types in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_slip.viewer._decisions import Decisions


@dataclass(frozen=True)
class Key:
    """One key.

    Parameters
    ----------
    action : str
        Method of `Decisions`.
    layer, dock : str
        The key on our layers, and in the dock, where letters are for typing.
    text : str
        What it does, for people.
    """

    action: str
    layer: str
    dock: str
    text: str


KEYS = (
    Key("accept_current", "A", "Ctrl+Return", "accept the segment"),
    Key("reject_current", "R", "Ctrl+Backspace", "reject it"),
    Key("next_best", "N", "Alt+Down", "next by score"),
    Key("previous_best", "Shift-N", "Alt+Up", "previous"),
    Key("next_uncertain", "U", "Alt+U", "next by uncertainty"),
    Key("find_similar", "S", "Alt+S", "find similar, and back"),
    Key("whole_or_part", "W", "Alt+W", "whole or part"),
    Key("refine", "C", "Alt+C", "correct by clicks, and stop"),
    Key("split", "K", "Alt+K", "split by clicks, and stop"),
    Key("merge", "J", "Alt+J", "join the chosen objects"),
    Key("fill_holes", "H", "Alt+H", "fill their holes"),
    Key("smooth", "O", "Alt+O", "smooth their outlines"),
    Key("remove", "X", "Alt+X", "remove them"),
    Key("apply", "Enter", "Alt+Return", "apply what is shown"),
    Key("discard", "Escape", "Escape", "discard it"),
    Key("review", "V", "Alt+V", "review the unsure, and stop"),
    Key("undo", "Control-Z", "Alt+Z", "undo"),
    Key("redo", "Control-Shift-Z", "Alt+Shift+Z", "redo"),
)


def bind(layer: Layer, decisions: Decisions) -> None:
    """Let our keys act on a layer of ours."""
    for key in KEYS:
        layer.bind_key(key.layer, _Call(decisions, key.action), overwrite=True)


def unbind(layer: Layer) -> None:
    """Give a layer its own keys back."""
    for key in KEYS:
        layer.bind_key(key.layer, None, overwrite=True)


def in_words() -> list[tuple[str, str, str]]:
    """Return the table that stands in the dock: key on the layer, key in the dock, what it does."""
    keys = [(key.layer.replace("Control", "Ctrl"), key.dock, key.text) for key in KEYS]
    typing = [
        ("", "Return", "look for the text"),
        ("", "Up, Down", "earlier texts"),
        ("", "Ctrl+PgDown", "next image"),
        ("", "Ctrl+PgUp", "previous image"),
    ]
    return [("<b>our layers</b>", "<b>dock</b>", ""), *keys, *typing]


class _Call:
    """Calls a method, whatever layer the key was pressed on."""

    def __init__(self, decisions: Decisions, action: str) -> None:
        self._decisions, self._action = decisions, action

    def __call__(self, layer: Any) -> None:
        getattr(self._decisions, self._action)()
