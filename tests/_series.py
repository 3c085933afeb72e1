"""A small series for runs over stacks, and models that need no torch to be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from _fake_slip import fake_slip, spots

from napari_slip.batch import Orders
from napari_slip.io import ModelRecord, RunSettings
from napari_slip.settings import MatchSettings


@dataclass(frozen=True)
class FakeRecipe:
    """Loads spots for segments and colours for words; notes each time that it does.

    A blow falls on the process that meets a plane whose every pixel is at least as bright.
    """

    notes: str = ""
    delay: float = 0.0
    clip_hash: str = "sha256:2"
    wanted = "fake"

    def __call__(self, progress):
        import os
        import time

        slip = fake_slip()
        if self.notes:
            with Path(self.notes).open("a") as file:
                file.write(f"{os.getpid()}\n")
        segment, delay = slip.segment, self.delay

        def slowly(image, **options):
            time.sleep(delay)
            return segment(image, **options)

        slip.segment = slowly
        return slip

    def record(self, slip):
        return ModelRecord(
            name="fake", sam=None, clip=None, device="cpu", sam_hash="sha256:1", clip_hash=self.clip_hash
        )


ORDERS = Orders(
    prompts={"red": ["red"], "green": ["green"]},
    negatives=("blue",),
    settings=RunSettings(match=MatchSettings(select="above:0.5")),
)


def moving(n=6, shape=(40, 60)):
    """A red and a green square that drift to the right, (n, H, W, 3)."""
    return np.stack([np.roll(spots(shape), 2 * t, axis=1) for t in range(n)])


def write_series(path, n=6, **options):
    tifffile.imwrite(path, moving(n, **options), photometric="rgb", metadata={"axes": "TYXS"})
    return path
