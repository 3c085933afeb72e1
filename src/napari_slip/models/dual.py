"""A dual encoder of a timm image model and a transformers text model, as the SLIP paper builds it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_slip.errors import ModelError
from napari_slip.hashing import file_hash
from napari_slip.models.cards import read_card, read_json
from napari_slip.models.looking import Preprocessor, embed_in_pieces, stacked, unit
from napari_slip.models.stopping import stoppable
from napari_slip.models.weights import read_state
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from napari_slip.models.looking import Colour
    from napari_slip.models.protocols import EncoderCard

MODEL_TYPE = "napari-slip-dual"
"""What ``config.json`` says of such a model."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's colours, by which timm's models and the paper scale pictures."""

BATCH = 32


class ProjectionHead(nn.Module):
    """Linear, GELU, linear, added to the first; then a layer norm (arXiv 2405.07284).

    Parameters
    ----------
    width, size : int
        Of what comes in and what goes out.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, size)
        self.further = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size)

    def forward(self, features: Tensor) -> Tensor:
        """Project (N, width) features to (N, size)."""
        projected = self.projection(features)
        further = self.further(nn.functional.gelu(projected))
        normed: Tensor = self.norm(projected + further)
        return normed


class DualNetwork(nn.Module):
    """Image model, text model and a projection head for each.

    Parameters
    ----------
    image_model : str
        Name in timm.
    text_config : dict
        Of a transformers text model, with its ``model_type``.
    projection : int
        D, the size of the common space.
    image_size : int
        Side of the pictures, in pixels.
    pretrained : bool
        Whether timm's published weights are fetched; the text model always begins at random here.

    Raises
    ------
    ModelError
        If there is no such image or text model.
    """

    def __init__(
        self,
        image_model: str,
        text_config: dict[str, Any],
        projection: int,
        *,
        image_size: int = 224,
        pretrained: bool = False,
    ) -> None:
        from transformers import AutoConfig, AutoModel

        super().__init__()
        self.config = {"image_model": image_model, "text_config": text_config, "projection": projection}
        self.image_encoder = image_encoder = _image_encoder(image_model, image_size, pretrained)
        try:
            values = dict(text_config)
            config = AutoConfig.for_model(values.pop("model_type"), **values)
            self.text_encoder: Any = AutoModel.from_config(config)
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"transformers can build no text model of {text_config.get('model_type')!r} as it is "
                "described: expected a type such as distilbert with settings that it knows."
            ) from error
        width = next(
            int(value) for key in ("hidden_size", "dim") if (value := getattr(config, key, None)) is not None
        )
        self.image_head = ProjectionHead(image_encoder.num_features, projection)
        self.text_head = ProjectionHead(width, projection)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.logit_scale.device

    def embed_images(self, pixels: Tensor) -> Tensor:
        """Embed (N, 3, S, S) scaled pictures as (N, D); not of unit length."""
        embedded: Tensor = self.image_head(self.image_encoder(pixels))
        return embedded

    def embed_texts(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Embed (N, L) tokens by their first one, the class token, as (N, D)."""
        states = self.text_encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        embedded: Tensor = self.text_head(states[:, 0])
        return embedded


class DualClip:
    """A `DualNetwork` as a `DualEncoder`.

    Parameters
    ----------
    network : DualNetwork
        In evaluation mode, on its device.
    tokenizer : Tokenizer
        Which begins each text with the token at which the network reads it.
    card : EncoderCard
        What it says of itself.
    std : (3,) sequence of float
        Standard deviation of the colours by which pictures are scaled, 0..1.
    """

    def __init__(self, network: DualNetwork, tokenizer: Tokenizer, card: EncoderCard, std: Colour) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self._card = card
        self.preprocessor = Preprocessor(card.image_size, card.mean, std)

    @property
    def card(self) -> EncoderCard:
        """What the encoder says of itself."""
        return self._card

    def encode_images(
        self, pictures: NDArray[np.uint8], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed (N, S, S, 3) uint8 RGB pictures as (N, D) float32 rows of unit length.

        Raises
        ------
        InputError
            If the pictures have another size.
        Cancelled
            If `progress` was cancelled.
        """
        every = self.preprocessor.check(pictures)
        with torch.inference_mode(), stoppable(self.network.image_encoder, progress or Progress()):
            return embed_in_pieces(
                self.network, self._card.name, every, self._look, size=lambda: BATCH, width=self._width
            )

    def _look(self, pictures: Tensor) -> Tensor:
        return self.network.embed_images(self.preprocessor(pictures, self.network.device))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as (N, D) float32 rows of unit length; what is too long is cut off."""
        parts: list[Tensor] = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                tokens, mask = tokenise(self.tokenizer, texts[start : start + BATCH], self.network.device)
                parts.append(unit(self.network.embed_texts(tokens, mask)))
        return stacked(parts, self._width)

    @property
    def _width(self) -> int:
        return int(self.network.image_head.norm.normalized_shape[0])


def tokenise(
    tokenizer: Tokenizer, texts: Sequence[str], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return (N, L) tokens and the mask of those that are no filling."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    longest = max(map(len, ids))
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids], device=device)
    return tokens, mask


def _image_encoder(name: str, image_size: int, pretrained: bool) -> Any:
    import timm

    if not timm.is_model(name):
        raise ModelError(f"timm has no image model called {name!r}: expected a name such as resnet50.")
    try:  # transformers are built for one size of pictures, convolutions take any
        return timm.create_model(name, pretrained=pretrained, num_classes=0, img_size=image_size)
    except TypeError:
        return timm.create_model(name, pretrained=pretrained, num_classes=0)


def save_dual(network: DualNetwork, tokenizer: Tokenizer, image_size: int, folder: Path) -> None:
    """Write a model as a folder that `load_clip` reads.

    Parameters
    ----------
    network : DualNetwork
        Its weights are written as safetensors.
    tokenizer : Tokenizer
        Written beside them.
    image_size : int
        Side of the pictures that it was trained on, in pixels.
    folder : Path
        Made if it is not there.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    values = {"model_type": MODEL_TYPE, "image_size": image_size, **network.config}
    (folder / "config.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    save_file({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}, folder / WEIGHTS)
    tokenizer.save(str(folder / "tokenizer.json"))
    colours = {"image_mean": MEAN, "image_std": STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(colours, indent=1) + "\n", encoding="utf-8")


WEIGHTS = "model.safetensors"


def load(folder: Path, name: str, device: torch.device) -> DualClip:
    """Load what `save_dual` wrote.

    Raises
    ------
    ModelError
        If something is missing or damaged.
    """
    from tokenizers import Tokenizer

    config = read_json(folder / "config.json")
    state = read_state(folder / WEIGHTS)
    try:
        side = int(config["image_size"])
        network = DualNetwork(
            config["image_model"], config["text_config"], int(config["projection"]), image_size=side
        )
        network.load_state_dict(state)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except ModelError:
        raise
    except Exception as error:  # tokenizers raises bare ones
        raise ModelError(
            f"{folder} holds no dual encoder that can be read: expected config.json, {WEIGHTS} and "
            "tokenizer.json as napari-slip train writes them, so train or copy it again."
        ) from error
    card = read_card(
        folder,
        name=name,
        hash=file_hash(folder / WEIGHTS),
        image_size=side,
        logit_scale=network.logit_scale.item(),
    )
    network.to(device).float().requires_grad_(False).eval()
    return DualClip(network, tokenizer, card, STD)
