"""The dock: panels put together; what they do is said elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_slip.viewer._activity import Activity
from napari_slip.viewer._chooser import LayerChooser
from napari_slip.viewer._class_panel import ClassPanel
from napari_slip.viewer._correct_panel import CorrectPanel
from napari_slip.viewer._desk import Desk
from napari_slip.viewer._files_panel import FilesPanel
from napari_slip.viewer._filters import FilterPanel, RulePanel
from napari_slip.viewer._keys import KEYS, TURNS
from napari_slip.viewer._keys_panel import KeysPanel
from napari_slip.viewer._model_panel import ModelPanel
from napari_slip.viewer._pointer import Pointer
from napari_slip.viewer._prompt import PromptLine
from napari_slip.viewer._qt import BRIEF_MS, main_window, timer, tool_button
from napari_slip.viewer._section import Section
from napari_slip.viewer._source_panel import SourcePanel
from napari_slip.viewer._stack_panel import StackPanel
from napari_slip.viewer._still import StillButton
from napari_slip.viewer._table import ResultTable
from napari_slip.viewer._teach_panel import TeachPanel

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QKeyEvent

    from napari_slip.viewer._engine import Engine

WIDTH = 340


class SlipDock(QWidget):
    """Type what you look for, and the matching object lights up.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer that it stands beside.
    engine : Engine, optional
        What does the heavy work; all docks share one unless told otherwise.
    """

    def __init__(self, viewer: napari.viewer.Viewer, engine: Engine | None = None) -> None:
        super().__init__()
        # napari hands plugins a proxy whose layers are new objects at each access; we use only public names
        self.viewer = getattr(viewer, "__wrapped__", viewer)
        self.desk = desk = Desk(self.viewer, engine, parent=self)
        self.images = LayerChooser(self.viewer)
        self.prompt = PromptLine()
        self.run_button = StillButton(("Run", "Cancel", "Cancelling..."))
        self.activity = Activity()
        self.source = SourcePanel(desk)
        self.model = ModelPanel(desk)
        self.classes = ClassPanel(desk)
        self.rule = RulePanel(desk)
        self.filters = FilterPanel(desk)
        self.results = ResultTable(desk)
        self.correct = CorrectPanel(desk)
        self.stack = StackPanel(desk)
        self.files = FilesPanel(desk)
        self.teach = TeachPanel(desk)
        self.keys = KeysPanel(desk.keys)
        self.sections: dict[str, Section] = {}
        self._shortcuts: dict[str, QShortcut] = {}
        self._pointer = Pointer(desk)
        self._window: QMainWindow | None = None
        self._begun = timer(self, BRIEF_MS, self._show_running)
        self._disposed = False
        self._lay_out()
        self._connect()
        self._image_chosen()

    def dispose(self) -> None:
        """Stop what runs, save, and let go of the viewer."""
        if self._disposed:
            return
        self._disposed = True
        self._begun.stop()
        if self._window is not None:
            self._window.removeEventFilter(self)
            self._window = None  # which would keep the whole viewer alive
        self.desk.dispose()
        for part in (self.images, self.source, self._pointer, self.model, self.teach):
            part.dispose()
        self.activity.end()

    def event(self, event: QEvent | None) -> bool:
        """Dispose when napari takes the dock out of its window, which closes no widget."""
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.dispose()
        return handled

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Keep Return, which a line of text has answered, from the layer that is active meanwhile."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop and save when the viewer is being closed; a person may still say no to it."""
        if event is not None and event.type() == QEvent.Type.Close and watched is self._window:
            self.desk.cancel()
            self.desk.save()
        return super().eventFilter(watched, event)

    def _watch_window(self) -> None:
        """Hear of the window's end; asked again with each run, because docks are moved into it late."""
        above = main_window(self)
        if above is not self._window:
            if self._window is not None:
                self._window.removeEventFilter(self)
            self._window = above
            if above is not None:
                above.installEventFilter(self)

    def _lay_out(self) -> None:
        self.setMinimumWidth(WIDTH)
        top = QFormLayout()
        self.images.setToolTip("The image that is looked at.")
        top.addRow("Image", self.images)
        line = QHBoxLayout()
        line.addWidget(self.prompt, 1)
        line.addWidget(self.run_button)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(2)
        for title, panel, is_open in (
            ("Results", self._results_panel(), True),
            ("Correct", self.correct, False),
            ("Classes", self.classes, True),
            ("Filters", self.filters, True),
            ("Stack", self.stack, True),
            ("Teach", self.teach, False),
            ("What is segmented", self.source, False),
            ("Model", self.model, False),
            ("Files", self.files, False),
            ("Keys", self.keys, False),
        ):
            column.addWidget(self._section(title, panel, is_open))
        column.addStretch(1)
        inside.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # as wide as the dock
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addLayout(line)
        layout.addWidget(self.activity)
        layout.addWidget(self.rule)
        layout.addWidget(scroll, 1)

    def _section(self, title: str, panel: QWidget, is_open: bool) -> Section:
        self.sections[title] = section = Section(title, panel, is_open)
        return section

    def _results_panel(self) -> QWidget:
        panel = QWidget()
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.results)
        row = QHBoxLayout()
        decisions = self.desk.decisions
        for text, tip, action in (
            ("Accept", "Keep the selected segments as objects of the class in front.", self._accept),
            ("Reject", "Take the selected segments out of the class, for good.", self._reject),
            ("Accept all", "Keep everything that is predicted on this plane.", decisions.accept_predictions),
            (
                "Similar",
                "Show what looks like the segment under the cursor; again: back.",
                decisions.find_similar,
            ),
            ("Undo", "Take the last decision or stroke back.", decisions.undo),
            ("Redo", "Bring back what was undone.", decisions.redo),
        ):
            row.addWidget(tool_button(text, tip, action))
        row.addStretch(1)
        layout.addLayout(row)
        return panel

    def _connect(self) -> None:
        desk = self.desk
        self.prompt.setToolTip(
            "Type what you look for and press Enter; without a text, all ticked classes are run."
        )
        self.run_button.setToolTip("Look for the text, or stop what is running.")
        self.images.chosen.connect(self._image_chosen)
        self.prompt.asked.connect(self._ask)
        self.run_button.clicked.connect(self._run_or_cancel)
        desk.runner.state_changed.connect(self._state_changed)
        desk.runner.progressed.connect(self.activity.report)
        desk.said.connect(self.activity.say)
        desk.vocabulary_changed.connect(self.prompt.set_words)
        self.teach.further.listed.connect(self.model.list_again)
        self.teach.further.wanted.connect(self.model.choose)
        self.prompt.set_history(desk.memory.history)
        for key in KEYS:
            self._shortcut(key.action).activated.connect(getattr(desk.decisions, key.action))
        for key in TURNS:
            self._shortcut(key.action).activated.connect(getattr(self, key.action))
        desk.keys.changed.connect(self._set_keys)
        desk.image_wanted.connect(self.images.choose)
        self._set_keys()

    def _shortcut(self, action: str) -> QShortcut:
        self._shortcuts[action] = shortcut = QShortcut(self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        return shortcut

    def _set_keys(self) -> None:
        for action, shortcut in self._shortcuts.items():
            shortcut.setKey(QKeySequence(self.desk.keys.of(action, "dock")))

    def _image_chosen(self) -> None:
        self.source.show_image(self.images.layer)
        self.desk.choose(self.images.layer)

    def next_image(self) -> None:
        """Turn to the next image of the list."""
        self._turn(1)

    def previous_image(self) -> None:
        """Turn to the one before."""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        """Go to another image, and see it and its layers instead of the others."""
        self.images.step(by)
        self.desk.show_alone()

    def _ask(self, text: str) -> None:
        self.desk.look_for(self.images.layer, text)
        self.prompt.set_history(self.desk.memory.history)

    def _accept(self) -> None:
        self.desk.decisions.accept(self.results.chosen)

    def _reject(self) -> None:
        self.desk.decisions.reject(self.results.chosen)

    def _run_or_cancel(self) -> None:
        if self.desk.runner.state == "running":
            self.desk.cancel()
        else:
            self._ask(self.prompt.text())

    def _state_changed(self, state: str) -> None:
        if state == "running":
            self.run_button.setEnabled(True)  # after one that was stopped for this one
            self._watch_window()
            self._begun.start()
            return
        self._begun.stop()
        self.run_button.setText("Run" if state == "idle" else "Cancelling...")
        self.run_button.setEnabled(state != "cancelling")
        self.activity.end()

    def _show_running(self) -> None:
        self.run_button.setText("Cancel")
        self.activity.begin()
