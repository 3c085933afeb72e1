"""What the dock remembers from one start to the next."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from napari_slip.errors import SlipError
from napari_slip.session import ClassList, SlipClass
from napari_slip.settings import FilterSettings, MatchSettings
from napari_slip.viewer._engine import ModelChoice

HISTORY = 50

log = logging.getLogger(__name__)


@dataclass
class Memory:
    """The choices of a person, as they were left.

    Parameters
    ----------
    history : list of str
        Texts that were looked for, the latest last.
    negatives : tuple of str
        What a match must beat.
    classes : ClassList
        What a new picture begins with.
    """

    history: list[str] = field(default_factory=list)
    negatives: tuple[str, ...] = ()
    classes: ClassList = field(default_factory=ClassList)
    model: ModelChoice = field(default_factory=ModelChoice)
    filters: FilterSettings = field(default_factory=FilterSettings)
    settings: MatchSettings = field(default_factory=MatchSettings)
    contour: bool = False

    def note(self, text: str) -> None:
        """Put a text at the end of the history."""
        self.history = [*(known for known in self.history if known != text), text][-HISTORY:]

    def write(self) -> None:
        """Write it down; a full disk costs the memory, not the work."""
        content = asdict(self)
        try:
            path().parent.mkdir(parents=True, exist_ok=True)
            path().write_text(json.dumps(content, indent=1), encoding="utf-8")
        except OSError:
            log.warning("the dock's choices could not be written to %s", path(), exc_info=True)

    @classmethod
    def read(cls) -> Memory:
        """Read what `write` left; whatever cannot be read is forgotten."""
        memory = cls()
        try:
            content = json.loads(path().read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return memory
        if isinstance(content, dict):
            for each in fields(cls):
                try:
                    setattr(memory, each.name, _read(each.name, content[each.name]))
                except (KeyError, TypeError, ValueError, AttributeError, SlipError):
                    log.info("the dock has forgotten its %s", each.name)
        return memory


def path() -> Path:
    """Where the dock's choices are kept."""
    return Path(platformdirs.user_config_dir("napari-slip", appauthor=False)) / "dock.json"


def _read(name: str, value: Any) -> Any:
    if name == "history":
        return [str(text) for text in value]
    if name == "negatives":
        return tuple(str(text) for text in value)
    if name == "classes":
        return ClassList(
            tuple(SlipClass(c["name"], c["colour"], tuple(c["phrases"])) for c in value["classes"])
        )
    if name == "model":
        return ModelChoice(**value)
    if name == "contour":
        return bool(value)
    return (FilterSettings if name == "filters" else MatchSettings).from_dict(value)
