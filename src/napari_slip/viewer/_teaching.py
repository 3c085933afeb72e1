"""Teaching from decisions: examples of each class, a head learnt from them, and everything scored again."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_slip.errors import InputError
from napari_slip.matching import heads
from napari_slip.viewer._telling import telling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_slip.matching import Head
    from napari_slip.objects import Object
    from napari_slip.progress import Progress
    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._engine import Looked, Outcome
    from napari_slip.viewer._sheet import Sheet

NOTHING = 200
"""Background segments that are shown as none of the classes, at most."""

MOST = 20
"""Classes of a head that are named, at most."""

DECIDED = ("accepted", "corrected", "rejected")


@dataclass(frozen=True)
class Lesson:
    """What a head is learnt from.

    Parameters
    ----------
    outcome : Outcome
        Of a plane that has been looked at with the model that is taught.
    phrases : mapping from class names to tuples of str
        The classes, and what is believed of them without examples.
    looks : list of (D,) arrays
        What CLIP sees of examples.
    names : list of str or None
        The class of each, None for none of them.
    unseen : list of (Outcome, Object, str or None)
        Examples that CLIP has not looked at yet, because they were drawn or corrected.
    """

    outcome: Outcome
    phrases: Mapping[str, tuple[str, ...]]
    negatives: tuple[str, ...]
    looks: list[NDArray[np.float32]]
    names: list[str | None]
    unseen: list[tuple[Outcome, Object, str | None]]

    def learn(self, name: str, progress: Progress) -> Head:
        """Learn a head; for the worker."""
        from napari_slip.matching import embed_classes, embed_texts, teach

        encoder = self.outcome.slip.encoder
        card = encoder.card
        looks, names = list(self.looks), list(self.names)
        for k, (outcome, thing, class_name) in enumerate(self.unseen):
            progress("examples", k, len(self.unseen))
            looks.append(look_at(outcome, thing, progress))
            names.append(class_name)
        progress("teach", 0, 1)
        nulls = (*card.calibration.null_prompts, *self.negatives)
        return teach(
            np.stack(looks),
            names,
            embed_classes(self.phrases.values(), encoder, card.templates),
            tuple(self.phrases),
            embed_texts(nulls, encoder, card.templates),
            clip=card.hash,
            name=name,
        )


class Teaching(QObject):
    """What was taught to the models of one dock, and what it could be taught with.

    Parameters
    ----------
    desk : Desk
        Whose Objects are the examples.
    """

    changed = Signal()
    """Another head is in use or kept."""
    noted = Signal()
    """Other examples, or another plane."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.head: Head | None = None
        self._desk = desk
        self._sheets: WeakSet[Sheet] = WeakSet()
        self._looks: WeakKeyDictionary[Sheet, dict[str, NDArray[np.float32]]] = WeakKeyDictionary()
        self._noted: WeakKeyDictionary[Object, ref[Looked]] = WeakKeyDictionary()
        for signal in (desk.sheet_changed, desk.plane_changed, desk.objects_changed):
            signal.connect(self._note)

    @property
    def counts(self) -> Counter[str | None]:
        """How many examples of each class there are; None counts what was rejected."""
        return Counter(name for sheet in self.sheets for _, name in _examples(sheet))

    @property
    def foreign(self) -> bool:
        """Whether the head was taught with another model than the one of the plane on screen."""
        sheet = self._desk.sheet
        outcome = None if sheet is None else sheet.workspace.outcome
        return (
            self.head is not None and outcome is not None and outcome.slip.encoder.card.hash != self.head.clip
        )

    def teach(self, name: str) -> None:
        """Learn a head from all decisions in this dock, keep it under a name, and use it.

        Raises
        ------
        InputError
            If there is nothing to learn from.
        """
        lesson, missing = self._lesson()
        name = " ".join(name.split()) or "taught"

        def learnt(head: Head) -> None:
            self.use(head)
            with telling(self._desk):  # what cannot be saved is used all the same
                heads.save(head)
            self.changed.emit()
            self._desk.said.emit(in_words(head) + missing)

        self._desk.runner.submit(lambda progress: lesson.learn(name, progress), learnt, what="the teaching")

    def use(self, head: Head | None) -> None:
        """Score everything with a head, or with the texts alone."""
        self.head = head
        if head is not None:
            self._desk.ticked |= set(head.classes)
        self.changed.emit()
        desk = self._desk
        todo = [(sheet, outcome) for sheet in self.sheets for outcome in sheet.workspace.outcomes.values()]

        def again(progress: Progress) -> list[tuple[Sheet, Outcome]]:
            scored = []
            for k, (sheet, outcome) in enumerate(todo):
                progress("scores", k, len(todo))
                scored.append((sheet, desk.engine.again(outcome, self._prompts(sheet, outcome), head)))
            return scored

        def landed(scored: list[tuple[Sheet, Outcome]]) -> None:
            for sheet, outcome in scored:
                sheet.absorb()
                sheet.workspace.land(outcome, ())
            desk.rerun()

        if todo:
            desk.runner.submit(again, landed, what="the new scores", left="the scores are as they were")

    def rename(self, name: str, new_name: str) -> None:
        """Let the head in use go along with a class that has another name; the file stays as it is."""
        head = self.head
        if head is None or name not in head.classes or new_name in head.classes:
            return
        self.head = replace(head, classes=tuple(new_name if c == name else c for c in head.classes))
        self.changed.emit()

    @property
    def sheets(self) -> list[Sheet]:
        """The images that are worked on in this dock."""
        return [sheet for sheet in self._sheets if sheet.image in self._desk.viewer.layers]

    def _prompts(self, sheet: Sheet, outcome: Outcome) -> dict[str, tuple[str, ...]]:
        """Return what a plane is asked: what it was asked before, and the taught classes of its session."""
        classes = {c.name: c.phrases for c in sheet.workspace.session.classes}
        taught = () if self.head is None else self.head.classes
        return {**outcome.request.prompts, **{n: classes[n] for n in taught if n in classes}}

    def _lesson(self) -> tuple[Lesson, str]:
        sheet = self._desk.sheet
        front = None if sheet is None else sheet.workspace.outcome
        if sheet is None or front is None:
            raise InputError("Nothing has been looked at yet: run a text first, then accept examples.")
        lesson = Lesson(front, {}, self._desk.memory.negatives, [], [], [])
        clip, missing, ground = front.slip.encoder.card.hash, 0, 0
        phrases: dict[str, tuple[str, ...]] = {}
        for one in self.sheets:
            looks = self._looks.get(one, {})
            outcomes = one.workspace.outcomes
            for thing, name in _examples(one):
                if name is not None:
                    phrases.setdefault(name, one.workspace.session.classes[name].phrases)
                outcome = outcomes.get(thing.plane)
                if outcome is not None and outcome.slip.encoder.card.hash != clip:
                    outcome = None
                # what the plane looks like now comes before what it looked like in another contrast
                if outcome is not None and (look := _look_of(outcome, thing)) is not None:
                    lesson.looks.append(look)
                    lesson.names.append(name)
                elif outcome is not None and _within(outcome, thing)[0].any():
                    lesson.unseen.append((outcome, thing, name))
                elif (look := looks.get(_key(clip, thing))) is not None:
                    lesson.looks.append(look)
                    lesson.names.append(name)
                else:
                    missing += 1
            decided = [o for o in one.workspace.session.objects.values() if o.status in DECIDED]
            for plane, outcome in outcomes.items():
                segments = outcome.looked.segments
                if segments.embedding is not None and outcome.slip.encoder.card.hash == clip:
                    # what a person has decided on is an example of that alone
                    mine = [(o.segment or 0) - 1 for o in decided if o.plane == plane]
                    rows = np.setdiff1d(np.flatnonzero(segments.background), mine)[: max(0, NOTHING - ground)]
                    lesson.looks.extend(segments.embedding[rows])
                    lesson.names.extend([None] * len(rows))
                    ground += len(rows)
        if not phrases:
            raise InputError(
                "There is nothing to learn from yet: accept or correct a few objects of each class, and "
                "reject some that are none."
            )
        if not lesson.looks and not lesson.unseen:
            raise InputError(
                "The examples lie on planes that this model has not looked at: run on one of them first."
            )
        told = (
            f" {missing} more lie on planes or places that this model has not looked at." if missing else ""
        )
        return replace(lesson, phrases=phrases), told

    def _note(self) -> None:
        """Keep what CLIP sees of decided segments, for when their plane is let go."""
        sheet = self._desk.sheet
        if sheet is not None:
            self._sheets.add(sheet)
            if (outcome := sheet.workspace.outcome) is not None:
                self._note_plane(sheet, outcome)
        self.noted.emit()

    def _note_plane(self, sheet: Sheet, outcome: Outcome) -> None:
        known, clip = self._looks.setdefault(sheet, {}), outcome.slip.encoder.card.hash
        this = ref(outcome.looked)
        for thing, _ in _examples(sheet):
            if thing.plane != sheet.workspace.plane or self._noted.get(thing) == this:
                continue
            self._noted[thing] = this
            if (look := _look_of(outcome, thing)) is not None:
                known[_key(clip, thing)] = look


