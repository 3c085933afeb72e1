"""A CLIP of transformers behind the protocol that the chain asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_slip.errors import ModelError
from napari_slip.hashing import file_hash
from napari_slip.models.building import build
from napari_slip.models.cards import normalisation, read_card
from napari_slip.models.looking import BATCH, Preprocessor, embed_in_pieces, pieces_of, stacked, unit
from napari_slip.models.precision import bfloat16_pays
from napari_slip.models.stopping import stoppable
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import CLIPModel

    from napari_slip.models.looking import Colour
    from napari_slip.models.protocols import EncoderCard

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

    def __init__(self, network: CLIPModel, tokenizer: Tokenizer, card: EncoderCard, std: Colour) -> None:
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
        every = self.preprocessor.check(pictures)
        vision = self._vision
        tokens = (vision.image_size // vision.patch_size) ** 2 + 1
        with torch.inference_mode(), stoppable(self.network.vision_model.encoder, progress or Progress()):
            return embed_in_pieces(
                self.network,
                self._card.name,
                every,
                self._look,
                size=lambda: pieces_of(self.network.device, vision, tokens),
                width=self._width,
            )

    def _look(self, pictures: Tensor) -> Tensor:
        device, vision = self.network.device, self._vision
        halved = vision.hidden_size >= WIDE and bfloat16_pays(device)
        scaled = self.preprocessor(pictures, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=halved):
            features: Tensor = self.network.get_image_features(pixel_values=scaled).pooler_output
        return features

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as (N, D) float32 rows of unit length; what is too long for the network is cut off."""
        embeddings: list[Tensor] = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                tokens = tokenise(self.tokenizer, texts[start : start + BATCH], self.network.device)
                embeddings.append(unit(self.network.get_text_features(input_ids=tokens).pooler_output))
        return stacked(embeddings, self._width)

    @property
    def _vision(self) -> Any:
        return self.network.config.vision_config

    @property
    def _width(self) -> int:
        return self.network.visual_projection.out_features


def load(folder: Path, name: str, device: torch.device) -> HuggingFaceClip:
    """Load a CLIP from a folder as transformers writes it; see `napari_slip.models.load_clip`."""
    from transformers import CLIPConfig, CLIPModel

    config, network, weights = build(CLIPConfig, CLIPModel, folder)
    tokenizer = _tokenizer(folder, config)
    card = read_card(
        folder,
        name=name,
        hash=file_hash(weights),
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


def tokenise(tokenizer: Tokenizer, texts: Sequence[str], device: torch.device) -> Tensor:
    """Return (N, L) tokens of texts, of which there is one at least."""
    ids = [_to_the_end(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]
    longest = max(map(len, ids))
    # Filled up with the end token: attention is causal, so what follows the first is not seen.
    return torch.tensor([row + row[-1:] * (longest - len(row)) for row in ids], device=device)


def _to_the_end(ids: list[int]) -> list[int]:
    """Take end tokens out of the middle, where they stand for unknown characters: CLIP reads at the first."""
    return [*(token for token in ids if token != ids[-1]), ids[-1]]
