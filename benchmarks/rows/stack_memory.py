"""Peak memory against the number of planes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import Row, resident_bytes

if TYPE_CHECKING:
    from benchmarks.measuring import Context

SIDE = 128


def measure(context: Context) -> list[Row]:
    """Label 50 and 500 planes by mini, each in a process of its own."""
    few, many = (10, 40) if context.quick else (50, 500)
    peaks = [_peak(few), _peak(many)]
    grown = peaks[1] / peaks[0]
    note = f"peak memory of {many} planes / of {few}, {SIDE} x {SIDE}, mini, labels and tables written"
    details = {f"MB of {n}": peak for n, peak in zip((few, many), peaks, strict=True)}
    return [Row("memory against planes", grown, 1.05, "<=", (grown, grown), note, details)]


def _peak(planes: int) -> float:
    command = [sys.executable, "-m", "benchmarks.rows.stack_memory", str(planes)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _run(planes: int) -> None:
    import tifffile

    from napari_slip.batch import ModelRecipe, Orders, find_sources, run_stacks
    from napari_slip.io import RunSettings
    from napari_slip.settings import MatchSettings
    from napari_slip.synthesis import draw_series

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "series.tif"
        some = draw_series("drift", 50, (SIDE, SIDE), 4).pictures  # again and again, so that it takes no room
        with tifffile.TiffWriter(path) as file:
            file.write(
                (some[t % len(some)] for t in range(planes)),
                shape=(planes, *some.shape[1:]),
                dtype=some.dtype,
                photometric="rgb",
                metadata={"axes": "TYXS"},
            )
        orders = Orders(
            prompts={"red": ["red"], "blue": ["blue"]},
            settings=RunSettings(match=MatchSettings(select="above:0.5")),
        )
        run_stacks(
            find_sources([str(path)]), Path(name) / "out", ModelRecipe(name="mini", store=False), orders
        )
    print(json.dumps(resident_bytes(peak=True) / 1e6))


if __name__ == "__main__":
    _run(int(sys.argv[1]))
