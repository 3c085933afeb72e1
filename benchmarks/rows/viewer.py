"""The dock in a visible viewer: threads, second prompts, sliders, and how long the window ever stands still.

Needs napari and a display; without one: ``xvfb-run -a python -m benchmarks --row viewer``.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import Row
from napari_slip.models.protocols import EncoderCard
from napari_slip.pipeline import Slip
from napari_slip.progress import Progress
from napari_slip.segments import PackedMasks, Segments
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.measuring import Context
    from napari_slip.viewer import SlipDock

SIDE, CELLS, D = 2048, 32, 512
COINS = (
    "coin",
    "red circle",
    "a bright circle",
    "fish",
    "round coins",
    "dark background",
    "cell",
    "metal coin",
    "leaf",
)


def measure(context: Context) -> list[Row]:
    """Measure the dock over 1,024 segments on 2048 x 2048 pixels, and with mini, also against mini alone."""
    with tempfile.TemporaryDirectory() as home:
        for kind in ("CONFIG", "DATA", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = home
        return [*_light(context), *_real(context), *_heavy(context)]


def _light(context: Context) -> list[Row]:
    from napari_slip.viewer._engine import Engine

    runs = 3 if context.quick else 15
    slip = Slip(_Discs(), Words())
    with docked(np.zeros((SIDE, SIDE), np.uint8), Engine(lambda choice, progress: slip)) as dock:
        _ask(dock, "first")
        prompts = [_ask(dock, f"text {i}") for i in range(runs)]
        slider = dock.filters.rows["area"].slider
        top = slider.maximum()
        slides = []
        for i in range(runs):
            low = np.log10(200 + 60 * (i % 10))
            slides.append(_milliseconds(lambda low=low: (slider.setValue((low, top)), paint())))
            rest(0.4)
    n = f"{CELLS * CELLS} segments, {SIDE} x {SIDE}, milliseconds"
    return [_row("dock: second prompt", prompts, n), _row("dock: slider to picture", slides, n)]


def _real(context: Context) -> list[Row]:
    """Ask mini for one thing after the other on a picture that it has segmented."""
    from napari_slip.matching.texts import embed_texts
    from napari_slip.viewer._engine import Engine

    slip = _mini()
    with docked(_coins(), Engine(lambda choice, progress: slip)) as dock:
        _ask(dock, "thing")
        prompts, texts = [], []
        for name in COINS[: 3 if context.quick else None]:
            prompts.append(_ask(dock, name))
            new = [f"the very {name}"]
            texts.append(
                _milliseconds(lambda new=new: embed_texts(new, slip.encoder, slip.encoder.card.templates))
            )
    text = statistics.median(texts)
    n = f"mini on coins, milliseconds; bar: 100 and the {text:.0f} of a text"
    return [_row("dock: second prompt, mini", prompts, n, 100 + text)]


def _mini() -> Slip:
    from napari_slip.viewer._engine import ModelChoice, load_slip

    slip = load_slip(ModelChoice(), Progress())
    slip.store = None
    return slip


def _coins() -> NDArray[np.uint8]:
    from skimage import data

    return np.repeat(data.coins()[..., None], 3, axis=-1)


def _heavy(context: Context) -> list[Row]:
    from benchmarks.measuring import Ratio
    from napari_slip.viewer._engine import Engine

    slip = _mini()
    gaps: list[float] = []
    landings: list[float] = []
    threaded, alone = [], []
    engine = Engine(lambda choice, progress: slip, planes=0)
    run = engine.run

    asked: list[Any] = []

    def timed(request: Any, progress: Progress) -> Any:
        asked[:] = [request]
        start = time.perf_counter()
        outcome = run(request, progress)
        threaded.append(1000 * (time.perf_counter() - start))
        return outcome

    engine.run = timed  # type: ignore[method-assign]
    with docked(_coins(), engine) as dock:
        _ask(dock, "coin")
        threaded.clear()
        for _ in range(context.repeats):
            alone.append(_milliseconds(lambda: run(asked[0], Progress())))
            gap, landing = _watched(dock, "coin")
            gaps.append(gap)
            landings.append(landing)
        frees, ends = zip(*(_stopped(dock, 0.3 * alone[-1]) for _ in range(context.repeats)), strict=True)
    ratio = Ratio(threaded, alone)
    return [
        Row.of("dock: thread against alone", ratio, "<=", 1.1, "mini on coins, the viewer visible"),
        _row("dock: longest stall", gaps, "milliseconds, during the run", landing=max(landings)),
        Row(
            "dock: cancel to free dock",
            max(frees),
            500.0,
            "<=",
            (min(frees), max(frees)),
            "milliseconds, the result barred; mini on coins",
            {"work_ended": max(ends)},
        ),
    ]


def _row(name: str, values: list[float], note: str, bar: float = 100, **details: float) -> Row:
    return Row(name, statistics.median(values), bar, "<=", (min(values), max(values)), note, details)


def _milliseconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


@contextmanager
def docked(picture: NDArray[np.uint8], engine: Any) -> Iterator[SlipDock]:
    """Open a viewer with a picture and the dock."""
    import napari

    from napari_slip.viewer import SlipDock

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 1000)
    viewer.add_image(picture, name="picture")
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    rest(1)
    yield dock
    dock.dispose()
    viewer.close()


def paint() -> None:
    """Let the window do what it has to."""
    from qtpy.QtWidgets import QApplication

    QApplication.processEvents()


def rest(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        paint()
        time.sleep(0.002)


def _type(dock: SlipDock, text: str) -> None:
    """Type a text and let the window paint it, which is no part of what comes of Enter."""
    dock.prompt.setText(text)
    rest(0.3)


def _ask(dock: SlipDock, text: str) -> float:
    """Type, press Enter, and return the milliseconds until the canvas with the result is on the screen."""
    _type(dock, text)
    begun = time.perf_counter()
    landed: list[float] = []
    frames: list[float] = []
    canvas = dock.desk.viewer.window._qt_viewer.canvas.native
    swapped = canvas.frameSwapped.connect(lambda: frames.append(time.perf_counter()))
    dock.desk.landed.connect(told := lambda *what: landed.append(time.perf_counter()))
    _live_until_idle(dock, dock.prompt.returnPressed.emit)
    while (not landed or frames[-1:] < landed) and time.perf_counter() < begun + 20:
        paint()
    canvas.frameSwapped.disconnect(swapped)
    dock.desk.landed.disconnect(told)
    rest(0.3)
    return 1000 * (frames[-1] - begun)


def _watched(dock: SlipDock, text: str) -> tuple[float, float]:
    """Ask, and return the longest gap in the event loop, and how long the landing took."""
    _type(dock, text)
    ticks = [time.perf_counter()]
    _live_until_idle(dock, dock.prompt.returnPressed.emit, lambda: ticks.append(time.perf_counter()))
    landing = 1000 * (time.perf_counter() - ticks[-1])
    return 1000 * max(np.diff(ticks), default=0.0), landing


def _live_until_idle(dock: SlipDock, begin: Callable[[], Any], tick: Callable[[], Any] | None = None) -> None:
    """Begin a run and let Qt live as in napari until it has landed, `tick` every few milliseconds."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, clock = QEventLoop(), QTimer()
    states = dock.desk.runner.state_changed

    def changed(state: str) -> None:
        if state == "idle":  # told before the result lands, in the same breath
            QTimer.singleShot(0, loop.quit)

    states.connect(changed)
    if tick is not None:
        clock.timeout.connect(tick)
        clock.start(5)
    begin()
    loop.exec()
    clock.stop()
    states.disconnect(changed)