def look_at(outcome: Outcome, thing: Object, progress: Progress) -> NDArray[np.float32]:
    """Show one drawn mask to the CLIP that has looked at its plane, (D,)."""
    from napari_slip.matching import Cropper
    from napari_slip.matching.similarity import unit
    from napari_slip.segments import PackedMasks

    rgb = outcome.looked.clip_sees
    crop, corner = _within(outcome, thing)
    masks = PackedMasks.pack([crop], [corner])
    encoder, crops = outcome.slip.encoder, outcome.slip.crops
    cropper = Cropper(rgb, crops, size=encoder.card.image_size, mean=encoder.card.mean)
    return unit(encoder.encode_images(cropper.cut(masks)[0], progress).mean(axis=0))


def in_words(head: Head) -> str:
    """Say what a head was taught with, what it is worth, and which classes it knows."""
    told = f"{len(head.classes)} classes from {head.examples} examples"
    more = f" and {len(head.classes) - MOST} more" if len(head.classes) > MOST else ""
    knows = f" It knows {', '.join(head.classes[:MOST])}{more}."
    if np.isnan(head.after):
        return f"Taught {told}; for a check each class needs two examples or more.{knows}"
    right = f"right {head.before:.0%} of the time by the texts alone, {head.after:.0%} taught"
    return f"Taught {told}: {right}.{knows}"


