"""The two kinds of networks that learn here, behind one face: a dual encoder, and a CLIP of transformers."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from napari_slip.errors import ModelError
from napari_slip.models.clip import HuggingFaceClip
from napari_slip.models.clip import tokenise as tokenise_to_the_end
from napari_slip.models.dual import MEAN, STD, DualClip, DualNetwork, save_dual, tokenise
from napari_slip.models.encoders import load_clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

    from napari_slip.models.protocols import EncoderCard
    from napari_slip.training.own.settings import TrainSettings


class Learner(Protocol):
    """What the loop asks of a network."""

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def network(self) -> nn.Module:
        """What learns."""

    @property
    def card(self) -> EncoderCard | None:
        """Of the model that is trained further; None for a new one."""

    def embed_images(self, pixels: Tensor) -> Tensor:
        """Embed (N, 3, S, S) scaled pictures as (N, D)."""

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed texts as (N, D)."""

    def parts(self) -> dict[str, list[nn.Module | nn.Parameter]]:
        """Return what belongs to ``image``, ``text`` and ``head``."""

    def save(self, folder: Path) -> None:
        """Write the network as a folder that `load_clip` reads, but for its card."""


class DualLearner:
    """A `DualNetwork` that learns."""

    def __init__(
        self, network: DualNetwork, tokenizer: Tokenizer, image_size: int, card: EncoderCard | None = None
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.image_size = image_size
        self.mean, self.std = MEAN, STD
        self.card = card

    def embed_images(self, pixels: Tensor) -> Tensor:
        """Embed (N, 3, S, S) scaled pictures as (N, D)."""
        return self.network.embed_images(pixels)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed texts as (N, D)."""
        return self.network.embed_texts(*tokenise(self.tokenizer, texts, self.network.logit_scale.device))

    def parts(self) -> dict[str, list[nn.Module | nn.Parameter]]:
        """Return what belongs to ``image``, ``text`` and ``head``."""
        net = self.network
        return {
            "image": [net.image_encoder],
            "text": [net.text_encoder],
            "head": [net.image_head, net.text_head, net.logit_scale],
        }

    def save(self, folder: Path) -> None:
        """Write the network as a folder that `load_clip` reads, but for its card."""
        save_dual(_merged(self.network), self.tokenizer, self.image_size, folder)


class ClipLearner:
    """A CLIP of transformers that learns further."""

    def __init__(self, clip: HuggingFaceClip) -> None:
        self.network = clip.network
        self.tokenizer = clip.tokenizer
        self.image_size = clip.card.image_size
        self.mean = clip.card.mean
        self.std = clip.preprocessor.std
        self.card = clip.card

    def embed_images(self, pixels: Tensor) -> Tensor:
        """Embed (N, 3, S, S) scaled pictures as (N, D)."""
        embedded: Tensor = self.network.get_image_features(pixel_values=pixels).pooler_output
        return embedded

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed texts as (N, D)."""
        tokens = tokenise_to_the_end(self.tokenizer, texts, self.network.logit_scale.device)
        embedded: Tensor = self.network.get_text_features(input_ids=tokens).pooler_output
        return embedded

    def parts(self) -> dict[str, list[nn.Module | nn.Parameter]]:
        """Return what belongs to ``image``, ``text`` and ``head``."""
        net: Any = self.network
        return {
            "image": [net.vision_model],
            "text": [net.text_model],
            "head": [net.visual_projection, net.text_projection, net.logit_scale],
        }

    def save(self, folder: Path) -> None:
        """Write the network as a folder that `load_clip` reads, but for its card."""
        from safetensors.torch import save_file
        from transformers import CLIPImageProcessor

        folder.mkdir(parents=True, exist_ok=True)
        network = _merged(self.network)
        network.config.save_pretrained(folder)
        weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        self.tokenizer.save(str(folder / "tokenizer.json"))
        side = {"height": self.image_size, "width": self.image_size}
        CLIPImageProcessor(
            size=side,
            crop_size=side,
            do_center_crop=False,
            image_mean=list(self.mean),
            image_std=list(self.std),
        ).save_pretrained(folder)


def make_learner(settings: TrainSettings, texts: Iterable[str], device: torch.device) -> Learner:
    """Build or load what is trained, with the parts that shall learn set free.

    Parameters
    ----------
    settings : TrainSettings
        Which model, and what of it learns.
    texts : iterable of str
        Captions, of which a new model's tokenizer is learnt.
    device : torch.device
        Where it runs.

    Returns
    -------
    Learner

    Raises
    ------
    ModelError
        If the model cannot be built, loaded or trained.
    """
    learner: Learner
    if settings.base == "dual":
        learner = _new(settings, texts)
    else:
        loaded = load_clip(settings.base, device="cpu")
        if isinstance(loaded, HuggingFaceClip):
            learner = ClipLearner(loaded)
        elif isinstance(loaded, DualClip):
            learner = DualLearner(loaded.network, loaded.tokenizer, loaded.card.image_size, loaded.card)
        else:
            raise ModelError(
                f"{settings.base} is of an architecture that cannot be trained further: expected a CLIP or a "
                "dual encoder that was trained here; or teach it with examples, which works with every model."
            )
    learner.network.to(device)  # type: ignore[arg-type]
    torch.manual_seed(settings.seed)  # LoRA begins with random numbers
    _free(learner, settings.train)
    return learner


def _new(settings: TrainSettings, texts: Iterable[str]) -> DualLearner:
    from napari_slip.training.own.text_models import text_model

    torch.manual_seed(settings.seed)
    config, tokenizer, weights = text_model(settings.text_model, texts, pretrained=settings.pretrained)
    network = DualNetwork(
        settings.image_model,
        config,
        settings.projection,
        image_size=settings.image_size,
        pretrained=settings.pretrained,
    )
    if weights is not None:
        network.text_encoder.load_state_dict(weights, strict=False)
    return DualLearner(network, tokenizer, settings.image_size)


def _free(learner: Learner, train: str) -> None:
    """Let learn what shall, and hold the rest still."""
    parts = learner.parts()
    learner.network.requires_grad_(train == "all")
    if train == "all":
        return
    for part in parts["head"]:
        part.requires_grad_(True)
    if train.startswith("last:"):
        for kind in ("image", "text"):
            for tower in parts[kind]:
                for block in _blocks(tower)[-int(train.removeprefix("last:")) :]:
                    block.requires_grad_(True)
    if train == "lora":
        _add_lora(learner.network)


def _blocks(tower: Any) -> list[nn.Module]:
    """Return the blocks of a network in order: its longest list of modules, or its children."""
    lists = [list(m) for m in tower.modules() if isinstance(m, nn.ModuleList) and len(m) > 1]
    children = [m for m in tower.children() if any(True for _ in m.parameters())]
    return max(lists, key=len) if lists else children


def _add_lora(network: nn.Module) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    wanted = {"q_proj", "v_proj", "q_lin", "v_lin", "query", "value", "qkv"}
    names = {name.rsplit(".", 1)[-1] for name, m in network.named_modules() if isinstance(m, nn.Linear)}
    if not names & wanted:
        raise ModelError(
            "This model has no attention that LoRA could adapt: train all, heads, or last:N of it instead."
        )
    free = [p for p in network.parameters() if p.requires_grad]
    inject_adapter_in_model(
        LoraConfig(r=8, lora_alpha=16, target_modules=sorted(names & wanted)),
        network,
    )
    for parameter in free:  # peft holds everything else still, the heads too
        parameter.requires_grad_(True)


def _merged(network: Any) -> Any:
    """Return the network with what LoRA has learnt written into its weights."""
    from peft.tuners.lora import LoraLayer

    copy = deepcopy(network)
    for name, module in list(copy.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(copy.get_submodule(parent), child, module.get_base_layer())
    return copy
