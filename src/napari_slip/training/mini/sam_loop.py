"""The training loop of mini SAM: resumable at any step, with averaged weights for export."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import distributed, nn
from torch.utils.data import DataLoader

from napari_slip.atomic import replacing
from napari_slip.models.mini.sam import CONFIG, build_mini_sam
from napari_slip.models.precision import bfloat16_pays
from napari_slip.training.mini._muon import Muon
from napari_slip.training.mini.sam_dense import DenseHead
from napari_slip.training.mini.sam_loss import batch_loss
from napari_slip.training.mini.sam_views import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from napari_slip.models.mini.sam import MiniSam
    from napari_slip.training.mini.sam_loss import Batch
    from napari_slip.training.mini.sam_views import Source

DECAY = 0.03
"""Decoupled weight decay of matrices and kernels."""

FROZEN = 0.25
"""Strength of the rate below which batch statistics are frozen, as inference takes them: earlier, while the
weights still move far, they would no longer fit."""


def _optimisers(learner: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Learn the matrices within encoder and decoder by Muon, all else by AdamW, the decoder slower.

    In nine minutes of one core Muon came further in 511 steps than AdamW alone in 790 (loss of the masks
    1.176 against 1.205 on the same views).
    """
    inner: list[nn.Parameter] = []
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in learner.named_parameters():
        if parameter.ndim > 1 and ("image_encoder" in name or "mask_decoder.transformer" in name):
            inner.append(parameter)
            continue
        slower = 0.6 if "mask_decoder" in name or "prompt_encoder" in name else 1.0
        decay = DECAY if parameter.ndim > 1 and "embed" not in name and "token" not in name else 0.0
        groups.setdefault((rate * slower, decay), []).append(parameter)
    outer = [{"params": v, "lr": lr, "weight_decay": decay} for (lr, decay), v in groups.items()]
    return [
        torch.optim.AdamW(outer, betas=(0.9, 0.98), fused=True),
        Muon(inner, lr=rate, weight_decay=DECAY),
    ]


