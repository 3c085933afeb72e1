"""Sessions on disk: one fact to the line, each with its own checksum, so that damage stays where it is."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.atomic import replacing
from napari_slip.errors import InputError
from napari_slip.objects import Object, Pointing
from napari_slip.session.classes import ClassList, SlipClass
from napari_slip.session.history import History, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = "napari-slip session"
VERSION = 2


@dataclass(frozen=True)
class Contents:
    """What a file holds of a session.

    Parameters
    ----------
    shape : (H, W)
        Of each plane.
    state : State
        Classes and Objects.
    next_id : int
        First id that no object has had yet.
    history : History
        What can be undone and redone.
    settings : dict
        Plain values.
    """

    shape: tuple[int, int]
    state: State = field(default_factory=State)
    next_id: int = 1
    history: History = field(default_factory=History)
    settings: dict[str, Any] = field(default_factory=dict)


def write_session(path: Path, contents: Contents) -> None:
    """Write a session; the file that was there stays until the new one is complete."""
    text = "".join(_sealed(fact) for fact in _facts(contents))
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="ascii")


def read_session(path: Path) -> tuple[Contents, str]:
    """Read what `write_session` wrote, or the first version of this format.

    Returns
    -------
    contents : Contents
        As far as the file is whole.
    damage : str
        What is lost, in a sentence; empty if nothing is.

    Raises
    ------
    InputError
        If the file is missing or holds nothing of a session, or a later version wrote it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} holds no session that can be read: choose a file that a session wrote."
        ) from error
    if content.startswith(b"PK"):
        from napari_slip.session.first_version import read_first_version

        return read_first_version(path), ""
    reader = _Reader()
    for line in content.split(b"\n")[: content.count(b"\n")]:
        reader.take(line)
    reader.damaged += bool(content) and not content.endswith(b"\n")
    return reader.finish(path)


def _sealed(fact: dict[str, Any]) -> str:
    text = json.dumps(fact, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x} {text}\n"


def _facts(contents: Contents) -> Iterator[dict[str, Any]]:
    """Tell a session in lines; what a line speaks of stands above it."""
    yield {
        "format": FORMAT,
        "version": VERSION,
        "shape": contents.shape,
        "next_id": contents.next_id,
    }
    yield {"classes": _class_list(contents.state.classes), "settings": contents.settings}
    masks: dict[int, int] = {}
    known: dict[int, int] = {}

    def tell(thing: Object, now: bool) -> Iterator[dict[str, Any]]:
        if id(thing) in known:
            return
        if id(thing.crop) not in masks:  # a decision that changes no mask costs none
            masks[id(thing.crop)] = len(masks)
            yield {"mask": masks[id(thing.crop)], "size": thing.crop.shape, "bits": _packed(thing.crop)}
        known[id(thing)] = len(known)
        yield {"object": known[id(thing)], "now": now, **_described(thing), "mask": masks[id(thing.crop)]}

    for thing in contents.state.objects.values():
        yield from tell(thing, True)
    # from the present outwards: where a line is lost, the steps up to it can still be taken
    for name, steps in (("past", contents.history.past), ("future", contents.history.future)):
        for step in reversed(steps):
            for thing in _named(step):
                yield from tell(thing, False)
            moves = [
                [i, *(None if thing is None else known[id(thing)] for thing in pair)]
                for i, pair in step.objects.items()
            ]
            classes = step.classes and [_class_list(one) for one in step.classes]
            yield {"step": name, "objects": moves, "classes": classes}
    yield {"end": len(contents.state.objects), "steps": len(contents.history.past)}


def _named(step: Step) -> Iterable[Object]:
    return (thing for pair in step.objects.values() for thing in pair if thing is not None)


