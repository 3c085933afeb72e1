"""The stack: which planes are looked at, how well each shows the text, and which objects are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledRangeSlider
from superqt.utils import signals_blocked

from napari_slip.settings import LinkSettings
from napari_slip.stacks import link_objects, rank_planes
from napari_slip.viewer._plane_curve import PlaneCurve
from napari_slip.viewer._qt import Words, tool_button
from napari_slip.viewer._telling import telling
from napari_slip.viewer._tracks import keep_parents, parents_of, show_tracks, tracks_table
from napari_slip.wording import counted

if TYPE_CHECKING:
    from napari_slip.progress import Progress
    from napari_slip.stacks import Links
    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._sheet import Sheet

SCOPES = (("this plane", "plane"), ("a range of planes", "range"), ("the whole stack", "stack"))


class StackPanel(QWidget):
    """Scope, curve, links and cluster for the stack in front; a single plane leaves nothing to choose."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._scan = desk, desk.scan
        self._went: tuple[int, ...] | None = None
        self.hint = Words("The image is a single plane.")
        self.scope = QComboBox()
        for words, _ in SCOPES:
            self.scope.addItem(words)
        self.scope.setToolTip("Which planes Run looks at, the one on screen first.")
        self.axis = QComboBox()
        self.axis.setToolTip("The axis that the curve, the range and the links go along.")
        self.range = QLabeledRangeSlider()
        self.range.setToolTip("First and last plane of the range.")
        self.curve = PlaneCurve()
        self.curve.setToolTip("Best score of each class on each plane; click to go there.")
        self.cluster = QLineEdit()
        self.cluster.setPlaceholderText("none, 2, or tcp://host:8786")
        self.cluster.setToolTip(
            "Who looks at the planes: nothing for this process, a number of dask processes to start here, or "
            "the address of a dask cluster that sees the same folders."
        )
        self._lay_out()
        for widget in (self.scope, self.axis):
            widget.currentIndexChanged.connect(self._chosen)
        self.range.valueChanged.connect(self._chosen)
        self.cluster.editingFinished.connect(self._chosen)
        self.curve.chosen.connect(self.go_to)
        desk.sheet_changed.connect(self._show_sheet)
        for signal in (desk.plane_changed, desk.classes_changed, self._scan.changed):
            signal.connect(self.refresh)
        self._show_sheet()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for text, tip, action in (
            ("Next best", "Go to the plane that shows the class in front best, then the next.", self.go_best),
            (
                "Link",
                "Give objects that are one thing on several planes one id; Undo parts them.",
                self.do_link,
            ),
            ("Tracks", "Show the linked objects as a layer of tracks, with its table.", self.do_tracks),
            ("Save tracks...", "Write the table of tracks as CSV.", self.do_save),
        ):
            buttons.addWidget(tool_button(text, tip, action))
        buttons.addStretch(1)
        self._inside = QWidget()
        form = self._form = QFormLayout(self._inside)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Run looks at", self.scope)
        form.addRow("Along", self.axis)
        form.addRow("Planes", self.range)
        form.addRow(self.curve)
        form.addRow(buttons)
        form.addRow("Cluster", self.cluster)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.hint)
        layout.addWidget(self._inside)

    def refresh(self) -> None:
        """Draw the curve as it is known now."""
        sheet = self._desk.sheet
        if sheet is None or not sheet.place.steps:
            return
        at, index = self._at(sheet), sheet.place.index
        scores = {
            name: {
                other[at]: score
                for other, score in known.items()
                if other[:at] + other[at + 1 :] == index[:at] + index[at + 1 :]
            }
            for name, known in self._scan.found(sheet).best.items()
        }
        colours = {c.name: c.colour for c in self._desk.classes}
        known = {name: line for name, line in scores.items() if name in colours}
        self.curve.show_scores(known, colours, sheet.place.steps[at], index[at], self._desk.active)

    def go_to(self, plane: int) -> None:
        """Go to a plane along the chosen axis."""
        sheet = self._desk.sheet
        if sheet is not None and sheet.place.steps:
            at = self._at(sheet)
            index = (*sheet.place.index[:at], plane, *sheet.place.index[at + 1 :])
            sheet.go_to_plane(index)

    def go_best(self) -> None:
        """Go to the best plane of the class in front that comes after the one on screen in rank."""
        sheet = self._desk.sheet
        known = self._scan.found(sheet).best.get(self._desk.active, {})
        if sheet is None or not known:
            self._desk.said.emit("No plane has been looked at for this class: run the whole stack first.")
            return
        ranked = rank_planes(known)
        following = ranked.index(self._went) + 1 if sheet.place.index == self._went in ranked else 0
        index = self._went = ranked[following % len(ranked)]
        sheet.go_to_plane(index)
        place = f"Plane {', '.join(map(str, index))}, number {ranked.index(index) + 1} of {len(ranked)}"
        self._desk.said.emit(f"{place}: best score {known[index]:.2f}.")

    def do_link(self) -> None:
        """Link the objects along the chosen axis, beside the window."""
        sheet = self._desk.sheet
        if sheet is None or not sheet.place.steps:
            return
        sheet.absorb()
        self._scan.give_way()
        things, at = list(sheet.workspace.session.objects.values()), self._at(sheet)
        look_of = self._scan.found(sheet).look_of
        depth = str(sheet.image.axis_labels[sheet.place.step_axes[at]]).lower().startswith("z")

        def work(progress: Progress) -> Links:
            return link_objects(things, at, LinkSettings(divides=not depth), look_of, progress)

        self._desk.runner.submit(work, lambda links: self._linked(sheet, links), what="the linking")

    def do_tracks(self) -> None:
        """Show the tracks as a layer."""
        sheet = self._desk.sheet
        if sheet is not None:
            with telling(self._desk):
                show_tracks(sheet, self._at(sheet), parents_of(sheet.workspace.session))

    def do_save(self) -> None:
        """Ask for a file and write the table of tracks."""
        sheet = self._desk.sheet
        if sheet is None:
            return
        name, _ = QFileDialog.getSaveFileName(self, "Save tracks", f"{sheet.image.name} tracks.csv", "*.csv")
        if name:
            table = tracks_table(sheet)
            parents = parents_of(sheet.workspace.session)
            table["parent"] = [parents.get(track, "") for track in table["track"]]
            try:
                table.to_csv(name, index=False)
            except OSError as error:
                self._desk.fail(f"The tracks cannot be written to {name}: {error.strerror or error}.")

    def _linked(self, sheet: Sheet, links: Links) -> None:
        known = sheet.workspace.session.objects
        groups = [[i for i in group if i in known] for group in links.groups]
        kinds = [event.kind for event in links.events]
        tracks = sum(len(group) > 1 for group in groups)
        splits, merges = (counted(kinds.count(kind), kind) for kind in ("split", "merge"))
        objects, things = counted(sum(map(len, groups)), "object"), counted(len(groups), "thing")
        with telling(self._desk):
            keep_parents(sheet.workspace.session, links.parents)  # before what is saved with the link
            sheet.workspace.session.link(groups)
            self._desk.said.emit(
                f"{objects} on planes: {things}, {tracks} of them on several planes; {splits}, {merges}."
            )

    def _at(self, sheet: Sheet) -> int:
        return min(max(0, self.axis.currentIndex()), len(sheet.place.steps) - 1)

    def _show_sheet(self) -> None:
        sheet = self._desk.sheet
        is_stack = sheet is not None and bool(sheet.place.steps)
        self.hint.setVisible(not is_stack)
        self._inside.setVisible(is_stack)
        self._went = None
        with signals_blocked(self.axis):
            self.axis.clear()
            if sheet is not None:
                for axis, n in zip(sheet.place.step_axes, sheet.place.steps, strict=True):
                    self.axis.addItem(f"{sheet.image.axis_labels[axis]} ({n} planes)")
        self._form.setRowVisible(self.axis, self.axis.count() > 1)
        self._limit()
        self._chosen()

    def _limit(self) -> None:
        sheet = self._desk.sheet
        if sheet is not None and sheet.place.steps:
            last = sheet.place.steps[self._at(sheet)] - 1
            with signals_blocked(self.range):
                self.range.setRange(0, max(1, last))
                self.range.setValue((0, max(1, last)))

    def _chosen(self, *_: Any) -> None:
        scan = self._scan
        scan.scope = SCOPES[self.scope.currentIndex()][1]  # type: ignore[assignment]
        if scan.axis != self.axis.currentIndex():
            scan.axis = max(0, self.axis.currentIndex())
            self._limit()
        low, high = self.range.value()
        scan.range = (int(low), int(high))
        scan.cluster = self.cluster.text().strip() or None
        self._form.setRowVisible(self.range, scan.scope == "range")
        self.refresh()
