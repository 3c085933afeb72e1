"""Between viewer, runner and sheets: what a person asks for goes in here, what is seen follows from it."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from napari_slip.errors import InputError
from napari_slip.viewer import _sessions
from napari_slip.viewer._class_changes import ClassChanges
from napari_slip.viewer._correction import Correction
from napari_slip.viewer._decisions import Decisions
from napari_slip.viewer._engine import Engine, Request
from napari_slip.viewer._keys import Keys
from napari_slip.viewer._memory import Memory
from napari_slip.viewer._qt import timer
from napari_slip.viewer._regions import Region, region_of
from napari_slip.viewer._runner import Runner
from napari_slip.viewer._scan import Scan
from napari_slip.viewer._sheet import Sheet
from napari_slip.viewer._source import SourceChoice, locate, take
from napari_slip.viewer._summary import summary
from napari_slip.viewer._teaching import Teaching
from napari_slip.viewer._telling import told

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Image, Labels, Layer

    from napari_slip.session import ClassList
    from napari_slip.viewer._engine import Outcome
    from napari_slip.viewer._source import Snapshot

SETTLE_MS = 150
SAVE_MS = 1000

# Models and segments are shared by all docks.
_engine = Engine()


class Desk(QObject):
    """The work of one dock; its panels show it and tell it what to do.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the images are.
    engine : Engine, optional
        Does the heavy work; all docks share one unless told otherwise.
    """

    sheet_changed = Signal()
    """Another image, or other axes of it."""
    plane_changed = Signal()
    """Another plane of it, or new segments."""
    shown_changed = Signal()
    """Another selection or other scores."""
    current_changed = Signal()
    """Another segment under the cursor."""
    objects_changed = Signal()
    classes_changed = Signal()
    vocabulary_changed = Signal(object)
    """Words that the model knows, where it has a list of them."""
    image_wanted = Signal(object)
    """An image to be chosen: a key was pressed on a layer of its own."""
    landed = Signal(object, object)  # a sheet and what a run has brought for its plane on screen
    said = Signal(str)

    def __init__(
        self, viewer: napari.Viewer, engine: Engine | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.engine = engine or _engine
        self.memory = Memory.read()
        self.source = SourceChoice()
        self.runner = Runner(self)
        self.decisions = Decisions(self)
        self.keys = Keys(self.decisions, self)
        self.class_changes = ClassChanges(self)
        self.scan = Scan(self)
        self.teaching = Teaching(self)
        self.sheet: Sheet | None = None
        self._unseen: Image | None = None  # chosen, but not spread out on screen as a plane
        self.correction = Correction(self)
        self.ticked: set[str] = {c.name for c in self.memory.classes}
        self.active = ""
        self._sheets: dict[tuple[Any, ...], Sheet] = {}
        self._followed: WeakSet[Labels] = WeakSet()
        self._stroke = timer(self, 0, self._stroke_ended)
        self._settle = timer(self, SETTLE_MS, self._settled)
        self._describe = timer(self, SETTLE_MS, self._described)
        self._save = timer(self, SAVE_MS, self.save)
        self.runner.failed.connect(self.fail)
        viewer.dims.events.current_step.connect(self._dims_changed)
        viewer.dims.events.order.connect(self._dims_changed)
        viewer.dims.events.ndisplay.connect(self._dims_changed)
        viewer.layers.events.removed.connect(self._layer_removed)

    @told
    def choose(self, image: Image | None) -> None:
        """Work on an image of the viewer."""
        self._unseen = None
        if image is None or image not in self.viewer.layers:
            self._front(None)
            return
        try:
            self._front(self._sheet_of(image))
        except InputError as error:  # a volume, say: told again when a run is asked for
            self._front(None)
            self._unseen = image
            self.said.emit(str(error))

    @told
    def look_for(self, image: Image | None, text: str) -> None:
        """Find what a text says; without a text, all classes that are ticked."""
        if image is None:
            raise InputError("There is no image to look at: open one, or choose one in the list.")
        sheet = self._sheet_of(image)
        self._front(sheet)
        text = " ".join(text.split())
        if text:
            self.memory.note(text)
        self._start(sheet, text)

    def owner(self, layer: Layer) -> Sheet | None:
        """Return the sheet of the image that a layer of ours belongs to."""
        return next((sheet for sheet in self._sheets.values() if sheet.layers.owns(layer)), None)

    def show_alone(self) -> None:
        """Hide the other images and their layers, and see this one whole."""
        if self.sheet is not None:
            marks = self.correction.marks
            self.sheet.show_alone((*self.source.others, *(() if marks is None else marks.layers)))

    @told
    def rerun(self) -> None:
        """Score the classes that are ticked again, if the plane has been looked at."""
        if self.sheet is not None and self.sheet.workspace.outcome is not None:
            self._start(self.sheet, region=self.sheet.workspace.outcome.request.snapshot.region)

    def cancel(self) -> None:
        """Stop what is running, with all that waits for its end, and say what has become of it."""
        stopped = self.runner.cancel()
        self.scan.give_way()  # it may have been waiting for its turn
        if stopped:
            dropped = ", ".join(dict.fromkeys(job.what for job in stopped[1:] if job.what))
            rest = f" What waited was dropped: {dropped}." if dropped else ""
            self.said.emit(f"Cancelled; {stopped[0].left}.{rest}")

    def show(self, **choices: Any) -> None:
        """Set filters, rule, negatives, model or contour, and show what follows from it at once."""
        for name, value in choices.items():
            setattr(self.memory, name, value)
        self._show()
        self._settle.start()
        self._save.start()

    @property
    def classes(self) -> ClassList:
        """The classes of the session in front, or those that the next one begins with."""
        return self.memory.classes if self.sheet is None else self.sheet.workspace.session.classes

    @property
    def counts(self) -> Counter[str]:
        """How many Objects each class has, over all planes."""
        things = () if self.sheet is None else self.sheet.workspace.session.objects.values()
        return Counter(thing.class_name for thing in things if thing.status != "rejected")

    def activate(self, name: str) -> None:
        """Put a class in front."""
        if name != self.active:
            self.active = name
            self._show()
            self.classes_changed.emit()

    def fail(self, sentence: str) -> None:
        """Tell of something that went wrong."""
        self.said.emit(sentence)
        show_error(sentence)

    def dispose(self) -> None:
        """Stop, save, and let go of the viewer."""
        self.runner.dispose()
        self.correction.dispose()
        for waiting in (self._settle, self._describe, self._save, self._stroke):
            waiting.stop()
        self.save()
        dims, layers = self.viewer.dims.events, self.viewer.layers.events
        for emitter in (dims.current_step, dims.order, dims.ndisplay):
            emitter.disconnect(self._dims_changed)
        layers.removed.disconnect(self._layer_removed)
        for layer in self._followed:
            layer.events.paint.disconnect(self._painted)
        self.keys.dispose()
        self._followed.clear()
        for sheet in self._sheets.values():
            self._close(sheet)
        self._sheets.clear()
        self.sheet = None

    @told
    def save(self) -> None:
        """Write down sessions and choices."""
        self.memory.write()
        for sheet in self._sheets.values():
            sheet.absorb()
            _sessions.save_session(sheet.opened)

    @told
    def _close(self, sheet: Sheet) -> None:
        sheet.close()
        sheet.workspace.session.changed.disconnect(self._session_changed, missing_ok=True)
        _sessions.save_session(sheet.opened)

    def _start(self, sheet: Sheet, text: str = "", region: Region | None = None) -> None:
        """Hand a run to the worker; the text becomes a class when the run has landed."""
        self.scan.give_way()
        sheet.absorb()
        classes = sheet.workspace.session.classes
        name = next((c.name for c in classes if text in (c.name, *c.phrases)), text)
        prompts = {c.name: c.phrases for c in classes if c.name in self.ticked | {name}}
        if name and name not in prompts:
            prompts[name] = (text,)
        snapshot = self.snapshot(sheet, region or region_of(self.source.region, sheet.image, sheet.place))
        memory = self.memory
        request = Request(
            snapshot,
            memory.model,
            prompts,
            memory.negatives,
            memory.settings,
            memory.filters,
            self.teaching.head,
        )
        self.runner.submit(
            lambda progress: self.engine.run(request, progress),
            lambda outcome: self._landed(sheet, outcome, name),
            what=f"the run for {text!r}" if text else "the run",
            overtakes=f"text {id(sheet)}" if text else "classes",
        )

    def snapshot(self, sheet: Sheet, region: Region | None = None) -> Snapshot:
        """Take down what a sheet shows, as it was chosen to be looked at."""
        others = tuple(layer for layer in self.source.others if layer in self.viewer.layers)
        return take(
            self.viewer,
            (sheet.image, *others),
            channel_axis=None if sheet.image.rgb else self.source.channel_axis,
            displayed_contrast=self.source.displayed_contrast,
            region=region,
            clip_sees=self.source.clip_sees if others else None,
            labels=self.source.labels if self.source.labels in self.viewer.layers else None,
        )

    def _landed(self, sheet: Sheet, outcome: Outcome, name: str) -> None:
        if sheet not in self._sheets.values():  # or it has been given other pixels
            self.said.emit("The image was removed during the run: there is nothing to show its segments on.")
            return
        sheet.absorb()
        if name:
            self.ticked.add(name)
            self.active = name if sheet is self.sheet else self.active  # another may be in front by now
        work, memory = sheet.workspace, self.memory
        work.filters, work.settings, work.active = memory.filters, memory.settings, name or self.active
        work.land(outcome, {name})
        self._describe.start()
        sheet.bring_back()
        if name and sheet is self.sheet:
            sheet.seek()
        self.vocabulary_changed.emit(outcome.slip.encoder.card.vocabulary or ())
        self._tell(sheet)
        self.classes_changed.emit()
        self.landed.emit(sheet, outcome)

    def _tell(self, sheet: Sheet) -> None:
        if told := summary(sheet.workspace):
            self.said.emit(told)

    def _sheet_of(self, image: Image) -> Sheet:
        axis = None if image.rgb else self.source.channel_axis
        place = locate(self.viewer, image, axis if axis is not None and axis < image.ndim else None)
        name = (image.unique_id, place.axes, place.channel_axis)
        known = self._sheets.get(name)
        if known is not None and known.place.shape != place.shape:  # the layer has been given another picture
            self.scan.leave(known)
            self._close(self._sheets.pop(name))
            self.sheet = None if self.sheet is known else self.sheet
        if name not in self._sheets:
            key = _sessions.session_key(image, place)
            opened = _sessions.open_session(key, place.shape, self.memory.classes)
            session = opened.session
            sheet = Sheet(self.viewer, image, place, key, opened)
            self._sheets[name] = sheet
            self.ticked |= {c.name for c in session.classes}
            session.changed.connect(self._session_changed)
            sheet.drawn.connect(self._follow)
            sheet.workspace.plane_changed.connect(self._passing_on(name, self.plane_changed))
            sheet.workspace.shown_changed.connect(self._passing_on(name, self.shown_changed))
            sheet.workspace.current_changed.connect(self._passing_on(name, self.current_changed))
            sheet.bring_back()
            if session.damage:
                self.fail(f"{session.damage} The file as it was is kept beside it.")
                session.damage = ""
        elif place.index != self._sheets[name].place.index:
            self._sheets[name].turn_to(place)
        return self._sheets[name]

    def _passing_on(self, name: tuple[Any, ...], signal: Any) -> Callable[[], None]:
        """Return what passes on what a sheet says while in front; by name, so as not to keep it alive."""

        def pass_on() -> None:
            if self.sheet is not None and self._sheets.get(name) is self.sheet:
                signal.emit()

        return pass_on

    def _front(self, sheet: Sheet | None) -> None:
        if sheet is self.sheet:
            return
        self.sheet = sheet
        if sheet is not None:
            names = [c.name for c in sheet.workspace.session.classes]
            self.active = self.active if self.active in names else next(iter(names), "")
            self._show()
        self.sheet_changed.emit()
        self.classes_changed.emit()

    def _show(self) -> None:
        if self.sheet is not None:
            self.sheet.contour = self.memory.contour
            self.sheet.workspace.show(self.memory.filters, self.memory.settings, self.active)
            self.sheet.highlight()

    def _settled(self) -> None:
        if self.sheet is not None:
            self.sheet.absorb()
            self.sheet.workspace.settle()
            self.sheet.describe()
            self._tell(self.sheet)

    def _described(self) -> None:
        if self.sheet is not None:
            self.sheet.describe()

    def _dims_changed(self, event: Any = None) -> None:
        if self.sheet is None:
            if self._unseen is not None:
                with suppress(InputError):
                    self._front(self._sheet_of(self._unseen))
            return
        image = self.sheet.image
        if image not in self.viewer.layers:
            return
        try:
            place = locate(self.viewer, image, self.sheet.place.channel_axis)
        except InputError:
            self.sheet.turn_to_volume()
            return
        if (place.axes, place.shape) != (self.sheet.place.axes, self.sheet.place.shape):
            self.choose(image)
        elif place.index != self.sheet.workspace.plane:
            self.sheet.turn_to(place)

    def _layer_removed(self, event: Any) -> None:
        if event.value is self._unseen:
            self._unseen = None
        if self.sheet is not None and event.value is self.sheet.image:
            self._front(None)
        for name, sheet in list(self._sheets.items()):
            if event.value is sheet.image:
                self.scan.leave(sheet)
                self._close(self._sheets.pop(name))

    def _session_changed(self) -> None:
        self._save.start()
        if self.sheet is not None:
            self.memory.classes = self.sheet.workspace.session.classes
        self.objects_changed.emit()
        self.classes_changed.emit()

    def _follow(self, layer: Labels) -> None:
        if layer not in self._followed:
            self._followed.add(layer)
            self.keys.bind(layer)
            layer.events.paint.connect(self._painted)

    def _painted(self, event: Any) -> None:
        self._stroke.start()  # once the layer is through with it

    def _stroke_ended(self) -> None:
        for sheet in self._sheets.values():
            sheet.absorb()
