"""Training mini CLIP: resumable at any step, the same on CPU and GPU."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slip.atomic import replacing
from napari_slip.training.mini._muon import Muon
from napari_slip.training.mini.clip_concepts import ATTRIBUTES, Caption, Concepts, caption, strangers, truth
from napari_slip.training.mini.clip_feed import STD, Plan, batch, moved, pixels, shards
from napari_slip.training.mini.clip_loss import Hints, contrastive
from napari_slip.training.mini.clip_model import build, see_at_once, train_tokenizer
from napari_slip.training.mini.clip_pool import MEAN, Crops, Painter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from transformers import CLIPModel, PreTrainedTokenizerFast

_PARTS = ("model", "hints", "optimizer", "inner_optimizer")


class State:
    """Everything that training changes, as one file on disk."""

    def __init__(
        self, concepts: Concepts, tokenizer: PreTrainedTokenizerFast, model: CLIPModel, plan: Plan
    ) -> None:
        self.concepts, self.tokenizer, self.model = concepts, tokenizer, model
        sizes = [len(concepts.names), *(len(values) for values in ATTRIBUTES.values())]
        self.hints = Hints(model.vision_embed_dim, sizes)
        inner = [p for name, p in model.named_parameters() if ".layers." in name and p.ndim == 2]
        chosen = {id(p) for p in inner}
        outer = [p for p in self._parameters() if id(p) not in chosen]
        groups = [
            {"params": [p for p in outer if p.ndim > 1], "weight_decay": 0.05},
            {"params": [p for p in outer if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98))
        self.inner_optimizer = Muon(inner, lr=plan.rate)
        self.step = 0
        self.seconds = 0.0

    def _parameters(self) -> list[torch.nn.Parameter]:
        return [*self.model.parameters(), *self.hints.parameters()]

    def save(self, path: Path) -> None:
        """Write to a file that is complete or absent."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        whole = parts | {"step": self.step, "seconds": self.seconds, "names": list(self.concepts.names)}
        with replacing(path) as unfinished:
            torch.save(whole, unfinished)

    def load(self, path: Path) -> None:
        """Continue from a file."""
        whole = torch.load(path, map_location="cpu", weights_only=True)
        for name in _PARTS:
            getattr(self, name).load_state_dict(whole[name])
        self.step, self.seconds = whole["step"], whole["seconds"]


def start(painter: Painter, plan: Plan, folder: Path, weights: Path | None = None) -> State:
    """Make the state to train: from the checkpoint in `folder`, else from weights, else from nothing."""
    from transformers import CLIPModel, PreTrainedTokenizerFast

    torch.manual_seed(plan.seed)
    kept = folder / "tokenizer"
    origin = kept if kept.is_dir() else weights
    if origin is not None:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(origin)
    else:
        tokenizer = train_tokenizer(corpus(painter.concepts, plan.seed))
    tokenizer.save_pretrained(kept)
    resumed = (folder / "checkpoint.pt").is_file()
    if weights is not None:
        model = CLIPModel.from_pretrained(weights, dtype=torch.float32)
    else:
        model = build(tokenizer)
        if not resumed:
            see_at_once(model, pixels(painter.shard(plan.seed, 10**9, 600).images))
    state = State(painter.concepts, tokenizer, model, plan)
    if resumed:
        state.load(folder / "checkpoint.pt")
    return state


def corpus(concepts: Concepts, seed: int) -> list[str]:
    """Captions for the tokenizer: each concept several times, so that each of its words counts."""
    rng = np.random.default_rng([seed, 1])
    texts = []
    for k in range(len(concepts.names)):
        for _ in range(12 if k < 80 else 5):
            row = [int(rng.integers(len(values))) for values in ATTRIBUTES.values()]
            texts.append(caption(rng, concepts, k, row).text)
        texts += concepts.words(k)
    return texts + [c.text for c in strangers(rng, concepts, 300)]


