"""Measure what this project promises of its speed: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import CLOCKS, Context
from benchmarks.rows import ASKED, NAMES, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measuring import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure rows and print them; returns 0 if all bars are reached, else 1."""
    chosen = _parser().parse_args(arguments)
    if chosen.threads:
        import torch

        torch.set_num_threads(chosen.threads)
    named = chosen.data or os.environ.get("NAPARI_SLIP_DATA")
    context = Context(chosen.quick, chosen.repeats, chosen.clock, Path(named) if named else None)
    rows: list[Row] = []
    for name in chosen.row or NAMES:
        start = time.perf_counter()
        measured = find(name)(context)
        rows += measured
        if not chosen.json:
            for row in measured:
                print(_line(row), flush=True)
            print(f"    ({time.perf_counter() - start:.0f} s)", flush=True)
    if chosen.json:
        said = {"machine": _machine(), "rows": [_plain(row) for row in rows]}
        print(json.dumps(said, indent=1, default=float))  # numpy's numbers are none of JSON's
    return 0 if all(row.good for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--row", action="append", choices=(*NAMES, *ASKED), help="only this one; may be given again"
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes, each row under a minute")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall", help="what counts as time")
    parser.add_argument("--threads", type=int, help="of torch; all cores if not given")
    parser.add_argument("--data", type=Path, help="folder with real pictures (bbbc038)")
    return parser


def _line(row: Row) -> str:
    low, high = row.spread
    verdict = "ok  " if row.good else "MISS"
    figures = f"{row.value:8.3f}  {row.sense} {row.bar:<6.3g} [{low:.3f} .. {high:.3f}]"
    return f"{verdict} {row.name:<28} {figures}  {row.note}"


def _plain(row: Row) -> dict[str, object]:
    return {**dataclasses.asdict(row), "good": row.good}


def _machine() -> dict[str, object]:
    import torch

    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
