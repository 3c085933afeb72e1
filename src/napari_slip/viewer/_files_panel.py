"""The Files section: what other programs read, and what they wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from napari_slip.viewer._exchange import Exchange
from napari_slip.viewer._qt import tool_button

if TYPE_CHECKING:
    from napari_slip.viewer._desk import Desk

OFFERED = (
    ("coco", "COCO JSON", "Whole masks with classes, for most programs that know labelled pictures.", True),
    ("labels", "Labels TIFF", "A picture of numbers, for ImageJ and everything else.", True),
    ("table", "Table (CSV)", "One row for each object: size, shape, intensity; in units if known.", True),
    ("zarr", "OME-Zarr", "Labels in scales, for large pictures and stacks.", False),
    ("crops", "Crops by class", "A small picture of each accepted object, for training.", False),
    ("session", "Session", "Everything with its history, to go on elsewhere.", False),
    ("provenance", "Provenance", "Texts, settings, decisions, and what napari-slip replay does again.", True),
)

READ = (
    "What can be read (*.json *.slip *.npz *.tif *.tiff *.png .zattrs zarr.json);;"
    "COCO JSON (*.json);;Sessions (*.slip *.npz);;Label pictures (*.tif *.tiff *.png);;All files (*)"
)


class FilesPanel(QWidget):
    """Export and import for the image in front."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.exchange = Exchange(desk)
        self._desk = desk
        self._folder = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        grid = QGridLayout()
        grid.setVerticalSpacing(0)
        self.kinds: dict[str, QCheckBox] = {}
        for n, (kind, text, tip, ticked) in enumerate(OFFERED):
            self.kinds[kind] = box = QCheckBox(text)
            box.setToolTip(tip)
            box.setChecked(ticked)
            grid.addWidget(box, n // 2, n % 2)
        layout.addLayout(grid)
        row = QHBoxLayout()
        for text, tip, action in (
            ("Export\N{HORIZONTAL ELLIPSIS}", "Write what is ticked into a folder.", self._export),
            (
                "Import\N{HORIZONTAL ELLIPSIS}",
                "Add the objects of a file to this image: COCO, a label picture, a session.",
                self._import,
            ),
        ):
            row.addWidget(tool_button(text, tip, action))
        row.addStretch(1)
        layout.addLayout(row)

    @property
    def ticked(self) -> list[str]:
        """The kinds of files that are ticked."""
        return [kind for kind, box in self.kinds.items() if box.isChecked()]

    def _export(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export to", self._start())
        if folder:
            self._folder = folder
            self.exchange.export(Path(folder), self.ticked)

    def _import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import", self._start(), READ)
        if name:
            path = Path(name)
            self._folder = str(path.parent)
            # of an OME-Zarr, which is a folder, a person can point at the file that marks it
            self.exchange.take_in(path.parent if path.name in (".zattrs", "zarr.json") else path)

    def _start(self) -> str:
        """Return the folder of the last file, or the image's own."""
        sheet = self._desk.sheet
        if self._folder or sheet is None or not sheet.image.source.path:
            return self._folder
        return str(Path(sheet.image.source.path).parent)