def train(
    state: State, painter: Painter, plan: Plan, folder: Path, report: Callable[[str], None] = print
) -> None:
    """Train for ``plan.minutes``, saving every two minutes and at the end.

    Parameters
    ----------
    state
        Changed in place.
    painter
        Makes the crops, one shard ahead in a process of its own.
    plan
        How to train.
    folder
        Where the checkpoint is written.
    report
        Called with lines of progress.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state.model.to(device).train()  # type: ignore[arg-type]
    state.hints.to(device)
    for optimizer in (state.optimizer, state.inner_optimizer):
        for values in optimizer.state.values():
            values.update(
                {k: v.to(device) for k, v in values.items() if isinstance(v, torch.Tensor) and v.ndim}
            )
    begun = saved = time.monotonic()
    before, first = state.seconds, state.step
    mean = 0.0
    for number, crops in shards(painter, plan, first, folder):
        per_shard = plan.passes * (plan.shard // plan.batch)
        for step in range(max(first, number * per_shard), (number + 1) * per_shard):
            spent = (time.monotonic() - begun) / 60
            if spent >= plan.minutes:
                state.save(folder / "checkpoint.pt")
                return
            for group in [*state.optimizer.param_groups, *state.inner_optimizer.param_groups]:
                group["lr"] = plan.rate * _rate(step - first, spent / plan.minutes, plan)
            rows, captions = batch(crops, state.concepts, plan, step, step - number * per_shard)
            loss = _step(
                state, plan, crops, rows, captions, np.random.default_rng([plan.seed, 3, step]), device
            )
            mean = loss if step == first else 0.98 * mean + 0.02 * loss
            state.step, state.seconds = step + 1, before + time.monotonic() - begun
            if step % 50 == 0:
                pace = (step - first + 1) * plan.batch / (time.monotonic() - begun)
                report(
                    f"step {step}  loss {mean:.3f}  {pace:.0f} crops/s  {spent:.1f} of {plan.minutes:g} min"
                )
            if time.monotonic() - saved > 120:
                state.save(folder / "checkpoint.pt")
                saved = time.monotonic()


def _step(
    state: State,
    plan: Plan,
    crops: Crops,
    rows: NDArray[np.intp],
    captions: list[Caption],
    rng: np.random.Generator,
    device: torch.device,
) -> float:
    values = moved(pixels(crops.images[rows], device), rng)
    known = truth(captions, state.concepts, crops.concept[rows], crops.attributes[rows])
    labels = np.concatenate([crops.concept[rows, None], crops.attributes[rows]], axis=1).astype(np.int64)
    features = state.model.vision_model(pixel_values=values).pooler_output
    tokens = state.tokenizer(
        [c.text for c in captions], padding=True, truncation=True, return_tensors="pt"
    ).to(device)
    texts = state.model.text_model(
        input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
    ).pooler_output
    scale = state.model.logit_scale.exp().clamp(max=60)
    loss = contrastive(
        state.model.visual_projection(features),
        state.model.text_projection(texts),
        torch.from_numpy(known).to(device),
        scale,
    )
    hint = state.hints(features, torch.from_numpy(labels).to(device))
    state.optimizer.zero_grad(set_to_none=True)
    state.inner_optimizer.zero_grad(set_to_none=True)
    (loss + plan.hint_weight * hint).backward()
    torch.nn.utils.clip_grad_norm_(state._parameters(), 1.0)
    state.optimizer.step()
    state.inner_optimizer.step()
    return float(loss.detach())


def _rate(done: int, progress: float, plan: Plan) -> float:
    """Rise over the first steps, then hold, then fall to zero by the clock."""
    return min(1.0, (done + 1) / plan.warmup, max(0.0, (1 - progress) / plan.cooldown))


def export(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write a model as an ordinary transformers directory, weights in half precision."""
    from copy import deepcopy

    from transformers import CLIPImageProcessor

    folder.mkdir(parents=True, exist_ok=True)
    deepcopy(model).cpu().half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder)
    side = {"height": model.config.vision_config.image_size, "width": model.config.vision_config.image_size}
    CLIPImageProcessor(
        size=side, crop_size=side, do_center_crop=False, image_mean=list(MEAN), image_std=list(STD)
    ).save_pretrained(folder)
