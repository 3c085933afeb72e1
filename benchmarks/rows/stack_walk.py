"""One series from its file to linked labels: from the viewer, cancelled half-way, and by the command.

Needs napari and a display; without one: ``xvfb-run -a python -m benchmarks --row stack_walk``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from benchmarks.measuring import Row
from napari_slip.synthesis import draw_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from numpy.typing import NDArray

    from benchmarks.measuring import Context

SIDE = 128
FIRST, SECOND = "blue", "red"

PATIENCE_S = 3600


@dataclass
class Walked:
    """What came of a series by both ways.

    Parameters
    ----------
    kept : int
        Planes that were done when the run was cancelled.
    repeated : int
        How many of them the next run has looked at again, but for the one on screen.
    things, objects : int
        Linked identities, and masks on planes.
    shown, exported, batch : (T, H, W) int arrays
        Labels in the viewer, in its file, and in the file of the command line.
    classes, batch_classes : dict
        Class of each label in the viewer's files, and in the command line's.
    seconds : dict
        What took how long.
    """

    kept: int = 0
    repeated: int = 0
    things: int = 0
    objects: int = 0
    shown: Any = None
    exported: Any = None
    batch: Any = None
    classes: dict[int, str] = field(default_factory=dict)
    batch_classes: dict[int, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def same(self) -> float:
        """Share of pixels that belong to the same thing by both ways."""
        return float(np.mean(partition(self.exported) == partition(self.batch)))


def measure(context: Context) -> list[Row]:
    """Walk once."""
    planes = 24 if context.quick else 500
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for kind in ("CONFIG", "DATA", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = home
        import napari

        viewer = napari.Viewer(show=False)  # drawn in software, 500 planes would take their time
        walked = walk(viewer, Path(home), planes)
        viewer.close()
    note = (
        f"{planes} planes of {SIDE} x {SIDE}, mini, two classes; cancelled after {walked.kept}, run again, "
        f"linked to {walked.things} things, exported; napari-slip batch --workers 2"
    )
    spread = (walked.same, walked.same)
    return [
        Row("series: same pixels", walked.same, 1.0, ">=", spread, note, walked.seconds),
        Row("series: planes done twice", walked.repeated, 0, "<=", (0, walked.repeated), "after cancelling"),
    ]


def walk(viewer: napari.Viewer, folder: Path, planes: int) -> Walked:
    """Label a series for two classes by both ways.

    Parameters
    ----------
    viewer : napari.Viewer
        Empty.
    folder : Path
        For the series and what is made of it.
    planes : int
        Of the series.
    """
    from napari_slip.viewer import SlipDock
    from napari_slip.viewer._engine import Engine, load_slip

    walked, path, engine = Walked(), folder / "series.tif", _counting(Engine(load_slip))
    series = draw_series("divide", planes, (SIDE, SIDE), 5, np.random.default_rng(3))
    tifffile.imwrite(path, series.pictures, photometric="rgb", metadata={"axes": "TYXS"})
    viewer.open(path, plugin="napari")
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    try:
        _by_hand(dock, engine, planes, walked)
        with _timed(walked, "export"):
            _export(dock, path, folder, walked)
    finally:
        dock.dispose()
    with _timed(walked, "two workers"):
        _by_command(path, folder / "out", walked)
    return walked


def partition(labels: NDArray[Any]) -> NDArray[Any]:
    """Name each label by where it first appears, so that only what belongs together is compared."""
    values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.where(values == 0, -1, first)[inverse].reshape(labels.shape)


def _by_hand(dock: Any, engine: Any, planes: int, walked: Walked) -> None:
    from napari_slip.settings import MatchSettings

    desk = dock.desk
    desk.show(settings=MatchSettings(select="above:0.5"))
    dock.viewer.dims.set_point(0, planes // 3)
    dock.stack.scope.setCurrentIndex(2)

    def done() -> int:
        return 0 if desk.sheet is None else len(desk.scan.found(desk.sheet).done)

    def at_rest() -> bool:
        return desk.runner.state == "idle" and not desk.scan.running

    def ask(text: str) -> None:
        dock.prompt.setText(text)
        dock.prompt.returnPressed.emit()

    with _timed(walked, "first class, both runs"):
        ask(FIRST)
        _wait(lambda: done() >= planes // 2)
        desk.cancel()
        _wait(at_rest)
        before = set(desk.scan.found(desk.sheet).done)
        engine.asked.clear()
        ask(FIRST)
        _wait(lambda: at_rest() and done() == planes)
    walked.kept = len(before)
    walked.repeated = len(before & set(engine.asked) - {desk.sheet.place.index})
    with _timed(walked, "second class"):
        ask(SECOND)
        _wait(lambda: at_rest() and len(desk.scan.found(desk.sheet).best.get(SECOND, ())) == planes)
    with _timed(walked, "links"):
        dock.stack.do_link()
        _wait(at_rest)


def _export(dock: Any, path: Path, folder: Path, walked: Walked) -> None:
    from napari_slip.io import export_session, open_stack, read_ome_zarr

    session = dock.desk.sheet.workspace.session
    with open_stack(path) as file:
        written = export_session(session, folder, "series", ["zarr"], stack=file.stack)
    walked.exported = np.asarray(read_ome_zarr(written["zarr"], "labels/objects").levels[0])
    walked.shown = np.asarray(dock.viewer.layers["series matches"].data[:])
    walked.classes = {o.label: o.class_name for o in session.objects.values()}
    walked.things, walked.objects = len(walked.classes), len(session.objects)


def _by_command(path: Path, out: Path, walked: Walked) -> None:
    from napari_slip.io import read_ome_zarr

    program = [sys.executable, "-m", "napari_slip"]
    words = ["batch", str(path), "--prompt", FIRST, "--prompt", SECOND, "--select", "above:0.5"]
    where = ["--no-store", "--workers", "2", "--out", str(out)]
    subprocess.run([*program, *words, *where], check=True, capture_output=True)
    labels = read_ome_zarr(out / "series.ome.zarr", "labels/matches")
    walked.batch = np.asarray(labels.levels[0])
    told = labels.attributes["image-label"]["properties"]
    walked.batch_classes = {entry["label-value"]: entry["class"] for entry in told}


def _counting(engine: Any) -> Any:
    """Let an engine remember which planes it was asked for."""
    run, engine.asked = engine.run, []

    def counted(request: Any, progress: Any) -> Any:
        outcome = run(request, progress)
        engine.asked.append(request.snapshot.place.index)
        return outcome

    engine.run = counted
    return engine


def _wait(until: Callable[[], bool]) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + PATIENCE_S
    while not until():
        if time.monotonic() > end:
            raise TimeoutError("The dock has not come to an end.")
        QApplication.processEvents()
        time.sleep(0.005)


@contextmanager
def _timed(walked: Walked, step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    walked.seconds[step] = time.perf_counter() - start
