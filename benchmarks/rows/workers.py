"""Planes by one process, and by one and two workers of a dask cluster."""

from __future__ import annotations

import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from benchmarks.measuring import Ratio, Row
from benchmarks.rows.viewer import Words
from napari_slip.batch import Cluster, ModelRecipe, Orders, find_sources, run_stacks
from napari_slip.io import ModelRecord, RunSettings
from napari_slip.pipeline import Slip
from napari_slip.segments import PackedMasks, Segments
from napari_slip.settings import MatchSettings, ProposalSettings
from napari_slip.synthesis import draw_series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.measuring import Context
    from napari_slip.batch import Recipe
    from napari_slip.progress import Progress

SIDE = 192


def measure(context: Context) -> list[Row]:
    """Label a series by mini, and one that costs nothing to look at; the clock is always the wall's."""
    planes = 12 if context.quick else 48
    mini = ModelRecipe(name="mini", store=False)
    plain, one, two = [], [], []
    for _ in range(1 if context.quick else context.repeats):
        plain.append(_seconds(mini, planes, None))
        one.append(_seconds(mini, planes, 1))
        two.append(_seconds(mini, planes, 2))
    empty = 200 if context.quick else 1000
    loop, cluster = _seconds(Nothing(), empty, None), _seconds(Nothing(), empty, 1)
    overhead = (cluster - loop) / empty
    share = overhead * planes / min(plain)
    note = f"{planes} planes of {SIDE} x {SIDE}, mini"
    told = f"of a plane's time by mini; {1000 * overhead:.0f} milliseconds, from {empty} planes without work"
    return [
        Row.of("plain loop / one worker", Ratio(plain, one), ">=", 0.9, note),
        Row.of("plain loop / two workers", Ratio(plain, two), ">=", 1.7, f"{note}; needs two free cores"),
        Row("dask, each plane", share, 0.05, "<=", (share, share), told),
    ]


def _seconds(recipe: Recipe, planes: int, workers: int | None) -> float:
    """Time a run, its workers started and its models loaded."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        series = draw_series("drift", min(planes, 48), (SIDE, SIDE), 6)
        pictures = np.resize(series.pictures, (planes, SIDE, SIDE, 3))
        tifffile.imwrite(folder / "a.tif", pictures, photometric="rgb", metadata={"axes": "TYXS"})
        tifffile.imwrite(folder / "b.tif", pictures[:4], photometric="rgb", metadata={"axes": "TYXS"})
        orders = Orders(
            prompts={"red": ["red"]}, settings=RunSettings(match=MatchSettings(select="above:0.5"))
        )
        with nullcontext() if workers is None else Cluster(workers) as cluster:
            run_stacks(
                find_sources([str(folder / "b.tif")]), folder / "warm", recipe, orders, workers=cluster
            )
            heard: list[float] = []
            start = time.perf_counter()
            run_stacks(
                find_sources([str(folder / "a.tif")]),
                folder / "out",
                recipe,
                orders,
                workers=cluster,
                heard=lambda: heard.append(time.perf_counter()),
            )
            return heard[-1] - start  # links and labels are made by this process in either case


@dataclass(frozen=True)
class Nothing:
    """Models that find nothing, at once."""

    wanted = "nothing"

    def __call__(self, progress: Progress) -> Any:
        """Load the models."""
        return Slip(_Blank(), Words())

    def record(self, slip: Any) -> ModelRecord:
        """Say what was loaded."""
        return ModelRecord(
            name="nothing", sam=None, clip=None, device="cpu", sam_hash="sha256:0", clip_hash="sha256:0"
        )


class _Blank:
    """Finds nothing at once."""

    name, hash, proposals = "blank", "sha256:blank", ProposalSettings()

    def encode(self, rgb: NDArray[np.uint8], progress: Progress) -> NDArray[np.uint8]:
        return rgb

    def propose(self, plane: NDArray[np.uint8], settings: ProposalSettings, progress: Progress) -> Segments:
        real, whole, none = np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, bool)
        masks = PackedMasks.pack([], [])
        shape = (plane.shape[0], plane.shape[1])
        return Segments(shape, masks, real, real, real, whole, real, whole.astype(np.int32), none)
