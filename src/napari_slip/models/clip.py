"""A CLIP of transformers behind the protocol that the chain asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slip.errors import InputError, ModelError
from napari_slip.models.building import build
from napari_slip.models.cards import normalisation, read_card
from napari_slip.models.fetching import sha256_of
from napari_slip.models.memory import fitting, in_chunks, sparing
from napari_slip.models.precision import bfloat16_pays
from napari_slip.models.stopping import stoppable
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer
    from transformers import CLIPModel

    from napari_slip.models.protocols import EncoderCard

BATCH = 16
"""Pictures or sentences that go through the network at once; a larger batch is no faster on a processor."""

MOST = 256
"""Pictures that go through it at once on any device."""

WIDE = 512
"""Width of a transformer from which on half precision is worth what it changes; mini is not so wide."""


class HuggingFaceClip:
    """A `transformers.CLIPModel` as a `DualEncoder`.

    Parameters
    ----------
    network : CLIPModel
        In evaluation mode, on its device.
    tokenizer : Tokenizer
        Which ends each text with the token at which the network reads it.
    card : EncoderCard
        What it says of itself.
    std : (3,) sequence of float
        Standard deviation of the colours by which pictures are scaled, 0..1; the mean is on the card.
    """

    def __init__(
        self, network: CLIPModel, tokenizer: Tokenizer, card: EncoderCard, std: Sequence[float]
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self._card = card
        self._mean = torch.tensor(card.mean).view(3, 1, 1) * 255
        self._std = torch.tensor(std).view(3, 1, 1) * 255

    @property
    def card(self) -> EncoderCard:
        """What the encoder says of itself."""
        return self._card

    def encode_images(
        self, pictures: NDArray[np.uint8], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed pictures.

        Parameters
        ----------
        pictures : (N, S, S, 3) uint8 array
            RGB, already of the size on the card.
        progress : Progress, optional
            Asked at every block of the transformer whether to stop.

        Returns
        -------
        (N, D) float32 array
            Rows of unit length.

        Raises
        ------
        InputError
            If the pictures have another size.
        Cancelled
            If `progress` was cancelled.
        """
        side = self._card.image_size
        if pictures.shape[1:] != (side, side, 3):
            raise InputError(
                f"Pictures of shape {pictures.shape} were given, but (N, {side}, {side}, 3) is expected."
            )
        every = torch.from_numpy(np.require(pictures, requirements=["C", "W"]))
        with torch.inference_mode(), stoppable(self.network.vision_model.encoder, progress or Progress()):
            return sparing(self.network, self._card.name, lambda: self._stack(self._look(every)))

    def _look(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Embed pictures, (N, S, S, 3), in as many pieces as the device needs."""
        device = self.network.device
        vision: Any = self.network.config.vision_config
        tokens = (vision.image_size // vision.patch_size) ** 2 + 1
        # a block's input, normalised input, queries, keys, values and hidden layer, in float32
        each = 4 * tokens * (6 * vision.hidden_size + 2 * vision.intermediate_size)
        halved = vision.hidden_size >= WIDE and bfloat16_pays(device)
        embeddings: list[torch.Tensor] = []

        def look(batch: torch.Tensor) -> None:
            scaled = (batch.to(device).permute(0, 3, 1, 2) - self._mean.to(device)) / self._std.to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=halved):
                features = self.network.get_image_features(pixel_values=scaled).pooler_output
            embeddings.append(_unit(features))

        in_chunks(pictures, fitting(device, each, on_processor=BATCH, most=MOST), look)
        return embeddings

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as (N, D) float32 rows of unit length; what is too long for the network is cut off."""
        embeddings = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                encodings = self.tokenizer.encode_batch(list(texts[start : start + BATCH]))
                ids = [_to_the_end(encoding.ids) for encoding in encodings]
                longest = max(map(len, ids))
                # Filled up with the end token: attention is causal, so what follows the first is not seen.
                filled = [row + row[-1:] * (longest - len(row)) for row in ids]
                tokens = torch.tensor(filled, device=self.network.device)
                embeddings.append(_unit(self.network.get_text_features(input_ids=tokens).pooler_output))
        return self._stack(embeddings)

    def _stack(self, embeddings: list[torch.Tensor]) -> NDArray[np.float32]:
        if not embeddings:
            return np.zeros((0, self.network.visual_projection.out_features), np.float32)
        stacked: NDArray[np.float32] = torch.cat(embeddings).cpu().numpy()
        return stacked


def load(folder: Path, name: str, device: torch.device) -> HuggingFaceClip:
    """Load a CLIP from a folder as transformers writes it; see `napari_slip.models.load_clip`."""
    from transformers import CLIPConfig, CLIPModel

    config, network, weights = build(CLIPConfig, CLIPModel, folder)
    tokenizer = _tokenizer(folder, config)
    card = read_card(
        folder,
        name=name,
        hash=sha256_of(weights),
        image_size=config.vision_config.image_size,
        logit_scale=float(network.logit_scale),
    )
    network.to(device)
    return HuggingFaceClip(network, tokenizer, card, normalisation(folder)[1])


def _tokenizer(folder: Path, config: Any) -> Tokenizer:
    from tokenizers import Tokenizer
    from transformers import CLIPTokenizer

    text = config.text_config
    try:
        if (folder / "tokenizer.json").is_file():
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            files = str(folder / "vocab.json"), str(folder / "merges.txt")
            tokenizer = CLIPTokenizer(*files).backend_tokenizer
    except Exception as error:  # a damaged file of tokenizers raises a bare Exception
        raise ModelError(
            f"{folder} has no tokenizer that can be read: expected tokenizer.json, or vocab.json and "
            "merges.txt."
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(text.max_position_embeddings)
    ids = tokenizer.encode("").ids
    # CLIP reads a text at its end token. Where that is not found it reads the start, which is the same for
    # all texts; 2 stands for the largest id, as the first CLIPs were saved.
    end = max(ids, default=-1) if text.eos_token_id == 2 else text.eos_token_id
    if end not in ids or ids.index(end) != len(ids) - 1 or tokenizer.get_vocab_size() > text.vocab_size:
        raise ModelError(
            f"The tokenizer in {folder} is not the one of its CLIP: it ends texts with token "
            f"{ids[-1] if ids else None} and has {tokenizer.get_vocab_size()} tokens, but {end} and at most "
            f"{text.vocab_size} are expected."
        )
    return tokenizer


def _to_the_end(ids: list[int]) -> list[int]:
    """Take end tokens out of the middle, where they stand for unknown characters: CLIP reads at the first."""
    return [*(token for token in ids if token != ids[-1]), ids[-1]]


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
