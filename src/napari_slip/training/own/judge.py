"""The paper's judge: a ResNet-18 that names pictures, for the legacy figure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slip.errors import ModelError
from napari_slip.models.cards import read_json
from napari_slip.models.devices import resolve_device
from napari_slip.models.dual import MEAN, STD
from napari_slip.models.weights import read_state
from napari_slip.progress import Progress
from napari_slip.training.own.batches import moved, normalised
from napari_slip.training.own.examples import class_names, listed
from napari_slip.training.own.pictures import load_pictures, views_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_slip.training.own.splitting import Split

MADE_OF = "made of"


@dataclass
class Judge:
    """Names pictures.

    Parameters
    ----------
    network : Module
        A timm classifier.
    classes : tuple of str
        In the order of its outputs.
    size : int
        Side of its pictures, in pixels.
    accuracy : float
        On the validation pictures.
    """

    network: Any
    classes: tuple[str, ...]
    size: int
    accuracy: float

    def name(self, pictures: NDArray[np.uint8]) -> list[str]:
        """Name (N, S, S, 3) uint8 pictures."""
        self.network.eval()
        answers: list[int] = []
        with torch.inference_mode():
            for start in range(0, len(pictures), 64):
                answers += self.network(_pixels(pictures[start : start + 64])).argmax(dim=1).tolist()
        return [self.classes[k] for k in answers]

    def save(self, folder: Path, made_of: dict[str, Any]) -> None:
        """Write weights, classes and what it was made of."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        state = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        save_file(state, folder / "judge.safetensors")
        values = {"classes": self.classes, "size": self.size, "accuracy": self.accuracy, MADE_OF: made_of}
        (folder / "judge.json").write_text(json.dumps(values) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            If it is missing or damaged.
        """
        values = read_json(folder / "judge.json")
        try:
            network = _network(len(values["classes"]))
            network.load_state_dict(read_state(folder / "judge.safetensors"))
            return cls(network, tuple(values["classes"]), int(values["size"]), float(values["accuracy"]))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"{folder} holds no judge that can be read: let it be trained again.") from error


def train_judge(
    data: Split,
    folder: Path,
    *,
    size: int = 64,
    epochs: int = 12,
    rate: float = 1e-3,
    batch: int = 32,
    seed: int = 42,
    progress: Progress | None = None,
) -> Judge:
    """Train a ResNet-18 from nothing to name the classes, or load the same one if it lies in the folder.

    One that was made of other pictures, or otherwise, gives way.

    Parameters
    ----------
    data : Split
        The same split as that of the encoders, so that it has seen none of the collages' pictures.
    folder : Path
        Where it is kept.
    size : int
        Side of its pictures; the paper's is 224, which takes twelve times as long.
    epochs, rate, batch, seed
        Of the training; the rate falls to nothing along a cosine.
    progress : Progress, optional
        Hears ``("judge", i, n)``, and can stop the work.

    Returns
    -------
    Judge
    """
    made_of = {
        "settings": [size, epochs, rate, batch, seed],
        "training": listed(data.training),
        "validation": listed(data.validation),
    }
    if (folder / "judge.json").is_file() and read_json(folder / "judge.json").get(MADE_OF) == made_of:
        return Judge.load(folder)
    progress, device = progress or Progress(), resolve_device("cpu")
    names = class_names(data.training)
    views = views_of(data.training, None)
    pictures = load_pictures(data.training, views, size, MEAN, progress)
    labels = torch.tensor([names.index(e.name) for e in data.training])
    torch.manual_seed(seed)
    network = _network(len(names)).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    total = epochs * -(-len(labels) // batch)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=total)
    done = 0
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, 3, epoch])
        order = rng.permutation(len(labels))
        network.train()
        for start in range(0, len(order), batch):
            progress("judge", done, total)
            rows = order[start : start + batch]
            done += 1
            if len(rows) > 1:  # one picture has no batch statistics
                shown = pictures[rows, rng.integers(len(views), size=len(rows))]
                loss = torch.nn.functional.cross_entropy(network(moved(_pixels(shown), rng)), labels[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            falling.step()
    judge = Judge(network, names, size, 0.0)
    checks = load_pictures(data.validation, ("whole",), size, MEAN)[:, 0]
    judge.accuracy = _share(judge.name(checks), [e.name for e in data.validation])
    judge.save(folder, made_of)
    return judge


def _share(answers: Sequence[str], names: Sequence[str]) -> float:
    return float(np.mean([a == b for a, b in zip(answers, names, strict=True)]))


def _network(classes: int) -> Any:
    import timm

    return timm.create_model("resnet18", pretrained=False, num_classes=classes)


def _pixels(pictures: NDArray[np.uint8]) -> torch.Tensor:
    return normalised(pictures, MEAN, STD, torch.device("cpu"))
