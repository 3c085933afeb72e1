"""Which models run, what each of them costs, and where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_slip import recommending
from napari_slip.models import known_models
from napari_slip.viewer._engine import ModelChoice
from napari_slip.viewer._model_download import DownloadRow, missing
from napari_slip.viewer._qt import Words, timer, tool_button
from napari_slip.viewer._runner import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_slip.models import Entry, Preset
    from napari_slip.progress import Progress
    from napari_slip.viewer._desk import Desk

OWN = "my own files"

IDLE_S = 300
"""Seconds without work after which models make room on a GPU."""

LOOK_MS = 60_000
"""How often it is looked whether they may."""

DEVICES = {"auto": "the best there is", "cpu": "CPU", "cuda": "CUDA (NVIDIA)", "mps": "MPS (Apple)"}


class ModelPanel(QWidget):
    """A preset or files of one's own, and a device. Nothing is loaded before it is needed.

    Parameters
    ----------
    desk : Desk
        Hears of the choice.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.preset = QComboBox()
        self.preset.addItems([*known_models().presets, OWN])
        self.preset.setToolTip("A SAM and a CLIP that go together; annotations stay when it is changed.")
        self.cost = Words()
        self.download = DownloadRow()
        self.kind = QComboBox()
        for name, title in recommending.KINDS.items():
            self.kind.addItem(title, name)
        self.kind.setToolTip("What the images are of.")
        self.recommend = QPushButton("Recommend")
        self.recommend.setToolTip(
            "Measure how fast this machine is, and choose the finest model that takes less than a minute for "
            "a picture; takes some seconds."
        )
        self.sam = QLineEdit()
        self.sam.setPlaceholderText("mini, vit_b, ... or a checkpoint")
        self.sam.setToolTip("Name of a SAM, or the path of a checkpoint (.pth, .safetensors).")
        self.clip = QLineEdit()
        self.clip.setPlaceholderText("mini, a hub name, or a folder")
        self.clip.setToolTip("Name of a CLIP on the hub, or the path of a folder as transformers writes it.")
        self.device = QComboBox()
        for name, title in DEVICES.items():
            self.device.addItem(title, name)
        self.device.setToolTip("Where the models run.")
        self.again = QPushButton("Look again with it")
        self.again.setToolTip("Run the ticked classes on the plane with this model.")
        self._lay_out()
        self._show()
        self.preset.currentIndexChanged.connect(self._changed)
        self.device.currentIndexChanged.connect(self._changed)
        self.sam.editingFinished.connect(self._changed)
        self.clip.editingFinished.connect(self._changed)
        self.again.clicked.connect(self._look_again)
        self.recommend.clicked.connect(self._recommend)
        self.download.ended.connect(self._say)
        self.download.failed.connect(desk.fail)
        self._idle = timer(self, LOOK_MS, self._make_room, once=False)
        self._idle.start()

    def list_again(self) -> None:
        """Offer models that have got a name since."""
        listed = {self.preset.itemText(n) for n in range(self.preset.count())}
        for name in known_models().presets:
            if name not in listed:
                self.preset.insertItem(self.preset.count() - 1, name)

    def choose(self, name: str) -> None:
        """Take a preset, and look at the plane again with it."""
        self.list_again()
        self.preset.setCurrentText(name)
        self._look_again()

    def dispose(self) -> None:
        """Stop a download; what has arrived is kept."""
        self._idle.stop()
        self.download.dispose()

    @property
    def choice(self) -> ModelChoice:
        """What the panel says; an empty name of one's own means mini."""
        device = str(self.device.currentData())
        if self.preset.currentText() != OWN:
            return ModelChoice(self.preset.currentText(), device=device)
        sam, clip = self.sam.text().strip() or "mini", self.clip.text().strip() or "mini"
        return ModelChoice("", sam, clip, device)

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Model", self.preset)
        form.addRow(self.cost)
        form.addRow(self.download)
        self._own = QWidget()
        own = QFormLayout(self._own)
        own.setContentsMargins(0, 0, 0, 0)
        own.addRow("SAM", _with_button(self.sam, self._browse_sam, "Choose a checkpoint."))
        own.addRow("CLIP", _with_button(self.clip, self._browse_clip, "Choose a folder."))
        form.addRow(self._own)
        form.addRow("Device", self.device)
        form.addRow(self.again)
        asked = QWidget()
        row = QHBoxLayout(asked)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.kind, 1)
        row.addWidget(self.recommend)
        form.addRow("Images", asked)

    def _show(self) -> None:
        chosen = self._desk.memory.model
        self.preset.setCurrentText(chosen.preset if chosen.preset in known_models().presets else OWN)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen.device)))
        self.sam.setText(chosen.sam)
        self.clip.setText(chosen.clip)
        self._say()

    def _say(self) -> None:
        known = known_models()
        preset = known.presets.get(self.preset.currentText())
        entries = [] if preset is None else known.named(self.preset.currentText())
        self._own.setVisible(preset is None)
        self.cost.setText("" if preset is None else describe(preset, missing(entries)))
        self.cost.setVisible(preset is not None)
        self.download.offer(entries)

    def _changed(self) -> None:
        self._say()
        self._desk.show(model=self.choice)

    def _look_again(self) -> None:
        self._desk.rerun()

    def _make_room(self) -> None:
        if self._desk.runner.state == "idle" and "torch" in sys.modules:  # without it nothing is loaded
            from napari_slip.models.memory import rest

            beside(lambda: rest(IDLE_S))

    def _recommend(self) -> None:
        kind, device = str(self.kind.currentData()), str(self.device.currentData())

        def work(progress: Progress) -> tuple[str, str]:
            progress("speed", 0, 1)
            machine = recommending.measure(device)
            advice = recommending.advise(machine)
            timed = recommending.time_presets(
                advice,
                lambda name: self._desk.engine.slip(ModelChoice(name, device=device), progress),
                progress,
            )
            chosen = recommending.choose(recommending.advise(machine, timed), kind)
            return chosen.preset, recommending.in_words(chosen, machine, kind)

        self._desk.runner.submit(work, self._recommended, what="the recommendation")

    def _recommended(self, found: tuple[str, str]) -> None:
        preset, sentence = found
        self.preset.setCurrentText(preset)
        self._desk.said.emit(sentence)

    def _browse_sam(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "A checkpoint of SAM", "", "SAM (*.pth *.pt *.safetensors)"
        )
        if path:
            self.sam.setText(path)
            self._changed()

    def _browse_clip(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "A folder with a CLIP"):
            self.clip.setText(path)
            self._changed()


def describe(preset: Preset, absent: Sequence[Entry] = ()) -> str:
    """Say what a preset is, what of it must be downloaded, and what its licence is."""
    if not preset.needs_download:
        fetched = "no download"
    elif not absent:
        fetched = "on this machine"
    else:
        fetched = "downloaded when first used"
    gated = "".join(f" {entry.name}: {entry.gated}." for entry in absent if entry.gated)
    return f"{preset.title}. {preset.size_mb} MB, {fetched}. Licence: {preset.licence}.{gated}"


def _with_button(line: QLineEdit, browse: Callable[[], None], tip: str) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(line, 1)
    layout.addWidget(tool_button("...", tip, browse))
    return row
