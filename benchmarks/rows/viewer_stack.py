"""How long the first plane of a whole stack takes to come on screen.

Needs napari and a display; without one: ``xvfb-run -a python -m benchmarks --row viewer_stack``.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measuring import Ratio, Row
from benchmarks.rows.viewer import docked, paint, rest
from napari_slip.progress import Progress
from napari_slip.synthesis import draw_series

if TYPE_CHECKING:
    from benchmarks.measuring import Context
    from napari_slip.viewer import SlipDock

PLANES, SIDE = 12, 384
HERE = PLANES // 2


def measure(context: Context) -> list[Row]:
    """Ask for one plane and for the whole stack in turns; count until the matches are painted."""
    with tempfile.TemporaryDirectory() as home:
        for kind in ("CONFIG", "DATA", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = home
        from napari_slip.viewer._engine import Engine, ModelChoice, load_slip

        slip = load_slip(ModelChoice(), Progress())
        slip.store = None
        stack, alone = [], []
        for _ in range(context.repeats):
            for scope, times in ((0, alone), (2, stack)):
                # another series each time: neither memory nor session knows it
                with docked(_series(), Engine(lambda choice, progress: slip, planes=0)) as dock:
                    dock.viewer.dims.set_point(0, HERE)
                    dock.stack.scope.setCurrentIndex(scope)
                    rest(0.5)
                    times.append(_first(dock))
                    dock.desk.cancel()
                    rest(0.5)
    note = f"whole stack / this plane, {PLANES} planes of {SIDE} x {SIDE}, mini, the viewer visible"
    return [Row.of("dock: first plane of a stack", Ratio(stack, alone), "<=", 1.3, note)]


def _series() -> np.ndarray:
    rng = np.random.default_rng()
    return draw_series("drift", PLANES, (SIDE, SIDE), 6, rng).pictures[..., 0]


def _first(dock: SlipDock) -> float:
    """Press Enter, and return the seconds until the plane on screen has its segments."""
    start = time.perf_counter()
    dock.prompt.setText("disc")
    dock.prompt.returnPressed.emit()
    while "picture segments" not in dock.viewer.layers:
        paint()
        time.sleep(0.001)
    paint()
    return time.perf_counter() - start
