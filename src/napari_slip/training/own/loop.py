"""Training: resumable after any pass, with the same numbers on a CPU as without the pause."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slip.atomic import replacing
from napari_slip.matching.prompts import Prompts
from napari_slip.models.devices import resolve_device
from napari_slip.progress import Progress
from napari_slip.training.own.batches import GROUND, batches, scaled
from napari_slip.training.own.beginning import CHECKPOINT, begin
from napari_slip.training.own.examples import class_phrases
from napari_slip.training.own.finishing import calibrate, write_card
from napari_slip.training.own.history import Epoch, write_log
from napari_slip.training.own.learner import Learner, make_learner
from napari_slip.training.own.losses import clip_loss, soft_target_loss
from napari_slip.training.own.pictures import grounds, load_pictures, views_of
from napari_slip.training.own.remembering import Memory
from napari_slip.training.own.settling import Settled, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.training.own.examples import Example
    from napari_slip.training.own.settings import TrainSettings
    from napari_slip.training.own.splitting import Split

BEST = "best.pt"
"""Weights of the best pass, before it is decided how much of the old model stays."""


@dataclass(frozen=True)
class Trained:
    """What a training has brought.

    Parameters
    ----------
    folder : Path
        The model of the best pass, as `napari_slip.models.load_clip` reads it.
    epochs : tuple of Epoch
        What each pass gave.
    """

    folder: Path
    epochs: tuple[Epoch, ...]

    @property
    def best(self) -> Epoch:
        """The pass with the lowest validation loss."""
        return min(self.epochs, key=lambda epoch: (np.isnan(epoch.validation_loss), epoch.validation_loss))


def train(
    data: Split,
    settings: TrainSettings,
    folder: Path,
    *,
    device: str = "auto",
    progress: Progress | None = None,
    hear: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train a model, or go on where an earlier call with the same settings was stopped.

    Parameters
    ----------
    data : Split
        What is learnt from.
    settings : TrainSettings
        How.
    folder : Path
        Gets the model of the best pass, its card, ``log.csv``, ``settings.json`` and the checkpoint.
    device : str
        Where it is trained.
    progress : Progress, optional
        Hears ``("training", pictures, of all)``, and can stop the work; what was stopped goes on from the
        last pass that was completed.
    hear : callable, optional
        Called with each pass.

    Returns
    -------
    Trained

    Raises
    ------
    InputError
        If the folder is that of the base, or holds a training with other settings or examples, or another
        model.
    ModelError
        If the model cannot be built or loaded.
    Cancelled
        If `progress` was cancelled.
    """
    progress, target = progress or Progress(), resolve_device(device)
    begin(data, settings, folder, progress)
    # As often as they are said: a new text model's tokens go by it, and must be the same when it goes on.
    said = [phrase for e in (*data.training, *data.held_out) for phrase in e.called]
    texts = [template.replace("{}", phrase) for phrase in said for template in settings.templates]
    texts += [e.caption for e in data.training if e.caption] + [GROUND, "something"]
    learner = make_learner(settings, texts, target)
    run = _Run(data, settings, folder, learner, target, progress)
    run.resume()
    while not run.ended:
        epoch = run.one_pass()
        if hear is not None:
            hear(epoch)
    run.settle()
    calibrate(folder, data.validation, seed=settings.seed)
    return Trained(folder, tuple(run.epochs))


