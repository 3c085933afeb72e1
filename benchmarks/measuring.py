"""Ratios of medians of runs that take turns, so that a busy machine slows both sides alike."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
"""``cpu`` counts this process's own seconds: for busy machines, and one thread."""


def resident_bytes(*, peak: bool = False) -> int:
    """Return the memory that this process has in use, or the most that it ever had.

    Linux is not asked for its `ru_maxrss`: that begins at what the process had in use that started this
    one, which after other rows is more than the row itself.
    """
    if not peak:
        return int(psutil.Process().memory_info().rss)
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@dataclass(frozen=True)
class Context:
    """How a row is to be measured.

    Parameters
    ----------
    quick : bool
        Whether it has to be done within a minute.
    repeats : int
        Runs of each side.
    clock : {"wall", "cpu"}
        What counts as time.
    data : Path, optional
        Folder with real pictures.
    """

    quick: bool
    repeats: int
    clock: str
    data: Path | None

    def seconds(self, work: Callable[[], Any]) -> float:
        """Time one run."""
        clock = CLOCKS[self.clock]
        gc.collect()
        start = clock()
        work()
        return clock() - start

    def ratio(self, upper: Callable[[], Any], lower: Callable[[], Any], repeats: int | None = None) -> Ratio:
        """Time two sides in turns and divide their medians."""
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeats or self.repeats):
            for side, work in zip(times, (upper, lower), strict=True):
                side.append(self.seconds(work))
        return Ratio(*times)


@dataclass(frozen=True)
class Ratio:
    """Times of two sides that took turns.

    Parameters
    ----------
    upper, lower : list of float
        Seconds.
    """

    upper: list[float]
    lower: list[float]

    @property
    def value(self) -> float:
        """Ratio of the medians."""
        return statistics.median(self.upper) / statistics.median(self.lower)

    @property
    def spread(self) -> tuple[float, float]:
        """Smallest and largest ratio of two runs that followed one another."""
        ratios = [upper / lower for upper, lower in zip(self.upper, self.lower, strict=True)]
        return min(ratios), max(ratios)

    @property
    def seconds(self) -> dict[str, float]:
        """The medians."""
        return {"upper": statistics.median(self.upper), "lower": statistics.median(self.lower)}


@dataclass(frozen=True)
class Row:
    """One figure and what it has to be.

    Parameters
    ----------
    name : str
        Of the row.
    value : float
        What was measured.
    bar : float
        What it has to reach.
    sense : {">=", "<="}
        On which side of the bar is good.
    spread : (low, high)
        Of the value from run to run.
    note : str
        What was measured, in a few words.
    details : dict
        More figures.
    """

    name: str
    value: float
    bar: float
    sense: Literal[">=", "<="]
    spread: tuple[float, float]
    note: str
    details: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, name: str, ratio: Ratio, sense: Literal[">=", "<="], bar: float, note: str, **details: float
    ) -> Row:
        """Make a row of a ratio."""
        return cls(name, ratio.value, bar, sense, ratio.spread, note, {**ratio.seconds, **details})

    @property
    def good(self) -> bool:
        """Whether the bar is reached."""
        return self.value >= self.bar if self.sense == ">=" else self.value <= self.bar
