"""SigLIP and SigLIP 2 (those of a fixed resolution) behind the protocol that the chain asks for.

Zhai et al., arXiv 2303.15343; Tschannen et al., arXiv 2502.14786. SigLIP 2 reads many languages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_slip.errors import ModelError
from napari_slip.hashing import file_hash
from napari_slip.models.building import build
from napari_slip.models.cards import normalisation, read_card, read_json
from napari_slip.models.looking import Preprocessor, embed_in_pieces, pieces_of
from napari_slip.models.stopping import stoppable
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from napari_slip.models.looking import Colour
    from napari_slip.models.protocols import EncoderCard

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation of the colours, where a model's folder says nothing else."""


def load(folder: Path, name: str, device: torch.device) -> SiglipEncoder:
    """Load a SigLIP from a folder as transformers writes it; see `napari_slip.models.load_clip`."""
    from transformers import SiglipConfig, SiglipModel

    config, network, weights = build(SiglipConfig, SiglipModel, folder)
    card = read_card(
        folder,
        name=name,
        hash=file_hash(weights),
        image_size=config.vision_config.image_size,
        logit_scale=float(network.logit_scale),
    )
    mean, std = normalisation(folder, HALF)
    network.to(device)
    return SiglipEncoder(network, _tokenizer(folder, config.text_config), card, mean, std)


class SiglipEncoder:
    """A `transformers.SiglipModel` as a `DualEncoder`.

    Parameters
    ----------
    network : SiglipModel
        In evaluation mode, on its device.
    tokenizer : Tokenizer
        Which fills each text up to the length that the network was trained with.
    card : EncoderCard
        What it says of itself.
    mean, std : three floats
        By which the colours are scaled, 0..1.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Tokenizer,
        card: EncoderCard,
        mean: Colour,
        std: Colour,
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self._card = card
        self.preprocessor = Preprocessor(card.image_size, mean, std)

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
        with torch.inference_mode(), stoppable(self.network.vision_model.encoder, progress or Progress()):
            return self._rows(every, self._look)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as (N, D) float32 rows of unit length; what is too long for the network is cut off."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        length = self.network.config.text_config.max_position_embeddings
        every = torch.tensor(ids, dtype=torch.long).reshape(len(ids), length)
        with torch.inference_mode():
            return self._rows(every, self._read)

    def _look(self, pictures: torch.Tensor) -> torch.Tensor:
        scaled = self.preprocessor(pictures, self.network.device)
        features: torch.Tensor = self.network.get_image_features(pixel_values=scaled).pooler_output
        return features

    def _read(self, ids: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.network.get_text_features(
            input_ids=ids.to(self.network.device)
        ).pooler_output
        return features

    def _rows(self, items: torch.Tensor, work: Callable[[torch.Tensor], torch.Tensor]) -> NDArray[np.float32]:
        vision = self.network.config.vision_config
        tokens = (vision.image_size // vision.patch_size) ** 2
        return embed_in_pieces(
            self.network,
            self._card.name,
            items,
            work,
            size=lambda: pieces_of(self.network.device, vision, tokens),
            width=vision.hidden_size,
        )


def _tokenizer(folder: Path, text: Any) -> Tokenizer:
    """Read the tokenizer, which reads lower case, ends texts and fills them up, as it did in training."""
    from tokenizers import Tokenizer, normalizers

    settings = (
        read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    )
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # a damaged file of tokenizers raises a bare Exception
        raise ModelError(
            f"{folder} has no tokenizer that can be read: expected tokenizer.json; SigLIP's first models, "
            "which have none, can be given one by saving their tokenizer again with transformers."
        ) from error
    pad = _token(settings, "pad_token", "<pad>")
    end = _token(settings, "eos_token", "<eos>")
    ids = {name: tokenizer.token_to_id(name) for name in (pad, end)}
    if None in ids.values() or tokenizer.get_vocab_size() > text.vocab_size:
        raise ModelError(
            f"The tokenizer in {folder} is not the one of its SigLIP: expected the tokens {pad} and {end}, "
            f"and at most {text.vocab_size} tokens in all."
        )
    first = tokenizer.normalizer
    lower = normalizers.Lowercase()
    tokenizer.normalizer = normalizers.Sequence([lower, first]) if first is not None else lower
    length = text.max_position_embeddings
    if ids[end] not in tokenizer.encode("a").ids:
        from tokenizers.processors import TemplateProcessing

        tokenizer.post_processor = TemplateProcessing(single=f"$A {end}", special_tokens=[(end, ids[end])])
    tokenizer.enable_truncation(length)
    side = str(settings.get("padding_side", "right"))
    tokenizer.enable_padding(direction=side, length=length, pad_id=ids[pad], pad_token=pad)
    return tokenizer


def _token(settings: dict[str, Any], key: str, otherwise: str) -> str:
    value = settings.get(key, otherwise)
    return str(value["content"] if isinstance(value, dict) else value)
