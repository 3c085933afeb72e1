"""A `Slip` of the real chain with foreseeable models: bright blobs are segments, colours are words."""

from __future__ import annotations

import threading
import warnings

import numpy as np
from qtpy.QtCore import Qt
from scipy import ndimage

from napari_slip.models.protocols import Calibration, EncoderCard
from napari_slip.pipeline import Slip
from napari_slip.segmentation import EncodedPlane, Refined
from napari_slip.segments import PackedMasks, Segments
from napari_slip.settings import ProposalSettings
from napari_slip.viewer._engine import Engine, ModelChoice

with warnings.catch_warnings():  # what torch says of itself when it is first imported
    warnings.simplefilter("ignore")
    import torch  # noqa: F401

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "white": (1, 1, 1), "yellow": (1, 1, 0)}


class Blobs:
    """Each connected region that is not black is a segment; counts its runs, and waits at a gate.

    A deaf one does not hear that it was told to stop until the gate is open.
    """

    name = "blobs"
    hash = "sha256:blobs"
    proposals = ProposalSettings()

    def __init__(self) -> None:
        self.encoded = 0
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()
        self.error = None
        self.deaf = False

    def encode(self, rgb, progress):
        self.encoded += 1
        self.reached.set()
        for _ in range(2000):  # ten seconds at most
            if not self.deaf:
                progress.check()
            if self.gate.wait(0.005):
                break
        if self.error is not None:
            raise self.error
        progress("encode", 1, 1)
        return EncodedPlane(rgb, ())

    def propose(self, plane, settings, progress):
        rgb = plane.rgb
        labels, n = ndimage.label(rgb.max(axis=-1) > 40)
        boxes = ndimage.find_objects(labels)
        crops = [labels[box] == i + 1 for i, box in enumerate(boxes)]
        masks = PackedMasks.pack(crops, [(columns.start, rows.start) for rows, columns in boxes])
        progress("prompts", n, n)
        return Segments(
            shape=rgb.shape[:2],
            masks=masks,
            predicted_iou=np.linspace(0.95, 0.86, n, dtype=np.float32),
            stability_score=np.linspace(0.8, 0.95, n, dtype=np.float32),
            mean_intensity=np.asarray(
                [rgb[box][crop].mean() / 255 for box, crop in zip(boxes, crops, strict=True)], np.float32
            ),
            area=np.asarray([crop.sum() for crop in crops], np.int64),
            roundness=np.full(n, 0.9, np.float32),
            parent=np.full(n, -1, np.int32),
            background=np.zeros(n, bool),
        )

    def refine(self, plane, *, points=None, point_labels=None, box=None, mask=None):
        """The blobs that are clicked at or lie in the box, without those that are clicked away."""
        labels, _ = ndimage.label(plane.rgb.max(axis=-1) > 40)
        found = np.zeros(labels.shape, bool)
        if box is not None:
            x0, y0, x1, y1 = (int(edge) for edge in box)
            found |= np.isin(labels, np.unique(labels[y0:y1, x0:x1][labels[y0:y1, x0:x1] > 0]))
        for (x, y), sign in zip(
            points if points is not None else (), () if point_labels is None else point_labels, strict=False
        ):
            here = labels[int(y), int(x)]
            found = found | (labels == here) if sign and here else found & (labels != here)
        return Refined(found, 0.9, 0.9)


class Colours:
    """Embeds a picture as its mean colour and a text as the colour that it names; counts what it looks at."""

    def __init__(self, vocabulary=frozenset(WORDS)) -> None:
        self.looked_at = 0
        self.read = 0
        self.card = EncoderCard(
            name="colours",
            hash="sha256:colours",
            image_size=16,
            mean=(0.0, 0.0, 0.0),
            templates=("{}",),
            calibration=Calibration(a=10.0, b=0.0, null_prompts=("nothing",)),
            vocabulary=vocabulary,
        )

    def encode_images(self, pictures, progress=None):
        self.looked_at += len(pictures)
        colours = pictures.reshape(len(pictures), -1, 3).max(axis=1).astype(np.float32)
        return np.hstack([colours, np.full((len(colours), 1), 1.0, np.float32)])

    def encode_texts(self, texts):
        self.read += len(texts)
        rows = [(*WORDS[t], 0) if t in WORDS else (0.2, 0.2, 0.2, 1) for t in texts]
        vectors = np.asarray(rows, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class FakeEngine(Engine):
    """An engine over one fake `Slip`, with its parts at hand."""

    def __init__(self) -> None:
        self.sam, self.clip, self.loaded = Blobs(), Colours(), []
        super().__init__(self._make)

    def _make(self, choice: ModelChoice, progress) -> Slip:
        self.loaded.append(choice)
        return Slip(self.sam, self.clip)


def blobs(shape=(96, 128)):
    """A red, a green, a large blue and two yellow discs on black, as RGB."""
    picture = np.zeros((*shape, 3), np.uint8)
    rows, columns = np.indices(shape)
    for (r, c), radius, colour in [
        ((20, 20), 10, (255, 0, 0)),
        ((20, 60), 12, (0, 255, 0)),
        ((65, 35), 22, (0, 0, 255)),
        ((30, 105), 8, (255, 255, 0)),
        ((75, 100), 9, (250, 250, 0)),
    ]:
        picture[(rows - r) ** 2 + (columns - c) ** 2 <= radius**2] = colour
    return picture


def begin(dock, text, engine, qtbot):
    """Ask, and come back when SAM has begun."""
    dock.prompt.setText(text)
    dock.prompt.returnPressed.emit()
    qtbot.waitUntil(engine.sam.reached.is_set)
    engine.sam.reached.clear()


def ask(dock, text, qtbot):
    """Type a text, press Enter, and wait for what comes of it."""
    dock.prompt.setText(text)
    dock.prompt.returnPressed.emit()
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=10_000)


def ours(dock):
    """Return the two layers of the discs."""
    return dock.viewer.layers["discs segments"], dock.viewer.layers["discs matches"]


def press(qtbot, layer, viewer, key, *modifiers):
    """Press a key on the canvas while a layer is the active one."""
    viewer.layers.selection.active = layer
    held = Qt.KeyboardModifier.NoModifier
    for modifier in modifiers:
        held |= modifier
    qtbot.keyClick(viewer.window._qt_viewer.canvas.native, key, held)
