"""What each step of mini CLIP's training sees: shards drawn ahead, batches, captions, small movements."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_slip.training.mini.clip_concepts import Caption, Concepts, caption, strangers
from napari_slip.training.mini.clip_pool import MEAN, Crops, Painter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's spread of colours, 0..1."""


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes
    ----------
    minutes
        Time of this stretch; the rate of learning falls to zero over its last `cooldown` part.
    """

    minutes: float
    seed: int = 0
    batch: int = 128
    shard: int = 6_400
    passes: int = 4
    kept: int = 4
    rate: float = 2e-3
    warmup: int = 100
    cooldown: float = 0.3
    hint_weight: float = 1.0
    unknown_texts: int = 16


def batch(
    crops: Crops, concepts: Concepts, plan: Plan, step: int, within: int
) -> tuple[NDArray[np.intp], list[Caption]]:
    """Choose the crops of one step, whole scenes where possible, and write captions for them."""
    per_pass = len(crops) // plan.batch
    order_rng = np.random.default_rng([plan.seed, 2, step - within, within // per_pass])
    scenes = order_rng.permutation(int(crops.scene.max()) + 1)
    order = np.argsort(scenes[crops.scene], kind="stable")
    rows = order[(within % per_pass) * plan.batch :][: plan.batch]
    rng = np.random.default_rng([plan.seed, 4, step])
    twice = rng.choice(rows, len(rows) // 4)  # more captions than crops: attributes as well as names
    written = [caption(rng, concepts, int(crops.concept[k]), crops.attributes[k]) for k in [*rows, *twice]]
    unique = {c.text: c for c in [*written, *strangers(rng, concepts, plan.unknown_texts)]}
    return rows, list(unique.values())


def pixels(images: NDArray[np.uint8], device: torch.device | str = "cpu") -> torch.Tensor:
    """Turn crops (N, S, S, 3) uint8 into (N, 3, S, S) float32, CLIP's mean and spread removed."""
    values = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (values - mean) / std


def moved(values: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Turn, mirror, scale, shift and brighten each of (N, 3, S, S) crops a little: no view is seen twice."""
    n = len(values)
    angle = rng.uniform(-0.6, 0.6, n)
    size = rng.uniform(0.85, 1.12, (2, n)) * np.where(rng.random(n) < 0.5, 1, [[-1], [1]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / size[:, None]
    shift = rng.uniform(-0.06, 0.06, (2, 1, n))
    matrix = torch.from_numpy(np.concatenate([turn, shift], axis=1).transpose(2, 0, 1).astype(np.float32))
    grid = torch.nn.functional.affine_grid(matrix, list(values.shape), align_corners=False)
    seen = torch.nn.functional.grid_sample(
        values, grid.to(values.device), padding_mode="zeros", align_corners=False
    )
    gain = torch.from_numpy(rng.uniform(0.9, 1.1, (n, 1, 1, 1)).astype(np.float32))
    return seen * gain.to(values.device)


_painter: Painter | None = None


def _adopt(painter: Painter) -> None:
    global _painter
    _painter = painter
    torch.set_num_threads(1)


def _render(seed: int, number: int, size: int, file: Path) -> Crops:
    assert _painter is not None
    if file.is_file():
        return Crops.load(file)
    crops = _painter.shard(seed, number, size)
    crops.save(file)
    return crops


def shards(painter: Painter, plan: Plan, step: int, folder: Path) -> Iterator[tuple[int, Crops]]:
    """Yield the crops to train on from `step` on: a new shard and those before it."""
    number = step // (plan.passes * (plan.shard // plan.batch))
    older = [folder / f"shard-{k}.npz" for k in range(max(0, number - plan.kept + 1), number)]
    recent = deque([Crops.load(file) for file in older if file.is_file()], maxlen=plan.kept)
    with ProcessPoolExecutor(1, initializer=_adopt, initargs=(painter,)) as pool:

        def draw(k: int) -> Future[Crops]:
            return pool.submit(_render, plan.seed, k, plan.shard, folder / f"shard-{k}.npz")

        ahead = draw(number)
        while True:
            recent.append(ahead.result())
            ahead = draw(number + 1)
            yield number, Crops.join(recent)
            number += 1
            (folder / f"shard-{number - plan.kept}.npz").unlink(missing_ok=True)