class _Run:
    """A training in progress."""

    def __init__(
        self,
        data: Split,
        settings: TrainSettings,
        folder: Path,
        learner: Learner,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.data, self.settings, self.folder = data, settings, folder
        self.learner, self.device, self.progress = learner, device, progress
        self.epochs: list[Epoch] = []
        views = views_of(data.training, settings.views)
        side, mean = learner.image_size, learner.mean
        self.pictures = load_pictures(data.training, views, side, mean, progress)
        self.checks = load_pictures(data.validation, views, side, mean, progress)
        self.unseen = load_pictures(data.held_out, views, side, mean, progress)
        shown = "mean" in views or "dimmed" in views or "black" in views
        self.grounds = grounds(data.training if settings.ground and shown else (), side, mean, settings.seed)
        remembers = settings.base != "dual" and settings.keep > 0
        progress("remembering", 0, 1)
        self.memory = Memory(learner, settings.seed, device) if remembers else None
        self.optimizer = torch.optim.AdamW(_groups(learner, settings))
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=settings.factor, patience=settings.patience
        )
        torch.manual_seed(settings.seed)

    @property
    def ended(self) -> bool:
        """Whether all passes are done, or the loss has not fallen for long."""
        done = len(self.epochs)
        if done >= self.settings.epochs:
            return True
        losses = [epoch.validation_loss for epoch in self.epochs]
        return bool(losses) and done - 1 - int(np.argmin(losses)) >= self.settings.stop_after

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        kept = torch.load(path, map_location="cpu", weights_only=True)
        self.learner.network.load_state_dict(kept["network"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.scheduler.load_state_dict(kept["scheduler"])
        torch.set_rng_state(kept["random"])
        self.epochs = [Epoch(**values) for values in kept["epochs"]]

    def one_pass(self) -> Epoch:
        """Show every training picture once, check, and write down where it is."""
        begun, number = time.monotonic(), len(self.epochs)
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.learner.network.train()
        losses: list[float] = []
        step = number * 1_000_000
        n = len(self.data.training)
        seen = batches(
            self.data.training, self.pictures, self.grounds, self.learner, self.settings, number, self.device
        )
        for batch in seen:
            done = number * n + min(n, len(losses) * self.settings.batch)
            self.progress("training", done, self.settings.epochs * n)
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.settings.precision != "float32"
            ):
                images = self.learner.embed_images(batch.pixels)
                texts = self.learner.embed_texts(batch.texts)
                loss = self._loss(images.float(), texts.float(), batch.same)
                whole = (
                    loss
                    if self.memory is None
                    else loss + self.settings.keep * self.memory.loss(self.learner, step)
                )
            self.optimizer.zero_grad(set_to_none=True)
            whole.backward()
            self.optimizer.step()
            losses.append(float(loss.detach()))
            step += 1
        validation, accuracy, unseen = self._check()
        self.scheduler.step(validation)
        seconds = time.monotonic() - begun
        epoch = Epoch(
            number=number + 1,
            training_loss=float(np.mean(losses)),
            validation_loss=validation,
            accuracy=accuracy,
            held_out_accuracy=unseen,
            head_rate=rates[0],
            seconds=seconds,
        )
        self.epochs.append(epoch)
        write_log(self.epochs, self.settings.epochs, self.folder / "log.csv")
        if number == 0 or validation <= min(e.validation_loss for e in self.epochs):
            self._keep_best()
        self._save()
        return epoch

    def settle(self) -> None:
        """Choose, of what was learnt, as much as leaves the old knowledge whole; for models that had any."""
        path = self.folder / BEST
        if self.memory is None or not path.is_file():
            return
        self.progress("settling", 0, 1)
        best = torch.load(path, map_location="cpu", weights_only=True)
        settled = settle(self.learner, self.memory, best, lambda: self._check()[1])
        number = Trained(self.folder, tuple(self.epochs)).best.number
        self._write_model(self.epochs[number - 1], settled)
        self.progress("settling", 1, 1)

    def _loss(self, images: torch.Tensor, texts: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
        if self.settings.loss == "soft":
            return soft_target_loss(images, texts, self.settings.temperature)
        scale: Any = self.learner.network.logit_scale
        return clip_loss(images, texts, scale.exp().clamp(max=100), same)

    @torch.no_grad()
    def _check(self) -> tuple[float, float, float]:
        """Return validation loss, accuracy among the classes, and accuracy of the held-out classes."""
        self.learner.network.eval()
        data, batch = self.data.validation, self.settings.batch
        images = self._embed(self.checks)
        said = [e.caption or self.settings.templates[0].replace("{}", e.called[0]) for e in data]
        texts = self._read(said)
        names = np.array([e.caption or e.name for e in data])
        losses, sizes = [], []
        order = np.random.default_rng([self.settings.seed, 2]).permutation(len(data))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            same = torch.from_numpy(names[rows][:, None] == names[rows][None]).to(self.device)
            losses.append(float(self._loss(images[rows], texts[rows], same)) * len(rows))
            sizes.append(len(rows))
        everything = (*data, *self.data.held_out)
        accuracy = self._accuracy(images, data, class_phrases(data))
        unseen = float("nan")
        if self.data.held_out:
            unseen = self._accuracy(self._embed(self.unseen), self.data.held_out, class_phrases(everything))
        return sum(losses) / sum(sizes), accuracy, unseen

    def _accuracy(
        self, images: torch.Tensor, data: Sequence[Example], phrases: dict[str, tuple[str, ...]]
    ) -> float:
        asked = Prompts.read(phrases, (), ())
        texts = self._read([self.settings.templates[0].replace("{}", phrase) for phrase in asked.phrases])
        unit = torch.nn.functional.normalize
        scores = asked.best((unit(images, dim=-1) @ unit(texts, dim=-1).T).cpu().numpy())
        answers = scores.argmax(axis=1)
        return float(np.mean([asked.names[k] == e.name for k, e in zip(answers, data, strict=True)]))

    def _embed(self, pictures: NDArray[np.uint8]) -> torch.Tensor:
        """Embed each picture as the mean over its views, as matching does."""
        n, views = pictures.shape[:2]
        parts = []
        for start in range(0, n, 64):
            flat = pictures[start : start + 64].reshape(-1, *pictures.shape[2:])
            seen = self.learner.embed_images(scaled(flat, self.learner, self.device)).float()
            if self.settings.loss == "clip":
                seen = torch.nn.functional.normalize(seen, dim=-1)
            parts.append(seen.reshape(-1, views, seen.shape[-1]).mean(dim=1))
        return torch.cat(parts)

    def _read(self, texts: list[str]) -> torch.Tensor:
        once = list(dict.fromkeys(texts))
        parts = [self.learner.embed_texts(once[k : k + 64]).float() for k in range(0, len(once), 64)]
        read = torch.cat(parts)
        return read[[once.index(text) for text in texts]]

    def _keep_best(self) -> None:
        self._write_model(self.epochs[-1])
        if self.memory is not None:
            with replacing(self.folder / BEST) as unfinished:
                torch.save(self.learner.network.state_dict(), unfinished)

    def _write_model(self, epoch: Epoch, settled: Settled | None = None) -> None:
        self.learner.save(self.folder)
        write_card(self.folder, self.learner, self.settings, epoch, self.data, settled)

    def _save(self) -> None:
        whole: dict[str, Any] = {
            "network": self.learner.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
            "epochs": [epoch.to_dict() for epoch in self.epochs],
        }
        with replacing(self.folder / CHECKPOINT) as unfinished:
            torch.save(whole, unfinished)


def _groups(learner: Learner, settings: TrainSettings) -> list[dict[str, Any]]:
    """Parameters that learn, at the paper's three rates; only the heads decay."""
    groups = []
    rates = {"head": settings.head_rate, "image": settings.image_rate, "text": settings.text_rate}
    for kind, rate in rates.items():
        own: list[torch.nn.Parameter] = []
        for part in learner.parts()[kind]:
            own += [part] if isinstance(part, torch.nn.Parameter) else list(part.parameters())
        free = [parameter for parameter in own if parameter.requires_grad]
        decay = settings.weight_decay if kind == "head" else 0.0
        if free:
            groups.append({"params": free, "lr": rate, "weight_decay": decay})
    return groups
