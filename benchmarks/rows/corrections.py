"""What correcting costs with mini on the validation images of BBBC038, and what a large session weighs.

Needs real pictures: ``python -m benchmarks --row corrections --data DIR``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import napari_slip
from benchmarks.measuring import Row
from napari_slip.errors import InputError
from napari_slip.evaluation.corrections import MOST, click_trails, click_until, worst_matches
from napari_slip.images import to_rgb
from napari_slip.objects import Object, Pointing
from napari_slip.session import Edit, Session

if TYPE_CHECKING:
    from benchmarks.measuring import Context

HIGH, LOW = 0.90, 0.85
PATIENT = 40
"""Clicks that a person may spend on one of the worst matches."""

IMAGES = 12
"""How many pictures a quick measurement takes."""


def measure(context: Context) -> list[Row]:
    """Measure clicks and seconds for an object, the worst matches, and undo and bytes of 1,000 objects."""
    if context.data is None:
        raise InputError("The row 'corrections' needs pictures: name their folder with --data.")
    slip = napari_slip.load("mini")
    limit = IMAGES if context.quick else None
    return [*_clicks(slip, context.data, limit), *_worst(slip, context.data, limit), *_session(context)]


def _clicks(slip: napari_slip.Slip, data: Path, limit: int | None) -> list[Row]:
    trails = list(click_trails(slip, data, HIGH, limit=limit))
    rows = []
    for bar, most in ((HIGH, 5.0), (LOW, 3.0)):
        clicks = [trail.clicks_to(bar) for trail in trails]
        reached = statistics.mean(float(max(trail.ious) >= bar) for trail in trails)
        note = f"from nothing, {len(trails)} nuclei, at most {MOST}; {reached:.1%} get there"
        spread = (float(np.percentile(clicks, 25)), float(np.percentile(clicks, 75)))
        rows.append(Row(f"clicks to IoU {bar:.2f}", statistics.mean(clicks), most, "<=", spread, note))
    times = [1000 * seconds for trail in trails for seconds in trail.seconds]
    spread = (float(np.percentile(times, 5)), float(np.percentile(times, 95)))
    note = "milliseconds, without the window"
    return [*rows, Row("click to mask", statistics.median(times), 150, "<=", spread, note)]


def _worst(slip: napari_slip.Slip, data: Path, limit: int | None) -> list[Row]:
    clicks, before = [], []
    worst = worst_matches(slip, data, limit=limit)
    for found in worst:
        plane = slip.encode(to_rgb(found.image))
        trail = click_until(slip.segmenter, plane, found.truth, HIGH, found.start, PATIENT)
        clicks.append(trail.clicks_to(HIGH, never=np.inf))
        before.append(found.matched)
    note = (
        f"of the {len(worst)} worst matches, IoU {min(before):.2f} to {max(before):.2f}, "
        f"by picking or beginning anew and at most {MOST} clicks, {statistics.median(clicks):.0f} (median); "
        f"with up to {PATIENT}: {sum(n <= PATIENT for n in clicks)}, the last with {max(clicks):.0f}"
    )
    share = sum(n <= MOST for n in clicks) / len(worst)
    return [Row("worst matches put right", share, 1.0, ">=", (share, share), note)]


def _session(context: Context) -> list[Row]:
    session, rng = Session((2048, 2048)), np.random.default_rng(0)
    rows, columns = np.indices((48, 48)) - 24
    session.apply(
        Edit(
            tuple(
                Object(0, "nucleus", "predicted", _blob(rows, columns, rng), (i % 40 * 50, i // 40 * 50))
                for i in range(1000)
            )
        )
    )
    ids = list(session.objects)
    for i in ids[:200]:
        thing = session.objects[i]
        session.apply(Edit((Object(i, "nucleus", "corrected", ~thing.crop, thing.origin, pointing=CLICK),)))
    times = []
    for _ in range(max(50, context.repeats)):
        start = time.perf_counter()
        session.undo()
        times.append(1000 * (time.perf_counter() - start))
    while session.redo():
        pass
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.slip"
        session.save(path)
        kilobytes = path.stat().st_size / 1000
    spread = (min(times), max(times))
    return [
        Row("undo", statistics.median(times), 50, "<=", spread, "milliseconds, 1,000 objects, 200 steps"),
        Row("session file", kilobytes, 1000, "<=", (kilobytes,) * 2, "kilobytes, 1,000 objects, 200 steps"),
    ]


CLICK = Pointing(((24.5, 24.5, 1),))


def _blob(rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a nucleus with an uneven outline."""
    angle = np.arctan2(rows, columns)
    waves = sum(rng.normal(0, 1.2) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(2, 9))
    blob: np.ndarray = np.hypot(rows, columns) < 16 + waves
    return blob