def _stopped(dock: SlipDock, after: float) -> tuple[float, float]:
    """Cancel a run some milliseconds after its beginning; returns when the dock is free and the work ends."""
    landed: list[Any] = []
    dock.desk.landed.connect(lambda *what: landed.append(what))
    dock.prompt.setText("coin")
    dock.prompt.returnPressed.emit()
    work = dock.desk.runner._job.future  # type: ignore[union-attr]
    rest(after / 1000)
    start = time.perf_counter()
    dock.desk.cancel()
    free, end = 0.0, 0.0
    while not (free and end):
        paint()
        now = 1000 * (time.perf_counter() - start)
        free = free or (now if dock.desk.runner.state == "idle" else 0.0)
        end = end or (now if work.done() else 0.0)
        time.sleep(0.001)
    rest(0.2)
    if landed:
        raise SystemExit("A cancelled run has landed.")
    return free, end


class _Discs:
    """Finds a disc in each cell of a grid at once."""

    name, hash, proposals = "discs", "sha256:discs", ProposalSettings()

    def encode(self, rgb: NDArray[np.uint8], progress: Progress) -> NDArray[np.uint8]:
        return rgb

    def propose(self, plane: NDArray[np.uint8], settings: ProposalSettings, progress: Progress) -> Segments:
        step, n = SIDE // CELLS, CELLS * CELLS
        rows, columns = np.indices((step, step)) - step / 2
        rng = np.random.default_rng(0)
        crops = [rows**2 + columns**2 < r**2 for r in rng.uniform(8, step / 2, n)]
        masks = PackedMasks.pack(crops, [(step * (i % CELLS), step * (i // CELLS)) for i in range(n)])
        unit = rng.random((5, n)).astype(np.float32)
        area = np.array([crop.sum() for crop in crops])
        none = np.zeros(n, bool)
        parent = np.full(n, -1, np.int32)
        return Segments((SIDE, SIDE), masks, unit[0], unit[1], unit[2], area, unit[3], parent, none)


class Words:
    """Embeds pictures by chance, and "text 3" as some of them, so that there is something to highlight."""

    card = EncoderCard(name="words", hash="sha256:words", image_size=8, mean=(0.0, 0.0, 0.0))

    def encode_images(self, pictures: NDArray[np.uint8], progress: Progress | None = None) -> NDArray:
        """Return the same vectors for each batch."""
        return np.resize(self._vectors(), (len(pictures), D))

    def encode_texts(self, texts: Sequence[str]) -> NDArray:
        """Return the vector that a number in the text names, else one by chance."""
        numbers = ["".join(filter(str.isdigit, text)) for text in texts]
        rng = np.random.default_rng(len(texts[0]))
        vectors = self._vectors()
        return np.stack([vectors[int(n) % len(vectors)] if n else _vector(rng) for n in numbers])

    def _vectors(self) -> NDArray:
        rng = np.random.default_rng(1)
        return np.stack([_vector(rng) for _ in range(32)])


def _vector(rng: np.random.Generator) -> NDArray:
    return rng.normal(size=D).astype(np.float32)
