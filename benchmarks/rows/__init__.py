"""One module for each row: a function ``measure(context)`` that returns its figures."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measuring import Context, Row

NAMES = (
    "startup",
    "new_prompt",
    "teaching",
    "crops",
    "store",
    "segments_scaling",
    "decoder",
    "expected",
    "savings",
    "steps",
    "agreement",
    "adaptive",
    "whole_job",
    "mini_grid",
    "automatic",
    "exact",
    "linking",
    "workers",
    "memory",
    "stack_memory",
    "size_scaling",
)
"""In the order in which they are measured, the quicker ones first."""

ASKED = ("viewer", "viewer_stack", "stack_walk", "corrections")
"""Measured only when they are named: they need more than the package: a display, or pictures."""


def find(name: str) -> Callable[[Context], list[Row]]:
    """Return the function that measures a row."""
    return cast("Callable[[Context], list[Row]]", importlib.import_module(f"benchmarks.rows.{name}").measure)