class _Reader:
    """Takes in one line after the other and leaves out what is damaged."""

    def __init__(self) -> None:
        self.head: dict[str, Any] | None = None
        self.damaged = 0
        self.ended = False
        self._about: dict[str, Any] = {"settings": {}}
        self._classes = ClassList()
        self._masks: dict[int, NDArray[np.bool_]] = {}
        self._objects: dict[int, Object] = {}
        self._now: dict[int, Object] = {}
        self._steps: dict[str, list[Step]] = {"past": [], "future": []}
        self._whole = True

    def take(self, line: bytes) -> None:
        try:
            seal, text = line[:8], line[9:]
            if int(seal, 16) != zlib.crc32(text):
                raise ValueError("seal")
            self._take(json.loads(text))
        except (ValueError, KeyError, TypeError, IndexError, zlib.error, InputError):
            self.damaged += 1
            self._whole = False

    def _take(self, fact: dict[str, Any]) -> None:
        if "format" in fact:
            if fact["format"] != FORMAT:
                raise ValueError("format")
            self.head = fact
        elif "settings" in fact:
            self._classes, self._about = read_classes(fact["classes"]), fact
        elif "bits" in fact:
            self._masks[fact["mask"]] = _unpacked(fact["bits"], fact["size"])
        elif "object" in fact:
            thing = _read_object(fact, self._masks[fact["mask"]])
            self._objects[fact["object"]] = thing
            if fact["now"]:
                self._now[thing.id] = thing
        elif "step" in fact:
            # a step that is lost takes those beyond it along
            if self._whole:
                self._steps[fact["step"]].insert(0, self._read_step(fact))
        elif "end" in fact:
            self.ended = True

    def _read_step(self, fact: dict[str, Any]) -> Step:
        before_after = {
            i: (
                None if before is None else self._objects[before],
                None if after is None else self._objects[after],
            )
            for i, before, after in fact["objects"]
        }
        classes = fact["classes"]
        both = None if classes is None else (read_classes(classes[0]), read_classes(classes[1]))
        return Step(before_after, both)

    def finish(self, path: Path) -> tuple[Contents, str]:
        if self.head is None:
            raise InputError(f"{path} holds no session that can be read: choose a file that a session wrote.")
        if self.head["version"] > VERSION:
            raise InputError(
                f"{path} was written by a later version of napari-slip (format {self.head['version']}, this "
                f"one reads up to {VERSION}): update napari-slip to open it."
            )
        classes = self._classes
        for thing in self._now.values():  # the line of the classes may be lost
            classes = classes if thing.class_name in classes else classes.add(thing.class_name)
        height, width = self.head["shape"]
        contents = Contents(
            (height, width),
            State(classes, dict(sorted(self._now.items()))),
            int(self.head["next_id"]),
            History(self._steps["past"], self._steps["future"]),
            self._about["settings"],
        )
        if self.ended and not self.damaged:
            return contents, ""
        return contents, (
            f"{path} is damaged: {len(self._now)} objects and {len(self._steps['past'])} steps to undo could "
            "be read."
        )


def _class_list(classes: ClassList) -> list[dict[str, Any]]:
    return [asdict(c) for c in classes]


def read_classes(entries: list[dict[str, Any]]) -> ClassList:
    """Read classes from plain values: name, colour and phrases of each."""
    return ClassList(tuple(SlipClass(c["name"], c["colour"], tuple(c["phrases"])) for c in entries))


def _packed(crop: NDArray[np.bool_]) -> str:
    return base64.b85encode(zlib.compress(np.packbits(crop).tobytes(), 6)).decode()


def _unpacked(bits: str, size: list[int]) -> NDArray[np.bool_]:
    height, width = size
    packed = np.frombuffer(zlib.decompress(base64.b85decode(bits)), np.uint8)
    return np.unpackbits(packed, count=height * width).view(bool).reshape(height, width)


def _described(thing: Object) -> dict[str, Any]:
    about: dict[str, Any] = {
        "id": thing.id,
        "class": thing.class_name,
        "status": thing.status,
        "origin": thing.origin,
        "plane": thing.plane,
    }
    for name in ("segment", "score", "track"):
        if (value := getattr(thing, name)) is not None:
            about[name] = value
    if thing.pointing is not None:
        about |= thing.pointing.to_dict()
    return about


def _read_object(fact: dict[str, Any], crop: NDArray[np.bool_]) -> Object:
    x, y = fact["origin"]
    if fact["status"] not in ("predicted", "accepted", "corrected", "rejected"):
        raise ValueError("status")
    return Object(
        int(fact["id"]),
        str(fact["class"]),
        fact["status"],
        crop,
        (int(x), int(y)),
        tuple(fact["plane"]),
        fact.get("segment"),
        fact.get("score"),
        fact.get("track"),
        Pointing.found_in(fact),
    )
