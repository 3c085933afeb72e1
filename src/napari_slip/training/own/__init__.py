"""Training on one's own pictures: a dual encoder from nothing, or a CLIP further; grid search; a judge."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from napari_slip.training.own.examples import Example, read_examples
from napari_slip.training.own.settings import TrainSettings
from napari_slip.training.own.splitting import Split, split

if TYPE_CHECKING:
    from napari_slip.training.own.grid import grid_search
    from napari_slip.training.own.judge import Judge, train_judge
    from napari_slip.training.own.loop import Trained, train

__all__ = [
    "Example",
    "Judge",
    "Split",
    "TrainSettings",
    "Trained",
    "grid_search",
    "read_examples",
    "split",
    "train",
    "train_judge",
]

# These bring torch, which reading folders and settings do not need.
_HEAVY = {
    "Judge": "judge",
    "Trained": "loop",
    "grid_search": "grid",
    "train": "loop",
    "train_judge": "judge",
}


def __getattr__(name: str) -> Any:
    if name in _HEAVY:
        return getattr(importlib.import_module(f"napari_slip.training.own.{_HEAVY[name]}"), name)
    raise AttributeError(f"module 'napari_slip.training.own' has no attribute {name!r}")