def _examples(sheet: Sheet) -> list[tuple[Object, str | None]]:
    """Return what was decided on an image; what was rejected is an example of no class."""
    session = sheet.workspace.session
    decided = [o for o in session.objects.values() if o.status in DECIDED]
    kept = {(o.plane, o.segment) for o in decided if o.status != "rejected" and o.segment is not None}
    return [
        (o, None if o.status == "rejected" else o.class_name)
        for o in decided
        # what was taken out of one class and put into another is an example of the other alone
        if o.status != "rejected" or (o.plane, o.segment) not in kept
    ]


def _within(outcome: Outcome, thing: Object) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return the part of a mask that lies in the window that was looked at, and its corner (x, y) there."""
    (height, width), (top, left) = outcome.looked.rgb.shape[:2], outcome.looked.corner
    y, x = thing.origin[1] - top, thing.origin[0] - left
    rows, columns = slice(max(0, -y), max(0, height - y)), slice(max(0, -x), max(0, width - x))
    return thing.crop[rows, columns], (max(0, x), max(0, y))


def _look_of(outcome: Outcome, thing: Object) -> NDArray[np.float32] | None:
    """Return what CLIP sees of the segment that an object is, (D,); None if it is none, or was changed."""
    segments, row = outcome.looked.segments, (thing.segment or 0) - 1
    if segments.embedding is None or not 0 <= row < len(segments):
        return None
    if tuple(segments.masks.boxes[row, :2]) != tuple(thing.origin):
        return None
    look: NDArray[np.float32] = segments.embedding[row]
    return look if _same(segments.masks.crop(row), thing.crop) else None


def _key(clip: str, thing: Object) -> str:
    sums = hashlib.blake2b(np.packbits(thing.crop).tobytes(), digest_size=16)
    sums.update(repr((clip, thing.plane, thing.origin, thing.crop.shape)).encode())
    return sums.hexdigest()


def _same(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    return one.shape == other.shape and bool((one == other).all())


__all__ = ["Lesson", "Teaching", "in_words", "look_at"]
