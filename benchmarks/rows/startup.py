"""Plugin start: the time that importing the package takes, against numpy."""

from __future__ import annotations

import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.measuring import Ratio, Row

if TYPE_CHECKING:
    from benchmarks.measuring import Context

PROGRAM = "import time; t = time.{clock}(); import {module}; print(time.{clock}() - t)"


def measure(context: Context) -> list[Row]:
    """Import both in fresh interpreters, in turns."""
    clock = {"wall": "perf_counter", "cpu": "process_time"}[context.clock]

    def seconds(module: str) -> float:
        program = PROGRAM.format(clock=clock, module=module)
        ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        return float(ran.stdout)

    for module in ("napari_slip", "numpy"):  # once for the disk
        seconds(module)
    times = [(seconds("napari_slip"), seconds("numpy")) for _ in range(max(5, context.repeats))]
    ratio = Ratio([ours for ours, _ in times], [theirs for _, theirs in times])
    note = f"import napari_slip / import numpy ({statistics.median(ratio.lower) * 1e3:.0f} ms)"
    return [Row.of("plugin start", ratio, "<=", 1.5, note)]
