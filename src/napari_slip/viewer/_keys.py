"""Keys: bound to our layers only, and to the dock while one types in it; changed in napari's preferences.

napari's own page of shortcuts has no room for a plugin's layers: its groups are fixed, and what stands beside
them counts as a key of the viewer, which no layer of any kind may use too. So the keys are settings of the
plugin, which napari shows on a page of their own and keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet

from app_model.backends.qt import qkeysequence2modelkeybinding
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QKeySequence

if TYPE_CHECKING:
    from app_model.types import KeyBinding
    from napari.layers import Layer

    from napari_slip.viewer._decisions import Decisions

Where = Literal["layer", "dock"]


@dataclass(frozen=True)
class Key:
    """One key, as it is at first.

    Parameters
    ----------
    action : str
        Method of `Decisions`; of the dock for what only the dock does.
    layer, dock : str
        The key on our layers, and in the dock, where letters are for typing; written as Qt writes it.
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
    Key("previous_best", "Shift+N", "Alt+Up", "previous by score"),
    Key("next_uncertain", "U", "Alt+U", "next by uncertainty"),
    Key("find_similar", "S", "Alt+S", "find similar, and back"),
    Key("whole_or_part", "W", "Alt+W", "whole or part"),
    Key("refine", "C", "Alt+C", "correct by clicks, and stop"),
    Key("split", "K", "Alt+K", "split by clicks, and stop"),
    Key("merge", "J", "Alt+J", "join the chosen objects"),
    Key("fill_holes", "H", "Alt+H", "fill their holes"),
    Key("smooth", "O", "Alt+O", "smooth their outlines"),
    Key("remove", "X", "Alt+X", "remove them"),
    Key("apply", "Return", "Alt+Return", "apply what is shown"),
    Key("discard", "Esc", "Esc", "discard it; stop the run"),
    Key("review", "V", "Alt+V", "review the unsure, and stop"),
    Key("undo", "Ctrl+Z", "Alt+Z", "undo"),
    Key("redo", "Ctrl+Shift+Z", "Alt+Shift+Z", "redo"),
)

TURNS = (
    Key("next_image", "", "Ctrl+PgDown", "next image"),
    Key("previous_image", "", "Ctrl+PgUp", "previous image"),
)
"""What only the dock does."""

TYPING = (("", "Return", "look for the text"), ("", "Up, Down", "earlier texts"))
"""Keys of every line of text with a history."""

GROUPS: dict[Where, str] = {"layer": "on_layers", "dock": "in_dock"}
"""What the settings call them."""

# Of all docks, since two of them may bind the layers of one image.
_open: WeakSet[Keys] = WeakSet()


class Keys(QObject):
    """The keys as a person has set them.

    Parameters
    ----------
    decisions : Decisions
        What they do.
    """

    changed = Signal()
    """Other keys."""

    def __init__(self, decisions: Decisions, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._decisions = decisions
        self._layers: WeakSet[Layer] = WeakSet()
        self._settings = _settings()
        self._bound: dict[KeyBinding, _Call] = {}
        self._read()
        _open.add(self)
        for group in self._settings.values():
            group.events.connect(self._set_anew)

    def dispose(self) -> None:
        """Let go of layers and settings."""
        _open.discard(self)
        for layer in list(self._layers):
            self.unbind(layer)
        for group in self._settings.values():
            group.events.disconnect(self._set_anew)

    def of(self, action: str, where: Where) -> str:
        """Return a key as people read it; empty if there is none, or another action has it already."""
        return self._taken[where].get(action, "")

    def bind(self, layer: Layer) -> None:
        """Let our keys act on a layer of ours."""
        self._layers.add(layer)
        for binding, call in self._bound.items():
            layer.bind_key(binding, call, overwrite=True)

    def unbind(self, layer: Layer) -> None:
        """Give a layer its own keys back."""
        self._layers.discard(layer)
        for binding in self._bound:
            layer.bind_key(binding, None, overwrite=True)
        for other in _open:
            if layer in other._layers:  # of another dock over the same image
                other.bind(layer)

    def in_words(self) -> list[tuple[str, str, str]]:
        """Return the table that stands in the dock: key on our layers, key in the dock, what it does."""
        rows = [(self.of(k.action, "layer"), self.of(k.action, "dock"), k.text) for k in (*KEYS, *TURNS)]
        return [("<b>our layers</b>", "<b>dock</b>", ""), *rows, *TYPING]

    def _read(self) -> None:
        self._taken: dict[Where, dict[str, str]] = {where: self._free(where) for where in GROUPS}
        self._bound = {
            qkeysequence2modelkeybinding(QKeySequence(text)): _Call(self._decisions, action)
            for action, text in self._taken["layer"].items()
        }

    def _free(self, where: Where) -> dict[str, str]:
        """Return what can be used of what is set: a key that two have belongs to the first of them."""
        found: dict[str, str] = {}
        group = self._settings.get(where)
        for key in (*KEYS, *TURNS):
            text = QKeySequence(str(getattr(group, key.action, getattr(key, where)))).toString()
            if text and "," not in text and text not in found.values():
                found[key.action] = text
        return found

    def _set_anew(self, event: Any = None) -> None:
        layers = list(self._layers)
        for layer in layers:
            self.unbind(layer)
        self._read()
        for layer in layers:
            self.bind(layer)
        self.changed.emit()


def _settings() -> dict[Where, Any]:
    """Return the groups of settings that napari keeps; none where napari does not know the plugin."""
    from napari.settings import get_plugin_settings

    try:
        ours = get_plugin_settings("napari-slip")
    except KeyError:  # run from the tree, say
        return {}
    return {where: getattr(ours, name) for where, name in GROUPS.items()}


class _Call:
    """Calls a method, with the image in front whose layer the key was pressed on."""

    def __init__(self, decisions: Decisions, action: str) -> None:
        self._decisions, self._action = decisions, action
        self.__name__ = (
            f"slip_{action}"  # which napari asks of all that is bound, with each key that is pressed
        )

    def __call__(self, layer: Any) -> None:
        if self._decisions.turn_to(layer):
            getattr(self._decisions, self._action)()
