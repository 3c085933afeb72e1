"""The benchmarks' own arithmetic, and that every row can be asked for."""

from __future__ import annotations

import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import measuring  # noqa: E402
from benchmarks.__main__ import main  # noqa: E402
from benchmarks.measuring import Context, Row  # noqa: E402
from benchmarks.rows import ASKED, NAMES, find  # noqa: E402


@pytest.fixture
def context(monkeypatch):
    """Return a context whose clock is turned by hand, and the hand."""
    now = [0.0]
    monkeypatch.setitem(measuring.CLOCKS, "wall", lambda: now[0])
    return Context(quick=True, repeats=3, clock="wall", data=None), now


def test_a_ratio_is_of_medians_of_runs_that_take_turns(context):
    context, now = context
    order = []
    durations = {"upper": itertools.cycle([10.0, 14.0, 12.0]), "lower": itertools.cycle([2.0, 5.0, 3.0])}

    def run(side):
        order.append(side)
        now[0] += next(durations[side])

    ratio = context.ratio(lambda: run("upper"), lambda: run("lower"))
    assert order == ["upper", "lower"] * 3
    assert ratio.value == 12 / 3
    assert ratio.spread == (14 / 5, 10 / 2)
    assert ratio.seconds == {"upper": 12, "lower": 3}


@pytest.mark.parametrize(
    ("sense", "value", "good"), [(">=", 6, True), (">=", 5.9, False), ("<=", 6, True), ("<=", 6.1, False)]
)
def test_a_row_knows_its_side_of_the_bar(sense, value, good):
    assert Row("r", value, 6, sense, (value, value), "").good == good


def test_an_exponent_is_fitted():
    from benchmarks.rows.segments_scaling import exponent_row

    row = exponent_row("r", {n: 3e-4 * n**1.3 for n in (100, 200, 2000)}, "")
    assert row.value == pytest.approx(1.3)
    assert not row.good


def test_every_row_has_its_module_and_every_module_its_row():
    files = {path.stem for path in (ROOT / "benchmarks" / "rows").glob("*.py")} - {"__init__"}
    assert files == {*NAMES, *ASKED}
    for name in NAMES:
        assert callable(find(name))
        assert importlib.import_module(f"benchmarks.rows.{name}").__doc__


def test_json_for_machines(capsys, monkeypatch):
    counted = {"masks": np.int64(3)}
    rows = [
        Row("a", np.float32(2), 1.0, ">=", (1.5, 2.5), "note", counted),
        Row("b", 2.0, 1.0, "<=", (1.5, 2.5), "note"),
    ]
    monkeypatch.setattr("benchmarks.__main__.find", lambda name: lambda context: rows)
    assert main(["--row", "startup", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["good"]) for row in said["rows"]] == [("a", True), ("b", False)]
    assert said["machine"]["torch"]
    assert said["rows"][0]["details"] == {"masks": 3}
    assert main(["--row", "startup"]) == 1
    assert "MISS b" in capsys.readouterr().out


def test_the_command_measures_a_row():
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--row", "startup", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    row = json.loads(ran.stdout)["rows"][0]
    assert row["name"] == "plugin start"
    assert row["value"] > 0
    assert ran.returncode == (0 if row["good"] else 1)


def test_masks_in_common_are_counted_both_ways():
    from test_filtering import box
    from test_segments import segments_of

    from benchmarks.rows.agreement import common

    ours = segments_of(box(0, 0, 10, 10), box(12, 12, 20, 20))
    theirs = segments_of(box(0, 0, 10, 10), box(0, 0, 5, 5), box(12, 12, 20, 19))
    assert common(theirs, ours) == (1, 3, 1, 2)  # the third shares 7 / 8 with ours


def test_scenes_have_what_they_say():
    from benchmarks.scenes import many_segments

    segments, rgb = many_segments(30, 200)
    assert len(segments) == 30
    assert rgb.shape == (200, 200, 3)
    assert np.isfinite(segments.roundness).all()