class Trainer:
    """Everything that one step changes, so that it can be saved and taken up again.

    Parameters
    ----------
    config : mapping
        Shape of the model.
    rate : float
        Peak learning rate.
    seed : int
        Seed of the weights, the views and the prompts; stretches that start from weights need one each, so
        as not to see the same views.
    rank, world : int
        Which of how many processes this is. Two processes of one thread each train faster on two shared
        cores than one process of two threads: there is one meeting a step instead of thousands.
    """

    def __init__(
        self,
        config: Mapping[str, Any] = CONFIG,
        rate: float = 1.6e-3,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        torch.manual_seed(seed)
        self.config, self.seed, self.rank, self.world = dict(config), seed, rank, world
        self.model: MiniSam = build_mini_sam(config).train()
        self.average: MiniSam = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.dense = DenseHead(self.config["embed_dim"])
        learner = nn.ModuleDict({"model": self.model, "dense": self.dense})
        self.optimisers = _optimisers(learner, rate)
        self.peaks = [[group["lr"] for group in each.param_groups] for each in self.optimisers]
        self.half = bfloat16_pays(torch.device("cpu"))
        self.steps = 0
        self.seconds = 0.0
        self.gradient = self._flat_gradient()

    def _flat_gradient(self) -> torch.Tensor:
        """Let all gradients be views of the one vector that processes exchange; its last entry is spare."""
        parameters = [*self.model.parameters(), *self.dense.parameters()]
        flat = torch.zeros(sum(p.numel() for p in parameters) + 1)
        offset = 0
        for parameter in parameters:
            parameter.grad = flat.as_strided(parameter.size(), parameter.stride(), offset)
            offset += parameter.numel()
        return flat

    def step(self, batch: Batch, strength: float = 1.0, note: float = 0.0) -> dict[str, float]:
        """Learn from one batch.

        Parameters
        ----------
        batch : Batch
            This process's share of the views.
        strength : float
            Share of the peak learning rate, 0..1; the first 200 steps warm up besides.
        note : float
            A number that the first process tells the others.

        Returns
        -------
        dict
            Parts of the loss, the norm of the gradient and ``note`` of the first process.
        """
        started = time.monotonic()
        warm = min((self.steps + 1) / 200, 1.0)
        for optimiser, peaks in zip(self.optimisers, self.peaks, strict=True):
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * warm * strength
        self.gradient.zero_()
        generator = torch.Generator().manual_seed((self.seed * 64 + self.rank) * 10_000_000 + self.steps)
        loss, figures = batch_loss(
            self.model, self.dense, batch, generator, self.config["img_size"], half=self.half
        )
        loss.backward()
        if self.world > 1:
            self.gradient[-1] = note if self.rank == 0 else 0.0
            distributed.all_reduce(self.gradient)
            note = float(self.gradient[-1])
            self.gradient[-1] = 0.0
            self.gradient /= self.world
        norm = float(self.gradient.norm())
        if np.isfinite(norm):
            self.gradient *= min(1.0, 5.0 / (norm + 1e-6))
            for optimiser in self.optimisers:
                optimiser.step()
        self.steps += 1
        if self.rank == 0:
            self._follow()
        self.seconds += time.monotonic() - started
        return figures | {"norm": norm, "note": note}

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights and batch statistics towards the trained ones."""
        share = 1 - min(0.998, (1 + self.steps) / (20 + self.steps))
        mine, theirs = self.average.state_dict(), self.model.state_dict()
        ours = [v for v in mine.values() if v.is_floating_point()]
        torch._foreach_lerp_(ours, [v for v in theirs.values() if v.is_floating_point()], share)

    def freeze_statistics(self) -> None:
        """Let batch normalisation use its running statistics, as inference does."""
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def save(self, path: Path) -> None:
        """Write the whole state to `path`, atomically."""
        state = {
            "config": self.config,
            "model": self.model.state_dict(),
            "dense": self.dense.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "steps": self.steps,
            "seconds": self.seconds,
        }
        with replacing(path) as unfinished:
            torch.save(state, unfinished)

    def load(self, path: Path) -> None:
        """Take up the state that `save` wrote."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.steps, self.seconds = state["steps"], state["seconds"]
        self.dense.load_state_dict(state["dense"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)


def train(
    trainer: Trainer,
    sources: Sequence[Source],
    *,
    minutes: float,
    cooldown: float = 0.0,
    size: int = 8,
    whole: float = 0.04,
    report: Callable[[str], None] = print,
    each: Callable[[Trainer], None] = lambda trainer: None,
    every: float = 10.0,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train for a time.

    Parameters
    ----------
    trainer : Trainer
        Fresh or resumed.
    sources : sequence of Source
        Where views come from.
    minutes : float
        Wall-clock time to train.
    cooldown : float
        The last so many minutes lower the learning rate to nothing; below `FROZEN` with frozen batch
        statistics.
    size : int
        Views per batch and process.
    whole : float
        Share of batches of whole frames.
    report : callable
        Receives a line of text every 50 steps.
    each : callable
        Called with the trainer every `every` minutes and at the end: save, export and check there.
    every : float
        Minutes between calls of `each`.
    stop : callable
        Asked after every step; a true answer ends the stretch early.
    """
    first = trainer.steps
    views = Views(sources, first * trainer.world + trainer.rank, trainer.world, size, whole, trainer.seed)
    batches = iter(DataLoader(views, batch_size=None, num_workers=1, prefetch_factor=4))
    begin = checked = time.monotonic()
    recent: list[dict[str, float]] = []
    left = minutes * 60
    while left > 0:
        strength = 1.0
        if left < cooldown * 60:
            strength = left / (cooldown * 60)
            if strength < FROZEN:
                trainer.freeze_statistics()
        remaining = 0.0 if stop() else minutes * 60 - (time.monotonic() - begin)
        recent.append(trainer.step(next(batches), strength, remaining))
        left = recent[-1].pop("note")
        if trainer.rank:
            continue
        if trainer.steps % 50 == 0:
            means = {key: float(np.nanmean([r[key] for r in recent])) for key in recent[0]}
            pace = (time.monotonic() - begin) / (trainer.steps - first)
            text = "  ".join(f"{key} {value:.3f}" for key, value in means.items())
            report(f"step {trainer.steps}  {text}  {pace:.2f} s/step  {left / 60:.1f} min left")
            recent = []
        if time.monotonic() - checked > every * 60:
            each(trainer)
            checked = time.monotonic()
    if trainer.rank == 0:
        each(trainer)
